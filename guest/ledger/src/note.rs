//! C2SP signed notes with Ed25519 keys: who stands for a release, and which log speaks.
//!
//! <https://c2sp.org/signed-note>: a text that ends in a newline, an empty line, then a line for each signature:
//! `— NAME BASE64(key id || signature)`. The key id is the first four bytes of
//! `SHA-256(NAME || 0x0a || 0x01 || public key)`.
//!
//! Keys are in the usual text forms: `NAME+ID+BASE64(0x01 || public key)`, and for a signer
//! `PRIVATE+KEY+NAME+ID+BASE64(0x01 || seed)` in a file that only its owner may read. The seed is wiped from memory
//! after use.

use std::{
    fmt, fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The signature type of Ed25519.
const ED25519: u8 = 1;
/// Largest note that is read, in bytes.
pub const MAX_NOTE: usize = 64 << 10;
/// Most signatures that are read.
pub const MAX_SIGNATURES: usize = 100;

/// A key that verifies notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    key: VerifyingKey,
}

impl Verifier {
    /// Reads `NAME+ID+BASE64`.
    ///
    /// # Errors
    /// When it is not that, the id is not the key's, or the key is no good point of the curve.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("not NAME+ID+KEY"));
        };
        let key: [u8; 32] =
            decode_key(key)?.as_slice().try_into().map_err(|_| NoteError::Key("not 32 bytes"))?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| NoteError::Key("not a point of the curve"))?;
        if key.is_weak() {
            return Err(NoteError::Key("a weak point"));
        }
        let verifier = Self { name: checked_name(name)?.to_owned(), key };
        if hex::encode(verifier.id()) != id {
            return Err(NoteError::Key("the id is not the key's"));
        }
        Ok(verifier)
    }

    /// The signer's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Ed25519 public key, 32 bytes.
    pub fn public(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The four bytes that tell keys of one name apart.
    pub fn id(&self) -> [u8; 4] {
        key_id(&self.name, ED25519, self.key.as_bytes())
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519][..], self.key.as_bytes()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(key))
    }
}

/// A key that signs notes. Wiped from memory when dropped; never shown.
pub struct Signer {
    name: String,
    key: SigningKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.name)
    }
}

impl Signer {
    /// Makes a new key from the system's randomness.
    ///
    /// # Errors
    /// When the name is not one, or there is no randomness.
    pub fn generate(name: &str) -> Result<Self, NoteError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|e| NoteError::Randomness(e.to_string()))?;
        Self::from_seed(name, &seed)
    }

    /// The key of a seed.
    ///
    /// # Errors
    /// When the name is not one.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        Ok(Self { name: checked_name(name)?.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    /// Reads a key file. On a file that others may read it refuses: the key may be known already.
    ///
    /// # Errors
    /// When the file cannot be read, is open to others, or holds no key.
    pub fn read(path: &Path) -> Result<Self, NoteError> {
        let failed = |source| NoteError::File { path: path.to_owned(), source };
        let file = fs::File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(NoteError::Open { path: path.to_owned(), mode: mode & 0o777 });
        }
        // Allocated at full size at once: growing would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(4096));
        file.take(4096).read_to_string(&mut text).map_err(failed)?;
        let mut parts =
            text.trim().strip_prefix("PRIVATE+KEY+").ok_or(NoteError::Key("no PRIVATE+KEY+"))?.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("not PRIVATE+KEY+NAME+ID+KEY"));
        };
        let seed = decode_key(key)?;
        let seed: &[u8; 32] = seed.as_slice().try_into().map_err(|_| NoteError::Key("not 32 bytes"))?;
        let signer = Self::from_seed(name, seed)?;
        if hex::encode(signer.verifier().id()) != id {
            return Err(NoteError::Key("the id is not the key's"));
        }
        Ok(signer)
    }

    /// Writes a new key file, for its owner alone (mode 0600). Never overwrites one.
    ///
    /// # Errors
    /// When the file is there already or cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), NoteError> {
        let mut key = Zeroizing::new([ED25519; 33]);
        if let Some(seed) = key.get_mut(1..) {
            seed.copy_from_slice(Zeroizing::new(self.key.to_bytes()).as_slice());
        }
        let key = Zeroizing::new(STANDARD.encode(key.as_slice()));
        let id = hex::encode(self.verifier().id());
        let text = Zeroizing::new(format!("PRIVATE+KEY+{}+{id}+{}\n", self.name, key.as_str()));
        let failed = |source| NoteError::File { path: path.to_owned(), source };
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
    }

    /// Signs bytes that are no note (an operator's messages). Their domain must be in them.
    pub fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// The seed, for who must hand the key to another member over an attested channel.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    /// The key that verifies what this one signs.
    pub fn verifier(&self) -> Verifier {
        Verifier { name: self.name.clone(), key: self.key.verifying_key() }
    }
}

