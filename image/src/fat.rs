//! A FAT32 volume that holds one file, the same bytes for the same file.
//!
//! Microsoft, "FAT: General Overview of On-Disk Format", 1.03; UEFI 2.10, 13.3 (an EFI system partition on a hard
//! disk is FAT32). A cluster is a sector, so that the smallest volume is small. The file lies in one run of clusters; times are 1980-01-01 00:00:00, the first that FAT can say;
//! the volume's serial number is a constant, so that the volume depends on the file alone.

/// Bytes in a sector.
pub const SECTOR: usize = 512;

/// Sectors before the first FAT: boot sector, FSInfo, their copies at 6 and 7.
const RESERVED: u32 = 32;
const FATS: u32 = 2;
/// Fewer clusters and the volume would be FAT16 by definition.
const MIN_CLUSTERS: u32 = 65_525;
/// `BPB_Media`: a fixed disk.
const MEDIA: u8 = 0xf8;
/// End of a cluster chain.
const LAST: u32 = 0x0fff_ffff;
/// 1980-01-01.
const DATE: u16 = 1 << 5 | 1;
/// "HALL".
const SERIAL: [u8; 4] = *b"HALL";
const LABEL: &[u8; 11] = b"ESP        ";

const ATTRIBUTE_VOLUME: u8 = 0x08;
const ATTRIBUTE_FOLDER: u8 = 0x10;
const ATTRIBUTE_FILE: u8 = 0x20;

/// Makes a volume of `sectors` sectors at sector `hidden` of its disk, holding `contents` at `path`.
///
/// The names of the path are 8.3: up to 8 and 3 of `A-Z 0-9 _ -`.
///
/// # Errors
/// When a name is not 8.3, the volume is too small for FAT32 or too large, or the file does not fit.
pub fn volume(sectors: u32, hidden: u32, path: &[&str], contents: &[u8]) -> Result<Vec<u8>, FatError> {
    let fat_sectors = fat_sectors(sectors).ok_or(FatError::Size(sectors))?;
    let data_start = RESERVED + FATS * fat_sectors;
    let clusters = sectors - data_start;
    let names = path.iter().map(|name| short_name(name)).collect::<Result<Vec<_>, _>>()?;
    let (file, folders) = names.split_last().ok_or_else(|| FatError::Name(String::new()))?;
    let size =
        u32::try_from(contents.len()).map_err(|_| FatError::Full { size: contents.len(), clusters })?;
    let file_clusters = u32::try_from(contents.len().div_ceil(SECTOR)).unwrap_or(u32::MAX);
    // Clusters count from 2: the root folder, one for every folder of the path, then the file.
    let folder_count = 1 + u32::try_from(folders.len()).unwrap_or(u32::MAX);
    let used = file_clusters.saturating_add(folder_count);
    if used > clusters {
        return Err(FatError::Full { size: contents.len(), clusters });
    }
    let file_start = 2 + folder_count;

    let mut out = vec![0; sectors as usize * SECTOR];
    let boot = boot_sector(sectors, hidden, fat_sectors);
    let info = fs_info(clusters - used, 2 + used);
    for (sector, bytes) in [(0, &boot), (1, &info), (6, &boot), (7, &info)] {
        put(&mut out, sector * SECTOR, bytes);
    }

    let mut table = vec![0x0fff_ff00 | u32::from(MEDIA), LAST];
    table.extend((0..folder_count).map(|_| LAST));
    table.extend((1..file_clusters).map(|n| file_start + n));
    if file_clusters > 0 {
        table.push(LAST);
    }
    let table: Vec<u8> = table.into_iter().flat_map(u32::to_le_bytes).collect();
    for copy in 0..FATS {
        put(&mut out, (RESERVED + copy * fat_sectors) as usize * SECTOR, &table);
    }

    let at = |cluster: u32| (data_start + cluster - 2) as usize * SECTOR;
    let mut here = entry(LABEL, ATTRIBUTE_VOLUME, 0, 0).to_vec();
    for (cluster, name) in (2u32..).zip(folders) {
        here.extend(entry(name, ATTRIBUTE_FOLDER, cluster + 1, 0));
        put(&mut out, at(cluster), &here);
        // The root is cluster 0 in "..".
        let parent = if cluster == 2 { 0 } else { cluster };
        here = entry(b".          ", ATTRIBUTE_FOLDER, cluster + 1, 0).to_vec();
        here.extend(entry(b"..         ", ATTRIBUTE_FOLDER, parent, 0));
    }
    here.extend(entry(file, ATTRIBUTE_FILE, if size == 0 { 0 } else { file_start }, size));
    put(&mut out, at(1 + folder_count), &here);
    put(&mut out, at(file_start), contents);
    Ok(out)
}

