//! The key that a side speaks with. Made in memory at every start; never written anywhere.

use std::fmt;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ED25519, PublicKeyData as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

/// A fresh Ed25519 key with a self-signed certificate around it. The certificate proves nothing: TLS wants one to carry
/// the key in. What counts is the key's SubjectPublicKeyInfo, to which evidence is bound.
pub struct Identity {
    certified: Arc<CertifiedKey>,
    spki: Arc<[u8]>,
    spki_sha256: [u8; 32],
}

/// Why no identity could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The key or its certificate could not be made.
    #[error("no key could be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS does not take the key.
    #[error("TLS does not take the key that was made: {0}")]
    Tls(#[from] rustls::Error),
}

impl Identity {
    /// A fresh one.
    ///
    /// # Errors
    /// The system gives no randomness, or the key is not taken.
    pub fn generate() -> Result<Self, IdentityError> {
        let mut key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        // Nothing in the certificate tells machines apart but the key.
        params.distinguished_name = DistinguishedName::new();
        let certificate = params.self_signed(&key)?;
        let spki: Arc<[u8]> = key.subject_public_key_info().into();
        let mut pkcs8 = key.serialize_der();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.clone()));
        let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private);
        pkcs8.zeroize();
        key.zeroize();
        if let PrivateKeyDer::Pkcs8(mut private) = private {
            private.zeroize();
        }
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let spki_sha256 = Sha256::digest(&spki).into();
        Ok(Self { certified: Arc::new(CertifiedKey::new(chain, signer?)), spki, spki_sha256 })
    }

    /// SubjectPublicKeyInfo, DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of [`Self::spki_der`].
    #[must_use]
    pub const fn spki_sha256(&self) -> &[u8; 32] {
        &self.spki_sha256
    }

    pub(crate) const fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", hex::encode(self.spki_sha256))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_identity_is_fresh_and_shows_no_secret() {
        let (one, other) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        assert_ne!(one.spki_sha256(), other.spki_sha256());
        // RFC 8410: an Ed25519 SPKI is 44 bytes, 12 of them the same for every key.
        assert_eq!(one.spki_der().len(), 44);
        assert_eq!(one.spki_der()[..12], other.spki_der()[..12]);
        assert_eq!(format!("{one:?}"), format!("Identity({})", hex::encode(one.spki_sha256())));
    }
}
