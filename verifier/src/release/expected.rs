//! What an image measures to on one platform.

use std::collections::BTreeMap;

use super::Validated;
use crate::event_log::{Register, RegisterValue};
use crate::hex_bytes::HexBytes;

/// What kind of machine has an entry's registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// A TD: MRTD and RTMRs.
    Tdx,
    /// A vTPM: PCRs.
    Vtpm,
}

impl Family {
    /// The word for it in evidence and in explanations.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tdx => "tdx",
            Self::Vtpm => "vtpm",
        }
    }
}

impl Family {
    /// The register that a machine of that kind leaves to its guest: a TD's RTMR3, a TPM's PCR 14.
    #[must_use]
    pub const fn guest_register(self) -> Register {
        match self {
            Self::Tdx => Register::Rtmr(3),
            Self::Vtpm => Register::Pcr(14),
        }
    }
}

/// An entry of `expected`: registers of one image on one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub(super) family: Family,
    pub(super) platform: String,
    pub(super) profile: String,
    pub(super) firmware_sha256: HexBytes<32>,
    pub(super) registers: BTreeMap<Register, (RegisterValue, Validated)>,
    pub(super) events: Vec<ExpectedEvent>,
}

/// An event that the boot is expected to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedEvent {
    /// The register that it extends.
    pub register: Register,
    /// The name of its type, such as `EV_IPL`.
    pub event: String,
    /// The thing measured: `.linux`, `.initrd`, `.cmdline`, `uki`, `gpt`, `separator`, ...
    pub what: String,
    /// What the register is extended with, bank by bank.
    pub digests: RegisterValue,
    /// The inputs of the build that it changes with.
    pub depends: Vec<String>,
}

impl Expected {
    /// What kind of machine it is about.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The platform's name.
    #[must_use]
    pub fn platform(&self) -> &str {
        &self.platform
    }

    /// The profile: firmware, VMM, stub and kernel.
    #[must_use]
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// SHA-256 of the firmware file.
    #[must_use]
    pub const fn firmware_sha256(&self) -> &HexBytes<32> {
        &self.firmware_sha256
    }

    /// Every register that is expected, in order, with how its value was validated.
    pub fn registers(&self) -> impl Iterator<Item = (Register, &RegisterValue, Validated)> {
        self.registers.iter().map(|(register, (value, validated))| (*register, value, *validated))
    }

    /// One register's value.
    #[must_use]
    pub fn register(&self, register: Register) -> Option<&RegisterValue> {
        self.registers.get(&register).map(|(value, _)| value)
    }

    /// The events, in the order in which each register is extended.
    #[must_use]
    pub fn events(&self) -> &[ExpectedEvent] {
        &self.events
    }

    /// The events of one register, in order.
    pub fn events_of(&self, register: Register) -> impl Iterator<Item = &ExpectedEvent> {
        self.events.iter().filter(move |event| event.register == register)
    }
}
