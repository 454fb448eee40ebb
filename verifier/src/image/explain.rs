//! Why an image is not the expected one, in a sentence or two.

use super::{Machine, diff, differing};
use crate::event_log::{Measurements, Register};
use crate::release::Expected;

/// The most divergences that are told after the first.
const MORE: usize = 4;

/// Names the differing registers, then the first event that differs and what it depends on, then others.
pub(super) fn explain(nearest: &Expected, machine: &Machine<'_>, measurements: &Measurements) -> String {
    let registers = differing(nearest, measurements);
    let names: Vec<_> = registers.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    let mut text = format!("{names}: not as {} ({}) has them", nearest.platform(), nearest.profile());
    if registers.contains(&Register::Mrtd) {
        text.push_str("; mrtd is the firmware and the VM's layout");
    }
    let Some(log) = machine.event_log else {
        text.push_str("; the evidence has no event log that says where");
        return text;
    };
    let divergences = diff(nearest, log, machine.boot_events);
    let mut divergences = divergences.iter();
    match divergences.next() {
        Some(first) => text.push_str(&format!("; first: {first}")),
        None => text.push_str("; the release lists no events for them"),
    }
    for more in divergences.by_ref().take(MORE) {
        text.push_str(&format!("; also {more}"));
    }
    match divergences.count() {
        0 => {}
        left => text.push_str(&format!("; and {left} more")),
    }
    text
}
