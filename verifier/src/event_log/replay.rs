//! Replaying a log: the register values that its digests lead to.

use std::collections::BTreeMap;

use super::{Bank, BootEvent, Digest, EventLog, Kind, Register};

/// The registers of one bank after a replay: RTMR0 to RTMR3, or PCRs 0 to 15. Higher PCRs can be reset
/// while the machine runs, so a replay says nothing of them.
///
/// A value here is what the log leads to. It is proven only by being equal to what a quote signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    bank: Bank,
    values: BTreeMap<Register, Digest>,
}

impl Replay {
    /// The registers of that kind before anything extends them.
    fn start(kind: Kind, bank: Bank, startup_locality: u8) -> Self {
        let registers = match kind {
            Kind::Ccel => (0..4).map(Register::Rtmr as fn(u8) -> Register),
            Kind::Tcg2 => (0..16).map(Register::Pcr as fn(u8) -> Register),
        };
        let mut values: BTreeMap<_, _> = registers.map(|register| (register, bank.zero())).collect();
        // A TPM that was started at a locality other than 0 has it in PCR 0's last byte (TPM 2.0
        // Library, Part 3, 9.3, TPM2_Startup).
        if let Some(
            Digest::Sha1([.., last])
            | Digest::Sha256([.., last])
            | Digest::Sha384([.., last])
            | Digest::Sha512([.., last]),
        ) = values.get_mut(&Register::Pcr(0))
        {
            *last = startup_locality;
        }
        Self { bank, values }
    }

    pub(super) fn extend(&mut self, register: Register, digest: &[u8]) {
        if let Some(value) = self.values.get_mut(&register) {
            *value = value.extend(digest);
        }
    }

    /// The bank.
    #[must_use]
    pub const fn bank(&self) -> Bank {
        self.bank
    }

    /// A register's value; none where the log's kind does not have it.
    #[must_use]
    pub fn get(&self, register: Register) -> Option<&Digest> {
        self.values.get(&register)
    }

    /// Every register in order, with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Register, &Digest)> {
        self.values.iter().map(|(register, value)| (*register, value))
    }
}

impl EventLog<'_> {
    /// The registers after this log's events, in one bank. None where the log does not have that bank.
    #[must_use]
    pub fn replay(&self, bank: Bank) -> Option<Replay> {
        self.replay_with(bank, &[])
    }

    /// The registers after this log's events, then those that the guest extended itself. None where the log or
    /// one of the boot events does not have that bank.
    #[must_use]
    pub fn replay_with(&self, bank: Bank, boot_events: &[BootEvent]) -> Option<Replay> {
        if !self.banks.contains(&bank) {
            return None;
        }
        let mut replay = Replay::start(self.kind, bank, self.startup_locality);
        for event in self.events.iter().filter(|event| event.extends()) {
            replay.extend(event.register, event.digests.get(bank)?);
        }
        for event in boot_events {
            replay.extend(event.register, event.digests.get(bank)?.as_bytes());
        }
        Some(replay)
    }
}
