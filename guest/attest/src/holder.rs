//! The key of a side that has no evidence: an operator's or a requester's.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// Holds an Ed25519 key and signs with it: a file's key, or one on a token.
pub trait Holder: Send + Sync {
    /// The public key (RFC 8032).
    fn public_key(&self) -> [u8; 32];

    /// The signature over the message. Channels only ever hand in messages that begin with
    /// `hallmark/possession/1`. May block.
    ///
    /// # Errors
    /// Why the key does not sign.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], HolderError>;
}

/// A key that does not sign.
#[derive(Debug, thiserror::Error)]
#[error("the key does not sign: {0}")]
pub struct HolderError(pub String);

/// A key in memory, zeroized at the end.
pub struct SeedHolder(SigningKey);

impl SeedHolder {
    /// The key of this seed.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }
}

impl std::fmt::Debug for SeedHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SeedHolder({})", hex::encode(self.public_key()))
    }
}

impl Holder for SeedHolder {
    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], HolderError> {
        Ok(self.0.sign(message).to_bytes())
    }
}

/// Whether the signature is this key's (strictly: no key of small order, no malleable form).
pub(crate) fn is_signed(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key)
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_signature_is_of_one_key_and_one_message() {
        let holder = SeedHolder::new(&[7; 32]);
        let signature = holder.sign(b"message").unwrap();
        assert!(is_signed(&holder.public_key(), b"message", &signature));
        assert!(!is_signed(&holder.public_key(), b"Message", &signature));
        assert!(!is_signed(&SeedHolder::new(&[8; 32]).public_key(), b"message", &signature));
        // The neutral element: under the loose rule a zero scalar signs everything.
        let neutral = std::array::from_fn(|i| u8::from(i == 0));
        let zero = std::array::from_fn(|i| u8::from(i == 0));
        assert!(!is_signed(&neutral, b"message", &zero));
        assert!(!format!("{holder:?}").contains("0707"), "the seed is never shown");
    }
}
