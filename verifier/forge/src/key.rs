//! P-256 keys and signatures that are the same on every run.

use const_oid::ObjectIdentifier;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature as Ecdsa, SigningKey};
use sha2::{Digest, Sha256};

use crate::asn1;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const PRIME256V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// A P-256 key pair made from a label. Anyone can make it again: it protects nothing.
#[derive(Debug, Clone)]
pub struct Key {
    label: String,
    pair: SigningKey,
}

impl Key {
    /// The key pair of a label: the private scalar is a hash of it.
    #[must_use]
    pub fn simulated(label: &str) -> Self {
        let mut attempt = 0_u64;
        loop {
            let seed = Sha256::new()
                .chain_update(b"hallmark/simulated-key/1/")
                .chain_update(attempt.to_be_bytes())
                .chain_update(label)
                .finalize();
            // A hash is no valid scalar once in 2^32 labels.
            if let Ok(pair) = SigningKey::from_slice(&seed) {
                return Self { label: label.into(), pair };
            }
            attempt += 1;
        }
    }

    /// The label it was made from.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The public point, x || y.
    #[must_use]
    pub fn point(&self) -> [u8; 64] {
        let mut point = [0; 64];
        let sec1 = self.pair.verifying_key().to_sec1_point(false);
        // SEC 1 puts 0x04 before an uncompressed point.
        point.iter_mut().zip(sec1.as_bytes().iter().skip(1)).for_each(|(to, from)| *to = *from);
        point
    }

    /// SubjectPublicKeyInfo in DER (RFC 5480).
    #[must_use]
    pub fn spki(&self) -> Vec<u8> {
        asn1::sequence(&[
            asn1::sequence(&[asn1::oid(EC_PUBLIC_KEY), asn1::oid(PRIME256V1)]),
            asn1::bit_string(0, &self.sec1()),
        ])
    }

    /// SHA-256 of [`Key::spki`]: how a policy names a simulated root.
    #[must_use]
    pub fn spki_sha256(&self) -> [u8; 32] {
        Sha256::digest(self.spki()).into()
    }

    /// A key identifier: the first 20 bytes of SHA-256 of the point (RFC 7093, method 1).
    #[must_use]
    pub fn identifier(&self) -> Vec<u8> {
        Sha256::digest(self.sec1()).into_iter().take(20).collect()
    }

    fn sec1(&self) -> Vec<u8> {
        [&[0x04], &self.point()[..]].concat()
    }
}

/// How a signature is made, or what stands in its place.
#[derive(Debug, Clone, Default)]
pub enum Signature {
    /// By the key it should be by.
    #[default]
    Valid,
    /// By another key.
    By(Key),
    /// Valid but for one bit of r || s.
    FlipBit(u16),
    /// The other valid signature that anyone can make from the first: (r, n - s).
    Complement,
    /// These bytes, whatever they are.
    Bytes(Vec<u8>),
}

impl Signature {
    /// r || s over `message` with SHA-256, 64 bytes unless they were given.
    #[must_use]
    pub fn raw(&self, key: &Key, message: &[u8]) -> Vec<u8> {
        let sign = |key: &Key| -> Ecdsa { key.pair.sign(message) };
        match self {
            Self::Valid => sign(key).to_vec(),
            Self::By(other) => sign(other).to_vec(),
            Self::FlipBit(bit) => {
                let mut raw = sign(key).to_vec();
                if let Some(byte) = raw.get_mut(usize::from(bit / 8)) {
                    *byte ^= 1 << (bit % 8);
                }
                raw
            }
            Self::Complement => {
                let signature = sign(key);
                let (r, s) = signature.split_scalars();
                Ecdsa::from_scalars(r, -s).unwrap_or(signature).to_vec()
            }
            Self::Bytes(bytes) => bytes.clone(),
        }
    }

    /// The same as an `Ecdsa-Sig-Value` (RFC 3279, 2.2.3); given bytes are left as they are.
    #[must_use]
    pub fn der(&self, key: &Key, message: &[u8]) -> Vec<u8> {
        let raw = self.raw(key, message);
        if matches!(self, Self::Bytes(_)) {
            return raw;
        }
        let (r, s) = raw.split_at(raw.len() / 2);
        asn1::sequence(&[asn1::unsigned(r), asn1::unsigned(s)])
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::Verifier;

    use super::*;

    #[test]
    fn same_label_same_bytes() {
        let (a, b) = (Key::simulated("a"), Key::simulated("b"));
        assert_eq!(a.point(), Key::simulated("a").point());
        assert_ne!(a.point(), b.point());
        assert_eq!(Signature::Valid.raw(&a, b"m"), Signature::Valid.raw(&Key::simulated("a"), b"m"));
    }

    #[test]
    fn signatures_are_what_they_say() {
        let key = Key::simulated("a");
        let public = VerifyingKey::from_sec1_bytes(&key.sec1()).unwrap();
        let holds = |s: &Signature| {
            let raw = Ecdsa::from_slice(&s.raw(&key, b"m")).unwrap();
            let der = Ecdsa::from_der(&s.der(&key, b"m")).unwrap();
            assert_eq!(raw, der);
            public.verify(b"m", &raw).is_ok()
        };
        assert!(holds(&Signature::Valid));
        assert!(holds(&Signature::Complement));
        assert!(!holds(&Signature::FlipBit(300)));
        assert!(!holds(&Signature::By(Key::simulated("b"))));
        let (one, other) = (Signature::Valid.raw(&key, b"m"), Signature::Complement.raw(&key, b"m"));
        assert_ne!(one, other);
    }
}
