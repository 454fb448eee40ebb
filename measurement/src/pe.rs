//! PE/COFF images (Microsoft PE Format), as far as firmware and stub look at them.

use crate::field::{span, u16_le, u32_le};

/// A PE image whose headers, sections and certificate table lie within its bytes.
#[derive(Clone, Debug)]
pub struct Pe<'a> {
    bytes: &'a [u8],
    /// Offset of the optional header's `CheckSum`.
    pub(crate) checksum: usize,
    /// Offset of the certificate table's entry in the data directory, if the directory goes that far.
    pub(crate) certificate_entry: Option<usize>,
    /// Size of the certificate table, which ends the file.
    pub(crate) certificate_size: usize,
    /// `SizeOfHeaders`.
    pub(crate) headers: usize,
    sections: Vec<Section<'a>>,
}

/// A section of a PE image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    name: [u8; 8],
    /// Offset of the raw data in the file.
    pub raw_offset: u32,
    /// The raw data: `SizeOfRawData` bytes, padding included.
    pub raw: &'a [u8],
    /// Address in memory, from the image's base.
    pub address: u32,
    /// `VirtualSize`: bytes in memory.
    pub size: u32,
}

/// Why bytes are no PE image.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeError {
    /// A header that is not there, or not in the file.
    #[error("no {what} at {offset:#x}: not a PE image, or cut short (PE Format, {clause})")]
    Header {
        /// What was expected.
        what: &'static str,
        /// Where.
        offset: usize,
        /// The part of the specification.
        clause: &'static str,
    },
    /// A field that contradicts another.
    #[error("{field} at {offset:#x} is {value:#x}: {why} (PE Format, {clause})")]
    Field {
        /// The field.
        field: &'static str,
        /// Where it stands.
        offset: usize,
        /// What it says.
        value: u64,
        /// Why that cannot be.
        why: &'static str,
        /// The part of the specification.
        clause: &'static str,
    },
}

impl<'a> Pe<'a> {
    /// Reads an image, PE32 or PE32+.
    ///
    /// # Errors
    /// When a header is missing, or something that a header names lies outside of the file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PeError> {
        let header = |what, offset, clause| PeError::Header { what, offset, clause };
        if bytes.first_chunk() != Some(b"MZ") {
            return Err(header("MZ", 0, "MS-DOS Stub"));
        }
        let coff = u32_le(bytes, 0x3c).and_then(|at| usize::try_from(at).ok());
        let coff = coff.ok_or(header("offset of the PE signature", 0x3c, "MS-DOS Stub"))?;
        if bytes.get(coff..).and_then(|rest| rest.first_chunk()) != Some(b"PE\0\0") {
            return Err(header("PE signature", coff, "Signature"));
        }
        // From here on `coff` is inside of the file, so small sums do not overflow.
        let optional = coff + 24;
        let optional_size =
            usize::from(u16_le(bytes, coff + 20).ok_or(header("COFF header", coff, "COFF File Header"))?);
        let (fixed, count_at) = match u16_le(bytes, optional) {
            Some(0x10b) => (96, optional + 92),
            Some(0x20b) => (112, optional + 108),
            _ => return Err(header("optional header (PE32 or PE32+)", optional, "Optional Header")),
        };
        let end = optional + optional_size;
        if bytes.len() < end {
            return Err(header("end of the optional header", end, "Optional Header"));
        }
        let directories =
            u32_le(bytes, count_at).ok_or(header("NumberOfRvaAndSizes", count_at, "Optional Header"))?;
        // Firmware insists on this equality, so what it would not load is not measured either.
        if usize::try_from(directories).is_ok_and(|n| n > 16 || fixed + 8 * n != optional_size)
            || directories > 16
        {
            return Err(PeError::Field {
                field: "NumberOfRvaAndSizes",
                offset: count_at,
                value: directories.into(),
                why: "does not fit SizeOfOptionalHeader",
                clause: "Optional Header",
            });
        }
        let headers_at = optional + 60;
        let headers =
            u32_le(bytes, headers_at).ok_or(header("SizeOfHeaders", headers_at, "Optional Header"))?;
        let certificate_entry = (directories > 4).then_some(optional + fixed + 32);
        let count = usize::from(u16_le(bytes, coff + 6).unwrap_or_default());
        let table_end = end + 40 * count;
        let Some(headers) = usize::try_from(headers).ok().filter(|&h| (table_end..=bytes.len()).contains(&h))
        else {
            return Err(PeError::Field {
                field: "SizeOfHeaders",
                offset: headers_at,
                value: headers.into(),
                why: "does not hold the section table, or passes the end of the file",
                clause: "Optional Header",
            });
        };
        let table = bytes.get(end..table_end).unwrap_or_default();
        let sections = table
            .chunks_exact(40)
            .enumerate()
            .map(|(index, entry)| Section::parse(bytes, end + 40 * index, entry))
            .collect::<Result<Vec<_>, _>>()?;
        let certificate_size = certificate_entry.map_or(Ok(0), |entry| certificate_table(bytes, entry))?;
        Ok(Self { bytes, checksum: optional + 64, certificate_entry, certificate_size, headers, sections })
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The sections, in the table's order.
    #[must_use]
    pub fn sections(&self) -> &[Section<'a>] {
        &self.sections
    }

