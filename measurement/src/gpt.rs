//! GUID partition tables (UEFI 2.10, chapter 5), and the event by which firmware measures one.

use crate::field::{array, span, u32_le, u64_le};
use crate::guid::guid;

/// Sectors of the disks that images are made for.
pub const SECTOR: u64 = 512;
/// What firmware copies of the header, whatever length it states.
const HEADER: usize = 92;
/// Size of a partition entry. Others are allowed, but nobody writes them.
const ENTRY: usize = 128;
/// A table has 128 entries as a rule.
const MAX_ENTRIES: u32 = 1024;
/// Partition type of an EFI system partition.
const ESP: [u8; 16] = guid(0xc12a_7328, 0xf81f, 0x11d2, [0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b]);

/// The primary partition table of a disk, checksums verified.
#[derive(Clone, Debug)]
pub struct Gpt<'a> {
    disk: &'a [u8],
    header: [u8; HEADER],
    entries: Vec<[u8; ENTRY]>,
}

/// Why a disk's partition table is not used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GptError {
    /// Something that has to be there is not.
    #[error(
        "no {what} at byte {offset:#x}: not a GPT disk of 512-byte sectors, or cut short (UEFI 2.10, {clause})"
    )]
    Absent {
        /// What is missing.
        what: &'static str,
        /// Where it should be.
        offset: u64,
        /// The part of the specification.
        clause: &'static str,
    },
    /// A field is wrong.
    #[error("GPT header: {field} is {value:#x}: {why} (UEFI 2.10, 5.3.2)")]
    Field {
        /// The field.
        field: &'static str,
        /// What it says.
        value: u64,
        /// Why that is not taken.
        why: &'static str,
    },
    /// A checksum is wrong.
    #[error("GPT {what}: CRC-32 is {stated:#010x}, computed {computed:#010x} (UEFI 2.10, 5.3.2)")]
    Crc {
        /// Of what.
        what: &'static str,
        /// What the header says.
        stated: u32,
        /// What it is.
        computed: u32,
    },
    /// A partition outside of the disk.
    #[error(
        "used GPT entry {index}: sectors {first} to {last} are not within sectors {first_usable} to {last_usable}, of a disk of \
         {sectors} (UEFI 2.10, 5.3.2, 5.3.3)"
    )]
    Partition {
        /// Its place among the used entries.
        index: usize,
        /// First sector.
        first: u64,
        /// Last sector.
        last: u64,
        /// First sector that partitions may use, by the header.
        first_usable: u64,
        /// Last sector that partitions may use, by the header.
        last_usable: u64,
        /// Size of the disk.
        sectors: u64,
    },
    /// Two partitions in one place.
    #[error("used GPT entry {index} overlaps another: firmware takes neither (UEFI 2.10, 5.3.3)")]
    Overlap {
        /// Its place among the used entries.
        index: usize,
    },
    /// Not exactly one EFI system partition.
    #[error("{0} EFI system partitions: with other than one, which is booted is the firmware's choice")]
    EspCount(usize),
}

