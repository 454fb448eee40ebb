//! Whether a log is what the quoted registers were extended with.

use super::ima::Template;
use super::{Bank, BootEvent, EventLog, Kind, Register, Replay};
use crate::evidence::Enclosed;
use crate::report::Report;
use crate::tpm::PcrSelection;

const FORMAT: &str = "event-log-format";
const REPLAY: &str = "event-log-replay";

/// Runs `event-log-format` and `event-log-replay` for a TD. `rtmrs` are those of an authentic quote, None where there is
/// none. Gives the log if it replays to them: only then may its digests be used.
///
/// A TD's registers come from its quote, so evidence without a log (a raw quote) is none the weaker: the checks
/// are then not run, and whatever needs the log's digests (`acpi-pinned`) is not run either.
pub fn check_td<'a>(
    enclosed: Option<&'a Enclosed>,
    rtmrs: Option<&[[u8; 48]; 4]>,
    report: &mut Report,
) -> Option<EventLog<'a>> {
    let none = match enclosed {
        None => Some("a raw quote carries no event log"),
        Some(enclosed) if enclosed.event_log.is_empty() => Some("the evidence carries no event log"),
        Some(_) => None,
    };
    if let Some(why) = none {
        report.not_run(FORMAT, why);
        report.not_run(REPLAY, why);
        return None;
    }
    let enclosed = enclosed?;
    let log = format(&enclosed.event_log, Kind::Ccel, report)?;
    let Some(rtmrs) = rtmrs else {
        report.not_run(REPLAY, "no authentic quote gives registers to hold the log against");
        return None;
    };
    let Some(replay) = log.replay_with(Bank::Sha384, &enclosed.boot_events) else {
        report.fail(REPLAY, "the log has no SHA-384 digests");
        return None;
    };
    let differing: Vec<String> = (0..)
        .map(Register::Rtmr)
        .zip(rtmrs)
        .filter_map(|(register, quoted)| {
            let replayed = replay.get(register)?;
            (replayed.as_bytes() != quoted)
                .then(|| format!("{register}: quoted {}, replayed {replayed}", hex::encode(quoted)))
        })
        .collect();
    if differing.is_empty() {
        let own = enclosed.boot_events.len();
        report.pass(REPLAY, format_args!("rtmr0 to rtmr3 follow from the log and {own} events of the guest"));
        return Some(log);
    }
    report.fail(REPLAY, differing.join("; "));
    None
}

/// Runs `event-log-format` for a TPM's log.
pub(crate) fn check_tpm_format<'a>(enclosed: &'a Enclosed, report: &mut Report) -> Option<EventLog<'a>> {
    format(&enclosed.event_log, Kind::Tcg2, report)
}

/// Runs `event-log-replay` for a TPM: both banks, replayed, hash to the digest that the quote signs. PCR 10 is what the log
/// says (nothing, as a rule), or what Linux's IMA makes of PCRs 0 to 9. Gives the banks.
pub(crate) fn check_tpm_replay(
    log: &EventLog<'_>,
    boot_events: &[BootEvent],
    selection: &PcrSelection,
    quoted: &[u8],
    report: &mut Report,
) -> Option<[Replay; 2]> {
    let replay = |bank| log.replay_with(bank, boot_events);
    let (Some(sha256), Some(sha384)) = (replay(Bank::Sha256), replay(Bank::Sha384)) else {
        let banks: Vec<_> = log.banks().iter().map(ToString::to_string).collect();
        report.fail(
            REPLAY,
            format_args!("the log has {} digests; sha256 and sha384 are quoted", banks.join(", ")),
        );
        return None;
    };
    let plain = [sha256.clone(), sha384];
    let Some(digest) = selection.digest(&plain) else {
        report.fail(REPLAY, format_args!("the quote selects {selection}, which the log does not lead to"));
        return None;
    };
    if digest == *quoted {
        report.pass(
            REPLAY,
            format_args!("pcrDigest {} follows from the log, in both banks", hex::encode(digest)),
        );
        return Some(plain);
    }
    for template in Template::ALL {
        let replays = template.measured(&sha256, plain.clone());
        if selection.digest(&replays).is_some_and(|digest| digest == *quoted) {
            let (quoted, name) = (hex::encode(quoted), template.name());
            report.pass(
                REPLAY,
                format_args!(
                    "pcrDigest {quoted} follows from the log and Linux's boot aggregate in PCR 10 ({name}), in both banks"
                ),
            );
            return Some(replays);
        }
    }
    let (quoted, digest) = (hex::encode(quoted), hex::encode(digest));
    report.fail(REPLAY, format_args!("the quote signs pcrDigest {quoted}, the log leads to {digest}"));
    None
}

fn format<'a>(bytes: &'a [u8], kind: Kind, report: &mut Report) -> Option<EventLog<'a>> {
    match EventLog::parse(bytes, kind) {
        Ok(log) => {
            report.pass(FORMAT, format_args!("{} events", log.events().len()));
            Some(log)
        }
        Err(error) => {
            report.fail(FORMAT, error);
            report.not_run(REPLAY, "the event log cannot be read");
            None
        }
    }
}