    /// The first section of that name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section<'a>> {
        self.sections.iter().find(|section| section.is_named(name))
    }
}

/// Size of the certificate table; 0 when there is none.
///
/// Firmware takes the table's size off the end of the file, whatever its offset says; the specification goes by the offset.
/// Only where both agree is there one answer.
fn certificate_table(bytes: &[u8], entry: usize) -> Result<usize, PeError> {
    let [offset, size] = [u32_le(bytes, entry), u32_le(bytes, entry + 4)].map(Option::unwrap_or_default);
    if size == 0 {
        return Ok(0);
    }
    let in_file = span(bytes, offset.into(), size.into());
    match (in_file, usize::try_from(u64::from(offset) + u64::from(size))) {
        (Some(table), Ok(end)) if end == bytes.len() => Ok(table.len()),
        _ => Err(PeError::Field {
            field: "certificate table",
            offset: entry,
            value: offset.into(),
            why: "the table is not what ends the file",
            clause: "The Attribute Certificate Table",
        }),
    }
}

impl<'a> Section<'a> {
    fn parse(bytes: &'a [u8], at: usize, entry: &[u8]) -> Result<Self, PeError> {
        let word = |offset| u32_le(entry, offset).unwrap_or_default();
        let (size, address, raw_size, raw_offset) = (word(8), word(12), word(16), word(20));
        let raw =
            if raw_size == 0 { Some(&[] as &[u8]) } else { span(bytes, raw_offset.into(), raw_size.into()) };
        let raw = raw.ok_or(PeError::Field {
            field: "PointerToRawData",
            offset: at + 20,
            value: raw_offset.into(),
            why: "the section's data passes the end of the file",
            clause: "Section Table",
        })?;
        if address.checked_add(size).is_none() {
            return Err(PeError::Field {
                field: "VirtualSize",
                offset: at + 8,
                value: size.into(),
                why: "the section wraps around",
                clause: "Section Table",
            });
        }
        let name = entry.first_chunk().copied().unwrap_or_default();
        Ok(Self { name, raw_offset, raw, address, size })
    }

    /// The name, without padding; lossy where it is no text.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.name.split(|&byte| byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(name).into_owned()
    }

    /// Whether this is its name. Bytes after the first NUL do not count, as with every loader.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.name.split(|&byte| byte == 0).next() == Some(name.as_bytes())
    }

    /// The part of the raw data that a loader copies: no more than `VirtualSize` bytes.
    #[must_use]
    pub fn loaded(&self) -> &'a [u8] {
        usize::try_from(self.size).ok().and_then(|size| self.raw.get(..size)).unwrap_or(self.raw)
    }

    /// Zeros that follow [`Self::loaded`] in memory, up to `VirtualSize`.
    #[must_use]
    pub fn zeros(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX).saturating_sub(self.raw.len())
    }
}
