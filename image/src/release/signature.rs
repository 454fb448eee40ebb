//! `release.json.sig`: who stands for a release document.
//!
//! A [signed note](hallmark_ledger::note) over three lines: a domain, the release's name and version, the SHA-256 of the exact
//! bytes of release.json. The names are for people who look at a signature alone; what binds is the hash.

use hallmark_ledger::note::{Note, NoteError, Signer, Verifier};
use sha2::{Digest as _, Sha256};

use super::{Release, ReleaseError};

/// The text that is signed for a document.
///
/// # Errors
/// When the document is no release.
pub fn statement(document: &[u8]) -> Result<String, SignatureError> {
    let release = Release::parse(document)?;
    let hash = hex::encode(Sha256::digest(document));
    Ok(format!("hallmark/release-signature/1\n{} {}\nsha256 {hash}\n", release.name, release.version))
}

/// Signs a document, next to the signatures that `existing` (the bytes of its signature file) has already.
///
/// # Errors
/// When the document is no release, or the existing file is about another one.
pub fn sign(document: &[u8], existing: Option<&[u8]>, signers: &[Signer]) -> Result<Note, SignatureError> {
    let mut note = match existing {
        Some(existing) => about(document, existing)?,
        None => Note::new(&statement(document)?)?,
    };
    for signer in signers {
        note.sign(signer);
    }
    Ok(note)
}

/// Which of these keys signed a document.
///
/// # Errors
/// When the signature file is about another document, or a signature by one of the keys is wrong.
pub fn verify<'k>(
    document: &[u8],
    signature: &[u8],
    keys: &'k [Verifier],
) -> Result<Vec<&'k Verifier>, SignatureError> {
    Ok(about(document, signature)?.verified(keys)?)
}

fn about(document: &[u8], signature: &[u8]) -> Result<Note, SignatureError> {
    let note = Note::parse(signature)?;
    if note.text() != statement(document)? {
        return Err(SignatureError::Another);
    }
    Ok(note)
}

/// Why a document is not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The document.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A signature of something else.
    #[error("the signature file is about another release.json: its name, version or SHA-256 differ")]
    Another,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::tests::release;

    #[test]
    fn several_sign_and_a_changed_document_is_refused() {
        let document = release().to_json().unwrap();
        let signers =
            [Signer::from_seed("one", &[1; 32]).unwrap(), Signer::from_seed("two", &[2; 32]).unwrap()];
        let keys = signers.each_ref().map(Signer::verifier);
        let first = sign(document.as_bytes(), None, &signers[..1]).unwrap().to_string();
        let both = sign(document.as_bytes(), Some(first.as_bytes()), &signers[1..]).unwrap().to_string();
        assert_eq!(verify(document.as_bytes(), first.as_bytes(), &keys).unwrap(), [&keys[0]]);
        assert_eq!(verify(document.as_bytes(), both.as_bytes(), &keys).unwrap(), [&keys[0], &keys[1]]);
        let changed = document.replacen("rustc 1.95.0", "rustc 1.95.1", 1);
        assert!(matches!(verify(changed.as_bytes(), both.as_bytes(), &keys), Err(SignatureError::Another)));
        assert!(matches!(
            sign(changed.as_bytes(), Some(both.as_bytes()), &signers),
            Err(SignatureError::Another)
        ));
    }
}
