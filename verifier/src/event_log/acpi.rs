//! The events of RTMR0 that may be ACPI tables.
//!
//! AML that the host supplies can write guest memory, the CCEL included: so it can change the log's
//! types and texts, though not its digests, their number or their order. Which events are ACPI is
//! therefore not read off the labels alone.

use super::{Bank, Event, EventLog, EventType, Register};

/// An event of RTMR0 that is an ACPI table, or that nothing shows to be anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unexplained {
    /// Its record's offset in the log.
    pub offset: usize,
    /// What the log says it is.
    pub event_type: EventType,
    /// The digest that RTMR0 was extended with.
    pub digest: [u8; 48],
}

impl EventLog<'_> {
    /// The ACPI events of a TD's RTMR0 with their digests, in order.
    ///
    /// An event counts that is labelled as edk2 labels ACPI (`EV_PLATFORM_CONFIG_FLAGS`). After RTMR0's first
    /// separator, which is known by its digest alone and before which no ACPI is loaded, an event counts as well whose
    /// digest `explained` does not know. Without a separator all of RTMR0 is looked at so.
    #[must_use]
    pub fn acpi_events(&self, explained: impl Fn(&[u8; 48]) -> bool) -> Vec<Unexplained> {
        let separator = Bank::Sha384.hash(&[&[0; 4]]);
        let is_separator = |event: &Event<'_>| event.digests.get(Bank::Sha384) == Some(separator.as_bytes());
        let mut loaded = !self.extends(Register::Rtmr(0)).any(is_separator);
        self.extends(Register::Rtmr(0))
            .filter(|event| {
                let labelled = event.event_type == EventType::PLATFORM_CONFIG_FLAGS;
                loaded |= is_separator(event);
                let known = |event: &Event<'_>| event.digests.sha384().is_some_and(&explained);
                !is_separator(event) && (labelled || (loaded && !known(event)))
            })
            .filter_map(|event| {
                let digest = *event.digests.sha384()?;
                Some(Unexplained { offset: event.offset, event_type: event.event_type, digest })
            })
            .collect()
    }
}
