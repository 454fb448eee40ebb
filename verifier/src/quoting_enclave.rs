//! The quoting enclave: its report, signed by the platform's PCK, and the attestation key that it made.

use std::sync::Arc;

use crate::collateral::{Believed, VerifiedCollateral};
use crate::crypto::{P256Key, sha256};
use crate::platform::{PckChain, Platform};
use crate::policy::Policy;
use crate::quote::Quote;
use crate::refusal::Refusal;
use crate::report::Report;
use crate::tcb_info::IsvLevel;
use crate::tdx;
use crate::time::UnixSeconds;

/// A quoting enclave on a known platform, with the attestation key that its report binds.
///
/// Keep it for quotes of which [`Self::is_of`] says that they are its own: then one signature is left to verify.
/// Every use repeats all checks but those signatures that were verified before.
#[derive(Debug, Clone)]
pub struct QuotingEnclave {
    pub(crate) platform: Platform,
    pub(crate) certified: Arc<CertifiedKey>,
}

impl QuotingEnclave {
    /// The platform that it runs on.
    #[must_use]
    pub const fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Whether the quote carries this attestation key and this certification of it, byte for byte.
    #[must_use]
    pub fn is_of(&self, quote: &Quote<'_>) -> bool {
        let data = quote.signature_data();
        self.certified.key_bytes == *data.attestation_key
            && self.certified.certification == data.certification
    }
}

impl Platform {
    /// The quoting enclave that made the quote.
    ///
    /// # Errors
    /// [`Refusal`], with every check that failed; also for a quote of another platform.
    pub fn quoting_enclave(
        &self,
        collateral: &VerifiedCollateral,
        quote: &Quote<'_>,
        policy: &Policy,
        now: UnixSeconds,
    ) -> Result<QuotingEnclave, Refusal> {
        let mut report = Report::failures_only();
        if !self.is_of(quote) {
            report.fail("pck-chain", "the quote is not from the platform that is known");
            return Refusal::unless(report, None);
        }
        let believed = collateral.check(policy, now, &mut report);
        tdx::check_vendor(quote, &believed, &mut report);
        let holds = self.0.check(&believed, now, true, &mut report).is_some();
        let certified = CertifiedKey::read(quote);
        certified.check(quote, holds.then_some(&*self.0), &believed, false, &mut report);
        let certified = Arc::new(certified);
        Refusal::unless(report, Some(QuotingEnclave { platform: self.clone(), certified }))
    }
}

/// An attestation key and what certifies it, read and not believed.
#[derive(Debug)]
pub(crate) struct CertifiedKey {
    certification: Vec<u8>,
    key_bytes: [u8; 64],
    /// `None` if the bytes are not a point on the curve.
    pub(crate) key: Option<P256Key>,
}

/// What the checks of the quoting enclave found.
pub(crate) struct FoundEnclave<'a> {
    /// The attestation key, if the enclave's report is genuine and binds it.
    pub(crate) key: Option<&'a P256Key>,
    /// The enclave's level, if it is the one that Intel describes.
    pub(crate) level: Option<&'a IsvLevel>,
}

impl CertifiedKey {
    pub(crate) fn read(quote: &Quote<'_>) -> Self {
        let data = quote.signature_data();
        Self {
            certification: data.certification.to_vec(),
            key_bytes: *data.attestation_key,
            key: P256Key::from_xy(data.attestation_key),
        }
    }

    /// Runs the checks of the quoting enclave. With `known`, the report's signature is good from before.
    pub(crate) fn check<'a>(
        &'a self,
        quote: &Quote<'_>,
        pck: Option<&PckChain>,
        believed: &Believed<'a>,
        known: bool,
        report: &mut Report,
    ) -> FoundEnclave<'a> {
        let data = quote.signature_data();
        let qe_report = &data.qe_report;
        let signed = match pck {
            None => {
                report.not_run("qe-report-signature", "the PCK chain does not hold");
                false
            }
            Some(pck) if known || pck.pck.key().verify(qe_report.bytes, data.qe_report_signature) => {
                report.pass("qe-report-signature", "the PCK signed the quoting enclave's report");
                true
            }
            Some(_) => {
                report.fail("qe-report-signature", "the PCK did not sign the quoting enclave's report");
                false
            }
        };
        let bound = is_bound(quote);
        if bound {
            report.pass("qe-report-binding", "the report binds the attestation key");
        } else {
            report.fail(
                "qe-report-binding",
                "REPORTDATA of the quoting enclave is not SHA-256(attestation key || authentication data), \
                 then zeros",
            );
        }
        let level = match (signed, believed.qe_identity) {
            (true, Some(identity)) => match identity.check(qe_report) {
                Ok(()) => {
                    report.pass("qe-identity-match", format_args!("product {}", qe_report.isv_prod_id));
                    check_level(identity.level(qe_report.isv_svn), qe_report.isv_svn, report)
                }
                Err(error) => {
                    report.fail("qe-identity-match", error);
                    report.not_run("qe-tcb-level", "it is not the enclave that Intel describes");
                    None
                }
            },
            (signed, _) => {
                let why =
                    if signed { "there is no QE identity that holds" } else { "the report is not signed" };
                report.not_run("qe-identity-match", why);
                report.not_run("qe-tcb-level", why);
                None
            }
        };
        FoundEnclave { key: self.key.as_ref().filter(|_| signed && bound), level }
    }
}

fn check_level<'a>(level: Option<&'a IsvLevel>, isv_svn: u16, report: &mut Report) -> Option<&'a IsvLevel> {
    match level {
        Some(level) => {
            report.pass("qe-tcb-level", format_args!("ISVSVN {isv_svn}: {}", level.standing.status));
        }
        None => report.fail("qe-tcb-level", format_args!("no level is reached with ISVSVN {isv_svn}")),
    }
    level
}

/// REPORTDATA = SHA-256(attestation key || authentication data) || 32 zeros (Intel TDX DCAP Quoting Library API,
/// A.3.10).
fn is_bound(quote: &Quote<'_>) -> bool {
    let data = quote.signature_data();
    let hash = sha256(&[data.attestation_key, data.qe_auth_data]);
    data.qe_report.report_data.split_at_checked(32) == Some((&hash[..], &[0; 32][..]))
}
