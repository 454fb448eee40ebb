//! TDX metadata of a firmware image (Intel TDX Virtual Firmware Design Guide, chapter 11).

use crate::field::{array, span, u16_le, u32_le, u64_le};
use crate::guid::guid;

/// Ends the table of GUIDed structures, 48 bytes before the end of the firmware (edk2 `ResetVectorVtf0.asm`).
const FOOTER: [u8; 16] = guid(0x96b5_82de, 0x1fb2, 0x45f7, [0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d]);
/// The structure that holds the metadata's distance from the end.
const METADATA_OFFSET: [u8; 16] =
    guid(0xe47a_6535, 0x984a, 0x4798, [0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2]);

/// Size of a private page of a TD.
pub(crate) const PAGE: u64 = 4096;
/// Firmware ends where 32-bit addresses end.
const TOP: u64 = 1 << 32;
/// Real firmware has six sections.
const MAX_SECTIONS: usize = 64;
/// Bytes of all sections together; real firmware has under five MiB. Bounds the work that a file can ask for.
const MAX_MEMORY: u64 = 256 << 20;

/// A TDX virtual firmware image: bytes and parsed metadata, whose sections all lie where they say.
#[derive(Clone, Debug)]
pub struct Firmware<'a> {
    image: &'a [u8],
    sections: Vec<Section<'a>>,
}

/// A range of the TD's initial memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// What it is for.
    pub kind: SectionKind,
    /// The bytes of the firmware that fill its start; the rest is zero.
    pub contents: &'a [u8],
    /// Guest physical address, page aligned.
    pub address: u64,
    /// Bytes of memory, whole pages.
    pub memory: u64,
    /// Whether the contents are measured into MRTD, and not only the pages' addresses.
    pub extend: bool,
    /// Whether the pages come later, by the guest's own request, and so not in MRTD at all.
    pub augment: bool,
}

/// Section types (design guide, table 11-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// Boot firmware volume.
    Bfv,
    /// Configuration firmware volume: the variable store.
    Cfv,
    /// Where the VMM puts the list of memory.
    TdHob,
    /// Stack, heap, mailbox.
    TempMem,
}

/// Why firmware cannot be measured.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TdvfError {
    /// Not OVMF, or cut short.
    #[error("no OVMF footer 48 bytes before the end of {len} bytes: this is no OVMF image, or not all of it")]
    Footer {
        /// Size of the file.
        len: usize,
    },
    /// The table of GUIDed structures contradicts itself.
    #[error("GUIDed structure at {offset:#x}: length {length} is too small or leaves the table")]
    Structure {
        /// Where its length stands.
        offset: usize,
        /// What it says.
        length: u16,
    },
    /// Firmware without TDX support.
    #[error(
        "no TDX metadata (GUID e47a6535-984a-4798-865e-4685a7bf8ec2): this firmware is not for TDX; take an image built with it"
    )]
    NoMetadata,
    /// The descriptor is not where the table says.
    #[error("TDX metadata at {distance:#x} from the end: {what}")]
    Descriptor {
        /// Distance from the end of the file.
        distance: u32,
        /// What is wrong.
        what: &'static str,
    },
    /// One section is wrong.
    #[error("TDX metadata section {index}: {field} is {value:#x}: {why} (TDVF design guide, 11.2)")]
    Section {
        /// Its place in the table.
        index: usize,
        /// The field that is wrong.
        field: &'static str,
        /// What it says.
        value: u64,
        /// What it should say.
        why: &'static str,
    },
    /// A code image whose variable store is another file.
    #[error(
        "section {index} does not lie where a file of {len:#x} bytes would put it: this is one half of a split image \
         (OVMF_CODE, OVMF_VARS); MRTD covers both, so give the combined OVMF.fd"
    )]
    Split {
        /// The first section that does not fit.
        index: usize,
        /// Size of the file.
        len: usize,
    },
    /// A section that every TDVF has.
    #[error("no {0} section: nothing to measure the guest's configuration with (TDVF design guide, 11.2)")]
    Missing(&'static str),
}

