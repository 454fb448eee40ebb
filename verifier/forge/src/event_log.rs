//! Event logs: CCEL of a TD (UEFI 2.10, 38.4.1) and TCG2 of a TPM (TCG PC Client Platform Firmware
//! Profile, 10). Both are written from one list of events, from which the registers are replayed
//! and the release document is made as well.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256, Sha384};

const ALG_SHA256: u16 = 0x000b;
const ALG_SHA384: u16 = 0x000c;
/// EV_NO_ACTION: not extended.
pub const EV_NO_ACTION: u32 = 0x3;
/// EV_SEPARATOR.
pub const EV_SEPARATOR: u32 = 0x4;
/// EV_EVENT_TAG.
pub const EV_EVENT_TAG: u32 = 0x6;
/// EV_S_CRTM_VERSION.
pub const EV_S_CRTM_VERSION: u32 = 0x8;
/// EV_PLATFORM_CONFIG_FLAGS.
pub const EV_PLATFORM_CONFIG_FLAGS: u32 = 0xa;
/// EV_IPL.
pub const EV_IPL: u32 = 0xd;
/// EV_EFI_VARIABLE_DRIVER_CONFIG.
pub const EV_EFI_VARIABLE_DRIVER_CONFIG: u32 = 0x8000_0001;
/// EV_EFI_VARIABLE_BOOT.
pub const EV_EFI_VARIABLE_BOOT: u32 = 0x8000_0002;
/// EV_EFI_BOOT_SERVICES_APPLICATION.
pub const EV_EFI_BOOT_SERVICES_APPLICATION: u32 = 0x8000_0003;
/// EV_EFI_GPT_EVENT.
pub const EV_EFI_GPT_EVENT: u32 = 0x8000_0006;
/// EV_EFI_ACTION.
pub const EV_EFI_ACTION: u32 = 0x8000_0007;
/// EV_EFI_PLATFORM_FIRMWARE_BLOB.
pub const EV_EFI_PLATFORM_FIRMWARE_BLOB: u32 = 0x8000_0008;
/// EV_EFI_PLATFORM_FIRMWARE_BLOB2.
pub const EV_EFI_PLATFORM_FIRMWARE_BLOB2: u32 = 0x8000_000a;
/// EV_EFI_HANDOFF_TABLES2.
pub const EV_EFI_HANDOFF_TABLES2: u32 = 0x8000_000b;

/// An event type by its name.
#[must_use]
pub fn type_name(kind: u32) -> String {
    match kind {
        EV_NO_ACTION => "EV_NO_ACTION",
        EV_SEPARATOR => "EV_SEPARATOR",
        EV_EVENT_TAG => "EV_EVENT_TAG",
        EV_S_CRTM_VERSION => "EV_S_CRTM_VERSION",
        EV_PLATFORM_CONFIG_FLAGS => "EV_PLATFORM_CONFIG_FLAGS",
        EV_IPL => "EV_IPL",
        EV_EFI_VARIABLE_DRIVER_CONFIG => "EV_EFI_VARIABLE_DRIVER_CONFIG",
        EV_EFI_VARIABLE_BOOT => "EV_EFI_VARIABLE_BOOT",
        EV_EFI_BOOT_SERVICES_APPLICATION => "EV_EFI_BOOT_SERVICES_APPLICATION",
        EV_EFI_GPT_EVENT => "EV_EFI_GPT_EVENT",
        EV_EFI_ACTION => "EV_EFI_ACTION",
        EV_EFI_PLATFORM_FIRMWARE_BLOB => "EV_EFI_PLATFORM_FIRMWARE_BLOB",
        EV_EFI_PLATFORM_FIRMWARE_BLOB2 => "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
        EV_EFI_HANDOFF_TABLES2 => "EV_EFI_HANDOFF_TABLES2",
        other => return format!("{other:#010x}"),
    }
    .into()
}

/// A digest in both banks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// SHA-256; a TD has none.
    pub sha256: [u8; 32],
    /// SHA-384.
    pub sha384: [u8; 48],
}

impl Digests {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: Sha256::digest(bytes).into(), sha384: Sha384::digest(bytes).into() }
    }

    /// What a register at reset holds.
    pub const ZERO: Self = Self { sha256: [0; 32], sha384: [0; 48] };

    /// `R = H(R || d)`, bank by bank.
    #[must_use]
    pub fn extended(&self, digest: &Self) -> Self {
        Self {
            sha256: Sha256::new().chain_update(self.sha256).chain_update(digest.sha256).finalize().into(),
            sha384: Sha384::new().chain_update(self.sha384).chain_update(digest.sha384).finalize().into(),
        }
    }
}

