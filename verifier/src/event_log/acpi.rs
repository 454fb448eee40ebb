//! The events of RTMR0 that may be ACPI tables.
//!
//! AML that the host supplies can write guest memory, the CCEL included: so it can change the log's
//! types and texts, though not its digests, their number or their order. Which events are ACPI is
//! therefore not read off the labels alone.

use super::{Bank, EventLog, EventType, Register};

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
    /// The events of a TD's RTMR0 that may be ACPI or may bring it, with their digests, in order.
    ///
    /// An event counts that is labelled as edk2 labels ACPI (`EV_PLATFORM_CONFIG_FLAGS`), and every other one whose digest
    /// `explained` does not know, wherever it stands: firmware can take a host's tables out of the TD HOB, which is
    /// measured first of all. Separators, which are known by their digest alone, say nothing.
    #[must_use]
    pub fn acpi_events(&self, explained: impl Fn(&[u8; 48]) -> bool) -> Vec<Unexplained> {
        let separator = Bank::Sha384.hash(&[&[0; 4]]);
        self.extends(Register::Rtmr(0))
            .filter_map(|event| {
                let digest = *event.digests.sha384()?;
                let labelled = event.event_type == EventType::PLATFORM_CONFIG_FLAGS;
                let counts = digest[..] != *separator.as_bytes() && (labelled || !explained(&digest));
                counts.then_some(Unexplained { offset: event.offset, event_type: event.event_type, digest })
            })
            .collect()
    }
}
