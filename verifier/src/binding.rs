//! What evidence is bound to: the nonce that was asked with, and the file or key that the machine vouches for.
//!
//! `binding = SHA-512("hallmark/evidence/1" || nonce || bound)`, `bound` being a SHA-256, or 32 zero bytes where nothing is
//! bound. All parts have fixed lengths, so no two choices give the same input. A TD carries the binding as report_data,
//! a TPM carries its SHA-256 as extraData (SPECIFICATION, section 1).
//!
//! Other domains have formulas of their own (`hallmark/attested-tls/1` of a session, `hallmark/statement/1` of what an auditor
//! checks later). Whoever asks about one computes the 64 bytes and asks with [`Ask::ReportData`]; such evidence names no
//! nonce, and evidence that names one is of this domain only.

use crate::crypto;
use crate::evidence::Enclosed;
use crate::report::{Outcome, Report};

const MISMATCH: &str = "binding-mismatch";
const CONSISTENT: &str = "evidence-consistent";

/// The domain tag.
pub const DOMAIN: &[u8] = b"hallmark/evidence/1";
/// `bound` where nothing is bound.
pub const NOTHING_BOUND: [u8; 32] = [0; 32];

/// What the evidence must be bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// To this nonce, and to no file: the evidence is fresh.
    Nonce([u8; 32]),
    /// To a file or key of this SHA-256, under whatever nonce the evidence names: the machine vouches for it, at some
    /// time.
    Bound([u8; 32]),
    /// To both.
    Both {
        /// The nonce.
        nonce: [u8; 32],
        /// SHA-256 of the file or key.
        bound: [u8; 32],
    },
    /// To exactly these 64 bytes, which the asker computed under a domain tag other than [`DOMAIN`].
    ReportData([u8; 64]),
    /// Not asked (`--unbound`): caps the verdict at `authentic`.
    Unbound,
}

impl Ask {
    const fn bound(&self) -> [u8; 32] {
        match self {
            Self::Nonce(_) | Self::ReportData(_) | Self::Unbound => NOTHING_BOUND,
            Self::Bound(bound) | Self::Both { bound, .. } => *bound,
        }
    }
}

/// The bytes that an authentic quote carries for its guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed<'a> {
    /// A TD's report_data: the binding.
    ReportData(&'a [u8; 64]),
    /// A TPM's extraData: SHA-256 of the binding.
    ExtraData(&'a [u8]),
}

impl Signed<'_> {
    fn is_of(&self, binding: &[u8; 64]) -> bool {
        match self {
            Self::ReportData(data) => *data == binding,
            Self::ExtraData(data) => *data == crypto::sha256(&[binding]),
        }
    }

    const fn field(&self) -> &'static str {
        match self {
            Self::ReportData(_) => "report_data",
            Self::ExtraData(_) => "extraData",
        }
    }

    fn hex(&self) -> String {
        match self {
            Self::ReportData(data) => hex::encode(data),
            Self::ExtraData(data) => hex::encode(data),
        }
    }
}

/// The binding of a nonce and of what is bound.
#[must_use]
pub fn binding(nonce: &[u8; 32], bound: &[u8; 32]) -> [u8; 64] {
    crypto::sha512(&[DOMAIN, nonce, bound])
}

/// Runs `binding-mismatch` and `evidence-consistent`. `signed` is None where no quote is authentic; `enclosed` where the evidence
/// is a raw quote.
pub fn evaluate(ask: &Ask, enclosed: Option<&Enclosed>, signed: Option<Signed<'_>>, report: &mut Report) {
    let Some(signed) = signed else {
        for slug in [MISMATCH, CONSISTENT] {
            report.not_run(slug, "no authentic quote says what it is bound to");
        }
        return;
    };
    mismatch(ask, enclosed, &signed, report);
    match enclosed {
        Some(enclosed) => consistent(ask, enclosed, &signed, report),
        None => report.not_run(CONSISTENT, "a raw quote has no fields beside it"),
    }
}

fn mismatch(ask: &Ask, enclosed: Option<&Enclosed>, signed: &Signed<'_>, report: &mut Report) {
    let (nonce, what) = match ask {
        Ask::Unbound => return report.not_run(MISMATCH, "not asked (--unbound)"),
        Ask::ReportData(binding) => return compare(signed, binding, "the binding asked for", report),
        Ask::Nonce(nonce) => (Some(*nonce), "the nonce asked with"),
        Ask::Both { nonce, .. } => (Some(*nonce), "the nonce asked with and the file"),
        Ask::Bound(_) => (enclosed.and_then(|enclosed| enclosed.nonce), "the file, under the nonce it names"),
    };
    let Some(nonce) = nonce else {
        let whose = if enclosed.is_some() { "the evidence" } else { "a raw quote" };
        return report.fail(
            MISMATCH,
            format_args!("{whose} names no nonce: the file alone does not give the binding"),
        );
    };
    compare(signed, &binding(&nonce, &ask.bound()), what, report);
}

fn compare(signed: &Signed<'_>, binding: &[u8; 64], what: &str, report: &mut Report) {
    if signed.is_of(binding) {
        report.pass(MISMATCH, format_args!("{} binds {what}", signed.field()));
    } else {
        let (field, hex, binding) = (signed.field(), signed.hex(), hex::encode(binding));
        report.fail(MISMATCH, format_args!("{field} is {hex}, not that of {what} (binding {binding})"));
    }
}

/// Whether the evidence's own `binding` and `nonce` are the signed ones. They are nobody's proof; but where they contradict what is
/// signed, something rewrote the document.
fn consistent(ask: &Ask, enclosed: &Enclosed, signed: &Signed<'_>, report: &mut Report) {
    if !signed.is_of(&enclosed.binding) {
        let (field, hex) = (signed.field(), signed.hex());
        return report.fail(CONSISTENT, format_args!("{field} is {hex}, not that of the evidence's binding"));
    }
    let nonce = match (enclosed.nonce, ask) {
        (None, Ask::ReportData(_) | Ask::Unbound) => {
            return report.pass(CONSISTENT, "its binding is the signed one, of a domain that has no nonce");
        }
        (None, Ask::Nonce(_) | Ask::Bound(_) | Ask::Both { .. }) => {
            return report
                .fail(CONSISTENT, "the evidence names no nonce, so it was not made for this question");
        }
        (Some(_), Ask::ReportData(_)) => {
            return report.fail(CONSISTENT, "the evidence names a nonce, and the binding asked for has none");
        }
        (Some(nonce), _) => nonce,
    };
    let follows = |bound| enclosed.binding == binding(&nonce, bound);
    if follows(&NOTHING_BOUND) || follows(&ask.bound()) {
        return report
            .pass(CONSISTENT, format_args!("its nonce and binding are what {} binds", signed.field()));
    }
    // The binding is of something else than the evidence's nonce and what we know to be bound. Where the one asked for
    // holds, we do know: the nonce beside it is another. Else it may be of a file that we were not given.
    if report.outcome(MISMATCH) == Outcome::Pass {
        report.fail(CONSISTENT, "the evidence's nonce is not the one that its quote binds");
    } else {
        report.pass(CONSISTENT, "its binding is the signed one; it is of a file that was not given");
    }
}

#[cfg(test)]
mod tests;
