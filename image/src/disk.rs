//! The raw disk: a GUID partition table and an EFI system partition with the UKI at the path that firmware tries
//! without being told (UEFI 2.10, 3.5.1.1).

use crate::{
    fat::{self, FatError},
    gpt::{self, GptError},
};

/// Where the UKI lies on the ESP.
pub const PATH: [&str; 3] = ["EFI", "BOOT", "BOOTX64.EFI"];

/// The partition's size is a multiple of this, in sectors (16 MiB): images that differ by little have the same
/// partition table, and so the same measurement of it.
const STEP: u64 = 32_768;

/// Sectors behind the partition: 1 MiB, of which the backup table takes 33.
const TAIL: u64 = 2048;

/// Builds the disk around a UKI.
///
/// # Errors
/// When the UKI is too large for a FAT32 volume.
pub fn disk(uki: &[u8]) -> Result<Vec<u8>, DiskError> {
    let sectors = fat::sectors_for(uki.len() as u64, 2).next_multiple_of(STEP);
    let volume_sectors = u32::try_from(sectors).map_err(|_| DiskError::TooLarge(uki.len()))?;
    let volume = fat::volume(volume_sectors, gpt::FIRST, &PATH, uki)?;
    let disk_sectors = u64::from(gpt::FIRST) + sectors + TAIL;
    let (front, back) = gpt::table(disk_sectors, sectors)?;
    let size = usize::try_from(disk_sectors).unwrap_or(usize::MAX).saturating_mul(gpt::SECTOR);
    let mut out = Vec::with_capacity(size);
    out.extend(front);
    out.resize(gpt::FIRST as usize * gpt::SECTOR, 0);
    out.extend(volume);
    out.resize(size.saturating_sub(back.len()), 0);
    out.extend(back);
    Ok(out)
}

/// Why there is no disk.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// The file system.
    #[error(transparent)]
    Fat(#[from] FatError),
    /// The partition table.
    #[error(transparent)]
    Gpt(#[from] GptError),
    /// Too large for 32-bit sector numbers.
    #[error("disk: a UKI of {0} bytes is too large")]
    TooLarge(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_whole_mebibytes_and_changes_with_the_uki_alone() {
        let one = disk(b"one").unwrap();
        let two = disk(b"two").unwrap();
        assert_eq!(one.len() % (1 << 20), 0);
        assert_eq!(one.len(), two.len());
        let differ: Vec<_> = (0..one.len()).filter(|&i| one[i] != two[i]).collect();
        assert_eq!(differ.len(), 3);
        assert_eq!(disk(b"one").unwrap(), one);
    }
}
