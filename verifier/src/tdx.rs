//! The TDX path from quote to authentic TD report: one implementation for the full report and for every cache.

use std::ops::Deref;

use crate::collateral::{Believed, VerifiedCollateral};
use crate::hex_bytes::Hex;
use crate::pck_extension::PckExtension;
use crate::platform::{PckChain, Platform};
use crate::policy::Policy;
use crate::quote::{Quote, TdReport};
use crate::quoting_enclave::{CertifiedKey, FoundEnclave, QuotingEnclave};
use crate::refusal::Refusal;
use crate::report::Report;
use crate::root::Kind;
use crate::tcb::{self, Status, Tcb};
use crate::tcb_info::Standing;
use crate::td;
use crate::time::UnixSeconds;

/// A value of a quote all of whose TDX checks held, under the policy and at the instant it was checked with.
///
/// Only the verifier makes one. It says nothing of the image or of the binding.
#[derive(Debug, Clone)]
pub struct Authentic<T> {
    value: T,
    root: Kind,
    tcb: Tcb,
    platform: [u8; 32],
}

impl<T> Authentic<T> {
    /// Whose root vouches for it.
    #[must_use]
    pub const fn root(&self) -> Kind {
        self.root
    }

    /// Where the platform stands.
    #[must_use]
    pub const fn tcb(&self) -> &Tcb {
        &self.tcb
    }

    /// The identity of the platform's key (see [`Platform::id`]).
    #[must_use]
    pub const fn platform(&self) -> &[u8; 32] {
        &self.platform
    }
}

impl<T> Deref for Authentic<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl VerifiedCollateral {
    /// Checks a quote from a platform that is not known: three signatures.
    ///
    /// # Errors
    /// [`Refusal`], with every check that failed.
    pub fn authenticate<'q>(
        &self,
        quote: &Quote<'q>,
        policy: &Policy,
        now: UnixSeconds,
    ) -> Result<Authentic<TdReport<'q>>, Refusal> {
        authenticate(quote, self, &Known::Nothing, policy, now)
    }
}

impl Platform {
    /// Checks a quote from this platform: two signatures. A quote from another platform is checked from the start.
    ///
    /// # Errors
    /// [`Refusal`], with every check that failed.
    pub fn authenticate<'q>(
        &self,
        collateral: &VerifiedCollateral,
        quote: &Quote<'q>,
        policy: &Policy,
        now: UnixSeconds,
    ) -> Result<Authentic<TdReport<'q>>, Refusal> {
        authenticate(quote, collateral, &Known::Platform(self), policy, now)
    }
}

impl QuotingEnclave {
    /// Checks a quote by this enclave's attestation key: one signature. A quote of another enclave, key or platform
    /// is checked from where it differs.
    ///
    /// # Errors
    /// [`Refusal`], with every check that failed.
    pub fn authenticate<'q>(
        &self,
        collateral: &VerifiedCollateral,
        quote: &Quote<'q>,
        policy: &Policy,
        now: UnixSeconds,
    ) -> Result<Authentic<TdReport<'q>>, Refusal> {
        authenticate(quote, collateral, &Known::Enclave(self), policy, now)
    }
}

/// By what a quote is judged.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) now: UnixSeconds,
    /// Whether an image is expected.
    pub(crate) image: bool,
}

/// What is known of the machine from before.
pub(crate) enum Known<'a> {
    Nothing,
    Platform(&'a Platform),
    Enclave(&'a QuotingEnclave),
}

/// What the checks of a quote found. Each part may be absent where its checks failed.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) tcb: Option<Tcb>,
    pub(crate) platform: Option<[u8; 32]>,
    /// Whether the quote's signature holds, down to the root.
    pub(crate) signed: bool,
}

fn authenticate<'q>(
    quote: &Quote<'q>,
    collateral: &VerifiedCollateral,
    known: &Known<'_>,
    policy: &Policy,
    now: UnixSeconds,
) -> Result<Authentic<TdReport<'q>>, Refusal> {
    let mut report = Report::failures_only();
    let believed = collateral.check(policy, now, &mut report);
    let terms = Terms { policy, now, image: false };
    let found = check(quote, &believed, known, &terms, &mut report);
    let authentic = match (found.tcb, found.platform, found.signed) {
        (Some(tcb), Some(platform), true) => {
            Some(Authentic { value: *quote.report(), root: collateral.root().kind(), tcb, platform })
        }
        _ => None,
    };
    Refusal::unless(report, authentic)
}

/// Runs every check of the quote that the collateral allows.
pub(crate) fn check(
    quote: &Quote<'_>,
    believed: &Believed<'_>,
    known: &Known<'_>,
    terms: &Terms<'_>,
    report: &mut Report,
) -> Found {
    check_vendor(quote, believed, report);
    // What is known is known of one machine only.
    let (platform, enclave) = match known {
        Known::Enclave(enclave) if enclave.is_of(quote) => (Some(&enclave.platform), Some(*enclave)),
        Known::Enclave(enclave) if enclave.platform.is_of(quote) => (Some(&enclave.platform), None),
        Known::Platform(platform) if platform.is_of(quote) => (Some(*platform), None),
        _ => (None, None),
    };
    let read;
    let chain = if let Some(platform) = platform {
        &*platform.0
    } else {
        match PckChain::read(quote, believed) {
            Ok(chain) => {
                read = chain;
                &read
            }
            Err(error) => {
                report.fail("pck-chain", error);
                return check_with(quote, believed, None, None, terms, report);
            }
        }
    };
    let extension = chain.check(believed, terms.now, platform.is_some(), report);
    let pck = extension.map(|extension| (chain, extension));
    check_with(quote, believed, pck, enclave, terms, report)
}

