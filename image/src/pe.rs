//! PE32+ headers, as far as appending a section needs them.
//!
//! Microsoft, "PE Format": COFF file header, optional header, section table. Field offsets below are from there.

/// Size of a section header.
const SECTION: usize = 40;
/// Size of the COFF file header with the "PE\0\0" before it.
const COFF: usize = 24;
/// `IMAGE_FILE_MACHINE_AMD64`.
const AMD64: u16 = 0x8664;
/// `IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ`.
const READ_ONLY_DATA: u32 = 0x4000_0040;

/// An x86-64 PE32+ image whose headers were checked.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    bytes: &'a [u8],
    /// Offset of "PE\0\0".
    signature: usize,
    optional_size: usize,
    sections: Vec<Section<'a>>,
    section_alignment: u32,
    file_alignment: u32,
    size_of_image: u32,
    size_of_headers: usize,
}

/// A section as the headers describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Name without its trailing NULs.
    pub name: &'a [u8],
    /// Address relative to the image base.
    pub virtual_address: u32,
    /// Size in memory; for the sections of a UKI the size of what was put in.
    pub virtual_size: u32,
    /// The bytes in the file, padding included.
    pub raw: &'a [u8],
    raw_end: usize,
}

impl<'a> Image<'a> {
    /// Checks the headers.
    ///
    /// # Errors
    /// The first rule of the format that they break.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PeError> {
        if bytes.get(..2) != Some(b"MZ") {
            return Err(PeError::NoMz);
        }
        let signature =
            at32(bytes, 0x3c).and_then(|o| usize::try_from(o).ok()).ok_or(PeError::Truncated("e_lfanew"))?;
        let headers = bytes.get(signature..).ok_or(PeError::Truncated("PE signature"))?;
        if headers.get(..4) != Some(b"PE\0\0") {
            return Err(PeError::NoPe(signature));
        }
        let machine = at16(headers, 4).ok_or(PeError::Truncated("Machine"))?;
        let count = usize::from(at16(headers, 6).ok_or(PeError::Truncated("NumberOfSections"))?);
        let optional_size = usize::from(at16(headers, 20).ok_or(PeError::Truncated("SizeOfOptionalHeader"))?);
        let optional = headers
            .get(COFF..)
            .and_then(|h| h.get(..optional_size))
            .filter(|o| o.len() >= 112)
            .ok_or(PeError::Truncated("optional header"))?;
        let magic = at16(optional, 0).unwrap_or_default();
        if machine != AMD64 || magic != 0x20b {
            return Err(PeError::Machine { machine, magic });
        }
        let field = |offset| at32(optional, offset).unwrap_or_default();
        let (section_alignment, file_alignment) = (field(32), field(36));
        if !section_alignment.is_power_of_two()
            || !file_alignment.is_power_of_two()
            || file_alignment > section_alignment
            || section_alignment > 1 << 24
        {
            return Err(PeError::Alignment { section: section_alignment, file: file_alignment });
        }
        let size_of_headers = usize::try_from(field(60)).unwrap_or(usize::MAX);
        let table = headers.get(COFF.saturating_add(optional_size)..).unwrap_or_default();
        let mut sections = Vec::new();
        for index in 0..count {
            let header = table.get(index.saturating_mul(SECTION)..).and_then(|t| t.first_chunk::<SECTION>());
            sections.push(Section::parse(bytes, header.ok_or(PeError::Truncated("section table"))?)?);
        }
        let table_end =
            signature.saturating_add(COFF).saturating_add(optional_size).saturating_add(count * SECTION);
        if table_end > size_of_headers || size_of_headers > bytes.len() {
            return Err(PeError::Headers { table_end, size_of_headers });
        }
        let image = Self {
            bytes,
            signature,
            optional_size,
            sections,
            section_alignment,
            file_alignment,
            size_of_image: field(56),
            size_of_headers,
        };
        // The certificate table is data directory 4; NumberOfRvaAndSizes says how many there are.
        if field(108) > 4 && at32(optional, 112 + 4 * 8 + 4).is_some_and(|size| size != 0) {
            return Ok(Self { size_of_image: 0, ..image });
        }
        Ok(image)
    }

    /// The sections in the order of the table.
    pub fn sections(&self) -> &[Section<'a>] {
        &self.sections
    }

    /// A copy with read-only data sections added at the end, in this order.
    ///
    /// `VirtualSize` is the exact size of the contents: that much of a section is what the stub measures and uses.
    /// The checksum field becomes zero ("not computed"; firmware does not look at it).
    ///
    /// # Errors
    /// When the image is signed, has bytes after its last section, has no room for the headers, or a section is
    /// empty, named twice or too large.
    pub fn append(&self, added: &[(&str, &[u8])]) -> Result<Vec<u8>, PeError> {
        if self.size_of_image == 0 {
            return Err(PeError::Signed);
        }
        let raw_end = self.sections.iter().map(|s| s.raw_end).max().unwrap_or(self.size_of_headers);
        if self.bytes.len() > raw_end {
            return Err(PeError::Trailing { end: raw_end, size: self.bytes.len() });
        }
        let count = self.sections.len() + added.len();
        let table = self.signature + COFF + self.optional_size;
        // The last word on the room for headers is where the first section's data starts.
        let first_raw =
            self.sections.iter().filter(|s| !s.raw.is_empty()).map(|s| s.raw_end - s.raw.len()).min();
        let room = self.size_of_headers.min(first_raw.unwrap_or(usize::MAX));
        if table + count * SECTION > room {
            return Err(PeError::NoRoom { sections: count, room: room.saturating_sub(table) / SECTION });
        }
        let large = |name: &str| PeError::TooLarge(name.to_owned());
        let mut out = self.bytes.to_vec();
        let mut next = self.first_free_address().ok_or_else(|| large("image"))?;
        let mut data = at32(&out, self.signature + COFF + 8).unwrap_or_default();
        for (index, &(name, contents)) in (self.sections.len()..).zip(added) {
            let taken = |(other, _): &(&str, &[u8])| *other == name;
            if name.is_empty() || name.len() > 8 || contents.is_empty() {
                return Err(PeError::Section(name.to_owned()));
            }
            if self.sections.iter().any(|s| s.name == name.as_bytes())
                || added.iter().filter(|a| taken(a)).count() > 1
            {
                return Err(PeError::Twice(name.to_owned()));
            }
            let size = u32::try_from(contents.len()).map_err(|_| large(name))?;
            let raw_size = size.checked_next_multiple_of(self.file_alignment).ok_or_else(|| large(name))?;
            out.resize(out.len().next_multiple_of(self.file_alignment as usize), 0);
            let raw_start = u32::try_from(out.len()).map_err(|_| large(name))?;
            raw_start.checked_add(raw_size).ok_or_else(|| large(name))?;
            out.extend(contents);
            out.resize(out.len().next_multiple_of(self.file_alignment as usize), 0);

            let mut header = [0; SECTION];
            put(&mut header, 0, name.as_bytes());
            put(&mut header, 8, &size.to_le_bytes());
            put(&mut header, 12, &next.to_le_bytes());
            put(&mut header, 16, &raw_size.to_le_bytes());
            put(&mut header, 20, &raw_start.to_le_bytes());
            put(&mut header, 36, &READ_ONLY_DATA.to_le_bytes());
            put(&mut out, table + index * SECTION, &header);
            next = next
                .checked_add(size)
                .and_then(|end| end.checked_next_multiple_of(self.section_alignment))
                .ok_or_else(|| large(name))?;
            data = data.saturating_add(raw_size);
        }
        let count = u16::try_from(count).map_err(|_| large("section table"))?;
        let optional = self.signature + COFF;
        put(&mut out, self.signature + 6, &count.to_le_bytes());
        put(&mut out, optional + 8, &data.to_le_bytes()); // SizeOfInitializedData
        put(&mut out, optional + 56, &next.to_le_bytes()); // SizeOfImage
        put(&mut out, optional + 64, &[0; 4]); // CheckSum
        Ok(out)
    }

    /// The first address after every section that a section may have.
    fn first_free_address(&self) -> Option<u32> {
        let mut end = self.size_of_image;
        for section in &self.sections {
            let size = section.virtual_size.max(u32::try_from(section.raw.len()).ok()?);
            end = end.max(section.virtual_address.checked_add(size)?);
        }
        end.checked_next_multiple_of(self.section_alignment)
    }
}

