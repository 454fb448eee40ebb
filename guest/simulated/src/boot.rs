//! A simulated TD that measured a given boot.

use hallmark_evidence::SourceError;
use hallmark_forge::event_log::{
    Digests, EV_EFI_ACTION, EV_EFI_BOOT_SERVICES_APPLICATION, EV_EFI_GPT_EVENT, EV_EVENT_TAG, EV_IPL,
    EV_PLATFORM_CONFIG_FLAGS, EV_SEPARATOR, Event, EventLog, LogKind,
};
use hallmark_forge::{Measurements, simulated_policy};

use crate::SimulatedTd;

/// An event that the machine is to have measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Which RTMR, 0 to 2.
    pub rtmr: u8,
    /// TCG name of its type, such as `EV_IPL`.
    pub event: String,
    /// SHA-384 that is extended.
    pub sha384: [u8; 48],
}

impl SimulatedTd {
    /// A TD that measured `mr_td`, then the ACPI tables of a simulated host, then `events` in this order.
    ///
    /// # Errors
    /// [`SourceError::Simulated`] for an RTMR above 2, or an event type that no boot of ours has.
    pub fn boot(mr_td: [u8; 48], events: &[Measured], now: u64) -> Result<Self, SourceError> {
        let mut log = acpi();
        for measured in events {
            log.push(event(measured)?);
        }
        let log = EventLog::new(LogKind::Ccel, log);
        let registers = log.replay();
        let rtmr = [1, 2, 3, 4].map(|index| registers.get(&index).unwrap_or(&Digests::ZERO).sha384);
        Ok(Self::new(Measurements { mr_td, rtmr }, log.bytes(), now))
    }

    /// The policy under which the evidence of [`Self::boot`] is `simulated`: it names the simulated root, and pins the
    /// simulated host's ACPI tables.
    #[must_use]
    pub fn policy() -> String {
        simulated_policy(&acpi().iter().map(|event| event.digests.sha384).collect::<Vec<_>>())
    }
}

/// What a simulated host hands in as ACPI.
fn acpi() -> Vec<Event> {
    ["loader", "rsdp", "tables"]
        .map(|what| {
            let text = format!("SIMULATED ACPI {what}");
            Event::new(1, EV_PLATFORM_CONFIG_FLAGS, b"ACPI DATA", text.as_bytes(), what, &["vm:acpi"])
        })
        .into()
}

fn event(measured: &Measured) -> Result<Event, SourceError> {
    let kind = match measured.event.as_str() {
        "EV_SEPARATOR" => EV_SEPARATOR,
        "EV_EFI_ACTION" => EV_EFI_ACTION,
        "EV_EFI_GPT_EVENT" => EV_EFI_GPT_EVENT,
        "EV_EFI_BOOT_SERVICES_APPLICATION" => EV_EFI_BOOT_SERVICES_APPLICATION,
        "EV_IPL" => EV_IPL,
        "EV_EVENT_TAG" => EV_EVENT_TAG,
        other => return Err(SourceError::Simulated(format!("no event of type {other} is simulated"))),
    };
    if measured.rtmr > 2 {
        return Err(SourceError::Simulated(format!("a boot does not extend RTMR{}", measured.rtmr)));
    }
    Ok(Event {
        register: u32::from(measured.rtmr) + 1,
        kind,
        data: b"SIMULATED".to_vec(),
        digests: Digests { sha256: [0; 32], sha384: measured.sha384 },
        what: String::new(),
        depends: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use hallmark_evidence::{Binding, NOTHING_BOUND, Nonce, Source as _};

    use super::*;

    fn measured(rtmr: u8, event: &str) -> Measured {
        Measured { rtmr, event: event.into(), sha384: [7; 48] }
    }

    #[test]
    fn states_what_it_was_given() {
        let mut td = SimulatedTd::boot([9; 48], &[measured(2, "EV_IPL")], hallmark_forge::NOW).unwrap();
        let statement = td.state(&Binding::new(&Nonce::new([3; 32]), &NOTHING_BOUND)).unwrap();
        assert!(statement.quote.windows(48).any(|w| w == [9; 48]), "MRTD is in the quote");
        assert!(statement.event_log.windows(48).any(|w| w == [7; 48]), "the event is in the log");
        assert!(SimulatedTd::policy().contains("simulated"));
    }

    #[test]
    fn what_cannot_be_simulated_is_refused() {
        assert!(SimulatedTd::boot([0; 48], &[measured(3, "EV_IPL")], 0).is_err());
        assert!(SimulatedTd::boot([0; 48], &[measured(1, "EV_COLOUR")], 0).is_err());
    }
}
