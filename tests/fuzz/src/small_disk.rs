//! Disks small enough to mutate. The builder's have 48 MiB, nearly all of them zeros: FAT32 is by definition large,
//! though its readers do not insist.

const SECTOR: usize = 512;
/// Where the volume lies on the builder's disk.
const FIRST: usize = hallmark_image::gpt::FIRST as usize;
/// Protective MBR, header, one sector of entries.
const TABLE: usize = 3;
/// Reserved sectors: the boot sector, FSInfo, their copies at 6 and 7.
const RESERVED: usize = 8;

/// Which volume the small disk has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Volume {
    /// The builder's, cut down.
    Fat32,
    /// The same with a root directory of fixed size, tables of 12 bits, and a long name in front of the first folder.
    Fat12,
}

/// The builder's disk without what is empty. `None` where it is not the builder's.
pub(crate) fn small_disk(disk: &[u8], kind: Volume) -> Option<Vec<u8>> {
    let volume = volume(disk.get(FIRST * SECTOR..)?, kind)?;
    let mut out = disk.get(..(TABLE - 1) * SECTOR)?.to_vec();
    let first = u64::try_from(TABLE).ok()?;
    let last = first + u64::try_from(volume.len() / SECTOR).ok()? - 1;
    let header = out.get_mut(SECTOR..)?;
    put(header, 40, &first.to_le_bytes())?; // first and last usable sector
    put(header, 48, &last.to_le_bytes())?;
    put(header, 80, &4u32.to_le_bytes())?; // entries
    let entries = usize::try_from(u64_at(header, 72)?).ok()?;
    let mut entries = disk.get(entries * SECTOR..)?.get(..SECTOR)?.to_vec();
    put(&mut entries, 32, &first.to_le_bytes())?;
    put(&mut entries, 40, &last.to_le_bytes())?;
    put(header, 72, &2u64.to_le_bytes())?; // where the entries are
    out.extend(entries);
    out.extend(volume);
    with_checksums(&out)
}

/// The volume with as many sectors as it uses.
fn volume(volume: &[u8], kind: Volume) -> Option<Vec<u8>> {
    let sectors = |at: usize, count: usize| volume.get(at * SECTOR..)?.get(..count * SECTOR);
    let (reserved, table_sectors) =
        (usize::from(u16_at(volume, 14)?), usize::try_from(u32_at(volume, 36)?).ok()?);
    let data = reserved + 2 * table_sectors;
    // A cluster is a sector; the first entry that is zero is the first cluster that is free.
    let mut table: Vec<u32> = Vec::new();
    while let Some(entry @ 1..) = u32_at(volume, reserved * SECTOR + 4 * table.len()) {
        table.push(entry);
    }
    let clusters = table.len().checked_sub(2)?;
    let mut root = sectors(data, 1)?.to_vec();
    let (table, root) = match kind {
        Volume::Fat32 => (table.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<_>>(), Vec::new()),
        Volume::Fat12 => {
            root.splice(32..32, long_name(root.get(32..43)?));
            root.truncate(SECTOR);
            // What was the root stays in its cluster, of no use, so that no number changes.
            (packed(&table), root)
        }
    };
    let new_table_sectors = table.len().div_ceil(SECTOR);
    let total = RESERVED + 2 * new_table_sectors + root.len() / SECTOR + clusters;

    let mut out = sectors(0, RESERVED)?.to_vec();
    put(&mut out, 14, &u16::try_from(RESERVED).ok()?.to_le_bytes())?;
    put(&mut out, 28, &u32::try_from(TABLE).ok()?.to_le_bytes())?;
    put(&mut out, 32, &u32::try_from(total).ok()?.to_le_bytes())?;
    if kind == Volume::Fat32 {
        put(&mut out, 36, &u32::try_from(new_table_sectors).ok()?.to_le_bytes())?;
    } else {
        put(&mut out, 17, &16u16.to_le_bytes())?; // entries of the root
        put(&mut out, 22, &u16::try_from(new_table_sectors).ok()?.to_le_bytes())?;
    }
    for _ in 0..2 {
        out.extend(&table);
        out.resize(out.len().next_multiple_of(SECTOR), 0);
    }
    out.extend(root);
    out.extend(sectors(data, clusters)?);
    Some(out)
}

/// Entries of 12 bits, two in three bytes.
fn packed(table: &[u32]) -> Vec<u8> {
    let pairs = table.chunks(2).map(|pair| match *pair {
        [low, high] => (low & 0xfff) | (high & 0xfff) << 12,
        [low, ..] => low & 0xfff,
        [] => 0,
    });
    pairs.flat_map(|pair| pair.to_le_bytes().into_iter().take(3)).collect()
}

/// The record of a long name that belongs to this short one.
fn long_name(short: &[u8]) -> [u8; 32] {
    let checksum = short.iter().fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    let mut record = [0; 32];
    let units = "Extensible\0".encode_utf16().chain(std::iter::repeat(0xffff));
    let places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
    for (at, unit) in places.into_iter().zip(units) {
        record[at..at + 2].copy_from_slice(&unit.to_le_bytes());
    }
    (record[0], record[11], record[13]) = (0x41, 0x0f, checksum);
    record
}

/// A disk with the checksums of its partition table set right. `None` where there is no table, or nothing to set.
pub(crate) fn with_checksums(disk: &[u8]) -> Option<Vec<u8>> {
    let header = disk.get(SECTOR..2 * SECTOR).filter(|header| header.starts_with(b"EFI PART"))?;
    let (size, count, each) = (u32_at(header, 12)?, u32_at(header, 80)?, u32_at(header, 84)?);
    let start = usize::try_from(u64_at(header, 72)?).ok()?.checked_mul(SECTOR)?;
    let length = usize::try_from(u64::from(count).checked_mul(each.into())?).ok()?;
    let entries = crc32fast::hash(disk.get(start..start.checked_add(length)?)?);
    let mut out = disk.to_vec();
    let header = out.get_mut(SECTOR..2 * SECTOR)?;
    put(header, 88, &entries.to_le_bytes())?;
    put(header, 16, &[0; 4])?;
    let own = crc32fast::hash(header.get(..usize::try_from(size).ok()?)?);
    put(header, 16, &own.to_le_bytes())?;
    (out != disk).then_some(out)
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) -> Option<()> {
    bytes.get_mut(at..)?.get_mut(..field.len())?.copy_from_slice(field);
    Some(())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}
