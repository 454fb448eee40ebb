//! Reading a log.

use super::{Bank, Digests, Event, EventLog, EventType, Kind, Register};

/// What breaks an event log. Offsets are in bytes from the log's start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventLogError {
    /// The log ends inside a field.
    #[error("event log: {field} at offset {offset} needs {needed} bytes, {left} are left (PFP 10.2)")]
    Truncated {
        /// The field that is cut off.
        field: &'static str,
        /// Where it starts.
        offset: usize,
        /// What it needs.
        needed: usize,
        /// What there is.
        left: usize,
    },
    /// The first record is not a Spec ID event.
    #[error(
        "event log: the first record's {field} at offset {offset} is {value:#x}, not that of a Spec ID event (PFP 10.4.5.1)"
    )]
    SpecId {
        /// The field.
        field: &'static str,
        /// Where it is.
        offset: usize,
        /// What it holds (of a longer field: its first byte that differs).
        value: u64,
    },
    /// The Spec ID event's parts are not as long as it says it is.
    #[error("event log: the Spec ID event says {said} bytes, its parts take {taken} (PFP 10.4.5.1)")]
    SpecIdLength {
        /// `eventSize`.
        said: usize,
        /// The length of the parts.
        taken: usize,
    },
    /// The Spec ID event declares no algorithm, or too many.
    #[error("event log: {count} digest algorithms declared at offset {offset}; 1 to 4 are known")]
    AlgorithmCount {
        /// Where the count is.
        offset: usize,
        /// The count.
        count: u32,
    },
    /// An algorithm that cannot be replayed.
    #[error(
        "event log: digest algorithm {id:#06x} at offset {offset} is not SHA-1, SHA-256, SHA-384 or SHA-512"
    )]
    Algorithm {
        /// Where it stands.
        offset: usize,
        /// The `TPM_ALG_ID`.
        id: u16,
    },
    /// An algorithm is declared with a size that it does not have.
    #[error("event log: {bank} is declared with {size} bytes at offset {offset}")]
    AlgorithmSize {
        /// Where it stands.
        offset: usize,
        /// The algorithm.
        bank: Bank,
        /// The size declared.
        size: u16,
    },
    /// An algorithm stands twice.
    #[error("event log: {bank} stands twice, at offset {offset}")]
    AlgorithmTwice {
        /// Where it stands again.
        offset: usize,
        /// The algorithm.
        bank: Bank,
    },
    /// A CCEL that is not SHA-384 alone.
    #[error(
        "event log: a TD's log has SHA-384 digests only; this one declares {count} algorithms, the first {first}"
    )]
    CcelAlgorithm {
        /// How many are declared.
        count: usize,
        /// The first of them.
        first: Bank,
    },
    /// An event has not one digest for each declared algorithm.
    #[error(
        "event log: the event at offset {offset} has {count} digests, {declared} algorithms are declared (PFP 10.2.2)"
    )]
    DigestCount {
        /// The event's offset.
        offset: usize,
        /// What it has.
        count: u32,
        /// What it should have.
        declared: usize,
    },
    /// A digest of an algorithm that the Spec ID event does not declare.
    #[error("event log: a {bank} digest at offset {offset}, which the Spec ID event does not declare")]
    Undeclared {
        /// Where the digest's algorithm stands.
        offset: usize,
        /// The algorithm.
        bank: Bank,
    },
    /// A register that this kind of log does not have, or may not extend.
    #[error(
        "event log: the event at offset {offset} extends register index {index}, which this kind of log cannot"
    )]
    RegisterIndex {
        /// The event's offset.
        offset: usize,
        /// The index in the record.
        index: u32,
    },
    /// A startup locality that is unknown, repeated, or told after PCR 0 was extended.
    #[error("event log: startup locality {locality} at offset {offset} is {why} (PFP 10.4.5.3)")]
    StartupLocality {
        /// The event's offset.
        offset: usize,
        /// The locality.
        locality: u8,
        /// What is wrong.
        why: &'static str,
    },
    /// Something that is neither an event nor padding.
    #[error(
        "event log: after the last event, at offset {offset}, {left} bytes follow that are neither an event nor padding"
    )]
    Trailing {
        /// Where the events end.
        offset: usize,
        /// How many bytes follow.
        left: usize,
    },
}

