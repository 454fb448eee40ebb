//! The roots of trust.
//!
//! Intel's is pinned here, byte for byte. A test root counts only where a policy names its key, and what
//! holds under it is `simulated`. There is no other way in.

use std::sync::{Arc, OnceLock};

use crate::certificate::{Certificate, CertificateError};
use crate::chain::{self, ChainError, Role};
use crate::crypto::sha256;
use crate::policy;
use crate::quote::INTEL_VENDOR;
use crate::time::UnixSeconds;

/// Intel SGX Root CA, as published at
/// <https://certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.cer>.
pub static INTEL_SGX_ROOT: &[u8] = include_bytes!("intel_root.der");

/// The vendor id of simulated quotes: the first 16 bytes of SHA-256("hallmark/simulated-vendor/1").
pub const SIMULATED_VENDOR: [u8; 16] =
    [0x3e, 0x73, 0x0a, 0x2d, 0x8d, 0xde, 0x31, 0x51, 0x17, 0x08, 0x5d, 0x15, 0x1b, 0x12, 0xe1, 0xf6];

/// Which root a chain ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Intel's.
    Intel,
    /// A test root that the policy names.
    Simulated,
}

impl Kind {
    /// The vendor id that quotes under that root must have, so that neither can pass as the other.
    #[must_use]
    pub const fn vendor(self) -> &'static [u8; 16] {
        match self {
            Self::Intel => &INTEL_VENDOR,
            Self::Simulated => &SIMULATED_VENDOR,
        }
    }
}

/// A root that the policy trusts, valid at the instant it was asked for.
#[derive(Debug, Clone)]
pub struct TrustedRoot {
    pub(crate) certificate: Arc<Certificate>,
    kind: Kind,
}

/// A root that the policy does not trust.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// Neither Intel's nor one that the policy names.
    #[error("the root `{name}` (SHA-256 of its key {spki}) is neither Intel's nor named by the policy")]
    Unknown {
        /// Its common name.
        name: String,
        /// SHA-256 of its SubjectPublicKeyInfo, hex.
        spki: String,
    },
    /// Intel's, which the policy turns off.
    #[error("the root is Intel's, and the policy says `roots.intel = false`")]
    IntelOff,
    /// Two chains of the collateral end in different roots.
    #[error("the chains of the collateral end in different roots")]
    Several,
    /// Not what a root must be, or not valid now.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl TrustedRoot {
    /// The root, if the policy trusts it and it is valid at `now`.
    ///
    /// # Errors
    /// [`RootError`].
    pub fn find(
        certificate: &Arc<Certificate>,
        roots: &policy::Roots,
        now: UnixSeconds,
    ) -> Result<Self, RootError> {
        let spki = sha256(&[certificate.spki()]);
        let kind = if certificate.der() == INTEL_SGX_ROOT {
            if !roots.intel {
                return Err(RootError::IntelOff);
            }
            Kind::Intel
        } else if roots.simulated.iter().any(|named| named.0 == spki) && !has_intel_key(certificate) {
            Kind::Simulated
        } else {
            return Err(RootError::Unknown {
                name: certificate.common_name().into(),
                spki: hex::encode(spki),
            });
        };
        chain::check_place(certificate, Role::Root, certificate, now)?;
        Ok(Self { certificate: Arc::clone(certificate), kind })
    }

    /// Whose it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The root itself.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

/// Intel's root, read once: it stands at the end of every chain.
fn intel() -> Option<&'static Arc<Certificate>> {
    static ROOT: OnceLock<Option<Arc<Certificate>>> = OnceLock::new();
    ROOT.get_or_init(|| Certificate::parse(INTEL_SGX_ROOT.to_vec()).map(Arc::new).ok()).as_ref()
}

/// Whether it has the key of Intel's root, which cannot be a test root, whatever certificate is around it.
fn has_intel_key(certificate: &Certificate) -> bool {
    intel().is_none_or(|root| root.spki() == certificate.spki())
}

/// A certificate that came with evidence or collateral. Where it is Intel's root there is nothing left to read; whether
/// a root is trusted is [`TrustedRoot::find`]'s to say.
///
/// # Errors
/// [`CertificateError`], as [`Certificate::parse`].
pub(crate) fn parse_certificate(der: Vec<u8>) -> Result<Arc<Certificate>, CertificateError> {
    match intel() {
        Some(root) if root.der() == der => Ok(Arc::clone(root)),
        _ => Certificate::parse(der).map(Arc::new),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{INTEL_SGX_ROOT, Kind, RootError, SIMULATED_VENDOR, TrustedRoot};
    use crate::certificate::Certificate;
    use crate::crypto::sha256;
    use crate::hex_bytes::HexBytes;
    use crate::policy::Roots;
    use crate::time::UnixSeconds;

    const NOW: UnixSeconds = UnixSeconds(1_780_000_000);

    fn intel() -> Arc<Certificate> {
        Arc::new(Certificate::parse(INTEL_SGX_ROOT.to_vec()).unwrap())
    }

    #[test]
    fn the_pinned_root_is_the_one_that_intel_publishes() {
        let root = intel();
        // Intel SGX Root CA, as published: its fingerprint, its key and its own signature.
        assert_eq!(
            hex::encode(sha256(&[root.der()])),
            "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
        );
        assert_eq!(
            hex::encode(sha256(&[root.spki()])),
            "a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e"
        );
        assert!(hex::encode(root.key().as_sec1()).starts_with("040ba9c4c0c0c86193a3fe23d6b02cda"));
        assert!(root.is_signed_by(root.key()));
        assert_eq!(TrustedRoot::find(&root, &Roots::default(), NOW).unwrap().kind(), Kind::Intel);
    }

    #[test]
    fn a_policy_can_turn_intel_off_and_cannot_simulate_it() {
        let root = intel();
        let spki = HexBytes(sha256(&[root.spki()]));
        let roots = Roots { intel: false, simulated: vec![spki] };
        assert!(matches!(TrustedRoot::find(&root, &roots, NOW), Err(RootError::IntelOff)));
    }

    #[test]
    fn a_root_has_dates() {
        for now in [1_526_899_509, 2_524_608_000] {
            let found = TrustedRoot::find(&intel(), &Roots::default(), UnixSeconds(now));
            assert!(matches!(found, Err(RootError::Chain(_))), "{now}");
        }
    }

    #[test]
    fn the_simulated_vendor_is_a_hash_that_says_so() {
        assert_eq!(sha256(&[b"hallmark/simulated-vendor/1"])[..16], SIMULATED_VENDOR);
    }
}