impl<'a> Firmware<'a> {
    /// Reads a firmware image as the VMM does.
    ///
    /// # Errors
    /// When the image has no TDX metadata, is one half of a split image, or contradicts itself.
    pub fn parse(image: &'a [u8]) -> Result<Self, TdvfError> {
        let distance = metadata_distance(image)?;
        let wrong = |what| TdvfError::Descriptor { distance, what };
        let descriptor = usize::try_from(distance)
            .ok()
            .and_then(|distance| image.len().checked_sub(distance))
            .and_then(|start| image.get(start..))
            .ok_or(wrong("before the start of the file"))?;
        let [signature, length, version, count] = descriptor
            .first_chunk::<16>()
            .map(|header| {
                let word = |at| u32_le(header, at).unwrap_or_default();
                [word(0), word(4), word(8), word(12)]
            })
            .ok_or(wrong("past the end of the file"))?;
        if signature.to_le_bytes() != *b"TDVF" {
            return Err(wrong("does not begin with `TDVF`"));
        }
        if version != 1 {
            return Err(wrong("its version is not 1"));
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count > MAX_SECTIONS {
            return Err(wrong("more than 64 sections"));
        }
        // Firmware in the wild counts the GUID before the descriptor into its length; only the floor is firm.
        if usize::try_from(length).is_ok_and(|length| length < 16 + count * Section::LEN) {
            return Err(wrong("its length does not hold its sections"));
        }
        let table = descriptor
            .get(16..16 + count * Section::LEN)
            .ok_or(wrong("sections past the end of the file"))?;
        let sections = table
            .chunks_exact(Section::LEN)
            .enumerate()
            .map(|(index, entry)| Section::parse(image, index, entry))
            .collect::<Result<Vec<_>, _>>()?;
        check_together(&sections)?;
        Ok(Self { image, sections })
    }

    /// The whole file.
    #[must_use]
    pub fn image(&self) -> &'a [u8] {
        self.image
    }

    /// The sections, in the table's order, which is the order of measurement.
    #[must_use]
    pub fn sections(&self) -> &[Section<'a>] {
        &self.sections
    }

    /// The configuration volume, whose SHA-384 is the second event of RTMR0.
    ///
    /// # Errors
    /// When there is none.
    pub fn cfv(&self) -> Result<&'a [u8], TdvfError> {
        self.first(SectionKind::Cfv).map(|section| section.contents)
    }

    /// The first section of a kind.
    pub(crate) fn first(&self, kind: SectionKind) -> Result<&Section<'a>, TdvfError> {
        self.sections.iter().find(|section| section.kind == kind).ok_or(TdvfError::Missing(kind.name()))
    }
}

impl SectionKind {
    fn name(self) -> &'static str {
        match self {
            Self::Bfv => "BFV",
            Self::Cfv => "CFV",
            Self::TdHob => "TD_HOB",
            Self::TempMem => "TEMP_MEM",
        }
    }
}

impl<'a> Section<'a> {
    /// Size of an entry in the table.
    const LEN: usize = 32;

    fn parse(image: &'a [u8], index: usize, entry: &[u8]) -> Result<Self, TdvfError> {
        let word = |at| u32_le(entry, at).unwrap_or_default();
        let long = |at| u64_le(entry, at).unwrap_or_default();
        let (offset, raw, address, memory) = (u64::from(word(0)), u64::from(word(4)), long(8), long(16));
        let wrong = |field, value, why| TdvfError::Section { index, field, value, why };
        let kind = match word(24) {
            0 => SectionKind::Bfv,
            1 => SectionKind::Cfv,
            2 => SectionKind::TdHob,
            3 => SectionKind::TempMem,
            other => return Err(wrong("type", other.into(), "only BFV, CFV, TD_HOB and TEMP_MEM are known")),
        };
        let attributes = word(28);
        if attributes > 3 {
            return Err(wrong("attributes", attributes.into(), "only MR_EXTEND and PAGE_AUG are known"));
        }
        if !address.is_multiple_of(PAGE) {
            return Err(wrong("address", address, "not a page boundary"));
        }
        if memory == 0 || !memory.is_multiple_of(PAGE) {
            return Err(wrong("memory size", memory, "not a whole number of pages"));
        }
        if memory > MAX_MEMORY {
            return Err(wrong("memory size", memory, "above 256 MiB"));
        }
        if address.checked_add(memory).is_none_or(|end| end > TOP) {
            return Err(wrong("address", address, "the section ends above 4 GiB"));
        }
        if raw > memory {
            return Err(wrong("raw size", raw, "larger than the memory it fills"));
        }
        let contents = match kind {
            SectionKind::Bfv | SectionKind::Cfv => {
                let len = u64::try_from(image.len()).unwrap_or(u64::MAX);
                // The file is mapped so that its end is at 4 GiB; a half file is mapped elsewhere.
                if TOP.checked_sub(len).and_then(|base| base.checked_add(offset)) != Some(address) {
                    return Err(TdvfError::Split { index, len: image.len() });
                }
                if raw == 0 {
                    return Err(wrong("raw size", raw, "a firmware volume has contents"));
                }
                span(image, offset, raw).ok_or(wrong("raw size", raw, "past the end of the file"))?
            }
            SectionKind::TdHob | SectionKind::TempMem if raw == 0 => &[],
            _ => return Err(wrong("raw size", raw, "memory without contents has none")),
        };
        Ok(Self {
            kind,
            contents,
            address,
            memory,
            extend: attributes & 1 != 0,
            augment: attributes & 2 != 0,
        })
    }
}