/// A place in the log.
struct Cursor<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], EventLogError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(EventLogError::Truncated {
            field,
            offset: self.offset,
            needed: length,
            left: self.rest.len(),
        })?;
        self.rest = rest;
        // Cannot overflow: both are within one slice.
        self.offset = self.offset.saturating_add(length);
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<&'a [u8; N], EventLogError> {
        let (offset, left) = (self.offset, self.rest.len());
        self.take(N, field)?.first_chunk().ok_or(EventLogError::Truncated { field, offset, needed: N, left })
    }

    fn u8(&mut self, field: &'static str) -> Result<u8, EventLogError> {
        self.array(field).map(|bytes: &[u8; 1]| u8::from_le_bytes(*bytes))
    }

    fn u16(&mut self, field: &'static str) -> Result<u16, EventLogError> {
        self.array(field).map(|bytes| u16::from_le_bytes(*bytes))
    }

    fn u32(&mut self, field: &'static str) -> Result<u32, EventLogError> {
        self.array(field).map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// A length or count; on a machine where it does not fit, the log is too long for it anyway.
    fn length(&mut self, field: &'static str) -> Result<usize, EventLogError> {
        self.u32(field).map(|length| usize::try_from(length).unwrap_or(usize::MAX))
    }
}

pub(super) fn parse(bytes: &[u8], kind: Kind) -> Result<EventLog<'_>, EventLogError> {
    let mut cursor = Cursor { rest: bytes, offset: 0 };
    let banks = spec_id(&mut cursor, kind)?;
    let mut log = EventLog { kind, banks, events: Vec::new(), startup_locality: 0, padding: 0 };
    let mut locality = Locality::default();
    while !cursor.rest.is_empty() {
        if kind == Kind::Ccel && is_padding(&cursor)? {
            log.padding = cursor.rest.len();
            break;
        }
        let event = event(&mut cursor, kind, &log.banks)?;
        locality.observe(&event)?;
        log.events.push(event);
    }
    log.startup_locality = locality.locality.unwrap_or(0);
    Ok(log)
}

/// Whether all that is left is 00 or all is FF. No event starts so: twelve 00 would be an event without
/// digests, four FF no register. Looking at the rest is therefore done once at most.
fn is_padding(cursor: &Cursor<'_>) -> Result<bool, EventLogError> {
    let start = cursor.rest.get(..12).unwrap_or(cursor.rest);
    for filler in [0x00, 0xff] {
        if start.iter().all(|byte| *byte == filler) {
            if cursor.rest.iter().all(|byte| *byte == filler) {
                return Ok(true);
            }
            return Err(EventLogError::Trailing { offset: cursor.offset, left: cursor.rest.len() });
        }
    }
    Ok(false)
}

/// `TCG_PCClientPCREvent` with `TCG_EfiSpecIDEvent` (PFP 1.06, 10.2.1 and 10.4.5.1).
fn spec_id(cursor: &mut Cursor<'_>, kind: Kind) -> Result<Vec<Bank>, EventLogError> {
    let spec = |field, offset, value| EventLogError::SpecId { field, offset, value };

    let index = cursor.u32("pcrIndex")?;
    // A TPM's stands in PCR 0; firmware writes 0 or 1 into a TD's.
    let most = match kind {
        Kind::Tcg2 => 0,
        Kind::Ccel => 1,
    };
    if index > most {
        return Err(spec("pcrIndex", 0, index.into()));
    }
    let event_type = cursor.u32("eventType")?;
    if EventType(event_type) != EventType::NO_ACTION {
        return Err(spec("eventType", 4, event_type.into()));
    }
    let digest = cursor.take(20, "digest")?;
    if let Some(byte) = digest.iter().find(|byte| **byte != 0) {
        return Err(spec("digest", 8, (*byte).into()));
    }
    let said = cursor.length("eventDataSize")?;
    let start = cursor.offset;
    // Its parts are read from the log itself; the sizes are held against each other at the end.
    let signature = cursor.take(16, "signature")?;
    if let Some((byte, _)) = signature.iter().zip(b"Spec ID Event03\0").find(|(is, must)| is != must) {
        return Err(spec("signature", start, (*byte).into()));
    }
    let _platform_class = cursor.u32("platformClass")?;
    let _minor = cursor.u8("specVersionMinor")?;
    let version_at = cursor.offset;
    let major = cursor.u8("specVersionMajor")?;
    if major != 2 {
        return Err(spec("specVersionMajor", version_at, major.into()));
    }
    let _errata = cursor.u8("specErrata")?;
    let _uintn_size = cursor.u8("uintnSize")?;
    let banks = declared(cursor)?;
    let vendor = cursor.u8("vendorInfoSize")?;
    cursor.take(vendor.into(), "vendorInfo")?;
    let taken = cursor.offset.saturating_sub(start);
    if taken != said {
        return Err(EventLogError::SpecIdLength { said, taken });
    }
    match (kind, banks.as_slice()) {
        (Kind::Tcg2, _) | (Kind::Ccel, [Bank::Sha384]) => Ok(banks),
        (Kind::Ccel, all) => Err(EventLogError::CcelAlgorithm {
            count: all.len(),
            first: all.first().copied().unwrap_or(Bank::Sha1),
        }),
    }
}

