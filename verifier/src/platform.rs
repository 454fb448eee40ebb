//! The platform: its PCK certificate, and the chain above it.
//!
//! The chain comes in the quote, which nobody has signed there: it counts for what it proves. A chain that comes with
//! the collateral as well must be the same one.

use std::sync::Arc;

use crate::certificate::{Certificate, CertificateError};
use crate::chain::{self, ChainError, Role};
use crate::collateral::{Believed, VerifiedCollateral, check_chain_length};
use crate::crypto::sha256;
use crate::hex_bytes::Hex;
use crate::pck_extension::{PckExtension, PckExtensionError};
use crate::pem::{self, PemError};
use crate::policy::Policy;
use crate::quote::Quote;
use crate::refusal::Refusal;
use crate::report::Report;
use crate::root::parse_certificate;
use crate::time::{UnixSeconds, Validity};
use crate::{td, tdx};

/// A platform whose certificate chain holds under a trusted root.
///
/// Keep it beside the [`VerifiedCollateral`], for quotes of which [`Self::is_of`] says that they are its own. Every use
/// looks at dates and revocation again, with the collateral of then; only signatures are remembered.
#[derive(Debug, Clone)]
pub struct Platform(pub(crate) Arc<PckChain>);

impl Platform {
    /// `SHA-256("hallmark/platform/1" || PPID || PCEID)`: what a policy's `platforms` names, and what tells machines apart. Not
    /// the PCK: a machine has one for each TCB it was ever at, and could pass for several.
    #[must_use]
    pub fn id(&self) -> &[u8; 32] {
        &self.0.id
    }

    /// What the PCK certificate says of the platform.
    #[must_use]
    pub fn extension(&self) -> Option<&PckExtension> {
        self.0.extension.as_ref().ok()
    }

    /// When the certificates of the chain are valid.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.0.pck.validity().and(self.0.ca.validity()).and(self.0.root.validity())
    }

    /// Whether the quote carries this platform's chain, byte for byte.
    #[must_use]
    pub fn is_of(&self, quote: &Quote<'_>) -> bool {
        self.0.pem == quote.signature_data().pck_chain
    }
}

impl VerifiedCollateral {
    /// The platform that a quote comes from.
    ///
    /// # Errors
    /// [`Refusal`], with every check that failed.
    pub fn platform(
        &self,
        quote: &Quote<'_>,
        policy: &Policy,
        now: UnixSeconds,
    ) -> Result<Platform, Refusal> {
        let mut report = Report::failures_only();
        let believed = self.check(policy, now, &mut report);
        tdx::check_vendor(quote, &believed, &mut report);
        let chain = match PckChain::read(quote, &believed) {
            Ok(chain) => chain,
            Err(error) => {
                report.fail("pck-chain", error);
                return Refusal::unless(report, None);
            }
        };
        chain.check(&believed, now, false, &mut report);
        td::check_platform(&chain.id, &policy.tdx, &mut report);
        Refusal::unless(report, Some(Platform(Arc::new(chain))))
    }
}

fn platform_id(extension: &PckExtension) -> [u8; 32] {
    // Both have fixed lengths.
    sha256(&[b"hallmark/platform/1", &extension.ppid, &extension.pce_id])
}

/// The PCK chain of a quote, read and not believed.
#[derive(Debug)]
pub(crate) struct PckChain {
    pem: Vec<u8>,
    pub(crate) pck: Arc<Certificate>,
    ca: Arc<Certificate>,
    root: Arc<Certificate>,
    extension: Result<PckExtension, PckExtensionError>,
    pub(crate) id: [u8; 32],
}

