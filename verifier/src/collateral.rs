//! Intel's collateral: what is needed beside a quote to judge it (SPECIFICATION, section 5).
//!
//! [`Collateral::parse`] reads all of it, [`Collateral::verify`] finds out whether Intel said so and whether it holds
//! now. Only then is there a [`VerifiedCollateral`], without which nothing else of the verifier can be had: what was
//! fetched and never verified cannot be used by mistake.

mod check;
mod document;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::certificate::{Certificate, CertificateError};
use crate::crl::{Crl, CrlError};
use crate::pem::PemError;
use crate::policy::Policy;
use crate::qe_identity::QeIdentity;
use crate::refusal::Refusal;
use crate::report::Report;
use crate::root::TrustedRoot;
use crate::tcb_info::TcbInfo;
use crate::time::{UnixSeconds, Validity};

pub(crate) use check::{Believed, check_chain_length};

/// Collateral whose form is right, and nothing else.
#[derive(Debug, Clone)]
pub struct Collateral {
    pck_crl_issuer: Vec<Arc<Certificate>>,
    tcb_signing: Vec<Arc<Certificate>>,
    qe_signing: Vec<Arc<Certificate>>,
    pck_chain: Option<Vec<Arc<Certificate>>>,
    root_crl: Crl,
    pck_crl: Crl,
    tcb_info: Signed<TcbInfo>,
    qe_identity: Signed<QeIdentity>,
}

/// A document, its bytes and the signature over them.
#[derive(Debug, Clone)]
struct Signed<T> {
    document: T,
    bytes: String,
    signature: [u8; 64],
}

/// Bytes that are not collateral.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollateralError {
    /// More than [`Collateral::MAX_LEN`] bytes.
    #[error("{0} bytes of collateral: at most {max} are read", max = Collateral::MAX_LEN)]
    TooLong(usize),
    /// Not that JSON object.
    #[error("not a collateral object (SPECIFICATION, section 5): {0}")]
    Json(serde_json::Error),
    /// A field that is not hex.
    #[error("`{field}` is not hex of the length due")]
    Hex {
        /// The field.
        field: &'static str,
    },
    /// A field that is not a list of PEM certificates.
    #[error("`{field}`: {error}")]
    Pem {
        /// The field.
        field: &'static str,
        /// What is wrong.
        error: PemError,
    },
    /// A chain without a certificate.
    #[error("`{field}` has no certificate")]
    Empty {
        /// The field.
        field: &'static str,
    },
    /// A certificate that is not one of Intel's kind.
    #[error("`{field}`, certificate {index}: {error}")]
    Certificate {
        /// The field.
        field: &'static str,
        /// Which certificate of the chain, from 0.
        index: usize,
        /// What is wrong.
        error: CertificateError,
    },
    /// A CRL that is not one of Intel's kind.
    #[error("`{field}`: {error}")]
    Crl {
        /// The field.
        field: &'static str,
        /// What is wrong.
        error: CrlError,
    },
    /// A signed document that is not what its field says.
    #[error("`{field}`: {error}")]
    Document {
        /// The field.
        field: &'static str,
        /// What is wrong.
        error: serde_json::Error,
    },
}

impl Collateral {
    /// The most bytes that are read: real collateral has about 25 KB.
    pub const MAX_LEN: usize = 4 << 20;

    /// Reads the JSON object and everything in it.
    ///
    /// # Errors
    /// [`CollateralError`], at the first field that is not what it must be.
    pub fn parse(json: &[u8]) -> Result<Self, CollateralError> {
        document::parse(json)
    }

    /// Runs every check, for a full report.
    pub(crate) fn check_all(&self, policy: &Policy, now: UnixSeconds, report: &mut Report) -> Believed<'_> {
        self.check(policy, now, Signatures::Unknown, report)
    }

    /// Checks all of it: chains to a root that the policy trusts, CRLs, signatures, identities, dates.
    ///
    /// # Errors
    /// [`Refusal`], with every check that failed.
    pub fn verify(self, policy: &Policy, now: UnixSeconds) -> Result<VerifiedCollateral, Refusal> {
        let mut report = Report::failures_only();
        let collateral = Arc::new(self);
        let believed = collateral.check(policy, now, Signatures::Unknown, &mut report);
        let verified =
            believed.root.map(|root| VerifiedCollateral { root, collateral: Arc::clone(&collateral) });
        Refusal::unless(report, verified)
    }
}

/// Whether signatures are to be verified, or are known to be good from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signatures {
    Unknown,
    Known,
}

/// Collateral that holds under a trusted root. Keep it, and use it until [`Self::validity`] ends: every use
/// repeats all checks but the signatures.
#[derive(Debug, Clone)]
pub struct VerifiedCollateral {
    collateral: Arc<Collateral>,
    root: TrustedRoot,
}

impl VerifiedCollateral {
    /// When all of it holds. (A policy's `max_age_days` may end it sooner.)
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.collateral.validity()
    }

    /// The root under which it holds.
    #[must_use]
    pub const fn root(&self) -> &TrustedRoot {
        &self.root
    }

    /// The TCB info.
    #[must_use]
    pub fn tcb_info(&self) -> &TcbInfo {
        &self.collateral.tcb_info.document
    }

    /// The QE identity.
    #[must_use]
    pub fn qe_identity(&self) -> &QeIdentity {
        &self.collateral.qe_identity.document
    }

    /// All checks again but for signatures.
    pub(crate) fn check(&self, policy: &Policy, now: UnixSeconds, report: &mut Report) -> Believed<'_> {
        self.collateral.check(policy, now, Signatures::Known, report)
    }
}
