//! Whether a machine runs the image of a release.
//!
//! **What this does not show:** what the image does. And registers that the release does not list are not held against
//! anything, but for the one that the guest itself extends (a TD's RTMR3, a TPM's PCR 14): what ran after the boot stands
//! there, a tenant's workload for one, so it is untouched unless the release lists it.

mod acpi;
mod diff;
mod explain;
#[cfg(test)]
mod tests;

pub use diff::{Divergence, Found, diff};

use crate::event_log::{BootEvent, EventLog, Measurements, Register, RegisterValue};
use crate::policy::Policy;
use crate::release::{Expected, Family, Release};
use crate::report::Report;

const FORMAT: &str = "release-format";
const MISMATCH: &str = "image-mismatch";

/// Which image is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect<'a> {
    /// That of this release.json.
    Release(&'a [u8]),
    /// Any (`--any-image`): caps the verdict at `authentic`.
    AnyImage,
}

/// A machine, as far as its evidence is proven.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// What kind of registers it has.
    pub family: Family,
    /// The registers of an authentic quote. None where there is none.
    pub measurements: Option<&'a Measurements>,
    /// A log that replays to them. None where there is none.
    pub event_log: Option<&'a EventLog<'a>>,
    /// What the guest extended after the log.
    pub boot_events: &'a [BootEvent],
}

/// Runs `release-format`, `image-mismatch` and `acpi-pinned`.
pub fn evaluate(expect: &Expect<'_>, machine: &Machine<'_>, policy: &Policy, report: &mut Report) {
    let release = match expect {
        Expect::AnyImage => {
            for slug in [FORMAT, MISMATCH] {
                report.not_run(slug, "not asked (--any-image)");
            }
            None
        }
        Expect::Release(bytes) => match Release::parse(bytes) {
            Ok(release) => {
                report.pass(FORMAT, format_args!("{} {}", release.name(), release.version()));
                Some(release)
            }
            Err(error) => {
                report.fail(FORMAT, error);
                report.not_run(MISMATCH, "the release cannot be read");
                None
            }
        },
    };
    let matched = release.as_ref().and_then(|release| {
        let expected = matching(release, machine, report)?;
        Some((release, expected))
    });
    acpi::evaluate(matched, machine, policy, report);
}

/// The entry of the release whose registers are all the machine's.
fn matching<'r>(release: &'r Release, machine: &Machine<'_>, report: &mut Report) -> Option<&'r Expected> {
    let Some(measurements) = machine.measurements else {
        report.not_run(MISMATCH, "no authentic quote and log give the machine's registers");
        return None;
    };
    let family = machine.family;
    let candidates = || release.expected().iter().filter(|entry| entry.family() == family);
    if let Some(entry) = candidates().find(|entry| differing(entry, measurements).is_empty()) {
        let registers: Vec<_> = entry.registers().map(|(register, ..)| register.to_string()).collect();
        let (platform, profile, registers) = (entry.platform(), entry.profile(), registers.join(", "));
        report.pass(MISMATCH, format_args!("{platform} ({profile}): {registers} are equal"));
        return Some(entry);
    }
    // The nearest entry is the one to explain: that with the fewest differing registers, the first of such.
    match candidates().min_by_key(|entry| differing(entry, measurements).len()) {
        Some(nearest) => report.fail(MISMATCH, explain::explain(nearest, machine, measurements)),
        None => report.fail(MISMATCH, format_args!("the release says nothing of {} machines", family.word())),
    }
    None
}

/// The registers that are not what the entry says, in any bank that it lists. The register of the guest itself has to be
/// zero where the entry does not list it.
#[must_use]
pub fn differing(expected: &Expected, measurements: &Measurements) -> Vec<Register> {
    let own = expected.family().guest_register();
    let untouched = || measurements.get(own).is_some_and(RegisterValue::is_untouched);
    let own = (expected.register(own).is_none() && !untouched()).then_some(own);
    expected
        .registers()
        .filter(|(register, value, _)| {
            let measured = measurements.get(*register);
            !value.iter().all(|stated| measured.and_then(|m| m.get(stated.bank())) == Some(stated))
        })
        .map(|(register, ..)| register)
        .chain(own)
        .collect()
}