/// The least sectors of a volume for a file of this size below `folders` folders.
pub fn sectors_for(size: u64, folders: u32) -> u64 {
    let clusters = size.div_ceil(SECTOR as u64) + u64::from(folders) + 1;
    let clusters = clusters.max(u64::from(MIN_CLUSTERS));
    let fat = ((clusters + 2) * 4).div_ceil(SECTOR as u64) + 1;
    u64::from(RESERVED) + u64::from(FATS) * fat + clusters
}

/// Sectors of one FAT: enough for every cluster that is then left.
fn fat_sectors(sectors: u32) -> Option<u32> {
    let rest = sectors.checked_sub(RESERVED)?;
    // One sector of FAT has 128 entries; each cluster costs one in both FATs, two more are reserved.
    let per_sector = 128 + FATS;
    let fat = rest.checked_add(2)?.div_ceil(per_sector);
    let clusters = rest.checked_sub(FATS * fat)?;
    // 0x0fff_fff7 marks a bad cluster; numbers end below.
    (MIN_CLUSTERS..0x0fff_fff5).contains(&clusters).then_some(fat)
}

fn boot_sector(sectors: u32, hidden: u32, fat_sectors: u32) -> [u8; SECTOR] {
    let mut b = [0; SECTOR];
    put(&mut b, 0, b"\xeb\x58\x90HALLMARK"); // jump over the parameters; OEM name
    put(&mut b, 11, &512u16.to_le_bytes()); // bytes in a sector
    put(&mut b, 13, &[1, 32, 0, 2]); // sectors in a cluster, reserved sectors, FATs
    put(&mut b, 21, &[MEDIA]);
    put(&mut b, 24, &32u16.to_le_bytes()); // sectors a track, heads: for readers by geometry, of which there are none
    put(&mut b, 26, &64u16.to_le_bytes());
    put(&mut b, 28, &hidden.to_le_bytes());
    put(&mut b, 32, &sectors.to_le_bytes());
    put(&mut b, 36, &fat_sectors.to_le_bytes());
    put(&mut b, 44, &2u32.to_le_bytes()); // the root folder's cluster
    put(&mut b, 48, &1u16.to_le_bytes()); // FSInfo
    put(&mut b, 50, &6u16.to_le_bytes()); // copy of the boot sector
    put(&mut b, 64, &[0x80, 0, 0x29]); // drive; "serial, label and type follow"
    put(&mut b, 67, &SERIAL);
    put(&mut b, 71, LABEL);
    put(&mut b, 82, b"FAT32   ");
    put(&mut b, 90, b"\xf4\xeb\xfd"); // halt, for a BIOS that starts it
    put(&mut b, 510, &[0x55, 0xaa]);
    b
}

fn fs_info(free: u32, next: u32) -> [u8; SECTOR] {
    let mut b = [0; SECTOR];
    put(&mut b, 0, b"RRaA");
    put(&mut b, 484, b"rrAa");
    put(&mut b, 488, &free.to_le_bytes());
    put(&mut b, 492, &next.to_le_bytes());
    put(&mut b, 508, &[0, 0, 0x55, 0xaa]);
    b
}

/// A folder entry.
fn entry(name: &[u8; 11], attributes: u8, cluster: u32, size: u32) -> [u8; 32] {
    let mut e = [0; 32];
    let [low0, low1, high0, high1] = cluster.to_le_bytes();
    put(&mut e, 0, name);
    put(&mut e, 11, &[attributes]);
    put(&mut e, 16, &DATE.to_le_bytes()); // created
    put(&mut e, 18, &DATE.to_le_bytes()); // read
    put(&mut e, 20, &[high0, high1]);
    put(&mut e, 24, &DATE.to_le_bytes()); // written
    put(&mut e, 26, &[low0, low1]);
    put(&mut e, 28, &size.to_le_bytes());
    e
}

