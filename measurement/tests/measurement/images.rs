//! Builders of PE images, FAT volumes and GPT disks. Written for tests, from the specifications, not from the readers.

/// A PE32+ image: sections at 4 KiB steps in memory, then `trailing` bytes, then a certificate table.
pub(crate) fn pe(sections: &[(&str, &[u8])], trailing: &[u8], certificates: &[u8]) -> Vec<u8> {
    let mut image = vec![0u8; 0x400];
    image[..2].copy_from_slice(b"MZ");
    image[0x3c] = 0x40;
    image[0x40..0x44].copy_from_slice(b"PE\0\0");
    image[0x44..0x46].copy_from_slice(&0x8664u16.to_le_bytes());
    image[0x54..0x56].copy_from_slice(&240u16.to_le_bytes());
    let optional = 0x58;
    image[optional..optional + 2].copy_from_slice(&0x20bu16.to_le_bytes());
    image[optional + 32..optional + 36].copy_from_slice(&0x1000u32.to_le_bytes());
    image[optional + 36..optional + 40].copy_from_slice(&0x200u32.to_le_bytes());
    image[optional + 56..optional + 60].copy_from_slice(&0x1000u32.to_le_bytes());
    image[optional + 60..optional + 64].copy_from_slice(&0x400u32.to_le_bytes());
    image[optional + 64..optional + 68].copy_from_slice(&0xdead_beefu32.to_le_bytes());
    image[optional + 108..optional + 112].copy_from_slice(&16u32.to_le_bytes());
    let mut image = with_sections(&image, sections);
    image.extend(trailing);
    if !certificates.is_empty() {
        let at = u32::try_from(image.len()).unwrap();
        image[optional + 144..optional + 148].copy_from_slice(&at.to_le_bytes());
        image[optional + 148..optional + 152]
            .copy_from_slice(&u32::try_from(certificates.len()).unwrap().to_le_bytes());
        image.extend(certificates);
    }
    image
}

/// Appends sections to an image, as a builder of UKIs does. Raw data is padded to 512, `VirtualSize` is the exact length.
pub(crate) fn with_sections(stub: &[u8], sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut image = stub.to_vec();
    let word = |image: &[u8], at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap());
    let coff = word(&image, 0x3c) as usize + 4;
    let optional = coff + 20;
    for (name, data) in sections {
        let count = u16::from_le_bytes(image[coff + 2..coff + 4].try_into().unwrap());
        let optional_size = u16::from_le_bytes(image[coff + 16..coff + 18].try_into().unwrap());
        let entry = optional + usize::from(optional_size) + 40 * usize::from(count);
        assert!(entry + 40 <= word(&image, optional + 60) as usize, "no room in the headers");
        image.resize(image.len().next_multiple_of(512), 0);
        let (address, raw) = (word(&image, optional + 56), u32::try_from(image.len()).unwrap());
        image.extend(*data);
        image.resize(image.len().next_multiple_of(512), 0);
        let size = u32::try_from(data.len()).unwrap();
        let mut header = [0u8; 40];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[8..12].copy_from_slice(&size.to_le_bytes());
        header[12..16].copy_from_slice(&address.to_le_bytes());
        header[16..20].copy_from_slice(&size.next_multiple_of(512).to_le_bytes());
        header[20..24].copy_from_slice(&raw.to_le_bytes());
        header[36..40].copy_from_slice(&0x4000_0040u32.to_le_bytes());
        image[entry..entry + 40].copy_from_slice(&header);
        image[coff + 2..coff + 4].copy_from_slice(&(count + 1).to_le_bytes());
        let end = (address + size).next_multiple_of(4096);
        image[optional + 56..optional + 60].copy_from_slice(&end.to_le_bytes());
    }
    image
}

