//! Events in order, and the registers that they add up to.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use crate::{Digests, Register};

/// One thing measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The register it is extended into.
    pub register: Register,
    /// The type that the log gives it.
    pub kind: EventType,
    /// What is measured: `.linux`, `.cmdline`, `uki`, `gpt`, `separator`, ...
    ///
    /// A UKI section has two events of the same name: its name, then its contents.
    pub what: Cow<'static, str>,
    /// What is extended.
    pub digests: Digests,
    /// The inputs with which the digest changes: `uki:.initrd`, `disk:gpt`, `vm:acpi`, ... Empty when it is constant under
    /// the profile.
    pub depends: Vec<String>,
    /// The bytes of which `digests` are the digests, where they are few enough to show.
    pub data: Option<Vec<u8>>,
}

impl Event {
    pub(crate) fn new(
        register: Register,
        kind: EventType,
        what: impl Into<Cow<'static, str>>,
        digests: Digests,
    ) -> Self {
        Self { register, kind, what: what.into(), digests, depends: Vec::new(), data: None }
    }

    /// An event that is the digest of `data`, and shows it.
    pub(crate) fn of(
        register: Register,
        kind: EventType,
        what: impl Into<Cow<'static, str>>,
        data: Vec<u8>,
    ) -> Self {
        Self::new(register, kind, what, Digests::of(&data)).holding(data)
    }

    /// Four zeros: the end of the firmware's phase (PFP 1.06, 10.4.1).
    pub(crate) fn separator(register: Register) -> Self {
        Self::of(register, EventType::Separator, "separator", vec![0; 4])
    }

    pub(crate) fn depending(mut self, input: impl Into<String>) -> Self {
        self.depends.push(input.into());
        self
    }

    pub(crate) fn holding(mut self, data: Vec<u8>) -> Self {
        self.data = Some(data);
        self
    }
}

/// TCG event types that occur here (TCG PC Client Platform Firmware Profile 1.06, table 27).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventType {
    /// End of the firmware's own phase.
    Separator,
    /// Tagged event: `LoadOptions`, `Linux initrd`.
    EventTag,
    /// ACPI data, as OVMF logs it.
    PlatformConfigFlags,
    /// Loader measurements: sections of a UKI.
    Ipl,
    /// Secure Boot variables.
    EfiVariableDriverConfig,
    /// Boot variables.
    EfiVariableBoot,
    /// An EFI application that was loaded.
    EfiBootServicesApplication,
    /// The partition table of the boot disk.
    EfiGptEvent,
    /// A step of the boot, by name.
    EfiAction,
    /// SMBIOS tables.
    EfiHandoffTables,
    /// A volume of the firmware: the configuration volume.
    EfiPlatformFirmwareBlob2,
    /// The TD HOB.
    EfiHandoffTables2,
}

impl EventType {
    /// The TCG name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Separator => "EV_SEPARATOR",
            Self::EventTag => "EV_EVENT_TAG",
            Self::PlatformConfigFlags => "EV_PLATFORM_CONFIG_FLAGS",
            Self::Ipl => "EV_IPL",
            Self::EfiVariableDriverConfig => "EV_EFI_VARIABLE_DRIVER_CONFIG",
            Self::EfiVariableBoot => "EV_EFI_VARIABLE_BOOT",
            Self::EfiBootServicesApplication => "EV_EFI_BOOT_SERVICES_APPLICATION",
            Self::EfiGptEvent => "EV_EFI_GPT_EVENT",
            Self::EfiAction => "EV_EFI_ACTION",
            Self::EfiHandoffTables => "EV_EFI_HANDOFF_TABLES",
            Self::EfiPlatformFirmwareBlob2 => "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
            Self::EfiHandoffTables2 => "EV_EFI_HANDOFF_TABLES2",
        }
    }

    /// The number in a log.
    #[must_use]
    pub fn value(self) -> u32 {
        match self {
            Self::Separator => 0x4,
            Self::EventTag => 0x6,
            Self::PlatformConfigFlags => 0xa,
            Self::Ipl => 0xd,
            Self::EfiVariableDriverConfig => 0x8000_0001,
            Self::EfiVariableBoot => 0x8000_0002,
            Self::EfiBootServicesApplication => 0x8000_0003,
            Self::EfiGptEvent => 0x8000_0006,
            Self::EfiAction => 0x8000_0007,
            Self::EfiHandoffTables => 0x8000_0009,
            Self::EfiPlatformFirmwareBlob2 => 0x8000_000a,
            Self::EfiHandoffTables2 => 0x8000_000b,
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Events in the order in which they are extended, for a known set of registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    covered: Vec<Register>,
    events: Vec<Event>,
}

impl Log {
    /// A log of `events`, that speaks of their registers and of `covered`: of these it lists every event.
    #[must_use]
    pub fn new(covered: &[Register], events: Vec<Event>) -> Self {
        let mut covered = covered.to_vec();
        for event in &events {
            if !covered.contains(&event.register) {
                covered.push(event.register);
            }
        }
        Self { covered, events }
    }

    /// An empty log that speaks of `covered`.
    pub(crate) fn covering(covered: &[Register]) -> Self {
        Self::new(covered, Vec::new())
    }

    pub(crate) fn push(&mut self, event: Event) {
        self.events.push(event);
    }

    /// The events, in order.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The events of one register, in order.
    pub fn of(&self, register: Register) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| event.register == register)
    }

    /// The registers this log speaks of. One without events keeps its value at reset: zeros.
    #[must_use]
    pub fn covered(&self) -> &[Register] {
        &self.covered
    }

    /// The final value of every covered register, in the banks where each of its events is known; a register with no such
    /// bank is left out.
    #[must_use]
    pub fn registers(&self) -> BTreeMap<Register, Digests> {
        let mut values: BTreeMap<Register, Digests> =
            self.covered.iter().map(|&register| (register, reset_value(register))).collect();
        for event in &self.events {
            if let Some(value) = values.get_mut(&event.register) {
                *value = value.extended(&event.digests);
            }
        }
        values.retain(|_, value| !value.is_unknown());
        values
    }

    /// This log with the registers of `other` added. Events of `other` follow.
    ///
    /// The two should cover different registers: then the order between them says nothing, and nothing is lost.
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        for register in other.covered {
            if !self.covered.contains(&register) {
                self.covered.push(register);
            }
        }
        self.events.extend(other.events);
        self
    }
}

/// PCRs 0 to 16 and RTMRs are zero at reset (TPM 2.0 Library, Part 1, 17.5; Intel TDX Module ABI, TDH.MNG.INIT).
fn reset_value(register: Register) -> Digests {
    let zeros = Digests { sha256: Some([0; 32]), sha384: Some([0; 48]) };
    match register {
        Register::Pcr(_) => zeros,
        _ => zeros.sha384_only(),
    }
}