/// A text with its signature lines, as read; nothing is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<(String, [u8; 4], Vec<u8>)>,
}

impl Note {
    /// A note without signatures.
    ///
    /// # Errors
    /// When the text does not end in a newline or has other control characters.
    pub fn new(text: &str) -> Result<Self, NoteError> {
        if !text.ends_with('\n') || text.chars().any(|c| c != '\n' && c.is_control()) {
            return Err(NoteError::Text);
        }
        Ok(Self { text: text.to_owned(), signatures: Vec::new() })
    }

    /// Reads a note.
    ///
    /// # Errors
    /// When it is too large, is not UTF-8 text, or a signature line is malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::TooLarge(bytes.len()));
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Text)?;
        // The signatures are behind the last empty line.
        let (text, lines) = whole.rsplit_once("\n\n").ok_or(NoteError::NoSignature)?;
        let mut note = Self::new(&format!("{text}\n"))?;
        for line in lines.strip_suffix('\n').ok_or(NoteError::NoSignature)?.split('\n') {
            let malformed = || NoteError::Line(line.chars().take(80).collect());
            let (name, value) =
                line.strip_prefix("— ").and_then(|l| l.split_once(' ')).ok_or_else(malformed)?;
            let value = STANDARD.decode(value).map_err(|_| malformed())?;
            let (id, signature) = value.split_first_chunk::<4>().ok_or_else(malformed)?;
            if signature.is_empty() || note.signatures.len() == MAX_SIGNATURES {
                return Err(malformed());
            }
            note.signatures.push((checked_name(name)?.to_owned(), *id, signature.to_vec()));
        }
        Ok(note)
    }

    /// The signed text, newline included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds a signature, in place of one that the same key made before.
    pub fn sign(&mut self, signer: &Signer) {
        let signature = signer.key.sign(self.text.as_bytes()).to_bytes().to_vec();
        let id = signer.verifier().id();
        self.signatures.retain(|(name, other, _)| (name, other) != (&signer.name, &id));
        self.signatures.push((signer.name.clone(), id, signature));
    }

    /// Adds a signature line made elsewhere, unless as many as are read are there already.
    pub(crate) fn add(&mut self, name: &str, id: [u8; 4], signature: Vec<u8>) -> Result<(), NoteError> {
        if self.signatures.len() == MAX_SIGNATURES {
            return Err(NoteError::Line(name.to_owned()));
        }
        self.signatures.push((checked_name(name)?.to_owned(), id, signature));
        Ok(())
    }

    /// The signatures that claim this name and key, unverified.
    pub(crate) fn claims<'n>(&'n self, name: &'n str, id: [u8; 4]) -> impl Iterator<Item = &'n [u8]> {
        let claims = self.signatures.iter().filter(move |(n, i, _)| n == name && *i == id);
        claims.map(|(_, _, signature)| signature.as_slice())
    }

    /// Names on the signature lines, as they stand; nothing is verified.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|(name, _, _)| name.as_str())
    }

    /// Which of these keys signed the text. Signatures by other keys say nothing and are passed over.
    ///
    /// # Errors
    /// When a signature that claims one of the keys is wrong: that is damage or an attack, not an absence.
    pub fn verified<'k>(&self, keys: &'k [Verifier]) -> Result<Vec<&'k Verifier>, NoteError> {
        let mut signed = Vec::new();
        for key in keys {
            let id = key.id();
            for (_, _, signature) in self.signatures.iter().filter(|(n, i, _)| *n == key.name && *i == id) {
                let good = Signature::from_slice(signature)
                    .is_ok_and(|signature| key.key.verify_strict(self.text.as_bytes(), &signature).is_ok());
                if !good {
                    return Err(NoteError::Wrong(key.name.clone()));
                }
                if !signed.contains(&key) {
                    signed.push(key);
                }
            }
        }
        Ok(signed)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for (name, id, signature) in &self.signatures {
            writeln!(f, "— {name} {}", STANDARD.encode([&id[..], signature].concat()))?;
        }
        Ok(())
    }
}

/// The four bytes that tell keys of one name apart: the head of `SHA-256(NAME || 0x0a || TYPE || public key)`.
pub(crate) fn key_id(name: &str, kind: u8, key: &[u8; 32]) -> [u8; 4] {
    let digest = Sha256::new().chain_update(name).chain_update([b'\n', kind]).chain_update(key).finalize();
    let [a, b, c, d, ..]: [u8; 32] = digest.into();
    [a, b, c, d]
}

