//! The files that a machine starts from: its firmware and its disk.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::advice::Advice;
use crate::path::{AbsolutePath, PathError};

/// Why a file cannot be a machine's firmware or disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// It could not be looked at.
    #[error("cannot open {what} {path:?}")]
    Open {
        /// `firmware` or `disk`.
        what: &'static str,
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A folder, a pipe, ...
    #[error("{what} {path:?} is not a file")]
    NotAFile {
        /// `firmware` or `disk`.
        what: &'static str,
        /// The path as given.
        path: PathBuf,
    },
    /// QEMU maps `-bios` files in units of 64 KiB that end at 4 GiB.
    #[error("firmware {path:?} has {size} bytes, not a multiple of 65536 from 65536 to {max}", max = Firmware::MAX_SIZE)]
    FirmwareSize {
        /// The path as given.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// A disk has whole sectors.
    #[error("disk {path:?} has {size} bytes, not a positive multiple of 512")]
    DiskSize {
        /// The path as given.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// The full path is not one for an option.
    #[error("{what} cannot be named in an option")]
    Path {
        /// `firmware` or `disk`.
        what: &'static str,
        /// Which rule it breaks.
        #[source]
        source: PathError,
    },
}

impl Advice for MediaError {
    fn slug(&self) -> &'static str {
        match self {
            Self::FirmwareSize { .. } => "firmware-size",
            Self::DiskSize { .. } => "disk-size",
            Self::Open { what, .. } | Self::NotAFile { what, .. } | Self::Path { what, .. } => {
                if *what == "disk" { "disk-open" } else { "firmware-open" }
            }
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::FirmwareSize { .. } => {
                "take a whole OVMF.fd; the split OVMF_CODE files have no variable store and do not work here"
                    .into()
            }
            Self::DiskSize { .. } => {
                "take the disk.raw of a build; compressed or VHD images do not work here".into()
            }
            _ => "check the path".into(),
        }
    }
}

/// A whole firmware file (`OVMF.fd`: code and variable store in one) for `-bios`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firmware(AbsolutePath);

impl Firmware {
    const UNIT: u64 = 0x1_0000;
    /// Largest file taken.
    pub const MAX_SIZE: u64 = 16 << 20;

    /// Looks the file up and checks its size; the contents are the guest's business.
    ///
    /// # Errors
    /// When it cannot be opened, is no regular file, or has no firmware's size.
    pub fn open(path: &Path) -> Result<Self, MediaError> {
        let (resolved, size) = look_up("firmware", path, false)?;
        if size == 0 || size % Self::UNIT != 0 || size > Self::MAX_SIZE {
            return Err(MediaError::FirmwareSize { path: path.into(), size });
        }
        Ok(Self(resolved))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &AbsolutePath {
        &self.0
    }
}

/// What a guest's writes to its disk become. The file itself never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Writes {
    /// They fail: the guest sees a read-only disk.
    #[default]
    Refused,
    /// They go to an overlay that is gone when the machine is.
    Discarded,
}

/// A raw disk image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    path: AbsolutePath,
    writes: Writes,
}

impl Disk {
    /// Looks the file up and checks its size; the contents are the guest's business.
    ///
    /// # Errors
    /// When it cannot be opened, is neither file nor block device, or has no disk's size.
    pub fn open(path: &Path, writes: Writes) -> Result<Self, MediaError> {
        let (resolved, size) = look_up("disk", path, true)?;
        if size == 0 || size % 512 != 0 {
            return Err(MediaError::DiskSize { path: path.into(), size });
        }
        Ok(Self { path: resolved, writes })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &AbsolutePath {
        &self.path
    }

    /// What the guest's writes become.
    #[must_use]
    pub fn writes(&self) -> Writes {
        self.writes
    }
}

fn look_up(what: &'static str, path: &Path, device: bool) -> Result<(AbsolutePath, u64), MediaError> {
    let open = |source| MediaError::Open { what, path: path.into(), source };
    let resolved = path.canonicalize().map_err(open)?;
    let mut file = std::fs::File::open(&resolved).map_err(open)?;
    let metadata = file.metadata().map_err(open)?;
    let size = if metadata.is_file() {
        metadata.len()
    } else if device && metadata.file_type().is_block_device() {
        // A block device's length is where its end is; its metadata says 0.
        io::Seek::seek(&mut file, io::SeekFrom::End(0)).map_err(open)?
    } else {
        return Err(MediaError::NotAFile { what, path: path.into() });
    };
    let resolved = AbsolutePath::new(resolved).map_err(|source| MediaError::Path { what, source })?;
    Ok((resolved, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, name: &str, size: u64) -> PathBuf {
        let path = folder.join(name);
        std::fs::File::create(&path).unwrap().set_len(size).unwrap();
        path
    }

    #[test]
    fn firmware_is_a_multiple_of_64_kib() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Firmware::open(&file(folder.path(), "whole", 4 << 20)).is_ok());
        // The size of Debian's split OVMF_CODE_4M.fd, of an empty file, and of one that is too large.
        for size in [3_653_632, 0, (16 << 20) + 0x1_0000] {
            let error = Firmware::open(&file(folder.path(), "odd", size)).unwrap_err();
            assert!(matches!(error, MediaError::FirmwareSize { size: got, .. } if got == size));
            assert_eq!(error.slug(), "firmware-size");
        }
    }

    #[test]
    fn a_disk_has_whole_sectors_and_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Disk::open(&file(folder.path(), "disk", 1024), Writes::Refused).is_ok());
        for size in [0, 511, 513] {
            let error = Disk::open(&file(folder.path(), "odd", size), Writes::Refused).unwrap_err();
            assert!(matches!(error, MediaError::DiskSize { .. }));
        }
        assert!(matches!(Disk::open(folder.path(), Writes::Refused), Err(MediaError::NotAFile { .. })));
        let error = Disk::open(&folder.path().join("none"), Writes::Refused).unwrap_err();
        assert!(matches!(error, MediaError::Open { .. }));
        assert_eq!(error.slug(), "disk-open");
        assert!(error.three_lines().contains("\nwhy: "), "{}", error.three_lines());
    }

    #[test]
    fn paths_are_made_absolute() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join(".").join("disk");
        file(folder.path(), "disk", 512);
        let disk = Disk::open(&name, Writes::Discarded).unwrap();
        assert_eq!(disk.path().as_path(), folder.path().canonicalize().unwrap().join("disk"));
    }
}