/// What one entry cannot tell: total size, overlaps, one of each.
fn check_together(sections: &[Section<'_>]) -> Result<(), TdvfError> {
    let mut total = 0u64;
    for (index, section) in sections.iter().enumerate() {
        let wrong = |field, value, why| TdvfError::Section { index, field, value, why };
        total = total.saturating_add(section.memory);
        if total > MAX_MEMORY {
            return Err(wrong("memory size", section.memory, "the sections together are above 256 MiB"));
        }
        for earlier in sections.iter().take(index) {
            let apart = section.address >= earlier.address.saturating_add(earlier.memory)
                || earlier.address >= section.address.saturating_add(section.memory);
            if !apart {
                return Err(wrong("address", section.address, "overlaps an earlier section"));
            }
            if earlier.kind == section.kind && section.kind != SectionKind::TempMem {
                return Err(wrong("type", section.address, "a second one of its kind"));
            }
        }
    }
    for kind in [SectionKind::Bfv, SectionKind::Cfv, SectionKind::TdHob] {
        if !sections.iter().any(|section| section.kind == kind) {
            return Err(TdvfError::Missing(kind.name()));
        }
    }
    Ok(())
}

/// Walks the GUIDed structures backwards from the footer: `data || u16 length of all of it || GUID`.
fn metadata_distance(image: &[u8]) -> Result<u32, TdvfError> {
    let no_footer = TdvfError::Footer { len: image.len() };
    // The last 32 bytes are the reset vector; before them the footer's GUID, before that the table's length.
    let Some(footer) = image.len().checked_sub(0x32) else { return Err(no_footer) };
    if array(image, footer + 2) != Some(FOOTER) {
        return Err(no_footer);
    }
    let total = u16_le(image, footer).unwrap_or_default();
    // The table's length counts the footer's own 18 bytes.
    let start = usize::from(total).checked_sub(18).and_then(|before| footer.checked_sub(before));
    let Some(mut table) = start.and_then(|start| image.get(start..footer)) else {
        return Err(TdvfError::Structure { offset: footer, length: total });
    };
    while let Some((rest, trailer)) = table.split_last_chunk::<18>() {
        let length = u16_le(trailer, 0).unwrap_or_default();
        let bad = TdvfError::Structure {
            offset: footer.saturating_sub(table.len()).saturating_add(rest.len()),
            length,
        };
        let Some(data_start) = table.len().checked_sub(usize::from(length)) else { return Err(bad) };
        let Some(data) = rest.get(data_start..) else { return Err(bad) };
        if array(trailer, 2) == Some(METADATA_OFFSET) {
            return match data.try_into() {
                Ok(distance) => Ok(u32::from_le_bytes(distance)),
                Err(_) => Err(bad),
            };
        }
        table = table.get(..data_start).unwrap_or_default();
    }
    Err(TdvfError::NoMetadata)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// `(data offset, raw size, address, memory, type, attributes)`
    pub(crate) type Entry = (u32, u32, u64, u64, u32, u32);

    /// A 24 KiB firmware of our own: CFV of one page, BFV of five, some memory.
    pub(crate) const ENTRIES: [Entry; 4] = [
        (0x1000, 0x5000, 0xffff_b000, 0x5000, 0, 1),
        (0, 0x1000, 0xffff_a000, 0x1000, 1, 0),
        (0, 0, 0x80_9000, 0x2000, 2, 0),
        (0, 0, 0x80_0000, 0x3000, 3, 0),
    ];

    /// Builds that firmware with other entries.
    pub(crate) fn synthetic(entries: &[Entry]) -> Vec<u8> {
        let mut image: Vec<u8> = (0..0x6000u32).map(|i| (i.wrapping_mul(31) >> 3).to_le_bytes()[0]).collect();
        let mut descriptor = b"TDVF".to_vec();
        descriptor.extend(u32::try_from(16 + 32 * entries.len()).unwrap().to_le_bytes());
        descriptor.extend(1u32.to_le_bytes());
        descriptor.extend(u32::try_from(entries.len()).unwrap().to_le_bytes());
        for &(offset, raw, address, memory, kind, attributes) in entries {
            descriptor.extend(offset.to_le_bytes());
            descriptor.extend(raw.to_le_bytes());
            descriptor.extend(address.to_le_bytes());
            descriptor.extend(memory.to_le_bytes());
            descriptor.extend(kind.to_le_bytes());
            descriptor.extend(attributes.to_le_bytes());
        }
        let at = 0x5000;
        image[at..at + descriptor.len()].copy_from_slice(&descriptor);
        let end = image.len();
        // Another structure, ours, the footer.
        let mut table = vec![7; 4];
        table.extend(22u16.to_le_bytes());
        table.extend([9; 16]);
        table.extend(u32::try_from(end - at).unwrap().to_le_bytes());
        table.extend(22u16.to_le_bytes());
        table.extend(METADATA_OFFSET);
        let total = u16::try_from(table.len() + 18).unwrap();
        table.extend(total.to_le_bytes());
        table.extend(FOOTER);
        let footer = end - 0x20;
        image[footer - table.len()..footer].copy_from_slice(&table);
        image
    }

    #[test]
    fn reads_a_firmware() {
        let image = synthetic(&ENTRIES);
        let firmware = Firmware::parse(&image).unwrap();
        assert_eq!(firmware.sections().len(), 4);
        assert_eq!(firmware.cfv().unwrap(), &image[..0x1000]);
        assert!(firmware.sections()[0].extend);
    }

    #[test]
    fn refuses_odd_sections() {
        let with = |index: usize, entry: Entry| {
            let mut entries = ENTRIES;
            entries[index] = entry;
            Firmware::parse(&synthetic(&entries)).map(|_| ()).unwrap_err()
        };
        let field = |error| match error {
            TdvfError::Section { field, .. } => field,
            other => panic!("{other}"),
        };
        assert_eq!(field(with(3, (0, 0, 0x80_0001, 0x3000, 3, 0))), "address");
        assert_eq!(field(with(3, (0, 0, 0x80_9000, 0x3000, 3, 0))), "address");
        assert_eq!(field(with(3, (0, 0, 0xffff_f000, 0x3000, 3, 0))), "address");
        assert_eq!(field(with(3, (0, 0, u64::MAX - 0xfff, 0x3000, 3, 0))), "address");
        assert_eq!(field(with(3, (0, 0, 0x80_0000, 0x3001, 3, 0))), "memory size");
        assert_eq!(field(with(3, (0, 0, 0x80_0000, 0, 3, 0))), "memory size");
        assert_eq!(field(with(3, (0, 0, 0, 1 << 40, 3, 0))), "memory size");
        assert_eq!(field(with(3, (0, 4, 0x80_0000, 0x3000, 3, 0))), "raw size");
        assert_eq!(field(with(1, (0, 0x1001, 0xffff_a000, 0x1000, 1, 0))), "raw size");
        assert_eq!(field(with(3, (0, 0, 0x80_0000, 0x3000, 4, 0))), "type");
        assert_eq!(field(with(3, (0, 0, 0x80_0000, 0x3000, 2, 0))), "type");
        assert_eq!(field(with(3, (0, 0, 0x80_0000, 0x3000, 3, 4))), "attributes");
        assert_eq!(with(1, (0, 0, 0x70_0000, 0x1000, 3, 0)), TdvfError::Missing("CFV"));
        assert_eq!(
            with(1, (0, 0x1000, 0xffc0_0000, 0x1000, 1, 0)),
            TdvfError::Split { index: 1, len: 0x6000 }
        );
    }

    #[test]
    fn a_code_half_is_told_apart() {
        let whole = synthetic(&ENTRIES);
        let error = Firmware::parse(&whole[0x1000..]).unwrap_err();
        assert_eq!(error, TdvfError::Split { index: 0, len: 0x5000 });
    }

    #[test]
    fn no_truncation_and_no_flipped_byte_panics() {
        let image = synthetic(&ENTRIES);
        for len in 0..image.len() {
            let _ = Firmware::parse(&image[..len]);
            let _ = Firmware::parse(&image[len..]);
        }
        let mut image = image;
        for at in 0x5000..image.len() {
            for flip in [1, 0x80, 0xff] {
                image[at] ^= flip;
                if let Ok(firmware) = Firmware::parse(&image) {
                    let _ = (firmware.cfv(), firmware.sections().len());
                }
                image[at] ^= flip;
            }
        }
    }
}
