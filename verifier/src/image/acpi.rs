//! Whether the ACPI tables that the host supplied are known good.

use super::Machine;
use crate::event_log::Register;
use crate::hex_bytes::HexBytes;
use crate::policy::Policy;
use crate::release::{Expected, Family, Release};
use crate::report::Report;

const SLUG: &str = "acpi-pinned";

/// Runs `acpi-pinned`. `matched` is the release's entry that the machine's registers equal.
///
/// Which of RTMR0's events are ACPI is not read off the log's labels alone, which the host's AML could change: whatever the
/// release does not explain counts as well, the TD HOB and the firmware's variables included. A release that pins all of
/// RTMR0 explains every event.
pub(super) fn evaluate(
    matched: Option<(&Release, &Expected)>,
    machine: &Machine<'_>,
    policy: &Policy,
    report: &mut Report,
) {
    if machine.family == Family::Vtpm {
        return report.not_run(SLUG, "a vTPM's trust is the host's, its ACPI tables included");
    }
    let Some((release, expected)) = matched else {
        return report.not_run(SLUG, "the image is not shown to be a release's");
    };
    let sha256 = release.sha256();
    if policy.tdx.acpi_confined.iter().any(|confined| confined.0 == *sha256) {
        return report
            .pass(SLUG, "the policy says that this release's kernel confines AML (tdx.acpi_confined)");
    }
    if policy.tdx.acpi.is_empty() {
        return report.not_run(
            SLUG,
            "the policy pins no ACPI digests (tdx.acpi) and does not list this release (tdx.acpi_confined)",
        );
    }
    let Some(log) = machine.event_log else {
        return report.not_run(SLUG, "no event log that replays says which digests RTMR0 holds");
    };
    let whole = expected.register(Register::Rtmr(0)).is_some();
    let listed = |digest: &[u8; 48]| {
        expected.events_of(Register::Rtmr(0)).any(|event| event.digests.sha384 == Some(*digest))
    };
    let events = log.acpi_events(|digest| whole || listed(digest));
    // In order and all of them: known good tables of several machines, put together, are no machine's.
    let mut due = policy.tdx.acpi.iter();
    for event in &events {
        if due.next().is_none_or(|due| due.0 != event.digest) {
            let (offset, event_type, digest) = (event.offset, event.event_type, HexBytes(event.digest));
            let place = if policy.tdx.acpi.iter().any(|good| good.0 == event.digest) {
                "stands at another place in tdx.acpi"
            } else {
                "is not in tdx.acpi"
            };
            return report.fail(
                SLUG,
                format_args!("rtmr0: {event_type} at offset {offset} of the log, digest {digest}, {place}"),
            );
        }
    }
    match due.next() {
        Some(missing) => {
            report.fail(SLUG, format_args!("rtmr0 lacks an event that is in tdx.acpi, digest {missing}"));
        }
        None => report.pass(SLUG, format_args!("the {} events of RTMR0 in tdx.acpi, in order", events.len())),
    }
}