/// The entry of a section in the section table.
pub(crate) fn section_header(image: &[u8], name: &str) -> usize {
    let coff = u32::from_le_bytes(image[0x3c..0x40].try_into().unwrap()) as usize + 4;
    let table = coff + 20 + usize::from(u16::from_le_bytes(image[coff + 16..coff + 18].try_into().unwrap()));
    let mut padded = [0u8; 8];
    padded[..name.len()].copy_from_slice(name.as_bytes());
    (table..).step_by(40).find(|&at| image[at..at + 8] == padded).unwrap()
}

/// A kernel that firmware could load.
pub(crate) fn kernel() -> Vec<u8> {
    pe(&[(".text", b"kernel text"), (".data", &[7; 700])], b"tail", b"certificate!")
}

pub(crate) const CMDLINE: &[u8] = b"console=ttyS0 hallmark=1";
pub(crate) const OSREL: &[u8] = b"ID=hallmark\nVERSION_ID=0\n";
pub(crate) const INITRD: &[u8] = b"an initrd of twenty-nine byte";

/// A small UKI of our own.
pub(crate) fn uki() -> Vec<u8> {
    let kernel = kernel();
    pe(
        &[
            (".text", b"stub"),
            (".sbat", b"sbat,1,SBAT Version,sbat,1\n"),
            (".osrel", OSREL),
            (".cmdline", CMDLINE),
            (".initrd", INITRD),
            (".linux", &kernel),
        ],
        &[],
        &[],
    )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FatKind {
    Fat12,
    Fat16,
    Fat32,
}

/// A FAT volume with files under directories; `scattered` gives no file two neighbouring clusters.
pub(crate) fn fat(kind: FatKind, files: &[(&str, &[u8])], scattered: bool) -> Vec<u8> {
    let (clusters, per_cluster) = match kind {
        FatKind::Fat12 => (4000, 8usize),
        FatKind::Fat16 => (24_000, 4),
        FatKind::Fat32 => (66_000, 1),
    };
    fat_sized(kind, files, scattered, clusters, per_cluster)
}

pub(crate) fn fat_sized(
    kind: FatKind,
    files: &[(&str, &[u8])],
    scattered: bool,
    clusters: usize,
    per_cluster: usize,
) -> Vec<u8> {
    let cluster = per_cluster * 512;
    let bits = match kind {
        FatKind::Fat12 => 12,
        FatKind::Fat16 => 16,
        FatKind::Fat32 => 32,
    };
    let table_sectors = ((clusters + 2) * bits).div_ceil(8).div_ceil(512);
    let (reserved, root_entries) = if kind == FatKind::Fat32 { (32, 0) } else { (1, 512) };
    let data_start = reserved + 2 * table_sectors + root_entries * 32 / 512;
    let total = data_start + clusters * per_cluster;

    let mut free: Vec<u32> = (2..2 + u32::try_from(clusters).unwrap()).collect();
    if scattered {
        // Every seventh, then every seventh from the next on.
        free = (0..7)
            .flat_map(|start| free.iter().copied().skip(start).step_by(7).collect::<Vec<_>>())
            .collect();
    }
    let mut free = free.into_iter();
    let mut next = vec![0u32; clusters + 2];
    let mut data = vec![0u8; clusters * cluster];
    let end = match kind {
        FatKind::Fat12 => 0xfff,
        FatKind::Fat16 => 0xffff,
        FatKind::Fat32 => 0x0fff_ffff,
    };
    (next[0], next[1]) = (end, end);
    let mut store = |bytes: &[u8]| -> u32 {
        let count = bytes.len().div_ceil(cluster).max(1);
        let chain: Vec<u32> = free.by_ref().take(count).collect();
        assert_eq!(chain.len(), count, "volume full");
        for (index, &number) in chain.iter().enumerate() {
            next[number as usize] = chain.get(index + 1).copied().unwrap_or(end);
            let part = &bytes[(index * cluster).min(bytes.len())..((index + 1) * cluster).min(bytes.len())];
            let at = (number as usize - 2) * cluster;
            data[at..at + part.len()].copy_from_slice(part);
        }
        chain[0]
    };
    let root = tree(files, "", &mut store);

    let mut volume = vec![0u8; total * 512];
    let mut set = |at: usize, bytes: &[u8]| volume[at..at + bytes.len()].copy_from_slice(bytes);
    set(0, &[0xeb, 0x58, 0x90]);
    set(3, b"HALLMARK");
    set(11, &512u16.to_le_bytes());
    set(13, &[u8::try_from(per_cluster).unwrap()]);
    set(14, &u16::try_from(reserved).unwrap().to_le_bytes());
    set(16, &[2]);
    set(17, &u16::try_from(root_entries).unwrap().to_le_bytes());
    match u16::try_from(total) {
        Ok(total) if kind != FatKind::Fat32 => set(19, &total.to_le_bytes()),
        _ => set(32, &u32::try_from(total).unwrap().to_le_bytes()),
    }
    set(21, &[0xf8]);
    set(510, &[0x55, 0xaa]);
    let root_at = (reserved + 2 * table_sectors) * 512;
    if kind == FatKind::Fat32 {
        set(36, &u32::try_from(table_sectors).unwrap().to_le_bytes());
        let start = store(&root);
        set(44, &start.to_le_bytes());
    } else {
        set(22, &u16::try_from(table_sectors).unwrap().to_le_bytes());
        set(root_at, &root);
    }
    let mut table = vec![0u8; table_sectors * 512];
    for (number, &value) in next.iter().enumerate() {
        match kind {
            FatKind::Fat12 => {
                let at = number + number / 2;
                let old = u16::from_le_bytes([table[at], table[at + 1]]);
                let value = u16::try_from(value).unwrap();
                let new = if number % 2 == 0 { old & 0xf000 | value } else { old & 0x000f | value << 4 };
                table[at..at + 2].copy_from_slice(&new.to_le_bytes());
            }
            FatKind::Fat16 => table[2 * number..2 * number + 2]
                .copy_from_slice(&u16::try_from(value).unwrap().to_le_bytes()),
            FatKind::Fat32 => table[4 * number..4 * number + 4].copy_from_slice(&value.to_le_bytes()),
        }
    }
    for copy in 0..2 {
        let at = (reserved + copy * table_sectors) * 512;
        volume[at..at + table.len()].copy_from_slice(&table);
    }
    let at = data_start * 512;
    volume[at..at + data.len()].copy_from_slice(&data);
    volume
}

/// The entries of the directory `at`, with everything below it stored.
fn tree(files: &[(&str, &[u8])], at: &str, store: &mut dyn FnMut(&[u8]) -> u32) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut done: Vec<&str> = Vec::new();
    for (path, contents) in files {
        let Some(rest) = path.strip_prefix(at).and_then(|rest| rest.strip_prefix('/')) else { continue };
        let (name, is_directory) = match rest.split_once('/') {
            Some((name, _)) => (name, true),
            None => (rest, false),
        };
        if done.contains(&name) {
            continue;
        }
        done.push(name);
        if is_directory {
            let below = tree(files, &format!("{at}/{name}"), store);
            let start = store(&below);
            entry(&mut entries, name, 0x10, start, 0);
        } else {
            let start = if contents.is_empty() { 0 } else { store(contents) };
            entry(&mut entries, name, 0x20, start, u32::try_from(contents.len()).unwrap());
        }
    }
    entries
}