/// A PCK chain that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PckChainError {
    /// Not PEM.
    #[error("PCK chain: {0}")]
    Pem(#[from] PemError),
    /// A certificate that is not one of Intel's kind.
    #[error("PCK chain, certificate {index}: {error}")]
    Certificate {
        /// Which, from 0.
        index: usize,
        /// What is wrong.
        error: CertificateError,
    },
    /// Another shape.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl PckChain {
    /// Reads the chain that the quote carries. As a rule its CA and root are those of the collateral, and
    /// need not be read again.
    pub(crate) fn read(quote: &Quote<'_>, believed: &Believed<'_>) -> Result<Self, PckChainError> {
        let known = [believed.pck_ca, believed.root.as_ref().map(|root| &root.certificate)];
        let known = |der: &[u8]| known.into_iter().flatten().find(|certificate| certificate.der() == der);
        let pem = quote.signature_data().pck_chain;
        let chain: Vec<Arc<Certificate>> = pem::certificates(pem)?
            .into_iter()
            .enumerate()
            .map(|(index, der)| match known(&der) {
                Some(certificate) => Ok(Arc::clone(certificate)),
                None => parse_certificate(der).map_err(|error| PckChainError::Certificate { index, error }),
            })
            .collect::<Result<_, _>>()?;
        let [pck, ca, root] = check_chain_length(&chain, "PCK, PCK CA, root")?.clone();
        let extension = PckExtension::parse(pck.extensions().sgx.as_deref().unwrap_or_default());
        // A chain whose extension cannot be read fails for that; until then it is told apart by its key.
        let id = extension.as_ref().map_or_else(|_| sha256(&[pck.spki()]), platform_id);
        Ok(Self { pem: pem.to_vec(), id, pck, ca, root, extension })
    }

    /// Runs the checks of the PCK group. With `known`, the signatures of the chain are good from before. Gives
    /// the extension if it belongs to a chain that holds.
    pub(crate) fn check(
        &self,
        believed: &Believed<'_>,
        now: UnixSeconds,
        known: bool,
        report: &mut Report,
    ) -> Option<&PckExtension> {
        if believed.root.is_none() {
            not_run("the root is not trusted", report);
            return None;
        }
        if let Err(error) = self.check_chain(believed, now, known) {
            report.fail("pck-chain", error);
            not_run("the PCK chain does not hold", report);
            return None;
        }
        report.pass("pck-chain", format_args!("serial {}, {}", Hex(self.pck.serial()), self.pck.validity()));
        match believed.pck_chain {
            None => report.not_run("pck-chain-agrees", "the collateral has no PCK chain"),
            Some([pck, ca, root]) if *pck == self.pck && *ca == self.ca && *root == self.root => {
                report.pass("pck-chain-agrees", "the collateral's PCK chain is the quote's");
            }
            Some(_) => report.fail("pck-chain-agrees", "the collateral's PCK chain is not the quote's"),
        }
        self.check_revoked(believed, report);
        match &self.extension {
            Ok(extension) => {
                report.pass("pck-extension", format_args!("SGX type {}", extension.sgx_type));
                check_tcb_info(extension, believed, report);
                Some(extension)
            }
            Err(error) => {
                report.fail("pck-extension", error);
                report.not_run("fmspc", "the PCK certificate does not say its FMSPC");
                report.not_run("pceid", "the PCK certificate does not say its PCEID");
                None
            }
        }
    }

    fn check_chain(&self, believed: &Believed<'_>, now: UnixSeconds, known: bool) -> Result<(), ChainError> {
        let Some(root) = believed.root.as_ref().filter(|root| *root.certificate() == *self.root) else {
            let issuer = "the collateral's root".to_owned();
            return Err(ChainError::Signature { role: Role::PckCa, issuer });
        };
        chain::check_place(&self.ca, Role::PckCa, root.certificate(), now)?;
        chain::check_place(&self.pck, Role::Pck, &self.ca, now)?;
        if known {
            return Ok(());
        }
        // The CA that issues the PCK CRL has been verified; here it is the same one as a rule.
        if believed.pck_ca.is_none_or(|ca| **ca != *self.ca) {
            chain::check_signature(&self.ca, Role::PckCa, root.certificate())?;
        }
        chain::check_signature(&self.pck, Role::Pck, &self.ca)
    }

    fn check_revoked(&self, believed: &Believed<'_>, report: &mut Report) {
        if believed.root_crl.is_some_and(|crl| crl.revokes(self.ca.serial())) {
            report.fail("pck-ca-revoked", "the quote's PCK CA is on the root's CRL");
        }
        // A list speaks of its own issuer's certificates only.
        let (Some(crl), Some(ca)) = (believed.pck_crl, believed.pck_ca) else {
            return report.not_run("pck-revoked", "there is no PCK CRL that holds");
        };
        if ca.subject() != self.ca.subject() || ca.spki() != self.ca.spki() {
            let (lists, issues) = (ca.common_name(), self.ca.common_name());
            report.fail(
                "pck-crl",
                format_args!("`{lists}` issued the CRL, and `{issues}` the PCK certificate"),
            );
            return report.not_run("pck-revoked", "the CRL is not of the PCK's issuer");
        }
        if crl.revokes(self.pck.serial()) {
            report.fail("pck-revoked", format_args!("serial {} is on the PCK CRL", Hex(self.pck.serial())));
        } else {
            report.pass("pck-revoked", "not on the PCK CRL");
        }
    }
}

fn not_run(why: &str, report: &mut Report) {
    for slug in ["pck-chain", "pck-chain-agrees", "pck-revoked", "pck-extension", "fmspc", "pceid"] {
        report.not_run(slug, why);
    }
}

/// TCB info is signed by Intel for every family of platforms: it must be this one's.
fn check_tcb_info(extension: &PckExtension, believed: &Believed<'_>, report: &mut Report) {
    let Some(info) = believed.tcb_info else {
        report.not_run("fmspc", "there is no TCB info that holds");
        report.not_run("pceid", "there is no TCB info that holds");
        return;
    };
    let mut compare = |slug, name: &str, has: &[u8], due: &[u8]| {
        let (has_hex, due_hex) = (Hex(has), Hex(due));
        if has == due {
            report.pass(slug, format_args!("{name} {has_hex}"));
        } else {
            report.fail(slug, format_args!("the platform's {name} is {has_hex}, the TCB info's {due_hex}"));
        }
    };
    compare("fmspc", "FMSPC", &extension.fmspc, &info.fmspc);
    compare("pceid", "PCEID", &extension.pce_id, &info.pce_id);
}