fn short_name(name: &str) -> Result<[u8; 11], FatError> {
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    let plain =
        |s: &str| s.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_-".contains(&b));
    if stem.is_empty() || stem.len() > 8 || extension.len() > 3 || !plain(stem) || !plain(extension) {
        return Err(FatError::Name(name.to_owned()));
    }
    let mut out = [b' '; 11];
    put(&mut out, 0, stem.as_bytes());
    put(&mut out, 8, extension.as_bytes());
    Ok(out)
}

/// Overwrites bytes; every caller's offset lies inside by the sizes computed above.
fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(offset..).and_then(|b| b.get_mut(..value.len())) {
        place.copy_from_slice(value);
    }
}

/// Why there is no volume.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FatError {
    /// Not an upper-case 8.3 name.
    #[error("FAT: {0:?} is not an 8.3 name in upper case")]
    Name(String),
    /// Too small or too large to be FAT32.
    #[error("FAT: {0} sectors are no FAT32 volume (65525 clusters at least)")]
    Size(u32),
    /// The file does not fit.
    #[error("FAT: a file of {size} bytes does not fit into {clusters} clusters")]
    Full {
        /// Of the file.
        size: usize,
        /// Of the volume.
        clusters: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: [&str; 3] = ["EFI", "BOOT", "BOOTX64.EFI"];

    fn at32(bytes: &[u8], offset: usize) -> u32 {
        u32::from_le_bytes(*bytes[offset..].first_chunk().unwrap())
    }

    /// Reads the file back by following folders and FAT.
    fn read(volume: &[u8], path: &[&str]) -> Vec<u8> {
        let fat = at32(volume, 36);
        let data = |cluster: u32| {
            let start = (RESERVED + 2 * fat + cluster - 2) as usize * SECTOR;
            &volume[start..start + SECTOR]
        };
        let chain = |start: u32| {
            std::iter::successors(Some(start), |&c| {
                let next = at32(volume, RESERVED as usize * SECTOR + c as usize * 4);
                (next < 0x0fff_fff8).then_some(next)
            })
        };
        let (mut cluster, mut size) = (at32(volume, 44), None);
        for name in path {
            let name = short_name(name).unwrap();
            let folder: Vec<u8> = chain(cluster).flat_map(|c| data(c).to_vec()).collect();
            let entry = folder.chunks(32).find(|e| e[..11] == name).unwrap();
            cluster = u32::from(entry[20]) << 16
                | u32::from(entry[21]) << 24
                | u32::from(entry[26])
                | u32::from(entry[27]) << 8;
            size = Some(at32(entry, 28) as usize);
        }
        let mut file: Vec<u8> = chain(cluster).flat_map(|c| data(c).to_vec()).collect();
        file.truncate(size.unwrap());
        file
    }

    #[test]
    fn the_file_is_found_again() {
        for size in [1, 511, 512, 513, 100_000] {
            let contents: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let sectors = u32::try_from(sectors_for(size, 2)).unwrap();
            let volume = volume(sectors, 2048, &PATH, &contents).unwrap();
            assert_eq!(volume.len(), sectors as usize * SECTOR);
            assert_eq!(read(&volume, &PATH), contents, "{size}");
            let fat = at32(&volume, 36) as usize * SECTOR;
            let first = RESERVED as usize * SECTOR;
            assert!(volume[first..first + fat] == volume[first + fat..first + 2 * fat]);
        }
    }

    #[test]
    fn limits() {
        let least = u32::try_from(sectors_for(0, 2)).unwrap();
        assert!(volume(least, 0, &PATH, b"").is_ok());
        assert_eq!(volume(60_000, 0, &PATH, b""), Err(FatError::Size(60_000)));
        assert!(matches!(volume(least, 0, &PATH, &vec![0; 40 << 20]), Err(FatError::Full { .. })));
        for name in ["efi", "", "TOOLONGNAME", "A.LONG", ".EFI", "A B", "A.B.C"] {
            assert_eq!(volume(least, 0, &[name], b""), Err(FatError::Name(name.to_owned())));
        }
        assert!(volume(least, 0, &[], b"").is_err());
        // The file that just fits, and one byte more.
        let clusters = (least - RESERVED - 2 * fat_sectors(least).unwrap() - 3) as usize;
        assert!(volume(least, 0, &PATH, &vec![1; clusters * SECTOR]).is_ok());
        assert!(volume(least, 0, &PATH, &vec![1; clusters * SECTOR + 1]).is_err());
    }
}
