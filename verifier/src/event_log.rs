//! Event logs: TCG2 logs of a TPM and CCEL logs of a TD.
//!
//! **What this does not show:** that a log is true. A log is a claim; it counts only once its digests
//! replay to registers that a quote signs. And then only the digests count: the text beside a digest
//! is what the sender chose to write there, unless the digest is its own hash
//! ([`Event::authenticated_text`]); so is an event's type.
//!
//! Sources: TCG PC Client Platform Firmware Profile (PFP) 1.06, 10 "Event Logging"; Intel TDVF design
//! guide, "Measurement" (which register a CCEL index means); ACPI 6.5, 5.2.34 (CCEL).
//!
//! Both kinds have the same shape: a `TCG_PCClientPCREvent` that holds the Spec ID event, which
//! declares the digest algorithms, then `TCG_PCR_EVENT2` records. Integers are little endian. A log is
//! read once, borrowed, in time linear in its length.

mod acpi;
mod bank;
mod boot_event;
mod check;
mod event_type;
mod ima;
mod measurements;
mod parse;
mod register;
mod replay;
#[cfg(test)]
pub(crate) mod tests;
mod text;

pub use acpi::Unexplained;
pub use bank::{Bank, Digest, Digests};
pub use boot_event::BootEvent;
pub use check::check_td;
pub(crate) use check::{check_tpm_format, check_tpm_replay};
pub use event_type::EventType;
pub use measurements::{Measurements, RegisterValue};
pub use parse::EventLogError;
pub use register::Register;
pub use replay::Replay;

/// Which log it is, and so what its register numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A TPM's crypto-agile log, as `binary_bios_measurements` gives it: PCRs 0 to 23, nothing after
    /// the last event.
    Tcg2,
    /// A TD's CCEL data: SHA-384 only, index = RTMR + 1; what is left of the reserved area after the
    /// last event is all 00 or all FF.
    Ccel,
}

/// One event, as the log says it. Only its digests can be proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// Where its record starts in the log, in bytes.
    pub offset: usize,
    /// The register that it extended.
    pub register: Register,
    /// What kind of event the log says it is.
    pub event_type: EventType,
    /// One digest for every algorithm that the Spec ID event declares.
    pub digests: Digests<'a>,
    /// The text or structure beside the digests: unauthenticated.
    pub data: &'a [u8],
}

/// A log that was read to its end: every record is whole, every size agrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLog<'a> {
    kind: Kind,
    banks: Vec<Bank>,
    events: Vec<Event<'a>>,
    startup_locality: u8,
    padding: usize,
}

impl<'a> EventLog<'a> {
    /// Reads a log.
    ///
    /// # Errors
    ///
    /// At the first record that breaks the format, with its offset.
    pub fn parse(bytes: &'a [u8], kind: Kind) -> Result<Self, EventLogError> {
        parse::parse(bytes, kind)
    }

    /// Which log it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The algorithms of which every event has a digest.
    #[must_use]
    pub fn banks(&self) -> &[Bank] {
        &self.banks
    }

    /// The events in the order of the log, without the Spec ID event.
    #[must_use]
    pub fn events(&self) -> &[Event<'a>] {
        &self.events
    }

    /// The events that extended this register, in order.
    pub fn extends(&self, register: Register) -> impl Iterator<Item = &Event<'a>> {
        self.events.iter().filter(move |event| event.register == register && event.extends())
    }

    /// The locality at which the TPM was started: what PCR 0 started from (PFP 1.06, 10.4.5.3).
    #[must_use]
    pub const fn startup_locality(&self) -> u8 {
        self.startup_locality
    }

    /// How many bytes of padding follow the last event.
    #[must_use]
    pub const fn padding(&self) -> usize {
        self.padding
    }
}

impl Event<'_> {
    /// Whether it extended its register: `EV_NO_ACTION` events do not.
    #[must_use]
    pub fn extends(&self) -> bool {
        self.event_type != EventType::NO_ACTION
    }
}