fn entry(entries: &mut Vec<u8>, name: &str, attributes: u8, start: u32, size: u32) {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let mut short = [b' '; 11];
    let plain = stem.len() <= 8 && extension.len() <= 3 && name == name.to_uppercase() && !stem.contains('.');
    if plain {
        short[..stem.len()].copy_from_slice(stem.as_bytes());
        short[8..8 + extension.len()].copy_from_slice(extension.as_bytes());
    } else {
        short[..8].copy_from_slice(format!("LONG~{:03}", entries.len() / 32 % 1000).as_bytes());
        let sum = short.iter().fold(0u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte));
        let mut units: Vec<u16> = name.encode_utf16().collect();
        if !units.len().is_multiple_of(13) {
            units.push(0);
            units.resize(units.len().next_multiple_of(13), 0xffff);
        }
        let parts: Vec<_> = units.chunks(13).collect();
        for (index, part) in parts.iter().enumerate().rev() {
            let mut record = [0u8; 32];
            let last = if index + 1 == parts.len() { 0x40 } else { 0 };
            record[0] = u8::try_from(index + 1).unwrap() | last;
            record[11] = 0x0f;
            record[13] = sum;
            for (at, unit) in [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30].into_iter().zip(*part) {
                record[at..at + 2].copy_from_slice(&unit.to_le_bytes());
            }
            entries.extend(record);
        }
    }
    let mut record = [0u8; 32];
    record[..11].copy_from_slice(&short);
    record[11] = attributes;
    record[20..22].copy_from_slice(&u16::try_from(start >> 16).unwrap().to_le_bytes());
    record[26..28].copy_from_slice(&u16::try_from(start & 0xffff).unwrap().to_le_bytes());
    record[28..32].copy_from_slice(&size.to_le_bytes());
    entries.extend(record);
}

