//! Evidence of a plain vTPM, checked.
//!
//! **What this does not show:** anything against the host, who runs the TPM. The verdict's `trust` names it.

use crate::event_log::{self, EventLog, Measurements};
use crate::evidence::VtpmEvidence;
use crate::policy::Policy;
use crate::report::Report;
use crate::tpm::{AttestationKey, Quote};

const AK_FORMAT: &str = "tpm-ak-format";
const AK_NAMED: &str = "tpm-ak-named";
const QUOTE_FORMAT: &str = "tpm-quote-format";
const SIGNATURE: &str = "tpm-signature";
const SELECTION: &str = "tpm-pcr-selection";
const REPLAY: &str = "event-log-replay";

/// What must be trusted beside the policy's own words.
pub const TRUST: &str = "host";

/// What a quote by a key of the policy's signs, and the log that explains it. Made only by [`evaluate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven<'a> {
    extra_data: &'a [u8],
    registers: Option<(Measurements, EventLog<'a>)>,
}

impl<'a> Proven<'a> {
    /// The quote's extraData.
    #[must_use]
    pub const fn extra_data(&self) -> &'a [u8] {
        self.extra_data
    }

    /// PCRs 0 to 15 in both banks, where the log leads to the quoted digest.
    #[must_use]
    pub fn measurements(&self) -> Option<&Measurements> {
        self.registers.as_ref().map(|(measurements, _)| measurements)
    }

    /// The log, where it leads to the quoted digest.
    #[must_use]
    pub fn event_log(&self) -> Option<&EventLog<'a>> {
        self.registers.as_ref().map(|(_, log)| log)
    }
}

/// Runs the `tpm-*` and `event-log-*` checks. Gives what the quote proves if a key that the policy names signed it.
pub fn evaluate<'a>(evidence: &'a VtpmEvidence, policy: &Policy, report: &mut Report) -> Option<Proven<'a>> {
    let key = attestation_key(evidence, policy, report);
    let quote = quote(evidence, report);
    let log = event_log::check_tpm_format(&evidence.enclosed, report);

    let authentic = match (&quote, &key) {
        (Some(quote), Some((key, named))) => {
            let signed = quote.verify(key);
            if signed {
                report.pass(SIGNATURE, "ECDSA P-256 with SHA-256 over TPMS_ATTEST");
            } else {
                report.fail(SIGNATURE, "the quote is not signed by the attestation key that came with it");
            }
            signed && *named
        }
        (None, _) => {
            report.not_run(SIGNATURE, "the quote cannot be read");
            false
        }
        (_, None) => {
            report.not_run(SIGNATURE, "the attestation key cannot be read");
            false
        }
    };

    let quote = quote?;
    let attest = quote.attest();
    let complete = attest.selection.is_complete();
    if complete {
        report.pass(SELECTION, &attest.selection);
    } else {
        let selection = &attest.selection;
        report.fail(
            SELECTION,
            format_args!("the quote selects {selection}; must be PCRs 0 to 15 of sha256, then of sha384"),
        );
        report.not_run(REPLAY, "the quote does not cover the registers");
    }
    let replays = log.filter(|_| complete).and_then(|log| {
        let events = &evidence.enclosed.boot_events;
        event_log::check_tpm_replay(&log, events, &attest.selection, attest.pcr_digest, report)
            .map(|replays| (Measurements::of_replays(&replays), log))
    });
    authentic.then_some(Proven { extra_data: attest.extra_data, registers: replays })
}

/// The key, and whether the policy names it.
fn attestation_key(
    evidence: &VtpmEvidence,
    policy: &Policy,
    report: &mut Report,
) -> Option<(AttestationKey, bool)> {
    let key = match AttestationKey::parse(&evidence.ak) {
        Ok(key) => key,
        Err(error) => {
            report.fail(AK_FORMAT, format_args!("ak: {error}"));
            report.not_run(AK_NAMED, "the attestation key cannot be read");
            return None;
        }
    };
    let name = hex::encode(key.name());
    report.pass(AK_FORMAT, "ECC P-256, restricted, signing, fixed to its TPM");
    let named = policy.vtpm.ak.iter().any(|ak| ak.0 == *key.name());
    if named {
        report.pass(AK_NAMED, format_args!("the policy names {name}"));
    } else {
        report.fail(AK_NAMED, format_args!("the policy names {} keys, not {name}", policy.vtpm.ak.len()));
    }
    Some((key, named))
}

fn quote<'a>(evidence: &'a VtpmEvidence, report: &mut Report) -> Option<Quote<'a>> {
    match Quote::parse(&evidence.quote) {
        Ok(quote) => {
            let clock = quote.attest().clock;
            report.pass(
                QUOTE_FORMAT,
                format_args!("TPMS_ATTEST of a quote, reset count {}", clock.reset_count),
            );
            Some(quote)
        }
        Err(error) => {
            report.fail(QUOTE_FORMAT, format_args!("quote: {error}"));
            report.not_run(SELECTION, "the quote cannot be read");
            report.not_run(REPLAY, "the quote cannot be read");
            None
        }
    }
}

#[cfg(test)]
mod tests;
