//! A GUID partition table with one partition: protective MBR, primary and backup.
//!
//! UEFI 2.10, chapter 5. GUIDs are derived from names by hash, so that two images of one size have one table: a
//! changed image then shows as a changed UKI, not as a changed disk.

use sha2::{Digest as _, Sha256};

/// Bytes in a sector.
pub const SECTOR: usize = 512;

/// The first sector of the partition: 1 MiB.
pub const FIRST: u32 = 2048;

/// Entries of a table, each [`ENTRY`] bytes: the least that the specification allows.
const ENTRIES: u32 = 128;
const ENTRY: u32 = 128;
/// Sectors of the entries.
const TABLE: u64 = 32;
/// C12A7328-F81F-11D2-BA4B-00A0C93EC93B: EFI system partition, as on disk.
const ESP: [u8; 16] =
    [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];

/// Puts the table around a partition that starts at sector [`FIRST`] and fills `sectors` sectors of a disk of
/// `disk_sectors`. Gives the first 34 and the last 33 sectors.
///
/// # Errors
/// When the partition does not fit between the two copies of the table.
pub fn table(disk_sectors: u64, sectors: u64) -> Result<(Vec<u8>, Vec<u8>), GptError> {
    let too_small = GptError { disk_sectors, sectors };
    let last_usable = disk_sectors.checked_sub(TABLE + 2).ok_or(too_small.clone())?;
    let last = sectors.checked_sub(1).and_then(|n| n.checked_add(FIRST.into())).ok_or(too_small.clone())?;
    if last > last_usable {
        return Err(too_small);
    }

    let mut entries = ESP.to_vec();
    entries.extend(guid("hallmark/gpt/esp"));
    entries.extend(u64::from(FIRST).to_le_bytes());
    entries.extend(last.to_le_bytes());
    entries.extend([0; 8]); // attributes
    entries.extend("esp".encode_utf16().flat_map(u16::to_le_bytes));
    entries.resize((ENTRIES * ENTRY) as usize, 0);
    let header = |here: u64, other: u64, table: u64| {
        let mut h = b"EFI PART\0\0\x01\0".to_vec();
        h.extend(92u32.to_le_bytes());
        h.extend([0; 8]); // CRC, reserved
        for field in [here, other, TABLE + 2, last_usable] {
            h.extend(field.to_le_bytes());
        }
        h.extend(guid("hallmark/gpt/disk"));
        h.extend(table.to_le_bytes());
        for field in [ENTRIES, ENTRY, crc32fast::hash(&entries)] {
            h.extend(field.to_le_bytes());
        }
        let crc = crc32fast::hash(&h).to_le_bytes();
        h.splice(16..20, crc);
        h.resize(SECTOR, 0);
        h
    };

    let end = disk_sectors - 1;
    let mut front = protective_mbr(disk_sectors);
    front.extend(header(1, end, 2));
    front.extend(&entries);
    let mut back = entries.clone();
    back.extend(header(end, 1, end - TABLE));
    Ok((front, back))
}

/// UEFI 2.10, 5.2.3: one partition of type 0xEE over the whole disk.
fn protective_mbr(disk_sectors: u64) -> Vec<u8> {
    let size = u32::try_from(disk_sectors - 1).unwrap_or(u32::MAX);
    let mut mbr = vec![0; 446];
    mbr.extend([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff]);
    mbr.extend(1u32.to_le_bytes());
    mbr.extend(size.to_le_bytes());
    mbr.resize(510, 0);
    mbr.extend([0x55, 0xaa]);
    mbr
}

/// A GUID from a name: SHA-256, with the version and variant bits of RFC 9562's version 8.
fn guid(name: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = digest;
    // The first three fields are little-endian on disk: the version is in the eighth byte.
    [a, b, c, d, e, f, g, h & 0x0f | 0x80, i & 0x3f | 0x80, j, k, l, m, n, o, p]
}

/// The partition does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("GPT: a partition of {sectors} sectors does not fit on a disk of {disk_sectors}")]
pub struct GptError {
    /// Of the disk.
    pub disk_sectors: u64,
    /// Of the partition.
    pub sectors: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_copies_are_consistent() {
        let (front, back) = table(10_000, 5_000).unwrap();
        assert_eq!((front.len(), back.len()), (34 * SECTOR, 33 * SECTOR));
        for (header, here, other) in [(&front[SECTOR..], 1u64, 9_999u64), (&back[32 * SECTOR..], 9_999, 1)] {
            let mut h = header[..92].to_vec();
            assert_eq!(&h[..8], b"EFI PART");
            let crc = u32::from_le_bytes(*h[16..].first_chunk().unwrap());
            h[16..20].fill(0);
            assert_eq!(crc32fast::hash(&h), crc);
            assert_eq!(h[24..32], here.to_le_bytes());
            assert_eq!(h[32..40], other.to_le_bytes());
        }
        assert_eq!(front[2 * SECTOR..], back[..32 * SECTOR]);
        assert_eq!(front[510..512], [0x55, 0xaa]);
    }

    #[test]
    fn limits() {
        let least = u64::from(FIRST) + 100 + TABLE + 1;
        assert!(table(least, 100).is_ok());
        assert!(table(least - 1, 100).is_err());
        assert!(table(0, 1).is_err());
        assert!(table(u64::MAX, u64::MAX).is_err());
        assert!(table(u64::MAX, 0).is_err());
    }
}
