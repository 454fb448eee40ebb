//! Register values of a machine or of a release, by register and bank.

use std::collections::BTreeMap;

use super::{Bank, Digest, Register, Replay};

/// A register's value, or an event's digest, in the banks that documents of ours name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegisterValue {
    /// SHA-256 bank: PCRs only.
    pub sha256: Option<[u8; 32]>,
    /// SHA-384 bank.
    pub sha384: Option<[u8; 48]>,
}

impl RegisterValue {
    /// The value in one bank.
    #[must_use]
    pub fn get(&self, bank: Bank) -> Option<Digest> {
        match bank {
            Bank::Sha256 => self.sha256.map(Digest::Sha256),
            Bank::Sha384 => self.sha384.map(Digest::Sha384),
            Bank::Sha1 | Bank::Sha512 => None,
        }
    }

    /// The value in each bank that is there.
    pub fn iter(&self) -> impl Iterator<Item = Digest> {
        [self.get(Bank::Sha256), self.get(Bank::Sha384)].into_iter().flatten()
    }

    /// Whether nothing was ever extended: there is a value, and it is zero in every bank.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        let mut values = self.iter().peekable();
        values.peek().is_some() && values.all(|value| value == value.bank().zero())
    }

    fn set(&mut self, digest: &Digest) {
        match digest {
            Digest::Sha256(value) => self.sha256 = Some(*value),
            Digest::Sha384(value) => self.sha384 = Some(*value),
            Digest::Sha1(_) | Digest::Sha512(_) => {}
        }
    }
}

/// What a machine measured, register by register.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measurements(BTreeMap<Register, RegisterValue>);

impl Measurements {
    /// A TD's registers, as a quote names them.
    #[must_use]
    pub fn of_td(mr_td: [u8; 48], rtmrs: [[u8; 48]; 4]) -> Self {
        let value = |sha384| RegisterValue { sha256: None, sha384: Some(sha384) };
        let rtmrs = (0..).map(Register::Rtmr).zip(rtmrs.map(value));
        Self([(Register::Mrtd, value(mr_td))].into_iter().chain(rtmrs).collect())
    }

    /// The registers of several replayed banks.
    #[must_use]
    pub fn of_replays<'a>(replays: impl IntoIterator<Item = &'a Replay>) -> Self {
        let mut registers: BTreeMap<Register, RegisterValue> = BTreeMap::new();
        for (register, digest) in replays.into_iter().flat_map(Replay::iter) {
            registers.entry(register).or_default().set(digest);
        }
        Self(registers)
    }

    /// A register's value.
    #[must_use]
    pub fn get(&self, register: Register) -> Option<&RegisterValue> {
        self.0.get(&register)
    }

    /// Every register in order.
    pub fn iter(&self) -> impl Iterator<Item = (Register, &RegisterValue)> {
        self.0.iter().map(|(register, value)| (*register, value))
    }
}
