//! PCRs: which there are, what they hold, extending one (Part 3, 22 and 30.2).

use std::io::{Read, Write};

use super::algorithm::{Bank, Command};
use super::wire::{Reader, Writer};
use super::{Tpm, TpmError};

/// TPM_CAP_PCRS (Part 2, 6.12).
const CAP_PCRS: u32 = 5;
/// Bytes of a selection's bit map: 24 PCRs, as on every PC Client TPM.
const SELECT: u8 = 3;
/// Banks that a TPM may have at most, far above any real one.
const BANKS_MAX: u32 = 16;

/// The number of a PCR, 0 to 23.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pcr(u8);

/// Not the number of a PCR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("PCR {0}: a PC Client TPM has 0 to 23")]
pub struct NotAPcr(pub u8);

impl TryFrom<u8> for Pcr {
    type Error = NotAPcr;

    fn try_from(number: u8) -> Result<Self, NotAPcr> {
        if number < 24 { Ok(Self(number)) } else { Err(NotAPcr(number)) }
    }
}

impl Pcr {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// Some of a bank's 24 PCRs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcrSet(u32);

impl PcrSet {
    /// PCRs 0 to 15: what evidence quotes.
    pub const STATIC: Self = Self(0xffff);

    /// Exactly one.
    #[must_use]
    pub const fn one(pcr: Pcr) -> Self {
        Self(1 << pcr.0)
    }

    /// Those in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether none is selected.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members, ascending.
    pub fn iter(self) -> impl Iterator<Item = Pcr> {
        (0..24_u8).filter(move |n| self.0 >> n & 1 == 1).map(Pcr)
    }

    /// TPMS_PCR_SELECTION (Part 2, 10.6.2).
    pub(super) fn write(self, bank: Bank, writer: &mut Writer) {
        writer.u16(bank.id());
        writer.u8(SELECT);
        let [a, b, c, _] = self.0.to_le_bytes();
        writer.bytes(&[a, b, c]);
    }

    fn read(reader: &mut Reader<'_>) -> Result<(u16, Self), TpmError> {
        let bank = reader.u16("pcrSelection.hash")?;
        let size = reader.u8("pcrSelection.sizeofSelect")?;
        if size > 4 {
            return Err(reader.error("pcrSelection.sizeofSelect", size));
        }
        let map = reader.take("pcrSelection.pcrSelect", usize::from(size))?;
        let bits = map.iter().rev().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        Ok((bank, Self(bits)))
    }
}

impl<T: Read + Write> Tpm<T> {
    /// The banks that are active (have at least one PCR), of those known here.
    ///
    /// # Errors
    /// The TPM's, or the transport's.
    pub fn banks(&mut self) -> Result<Vec<Bank>, TpmError> {
        let command = Command::GetCapability;
        let mut writer = Writer::new(command, &[], false);
        writer.u32(CAP_PCRS);
        writer.u32(0);
        writer.u32(1);
        let body = self.execute(command, writer)?;
        let mut reader = Reader::new(command, &body);
        reader.u8("moreData")?;
        let capability = reader.u32("capability")?;
        if capability != CAP_PCRS {
            return Err(reader.error("capability", capability));
        }
        let count = reader.u32("assignedPCR.count")?;
        if count > BANKS_MAX {
            return Err(reader.error("assignedPCR.count", count));
        }
        let mut banks = Vec::new();
        for _ in 0..count {
            let (bank, pcrs) = PcrSet::read(&mut reader)?;
            banks.extend(Bank::from_id(bank).filter(|_| !pcrs.is_empty()));
        }
        reader.end()?;
        Ok(banks)
    }

    /// The values of some PCRs of one bank, ascending. A PCR that the bank lacks is an error.
    ///
    /// # Errors
    /// The TPM's, or the transport's.
    pub fn pcr_read(&mut self, bank: Bank, pcrs: PcrSet) -> Result<Vec<(Pcr, Vec<u8>)>, TpmError> {
        let command = Command::PcrRead;
        let mut values = Vec::new();
        let mut left = pcrs;
        // A TPM gives at most eight digests at a time, and says which.
        while !left.is_empty() {
            let mut writer = Writer::new(command, &[], false);
            writer.u32(1);
            left.write(bank, &mut writer);
            let body = self.execute(command, writer)?;
            let mut reader = Reader::new(command, &body);
            reader.u32("pcrUpdateCounter")?;
            let selections = reader.u32("pcrSelectionOut.count")?;
            if selections != 1 {
                return Err(reader.error("pcrSelectionOut.count", selections));
            }
            let (found, given) = PcrSet::read(&mut reader)?;
            if found != bank.id() || given.and(left) != given || given.is_empty() {
                return Err(reader.error("pcrSelectionOut", given.0));
            }
            let count = reader.u32("pcrValues.count")?;
            if count != given.0.count_ones() {
                return Err(reader.error("pcrValues.count", count));
            }
            for pcr in given.iter() {
                let value = reader.sized("pcrValues.digest")?;
                if value.len() != bank.digest_len() {
                    return Err(TpmError::DigestLength { bank, found: value.len() });
                }
                values.push((pcr, value.to_vec()));
            }
            reader.end()?;
            left = left.without(given);
        }
        values.sort_by_key(|(pcr, _)| *pcr);
        Ok(values)
    }

    /// Extends one PCR in several banks at once.
    ///
    /// # Errors
    /// A digest of the wrong length; the TPM's, or the transport's.
    pub fn pcr_extend(&mut self, pcr: Pcr, digests: &[(Bank, &[u8])]) -> Result<(), TpmError> {
        let command = Command::PcrExtend;
        let mut writer = Writer::new(command, &[u32::from(pcr.0)], true);
        let too_many = |_| TpmError::CommandTooLong { command: command.name(), length: digests.len() };
        writer.u32(u32::try_from(digests.len()).map_err(too_many)?);
        for (bank, digest) in digests {
            if digest.len() != bank.digest_len() {
                return Err(TpmError::DigestLength { bank: *bank, found: digest.len() });
            }
            writer.u16(bank.id());
            writer.bytes(digest);
        }
        let body = self.execute(command, writer)?;
        let mut reader = Reader::new(command, &body);
        reader.parameters()?.end()
    }
}