/// Registers by their index in the log.
pub type Registers = BTreeMap<u32, Digests>;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// PCR, or measurement register index of a CCEL: RTMR + 1.
    pub register: u32,
    /// TCG event type.
    pub kind: u32,
    /// The event's data in the log.
    pub data: Vec<u8>,
    /// What is extended.
    pub digests: Digests,
    /// What it measures, in a release document's words.
    pub what: String,
    /// What it changes with.
    pub depends: Vec<String>,
}

impl Event {
    /// An event whose digest is of `measured`.
    #[must_use]
    pub fn new(register: u32, kind: u32, data: &[u8], measured: &[u8], what: &str, depends: &[&str]) -> Self {
        Self {
            register,
            kind,
            data: data.into(),
            digests: Digests::of(measured),
            what: what.into(),
            depends: depends.iter().map(|&depends| depends.to_owned()).collect(),
        }
    }
}

/// Which log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// A TD's: SHA-384 alone.
    Ccel,
    /// A TPM's: SHA-256 and SHA-384.
    Tcg2,
}

impl LogKind {
    /// The register's name in documents: `rtmr0`, `pcr4`.
    #[must_use]
    pub fn register(self, index: u32) -> String {
        match self {
            Self::Ccel => format!("rtmr{}", index.saturating_sub(1)),
            Self::Tcg2 => format!("pcr{index}"),
        }
    }

    const fn banks(self) -> &'static [(u16, u16)] {
        match self {
            Self::Ccel => &[(ALG_SHA384, 48)],
            Self::Tcg2 => &[(ALG_SHA256, 32), (ALG_SHA384, 48)],
        }
    }
}

/// A log to be written.
#[derive(Debug, Clone)]
pub struct EventLog {
    /// Which log.
    pub kind: LogKind,
    /// The Spec ID event's data; `None`: the right one.
    pub spec_id: Option<Vec<u8>>,
    /// All other events.
    pub events: Vec<Event>,
    /// After the last event: firmware fills a CCEL's area with 0xff.
    pub padding: Vec<u8>,
    /// Cut to this many bytes.
    pub truncate: Option<usize>,
    /// The whole log.
    pub raw: Option<Vec<u8>>,
}

impl EventLog {
    /// A log of these events.
    #[must_use]
    pub fn new(kind: LogKind, events: Vec<Event>) -> Self {
        let padding = if kind == LogKind::Ccel { vec![0xff; 64] } else { Vec::new() };
        Self { kind, spec_id: None, events, padding, truncate: None, raw: None }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let header_register = u32::from(self.kind == LogKind::Ccel);
        let spec_id = self.spec_id.clone().unwrap_or_else(|| self.spec_id_event());
        let mut log = [header_register.to_le_bytes(), EV_NO_ACTION.to_le_bytes()].concat();
        // The first event has the old form: one SHA-1 digest.
        log.extend([0; 20]);
        log.extend(sized(&spec_id));
        for event in &self.events {
            log.extend(self.event(event));
        }
        log.extend(&self.padding);
        log.truncate(self.truncate.unwrap_or(log.len()));
        log
    }

    /// What the registers hold after these events.
    #[must_use]
    pub fn replay(&self) -> Registers {
        replay(&self.events)
    }

    /// TCG_EfiSpecIDEvent (PFP, 10.4.5.1).
    fn spec_id_event(&self) -> Vec<u8> {
        let banks = self.kind.banks();
        let mut data = b"Spec ID Event03\0".to_vec();
        // Platform class 0; version 2.0, errata 0; UINTN of 8 bytes.
        data.extend([0, 0, 0, 0, 0, 2, 0, 2]);
        data.extend(u32::try_from(banks.len()).unwrap_or(0).to_le_bytes());
        for (algorithm, size) in banks {
            data.extend(algorithm.to_le_bytes());
            data.extend(size.to_le_bytes());
        }
        data.push(0);
        data
    }

    /// TCG_PCR_EVENT2 (PFP, 10.2.2).
    fn event(&self, event: &Event) -> Vec<u8> {
        let banks = self.kind.banks();
        let mut out = [event.register.to_le_bytes(), event.kind.to_le_bytes()].concat();
        out.extend(u32::try_from(banks.len()).unwrap_or(0).to_le_bytes());
        for (algorithm, _) in banks {
            out.extend(algorithm.to_le_bytes());
            match *algorithm {
                ALG_SHA256 => out.extend(event.digests.sha256),
                _ => out.extend(event.digests.sha384),
            }
        }
        out.extend(sized(&event.data));
        out
    }
}

/// What the registers hold after these events, for those that any of them names.
#[must_use]
pub fn replay(events: &[Event]) -> Registers {
    let mut registers = Registers::new();
    for event in events.iter().filter(|event| event.kind != EV_NO_ACTION) {
        let register = registers.entry(event.register).or_insert(Digests::ZERO);
        *register = register.extended(&event.digests);
    }
    registers
}

fn sized(data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], data].concat()
}
