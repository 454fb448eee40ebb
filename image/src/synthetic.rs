//! SIMULATED kernel, stub and firmware: tiny valid images for the demo and for tests.
//!
//! They do not boot: there is no code in them to speak of. Everything that measures a PE image or a TDVF firmware
//! measures them like real ones.

/// A PE image that stands for a kernel.
pub fn kernel() -> Vec<u8> {
    pe(&[(".text", 0x6000_0020, b"\xc3 SIMULATED kernel: does not boot")])
}

/// A PE image that stands for systemd's stub, with the `.sbat` that a stub has and room for more sections.
pub fn stub() -> Vec<u8> {
    pe(&[
        (".text", 0x6000_0020, b"\xc3 SIMULATED stub: does not boot"),
        (
            ".sbat",
            0x4000_0040,
            b"sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\nsimulated,1,Simulated,simulated,1,\n",
        ),
    ])
}

/// TDX firmware that stands for OVMF: one code volume, one configuration volume, a TD HOB and the metadata that says so
/// (TDVF design guide, 11). It has an MRTD, and nothing to run.
pub fn firmware() -> Vec<u8> {
    const SIZE: u32 = 0x1_0000;
    const PAGE: u32 = 0x1000;
    const METADATA: u32 = 0x200;
    // edk2's footer table GUID, and that of its TDX metadata entry, as stored.
    const TABLE: [u8; 16] =
        [0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45, 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d];
    const ENTRY: [u8; 16] =
        [0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47, 0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2];
    let base = u64::from(u32::MAX - SIZE) + 1;
    // Offset, raw size, address, memory size, type, attributes.
    let sections = [
        (PAGE, SIZE - PAGE, base + u64::from(PAGE), SIZE - PAGE, 0u32, 1u32),
        (0, PAGE, base, PAGE, 1, 0),
        (0, 0, 0x80_9000, PAGE, 2, 0),
    ];
    let mut metadata = b"TDVF".to_vec();
    for field in [16 + 32 * 3, 1, 3u32] {
        metadata.extend(field.to_le_bytes());
    }
    for (offset, raw, address, memory, kind, attributes) in sections {
        metadata.extend(offset.to_le_bytes());
        metadata.extend(raw.to_le_bytes());
        metadata.extend(address.to_le_bytes());
        metadata.extend(u64::from(memory).to_le_bytes());
        metadata.extend(kind.to_le_bytes());
        metadata.extend(attributes.to_le_bytes());
    }
    let mut table = METADATA.to_le_bytes().to_vec();
    table.extend(22u16.to_le_bytes());
    table.extend(ENTRY);
    table.extend(40u16.to_le_bytes());
    table.extend(TABLE);

    let mut firmware = b"SIMULATED firmware: does not boot".to_vec();
    firmware.resize((SIZE - METADATA) as usize, 0);
    firmware.extend(metadata);
    // The footer GUID ends 32 bytes before the reset vector's end.
    firmware.resize((SIZE - 0x20) as usize - table.len(), 0);
    firmware.extend(table);
    firmware.resize(SIZE as usize, 0);
    firmware
}

/// A PE32+ image of these sections: name, characteristics, contents.
fn pe(sections: &[(&str, u32, &[u8])]) -> Vec<u8> {
    const HEADERS: u32 = 0x600;
    const FILE_ALIGNMENT: u32 = 0x200;
    const SECTION_ALIGNMENT: u32 = 0x1000;
    let mut table = Vec::new();
    let mut body = Vec::new();
    let mut address = SECTION_ALIGNMENT;
    for (name, characteristics, contents) in sections {
        let size = u32::try_from(contents.len()).unwrap_or(u32::MAX);
        let raw = size.next_multiple_of(FILE_ALIGNMENT);
        let mut label = name.as_bytes().to_vec();
        label.resize(8, 0);
        table.extend(label);
        let start = HEADERS + u32::try_from(body.len()).unwrap_or(u32::MAX);
        for field in [size, address, raw, start, 0, 0, 0, *characteristics] {
            table.extend(field.to_le_bytes());
        }
        body.extend(*contents);
        body.resize(body.len().next_multiple_of(FILE_ALIGNMENT as usize), 0);
        address += size.next_multiple_of(SECTION_ALIGNMENT);
    }

    let mut out = b"MZ".to_vec();
    out.resize(0x3c, 0);
    out.extend(0x40u32.to_le_bytes());
    out.extend(b"PE\0\0");
    // COFF: x86-64, sections, no time, no symbols, optional header of 240, executable and large-address-aware.
    out.extend(0x8664u16.to_le_bytes());
    out.extend(u16::try_from(sections.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend([0; 12]);
    out.extend(240u16.to_le_bytes());
    out.extend(0x0022u16.to_le_bytes());
    // Optional header: PE32+, sizes, entry point, base of code.
    out.extend(0x20bu16.to_le_bytes());
    out.extend([0; 2]);
    for field in [FILE_ALIGNMENT, FILE_ALIGNMENT, 0, SECTION_ALIGNMENT, SECTION_ALIGNMENT] {
        out.extend(field.to_le_bytes());
    }
    out.extend(0u64.to_le_bytes()); // image base
    out.extend(SECTION_ALIGNMENT.to_le_bytes());
    out.extend(FILE_ALIGNMENT.to_le_bytes());
    out.extend([0; 16]); // versions, reserved
    out.extend(address.to_le_bytes()); // size of image
    out.extend(HEADERS.to_le_bytes());
    out.extend(0u32.to_le_bytes()); // checksum
    out.extend(10u16.to_le_bytes()); // EFI application
    out.extend(0x100u16.to_le_bytes()); // NX compatible
    out.extend([0; 32]); // stack, heap
    out.extend(0u32.to_le_bytes());
    out.extend(16u32.to_le_bytes()); // data directories, all empty
    out.extend([0; 128]);
    out.extend(table);
    out.resize(HEADERS as usize, 0);
    out.extend(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pe::Image;

    #[test]
    fn the_firmware_has_an_mrtd() {
        let measured = hallmark_measurement::firmware::measure(&firmware()).unwrap();
        assert_ne!(measured.platforms[0].mrtd, measured.platforms[1].mrtd, "the page orders differ");
    }

    #[test]
    fn both_are_valid_and_marked() {
        for (bytes, sections) in [(kernel(), 1), (stub(), 2)] {
            let image = Image::parse(&bytes).unwrap();
            assert_eq!(image.sections().len(), sections);
            assert!(String::from_utf8_lossy(image.sections()[0].contents()).contains("SIMULATED"));
        }
    }
}