/// A key name: not empty, no space, no plus.
pub(crate) fn checked_name(name: &str) -> Result<&str, NoteError> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.len() > 256 || name.chars().any(bad) {
        Err(NoteError::Name(name.to_owned()))
    } else {
        Ok(name)
    }
}

/// The 32 bytes behind the type of a key.
fn decode_key(text: &str) -> Result<Zeroizing<Vec<u8>>, NoteError> {
    let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| NoteError::Key("not base64"))?);
    let key = bytes.strip_prefix(&[ED25519]).ok_or(NoteError::Key("not an Ed25519 key"))?;
    Ok(Zeroizing::new(key.to_vec()))
}

/// Why there is no note, or no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Not a note's text.
    #[error("signed note: the text must be UTF-8, end in a newline and have no other control characters")]
    Text,
    /// Too large.
    #[error("signed note: {0} bytes, the limit is {MAX_NOTE}")]
    TooLarge(usize),
    /// No signatures.
    #[error("signed note: no signature lines behind an empty line")]
    NoSignature,
    /// A malformed line.
    #[error("signed note: {0:?} is not a signature line")]
    Line(String),
    /// A malformed name.
    #[error("signed note: {0:?} is not a key name")]
    Name(String),
    /// A malformed key.
    #[error("signed note key: {0}")]
    Key(&'static str),
    /// A signature that does not verify.
    #[error("signed note: the signature of {0} is wrong")]
    Wrong(String),
    /// A key file that cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key file that others can read.
    #[error("{}: mode {mode:o} lets others read the key; make a new key, and keep it at 600", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// No randomness.
    #[error("no randomness: {0}")]
    Randomness(String),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn signer(name: &str, seed: u8) -> Signer {
        Signer::from_seed(name, &[seed; 32]).unwrap()
    }

    /// The example of Go's golang.org/x/mod/sumdb/note documentation: a key and a note made by another program.
    #[test]
    fn a_note_of_another_program_verifies() {
        let key =
            Verifier::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
                    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let note = Note::parse(note.as_bytes()).unwrap();
        assert_eq!(note.verified(std::slice::from_ref(&key)).unwrap(), [&key]);
    }

    #[test]
    fn several_signers_and_a_stranger() {
        let (a, b, c) = (signer("a.example/1", 1), signer("b", 2), signer("b", 3));
        let mut note = Note::new("one\n\ntwo\n").unwrap();
        note.sign(&a);
        note.sign(&b);
        note.sign(&a);
        let read = Note::parse(note.to_string().as_bytes()).unwrap();
        assert_eq!(read.text(), "one\n\ntwo\n");
        assert_eq!(read.signatures.len(), 2);
        let keys = [a.verifier(), c.verifier(), b.verifier()];
        assert_eq!(read.verified(&keys).unwrap(), [&keys[0], &keys[2]]);
        for key in keys {
            assert_eq!(Verifier::parse(&key.to_string()).unwrap(), key);
        }
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let a = signer("a", 1);
        let mut note = Note::new("text\n").unwrap();
        note.sign(&a);
        let (bytes, keys) = (note.to_string().into_bytes(), [a.verifier()]);
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[index] ^= 1 << bit;
                if let Ok(bad) = Note::parse(&bad) {
                    assert!(!bad.verified(&keys).is_ok_and(|v| !v.is_empty()), "{index}.{bit}");
                }
            }
            let _ = Note::parse(&bytes[..index]);
        }
    }

    #[test]
    fn key_files_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made = Signer::generate("maker").unwrap();
        made.write(&path).unwrap();
        assert!(made.write(&path).is_err());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Signer::read(&path).unwrap().verifier(), made.verifier());
        assert_eq!(format!("{made:?}"), "Signer(maker)");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Signer::read(&path), Err(NoteError::Open { mode: 0o640, .. })));
    }

    #[test]
    fn what_is_no_key_or_note_is_refused() {
        let good = signer("n", 1).verifier().to_string();
        for bad in [
            "",
            "a+b",
            "a b+00+AQ==",
            "n+00000000+AQ==",
            &good.replacen('+', "+0", 1),
            &good.replace("n+", "m+"),
        ] {
            assert!(Verifier::parse(bad).is_err(), "{bad}");
        }
        for bad in ["no newline", "tab\t\n", ""] {
            assert!(Note::new(bad).is_err(), "{bad:?}");
        }
        for bad in [
            "text\n",
            "text\n\n",
            "text\n\nx y\n",
            "text\n\n— a\n",
            "text\n\n— a AAAA\n",
            "text\n\n— a AAAAAA==",
        ] {
            assert!(Note::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