impl<'a> Gpt<'a> {
    /// Reads the primary table of a raw disk image.
    ///
    /// # Errors
    /// When firmware would not take the table, or would measure it in another way.
    pub fn parse(disk: &'a [u8]) -> Result<Self, GptError> {
        check_protective_mbr(disk)?;
        let sector = span(disk, SECTOR, SECTOR).filter(|sector| sector.starts_with(b"EFI PART"));
        let sector =
            sector.ok_or(GptError::Absent { what: "`EFI PART`", offset: SECTOR, clause: "5.3.2" })?;
        let header: [u8; HEADER] =
            array(sector, 0).ok_or(GptError::Absent { what: "header", offset: SECTOR, clause: "5.3.2" })?;
        let word = |at| u32_le(&header, at).unwrap_or_default();
        let long = |at| u64_le(&header, at).unwrap_or_default();
        let field = |field, value: u64, why| Err(GptError::Field { field, value, why });
        if word(8) != 0x0001_0000 {
            return field("Revision", word(8).into(), "only 1.0 is known");
        }
        let size = usize::try_from(word(12)).ok().filter(|size| (HEADER..=512).contains(size));
        let Some(stated_header) = size.and_then(|size| sector.get(..size)) else {
            return field("HeaderSize", word(12).into(), "not 92 to 512");
        };
        let mut crc = crc32fast::Hasher::new();
        let (before, after) = stated_header.split_at_checked(16).unwrap_or_default();
        crc.update(before);
        crc.update(&[0; 4]);
        crc.update(after.get(4..).unwrap_or_default());
        check_crc("header", word(16), crc.finalize())?;
        if long(24) != 1 {
            return field("MyLBA", long(24), "the primary header is in sector 1");
        }
        let (lba, count, size) = (long(72), word(80), word(84));
        if size != 128 {
            return field("SizeOfPartitionEntry", size.into(), "only 128 is measured alike by all firmware");
        }
        if count == 0 || count > MAX_ENTRIES {
            return field("NumberOfPartitionEntries", count.into(), "not 1 to 1024");
        }
        let array_bytes = lba.checked_mul(SECTOR).filter(|_| lba >= 2);
        let array_bytes =
            array_bytes.and_then(|offset| span(disk, offset, u64::from(count) * u64::from(size)));
        let Some(array_bytes) = array_bytes else {
            return field("PartitionEntryLBA", lba, "the array is in the headers' place or past the end");
        };
        check_crc("partition array", word(88), crc32fast::hash(array_bytes))?;
        let (entries, _) = array_bytes.as_chunks::<ENTRY>();
        let entries: Vec<_> = entries.iter().filter(|entry| !entry.starts_with(&[0; 16])).copied().collect();
        let table = Self { disk, header, entries };
        let mut ranges = Vec::with_capacity(table.entries.len());
        for index in 0..table.entries.len() {
            table.partition(index)?;
            ranges.push((table.range(index), index));
        }
        ranges.sort_unstable();
        for (((_, end), _), ((start, _), index)) in ranges.iter().zip(ranges.iter().skip(1)) {
            if start <= end {
                return Err(GptError::Overlap { index: *index });
            }
        }
        Ok(table)
    }

    /// What firmware measures: the header, the number of used entries as 64 bits, those entries.
    ///
    /// TCG PC Client Platform Firmware Profile 1.06, 10.2.6 (`UEFI_GPT_DATA`).
    #[must_use]
    pub fn event_data(&self) -> Vec<u8> {
        let mut data = self.header.to_vec();
        data.extend((self.entries.len() as u64).to_le_bytes());
        data.extend(self.entries.iter().flatten());
        data
    }

    /// The bytes of the one EFI system partition.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn esp(&self) -> Result<&'a [u8], GptError> {
        let mut found = self.entries.iter().enumerate().filter(|(_, entry)| entry.starts_with(&ESP));
        match (found.next(), found.count()) {
            (Some((index, _)), 0) => self.partition(index),
            (None, _) => Err(GptError::EspCount(0)),
            (Some(_), more) => Err(GptError::EspCount(more + 1)),
        }
    }

    /// First and last sector of a used entry.
    fn range(&self, index: usize) -> (u64, u64) {
        let entry = self.entries.get(index).map_or(&[] as &[u8], |entry| entry);
        let [first, last] = [u64_le(entry, 32), u64_le(entry, 40)].map(Option::unwrap_or_default);
        (first, last)
    }

    fn partition(&self, index: usize) -> Result<&'a [u8], GptError> {
        let (first, last) = self.range(index);
        let [first_usable, last_usable] = [40, 48].map(|at| u64_le(&self.header, at).unwrap_or_default());
        let sectors = self.disk.len() as u64 / SECTOR;
        let outside = GptError::Partition { index, first, last, first_usable, last_usable, sectors };
        if first > last || first < first_usable || last > last_usable || last >= sectors {
            return Err(outside);
        }
        span(self.disk, first.saturating_mul(SECTOR), (last - first + 1).saturating_mul(SECTOR))
            .ok_or(outside)
    }
}

/// Firmware looks for a GPT only behind a protective MBR (UEFI 2.10, 5.2.3).
fn check_protective_mbr(disk: &[u8]) -> Result<(), GptError> {
    let (entries, _) = disk.get(446..510).unwrap_or_default().as_chunks::<16>();
    // Not bootable, type 0xee, from sector 1 on: firmware asks for all three.
    let protects = |entry: &[u8; 16]| entry[0] == 0 && entry[4] == 0xee && u32_le(entry, 8) == Some(1);
    if array(disk, 510) != Some([0x55, 0xaa]) || !entries.iter().any(protects) {
        return Err(GptError::Absent { what: "protective MBR", offset: 0, clause: "5.2.3" });
    }
    Ok(())
}

fn check_crc(what: &'static str, stated: u32, computed: u32) -> Result<(), GptError> {
    if stated == computed { Ok(()) } else { Err(GptError::Crc { what, stated, computed }) }
}
