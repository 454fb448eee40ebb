//! What ties evidence to a question and to a key: SPECIFICATION §1.

use sha2::{Digest, Sha256, Sha512};

/// `bound` of evidence that binds no file and no key: 32 zero bytes.
pub const NOTHING_BOUND: [u8; 32] = [0; 32];

/// Separates these hashes from every other use of SHA-512.
const DOMAIN: &[u8] = b"hallmark/evidence/1";

/// The 32 bytes that the asker chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; 32]);

/// Why some text is not a nonce.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NonceError {
    /// Not 64 characters.
    #[error("nonce: {0} characters; 64 hex digits (32 bytes) are needed (SPECIFICATION §1)")]
    Length(usize),
    /// A character that is not a hex digit.
    #[error("nonce: {character:?} at offset {offset} is not a hex digit (SPECIFICATION §1)")]
    Digit {
        /// The character found.
        character: char,
        /// Where, in characters.
        offset: usize,
    },
}

impl Nonce {
    /// A nonce from its 32 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 hex digits, of either case.
    ///
    /// # Errors
    /// Another length, or a character that is not a hex digit.
    pub fn from_hex(text: &str) -> Result<Self, NonceError> {
        if let Some((offset, character)) = text.chars().enumerate().find(|(_, c)| !c.is_ascii_hexdigit()) {
            return Err(NonceError::Digit { character, offset });
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NonceError::Length(text.len()))?;
        Ok(Self(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The 64 bytes that the platform signs: `SHA-512("hallmark/evidence/1" || nonce || bound)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding([u8; 64]);

impl Binding {
    /// Computes the binding. `bound` is the SHA-256 of the file or key bound, or [`NOTHING_BOUND`].
    ///
    /// All three parts have a fixed length, so their plain concatenation is unambiguous.
    #[must_use]
    pub fn new(nonce: &Nonce, bound: &[u8; 32]) -> Self {
        let hash = Sha512::new().chain_update(DOMAIN).chain_update(nonce.0).chain_update(bound).finalize();
        Self(hash.into())
    }

    /// A binding of another domain: 64 bytes that are a SHA-512 over a domain tag and what is bound, such as
    /// `hallmark/attested-tls/1` and `hallmark/statement/1`.
    ///
    /// The caller computes that hash itself. Bytes that somebody else chose must never come here: they could be the binding
    /// of a session that is not ours.
    #[must_use]
    pub const fn of_hash(hash: [u8; 64]) -> Self {
        Self(hash)
    }

    /// The 64 bytes of TDX and SNP `report_data`.
    #[must_use]
    pub const fn report_data(&self) -> &[u8; 64] {
        &self.0
    }

    /// What a TPM carries as `extraData`: SHA-256 of the 64 bytes.
    #[must_use]
    pub fn extra_data(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binding_is_what_the_specification_says() {
        // printf 'hallmark/evidence/1' | cat - <(32 x 0x11) <(32 x 0x00) | sha512sum
        let binding = Binding::new(&Nonce::new([0x11; 32]), &NOTHING_BOUND);
        assert_eq!(hex::encode(binding.report_data()), GOLDEN);
        assert_ne!(binding, Binding::new(&Nonce::new([0x11; 32]), &[1; 32]));
        let by_hand: [u8; 32] = Sha256::digest(hex::decode(GOLDEN).unwrap()).into();
        assert_eq!(binding.extra_data(), by_hand);
    }

    const GOLDEN: &str = "e9cf3f832f607ade60dfc8af597a23fdb830d0920908b742650313b25b2ffadf8ffb24543f63653571ad1089acd87ae134ffb9dd2f5e71c150e7497863ac9ffc";

    #[test]
    fn nonces_are_64_hex_digits_and_nothing_else() {
        assert_eq!(Nonce::from_hex(&"aB".repeat(32)).unwrap().as_bytes(), &[0xab; 32]);
        assert_eq!(Nonce::from_hex(""), Err(NonceError::Length(0)));
        assert_eq!(Nonce::from_hex(&"a".repeat(63)), Err(NonceError::Length(63)));
        assert_eq!(Nonce::from_hex(&"a".repeat(66)), Err(NonceError::Length(66)));
        let odd = format!("{}é", "a".repeat(62));
        assert_eq!(Nonce::from_hex(&odd), Err(NonceError::Digit { character: 'é', offset: 62 }));
    }
}