pub(crate) const ESP_TYPE: [u8; 16] =
    [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];

/// A disk with partitions at MiB 1 and after, one behind the other.
pub(crate) fn gpt(partitions: &[([u8; 16], &[u8])]) -> Vec<u8> {
    let mut disk = vec![0u8; 1 << 20];
    disk[446 + 4] = 0xee;
    disk[446 + 8] = 1;
    disk[446 + 12..446 + 16].fill(0xff);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let mut array = vec![0u8; 128 * 128];
    for (index, (kind, contents)) in partitions.iter().enumerate() {
        let first = disk.len() as u64 / 512;
        disk.extend(*contents);
        disk.resize(disk.len().next_multiple_of(512), 0);
        let last = disk.len() as u64 / 512 - 1;
        let entry = &mut array[128 * index..128 * (index + 1)];
        entry[..16].copy_from_slice(kind);
        entry[16..32].fill(0x10 + u8::try_from(index).unwrap());
        entry[32..40].copy_from_slice(&first.to_le_bytes());
        entry[40..48].copy_from_slice(&last.to_le_bytes());
    }
    disk[1024..1024 + array.len()].copy_from_slice(&array);
    // Room for the backup, which nothing here reads.
    let last_usable = disk.len() as u64 / 512 - 1;
    disk.resize(disk.len() + 33 * 512, 0);
    let last = disk.len() as u64 / 512 - 1;
    let header = &mut disk[512..512 + 92];
    header[..8].copy_from_slice(b"EFI PART");
    header[8..12].copy_from_slice(&0x1_0000u32.to_le_bytes());
    header[12..16].copy_from_slice(&92u32.to_le_bytes());
    header[24..32].copy_from_slice(&1u64.to_le_bytes());
    header[32..40].copy_from_slice(&last.to_le_bytes());
    header[40..48].copy_from_slice(&34u64.to_le_bytes());
    header[48..56].copy_from_slice(&last_usable.to_le_bytes());
    header[72..80].copy_from_slice(&2u64.to_le_bytes());
    header[80..84].copy_from_slice(&128u32.to_le_bytes());
    header[84..88].copy_from_slice(&128u32.to_le_bytes());
    header[88..92].copy_from_slice(&crc32(&array).to_le_bytes());
    seal_gpt(&mut disk);
    disk
}

/// Writes the header's checksum anew.
pub(crate) fn seal_gpt(disk: &mut [u8]) {
    disk[528..532].fill(0);
    let crc = crc32(&disk[512..604]);
    disk[528..532].copy_from_slice(&crc.to_le_bytes());
}

/// CRC-32 of IEEE 802.3, bit by bit.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xedb8_8320 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

/// A disk that boots [`uki`].
pub(crate) fn disk() -> Vec<u8> {
    gpt(&[(ESP_TYPE, &fat(FatKind::Fat12, &[("/EFI/BOOT/BOOTX64.EFI", &uki())], false))])
}