/// `numberOfAlgorithms` and `digestSizes`.
fn declared(cursor: &mut Cursor<'_>) -> Result<Vec<Bank>, EventLogError> {
    let offset = cursor.offset;
    let count = cursor.u32("numberOfAlgorithms")?;
    if !(1..=4).contains(&count) {
        return Err(EventLogError::AlgorithmCount { offset, count });
    }
    let mut banks = Vec::new();
    for _ in 0..count {
        let offset = cursor.offset;
        let id = cursor.u16("algorithmId")?;
        let bank = Bank::from_algorithm(id).ok_or(EventLogError::Algorithm { offset, id })?;
        let size = cursor.u16("digestSize")?;
        if usize::from(size) != bank.size() {
            return Err(EventLogError::AlgorithmSize { offset, bank, size });
        }
        if banks.contains(&bank) {
            return Err(EventLogError::AlgorithmTwice { offset, bank });
        }
        banks.push(bank);
    }
    Ok(banks)
}

/// `TCG_PCR_EVENT2` (PFP 1.06, 10.2.2).
fn event<'a>(cursor: &mut Cursor<'a>, kind: Kind, banks: &[Bank]) -> Result<Event<'a>, EventLogError> {
    let offset = cursor.offset;
    let index = cursor.u32("pcrIndex")?;
    let event_type = EventType(cursor.u32("eventType")?);
    let register = register(kind, index, event_type).ok_or(EventLogError::RegisterIndex { offset, index })?;
    let count = cursor.u32("digests.count")?;
    if usize::try_from(count).ok() != Some(banks.len()) {
        return Err(EventLogError::DigestCount { offset, count, declared: banks.len() });
    }
    let mut digests = Digests::default();
    for _ in banks {
        let offset = cursor.offset;
        let id = cursor.u16("digests.hashAlg")?;
        let bank = Bank::from_algorithm(id).ok_or(EventLogError::Algorithm { offset, id })?;
        if !banks.contains(&bank) {
            return Err(EventLogError::Undeclared { offset, bank });
        }
        let twice = digests.get(bank).is_some();
        match bank {
            Bank::Sha1 => digests.sha1 = Some(cursor.array("digest")?),
            Bank::Sha256 => digests.sha256 = Some(cursor.array("digest")?),
            Bank::Sha384 => digests.sha384 = Some(cursor.array("digest")?),
            Bank::Sha512 => digests.sha512 = Some(cursor.array("digest")?),
        }
        // As many digests as algorithms, all declared, none twice: so each is there.
        if twice {
            return Err(EventLogError::AlgorithmTwice { offset, bank });
        }
    }
    let length = cursor.length("eventSize")?;
    let data = cursor.take(length, "event")?;
    Ok(Event { offset, register, event_type, digests, data })
}

/// The register that an index means. PFP 1.06, 3.3: PCRs 0 to 23. TDVF design guide: 0 is MRTD, which
/// no event can extend, then RTMR0 to RTMR3.
fn register(kind: Kind, index: u32, event_type: EventType) -> Option<Register> {
    let small = u8::try_from(index).ok()?;
    match (kind, small) {
        (Kind::Tcg2, 0..=23) => Some(Register::Pcr(small)),
        (Kind::Ccel, 0) if event_type == EventType::NO_ACTION => Some(Register::Mrtd),
        (Kind::Ccel, 1..=4) => Some(Register::Rtmr(small.wrapping_sub(1))),
        _ => None,
    }
}

/// `TCG_EfiStartupLocalityEvent` (PFP 1.06, 10.4.5.3), told at most once, before PCR 0 is extended.
#[derive(Default)]
struct Locality {
    locality: Option<u8>,
    extended: bool,
}

impl Locality {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), EventLogError> {
        if event.register != Register::Pcr(0) {
            return Ok(());
        }
        if event.extends() {
            self.extended = true;
            return Ok(());
        }
        let Some(tail) = event.data.strip_prefix(b"StartupLocality\0") else { return Ok(()) };
        let fault = |locality, why| EventLogError::StartupLocality { offset: event.offset, locality, why };
        match tail {
            [locality] if self.locality.is_some() => Err(fault(*locality, "told twice")),
            [locality] if self.extended => Err(fault(*locality, "told after PCR 0 was extended")),
            [locality @ (0 | 3 | 4)] => {
                self.locality = Some(*locality);
                Ok(())
            }
            [locality] => Err(fault(*locality, "none of 0, 3 and 4")),
            _ => Err(fault(0, "not one byte long")),
        }
    }
}
