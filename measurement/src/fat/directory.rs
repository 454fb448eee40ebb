//! Directory entries, short and long names (FAT specification, sections 6 and 7).

use crate::field::{array, u16_le, u32_le};

const LONG_NAME: u8 = 0x0f;
const VOLUME_LABEL: u8 = 0x08;
const DIRECTORY: u8 = 0x10;

/// A file or directory.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    short: String,
    long: Option<String>,
    pub(super) is_directory: bool,
    high: u16,
    low: u16,
    pub(super) size: u32,
}

impl Entry {
    /// First cluster. The upper half means something in FAT32 only.
    pub(super) fn start(&self, fat32: bool) -> u32 {
        let high = if fat32 { u32::from(self.high) << 16 } else { 0 };
        high | u32::from(self.low)
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.short.eq_ignore_ascii_case(name)
            || self.long.as_ref().is_some_and(|long| long.eq_ignore_ascii_case(name))
    }
}

/// The entries of a directory's bytes, in order.
pub(super) fn entries(directory: &[u8]) -> impl Iterator<Item = Entry> {
    let (records, _) = directory.as_chunks::<32>();
    let mut long = LongName::default();
    records.iter().take_while(|record| record.first() != Some(&0)).filter_map(move |record| {
        let attributes = record.get(11).copied().unwrap_or_default();
        if record.first() == Some(&0xe5) {
            long = LongName::default();
            return None;
        }
        if attributes & 0x3f == LONG_NAME {
            long.take(record);
            return None;
        }
        let long = std::mem::take(&mut long);
        if attributes & VOLUME_LABEL != 0 {
            return None;
        }
        let short: [u8; 11] = array(record, 0)?;
        Some(Entry {
            long: long.finish(&short),
            short: short_name(&short),
            is_directory: attributes & DIRECTORY != 0,
            high: u16_le(record, 20)?,
            low: u16_le(record, 26)?,
            size: u32_le(record, 28)?,
        })
    })
}

/// `NAME    EXT` as `NAME.EXT`.
fn short_name(raw: &[u8; 11]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned();
    let (stem, extension) = raw.split_at_checked(8).unwrap_or_default();
    match (text(stem), text(extension)) {
        (stem, extension) if extension.is_empty() => stem,
        (stem, extension) => format!("{stem}.{extension}"),
    }
}

/// The parts of a long name, which come last part first.
#[derive(Default)]
struct LongName {
    /// The part awaited next; 0 when all are there.
    awaited: u8,
    checksum: u8,
    parts: Vec<[u16; 13]>,
}

impl LongName {
    fn take(&mut self, record: &[u8; 32]) {
        let [order, rest @ ..] = record;
        let checksum = rest.get(12).copied().unwrap_or_default();
        let number = order & 0x3f;
        if order & 0x40 != 0 {
            *self = Self { awaited: number, checksum, parts: Vec::new() };
        }
        // A name has at most 255 characters: 20 parts.
        if number == 0 || number > 20 || number != self.awaited || checksum != self.checksum {
            *self = Self::default();
            return;
        }
        self.awaited -= 1;
        let mut part = [0u16; 13];
        let offsets = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
        part.iter_mut().zip(offsets).for_each(|(unit, at)| *unit = u16_le(record, at).unwrap_or_default());
        self.parts.push(part);
    }

    /// The name, if it is complete and belongs to the short name that follows it.
    fn finish(self, short: &[u8; 11]) -> Option<String> {
        let sum = short.iter().fold(0u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte));
        if self.parts.is_empty() || self.awaited != 0 || sum != self.checksum {
            return None;
        }
        let units = self.parts.iter().rev().flatten().copied().take_while(|&unit| unit != 0);
        char::decode_utf16(units).collect::<Result<_, _>>().ok()
    }
}