/// What remains once the PCK chain is judged.
fn check_with(
    quote: &Quote<'_>,
    believed: &Believed<'_>,
    pck: Option<(&PckChain, &PckExtension)>,
    enclave: Option<&QuotingEnclave>,
    terms: &Terms<'_>,
    report: &mut Report,
) -> Found {
    let read;
    let certified = if let Some(enclave) = enclave {
        &*enclave.certified
    } else {
        read = CertifiedKey::read(quote);
        &read
    };
    let found = certified.check(quote, pck.map(|(chain, _)| chain), believed, enclave.is_some(), report);
    let signed = check_signature(quote, certified, &found, report);
    let tcb = if signed {
        check_tcb(quote, believed, pck.map(|(_, extension)| extension), &found, terms, report)
    } else {
        tcb_not_run("the quote is not proven genuine", report);
        None
    };
    td::check(quote.report(), signed, terms, report);
    let platform = pck.map(|(chain, _)| chain.id);
    if let Some(id) = &platform {
        td::check_platform(id, &terms.policy.tdx, report);
    }
    Found { tcb, platform, signed }
}

/// The vendor id is Intel's under Intel's root, and never under another: a forged quote cannot pass for a
/// real one where somebody looks at its header only.
pub(crate) fn check_vendor(quote: &Quote<'_>, believed: &Believed<'_>, report: &mut Report) {
    let Some(root) = &believed.root else {
        return report
            .not_run("quote-vendor", "which vendor is due depends on the root, which is not trusted");
    };
    let (due, got) = (Hex(root.kind().vendor()), Hex(quote.vendor()));
    if quote.vendor() == root.kind().vendor() {
        report.pass("quote-vendor", got);
    } else {
        report.fail("quote-vendor", format_args!("vendor id {got}: under this root {due} is due"));
    }
}

fn check_signature(
    quote: &Quote<'_>,
    certified: &CertifiedKey,
    found: &FoundEnclave<'_>,
    report: &mut Report,
) -> bool {
    if certified.key.is_none() {
        report.fail("quote-signature", "the attestation key is not a point on P-256");
        return false;
    }
    let Some(key) = found.key else {
        report.not_run("quote-signature", "the attestation key is not proven to be the quoting enclave's");
        return false;
    };
    if key.verify(quote.signed(), quote.signature_data().signature) {
        report.pass("quote-signature", "the attestation key signed header and body");
        return true;
    }
    report.fail("quote-signature", "the attestation key did not sign header and body");
    false
}

/// Platform, module and enclave, each and together.
fn check_tcb(
    quote: &Quote<'_>,
    believed: &Believed<'_>,
    pck: Option<&PckExtension>,
    enclave: &FoundEnclave<'_>,
    terms: &Terms<'_>,
    report: &mut Report,
) -> Option<Tcb> {
    let (Some(info), Some(pck)) = (believed.tcb_info, pck) else {
        tcb_not_run("there is no TCB info that holds", report);
        return None;
    };
    if info.fmspc != pck.fmspc || info.pce_id != pck.pce_id {
        tcb_not_run("the TCB info is another platform's", report);
        return None;
    }
    let module = match tcb::module(info, quote.report()) {
        Ok(levels) => {
            let level = levels.0.map_or("no identity of its own", |level| level.standing.status.word());
            report.pass("tdx-module", format_args!("Intel's signer; {level}"));
            Some(levels)
        }
        Err(error) => {
            report.fail("tdx-module", error);
            None
        }
    };
    let platform = match tcb::platform(info, pck, quote.report()) {
        Ok(levels) => {
            let standing = &levels.0.standing;
            report.pass("tcb-level", format_args!("{} of {}", standing.status, standing.date));
            Some(levels)
        }
        Err(error) => {
            report.fail("tcb-level", error);
            None
        }
    };
    let (Some((module, module_now)), Some((launch, launch_now)), Some(qe)) =
        (module, platform, enclave.level)
    else {
        report.not_run("tcb-status", "platform, TDX module or quoting enclave has no level");
        report.not_run("tcb-advisories", "platform, TDX module or quoting enclave has no level");
        return None;
    };
    let others: [Option<&Standing>; 4] = [
        module.map(|level| &level.standing),
        module_now.map(|level| &level.standing),
        launch_now.map(|level| &level.standing),
        Some(&qe.standing),
    ];
    let tcb = Tcb::merge(&launch.standing, others.into_iter().flatten());
    check_policy(&tcb, terms, report);
    Some(tcb)
}

fn tcb_not_run(why: &str, report: &mut Report) {
    for slug in ["tdx-module", "tcb-level", "tcb-status", "tcb-advisories"] {
        report.not_run(slug, why);
    }
}

fn check_policy(tcb: &Tcb, terms: &Terms<'_>, report: &mut Report) {
    let Terms { policy, now, .. } = *terms;
    let status = tcb.status;
    // The policy parser refuses `Revoked`; a policy made in code does not get past this either.
    if status != Status::Revoked && policy.tdx.tcb.contains(&status) {
        report.pass("tcb-status", format_args!("{status}, as of {}", tcb.date));
    } else {
        report
            .fail("tcb-status", format_args!("{status}, as of {}: not in the policy's `tdx.tcb`", tcb.date));
    }
    let tolerated = |id: &String| policy.tdx.advisories.iter().any(|it| it.id == *id && now <= it.until);
    match tcb.advisories.iter().find(|id| !tolerated(id)) {
        None => report.pass("tcb-advisories", format_args!("{} open, all tolerated", tcb.advisories.len())),
        Some(id) => report.fail(
            "tcb-advisories",
            format_args!("{id} is open, and the policy's `tdx.advisories` does not tolerate it now"),
        ),
    }
}
