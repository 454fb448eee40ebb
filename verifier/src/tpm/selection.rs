//! Which PCRs a quote covers: `TPML_PCR_SELECTION` (Part 2, 10.9.7).

use std::fmt;

use super::TpmError;
use super::cursor::Cursor;
use crate::crypto;
use crate::event_log::{Bank, Register, Replay};

/// More banks than there are hash algorithms (Part 2, 10.9.7: HASH_COUNT).
const BANKS_MAX: u32 = 16;
/// `PCR_SELECT_MAX` for 24 PCRs; a larger one would be of PCRs that no platform has.
const SELECT_MAX: u8 = 4;

/// The PCRs of a quote, bank by bank in the order in which their values are hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcrSelection(Vec<(u16, u32)>);

impl PcrSelection {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, TpmError> {
        let offset = cursor.offset();
        let count = cursor.u32("pcrSelect.count")?;
        if count > BANKS_MAX {
            return Err(TpmError::Size {
                field: "pcrSelect.count",
                offset,
                size: usize::try_from(count).unwrap_or(usize::MAX),
                most: 16,
                clause: "10.9.7",
            });
        }
        let mut banks = Vec::new();
        for _ in 0..count {
            let algorithm = cursor.u16("pcrSelect.hash")?;
            let offset = cursor.offset();
            let size = cursor.u8("pcrSelect.sizeofSelect")?;
            if size > SELECT_MAX {
                return Err(TpmError::Size {
                    field: "pcrSelect.sizeofSelect",
                    offset,
                    size: size.into(),
                    most: SELECT_MAX.into(),
                    clause: "10.6.2",
                });
            }
            let bits = cursor.take(size.into(), "pcrSelect.pcrSelect")?;
            // PCR n is bit n % 8 of byte n / 8.
            let mut mask = [0; 4];
            mask.iter_mut().zip(bits).for_each(|(to, from)| *to = *from);
            banks.push((algorithm, u32::from_le_bytes(mask)));
        }
        Ok(Self(banks))
    }

    /// Whether it is the one that evidence must have: PCRs 0 to 15 in the SHA-256, then in the SHA-384 bank
    /// (SPECIFICATION, section 1). More is refused as well: PCRs 16 and up are not in the log.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.0 == [(Bank::Sha256.algorithm(), 0xffff), (Bank::Sha384.algorithm(), 0xffff)]
    }

    /// The `pcrDigest` that a quote over this selection has if the registers are these: SHA-256 of the selected values,
    /// banks in the order of the selection, PCRs ascending (Part 1, 17; Part 3, 18.4). None where a value
    /// is not among `replays`.
    #[must_use]
    pub fn digest(&self, replays: &[Replay]) -> Option<[u8; 32]> {
        let mut values: Vec<&[u8]> = Vec::new();
        for (algorithm, mask) in &self.0 {
            let bank = Bank::from_algorithm(*algorithm)?;
            let replay = replays.iter().find(|replay| replay.bank() == bank)?;
            for index in (0..32).filter(|index| mask & (1 << index) != 0) {
                values.push(replay.get(Register::Pcr(index))?.as_bytes());
            }
        }
        Some(crypto::sha256(&values))
    }
}

impl fmt::Display for PcrSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (position, (algorithm, mask)) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            match Bank::from_algorithm(*algorithm) {
                Some(bank) => write!(f, "{bank}:")?,
                None => write!(f, "{algorithm:#06x}:")?,
            }
            if *mask == 0 {
                f.write_str("none")?;
            }
            // Runs of set bits, as in `0-15` or `0-7+14`.
            let selected = |index: u32| index < 32 && mask & (1 << index) != 0;
            let mut separator = "";
            for first in
                (0..32).filter(|index| selected(*index) && !index.checked_sub(1).is_some_and(selected))
            {
                let last = (first..32).find(|index| !selected(index.saturating_add(1))).unwrap_or(first);
                write!(f, "{separator}{first}")?;
                if last > first {
                    write!(f, "-{last}")?;
                }
                separator = "+";
            }
        }
        Ok(())
    }
}