impl<'a> Section<'a> {
    fn parse(file: &'a [u8], header: &'a [u8; SECTION]) -> Result<Self, PeError> {
        let name = header.first_chunk::<8>().map_or(&[][..], |n| n.as_slice());
        let end = name.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
        let name = name.get(..end).unwrap_or_default();
        let field = |offset| at32(header, offset).unwrap_or_default();
        let (start, size) = (field(20) as usize, field(16) as usize);
        let end = start.saturating_add(size);
        // A section without data in the file may point anywhere.
        let (raw, raw_end) = if size == 0 { (Some(&[][..]), 0) } else { (file.get(start..end), end) };
        let raw = raw.ok_or_else(|| PeError::Outside(String::from_utf8_lossy(name).into_owned()))?;
        Ok(Self { name, virtual_address: field(12), virtual_size: field(8), raw, raw_end })
    }

    /// What was put in: the bytes in the file without their padding.
    pub fn contents(&self) -> &'a [u8] {
        self.raw.get(..self.virtual_size as usize).unwrap_or(self.raw)
    }
}

fn at16(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn at32(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// Overwrites bytes; every caller's offset was checked to lie inside.
fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(offset..).and_then(|b| b.get_mut(..value.len())) {
        place.copy_from_slice(value);
    }
}

/// Why bytes are not a PE image, or take no more sections.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeError {
    /// No DOS header.
    #[error("PE: no \"MZ\" at offset 0")]
    NoMz,
    /// No signature where the DOS header says.
    #[error("PE: no \"PE\" signature at offset {0:#x} (e_lfanew)")]
    NoPe(usize),
    /// The file ends in the headers.
    #[error("PE: the file ends before {0}")]
    Truncated(&'static str),
    /// Not for x86-64.
    #[error("PE: machine {machine:#06x}, magic {magic:#06x}; expected 0x8664, 0x020b (x86-64, PE32+)")]
    Machine {
        /// `Machine`.
        machine: u16,
        /// The optional header's `Magic`.
        magic: u16,
    },
    /// Alignments that are no powers of two in order.
    #[error("PE: SectionAlignment {section:#x}, FileAlignment {file:#x} are no powers of two in order")]
    Alignment {
        /// `SectionAlignment`.
        section: u32,
        /// `FileAlignment`.
        file: u32,
    },
    /// The section table does not lie in the headers.
    #[error("PE: the section table ends at {table_end:#x}, SizeOfHeaders is {size_of_headers:#x}")]
    Headers {
        /// End of the table.
        table_end: usize,
        /// `SizeOfHeaders`.
        size_of_headers: usize,
    },
    /// A section's data lies outside of the file.
    #[error("PE: section {0} lies outside of the file")]
    Outside(String),
    /// The image has a certificate table, which a change would void.
    #[error("PE: the image is signed; sections can only be added to an unsigned stub")]
    Signed,
    /// Bytes after the last section.
    #[error("PE: sections end at {end:#x}, the file at {size:#x}; what lies between would move")]
    Trailing {
        /// End of the last section.
        end: usize,
        /// Size of the file.
        size: usize,
    },
    /// No room in the headers.
    #[error("PE: the headers have room for {room} sections, {sections} are needed")]
    NoRoom {
        /// Needed.
        sections: usize,
        /// There.
        room: usize,
    },
    /// A section that is empty or badly named.
    #[error("PE: section {0:?} is empty, or its name is not 1 to 8 bytes")]
    Section(String),
    /// A section that is there already.
    #[error("PE: section {0} would be there twice")]
    Twice(String),
    /// Beyond 4 GiB.
    #[error("PE: {0} does not fit into 4 GiB")]
    TooLarge(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn sections_are_appended_and_read_back() {
        let stub = synthetic::stub();
        let before = Image::parse(&stub).unwrap();
        let long = vec![7; 5000];
        let out = before.append(&[(".one", b"1"), (".long", &long), (".two", b"22")]).unwrap();
        let after = Image::parse(&out).unwrap();
        assert_eq!(after.sections().len(), before.sections().len() + 3);
        let added = &after.sections()[before.sections().len()..];
        assert_eq!(added.iter().map(Section::contents).collect::<Vec<_>>(), [&b"1"[..], &long, b"22"]);
        let mut end = before.size_of_image;
        for section in added {
            assert_eq!(section.virtual_address, end);
            assert_eq!(section.virtual_address % after.section_alignment, 0);
            assert_eq!((section.raw_end - section.raw.len()) % after.file_alignment as usize, 0);
            end = (section.virtual_address + section.virtual_size).next_multiple_of(after.section_alignment);
        }
        assert_eq!((after.size_of_image, out.len()), (end, added[2].raw_end));
        // What was there before is untouched but for four header fields and the table.
        for (a, b) in before.sections().iter().zip(after.sections()) {
            assert_eq!(a, b);
        }
    }

    #[test]
    fn what_cannot_be_appended_is_refused() {
        let stub = synthetic::stub();
        let image = Image::parse(&stub).unwrap();
        assert_eq!(image.append(&[(".empty", b"")]), Err(PeError::Section(".empty".into())));
        assert_eq!(image.append(&[("123456789", b"x")]), Err(PeError::Section("123456789".into())));
        assert_eq!(image.append(&[(".sbat", b"x")]), Err(PeError::Twice(".sbat".into())));
        assert_eq!(image.append(&[(".a", b"x"), (".a", b"x")]), Err(PeError::Twice(".a".into())));
        let names: Vec<_> = (0..40).map(|i| format!(".s{i}")).collect();
        let many: Vec<_> = names.iter().map(|n| (n.as_str(), &b"x"[..])).collect();
        assert!(matches!(image.append(&many), Err(PeError::NoRoom { sections: 42, .. })));
        let mut longer = stub.clone();
        longer.extend([0; 512]);
        assert!(matches!(
            Image::parse(&longer).unwrap().append(&[(".a", b"x")]),
            Err(PeError::Trailing { .. })
        ));
    }

    #[test]
    fn no_bytes_panic() {
        let stub = synthetic::stub();
        for end in 0..stub.len() {
            let _ = Image::parse(&stub[..end]).and_then(|i| i.append(&[(".a", b"x")]));
        }
        for index in 0..stub.len().min(0x400) {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bad = stub.clone();
                bad[index] = value;
                let _ = Image::parse(&bad).and_then(|i| i.append(&[(".a", b"x")]));
            }
        }
    }
}
