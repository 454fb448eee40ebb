//! The key of a slot's operator.
//!
//! A file of one line, `hallmark/slot-key/1 HEX`, that its owner alone may read. It signs what begins with `hallmark/slot/1` or
//! `hallmark/recovery/1` (and expulsions), never a caller's bytes.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use thiserror::Error;
use zeroize::Zeroizing;

use super::file::{FileError, bounded};

const WORD: &str = "hallmark/slot-key/1 ";

/// An Ed25519 key, zeroized when dropped, never shown.
pub struct SlotKey(SigningKey);

/// A key that cannot be read, made or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SlotKeyError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is something else.
    #[error("{0}: not such a key; it has one line, `{1}` and 64 hex digits")]
    Malformed(String, &'static str),
    /// The file cannot be written; one that is there is never overwritten.
    #[error("{path}: {error}")]
    Write {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// No randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(getrandom::Error),
}

impl SlotKey {
    /// A fresh key.
    ///
    /// # Errors
    /// Where the system has no randomness.
    pub fn generate() -> Result<Self, SlotKeyError> {
        Ok(Self::from_seed(&*fresh_seed()?))
    }

    /// The key of a seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// Where it cannot be read, or is none.
    pub fn read(path: &Path) -> Result<Self, SlotKeyError> {
        Ok(Self::from_seed(&*read_seed(path, WORD)?))
    }

    /// Writes the key to a new file that its owner alone may read.
    ///
    /// # Errors
    /// Where it cannot be written, or is there already.
    pub fn write(&self, path: &Path) -> Result<(), SlotKeyError> {
        write_seed(path, WORD, &Zeroizing::new(self.0.to_bytes()))
    }

    /// The public key, as it stands in the access rules.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a message of this crate's.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

/// A fresh seed.
pub(crate) fn fresh_seed() -> Result<Zeroizing<[u8; 32]>, SlotKeyError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(SlotKeyError::Randomness)?;
    Ok(seed)
}

/// Reads the seed out of a file of one line, `word` and 64 hex digits.
pub(crate) fn read_seed(path: &Path, word: &'static str) -> Result<Zeroizing<[u8; 32]>, SlotKeyError> {
    let bytes = Zeroizing::new(bounded(path, 256)?);
    let mut seed = Zeroizing::new([0; 32]);
    let text = std::str::from_utf8(&bytes).ok();
    let digits = text.and_then(|text| text.strip_suffix('\n').unwrap_or(text).strip_prefix(word));
    digits
        .and_then(|digits| hex::decode_to_slice(digits, seed.as_mut()).ok())
        .ok_or_else(|| SlotKeyError::Malformed(path.display().to_string(), word.trim_end()))?;
    Ok(seed)
}

/// Writes such a file, which its owner alone may read; one that is there stays as it is.
pub(crate) fn write_seed(path: &Path, word: &str, seed: &[u8; 32]) -> Result<(), SlotKeyError> {
    let text = Zeroizing::new(format!("{word}{}\n", Zeroizing::new(hex::encode(seed)).as_str()));
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|error| SlotKeyError::Write { path: path.display().to_string(), error })
}

impl fmt::Debug for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotKey({})", hex::encode(self.public()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_file_is_private_is_not_overwritten_and_reads_back() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slot0.key");
        let key = SlotKey::from_seed(&[0x5a; 32]);
        key.write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SlotKey::read(&path).unwrap().public(), key.public());
        assert!(matches!(SlotKey::generate().unwrap().write(&path), Err(SlotKeyError::Write { .. })));
        assert_eq!(SlotKey::read(&path).unwrap().public(), key.public());
        assert!(!format!("{key:?}").contains("5a5a"), "the seed is never shown");
        std::fs::write(&path, "hallmark/slot-key/1 00\n").unwrap();
        assert!(matches!(SlotKey::read(&path), Err(SlotKeyError::Malformed(..))));
    }
}
