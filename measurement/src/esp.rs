//! The UKI on a raw disk image: GPT, then the EFI system partition, then the file that firmware boots without being told.

use std::borrow::Cow;

use crate::fat::{Fat, FatError};
use crate::gpt::{Gpt, GptError};

/// What x86-64 firmware boots from a disk that it has no boot variable for (UEFI 2.10, 3.5.1.1).
pub const FALLBACK_PATH: &str = "/EFI/BOOT/BOOTX64.EFI";

/// A boot image, found.
#[derive(Clone, Debug)]
pub struct LocatedUki<'a> {
    /// Its path on the EFI system partition.
    pub path: String,
    /// The file; borrowed when it lies in one piece.
    pub bytes: Cow<'a, [u8]>,
    /// What the firmware measures of the partition table.
    pub gpt_event: Vec<u8>,
}

/// Why no boot image is found, or none that can be predicted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EspError {
    /// The partition table.
    #[error(transparent)]
    Gpt(#[from] GptError),
    /// The file system.
    #[error("EFI system partition: {0}")]
    Fat(#[from] FatError),
    /// Files that the stub would take and measure.
    #[error(
        "`{0}` is on the EFI system partition: the stub measures what is in it into PCR 12 or 13, which is not predicted; \
         build it into the image instead"
    )]
    Companion(String),
}

/// Finds the image that firmware boots from this disk: [`FALLBACK_PATH`] on the one EFI system partition.
///
/// # Errors
/// When there is no such file, the disk contradicts itself, or something beside the image would be measured too.
pub fn locate_uki(disk: &[u8]) -> Result<LocatedUki<'_>, EspError> {
    locate_uki_at(disk, FALLBACK_PATH)
}

/// As [`locate_uki`], for a boot variable that names another path.
///
/// # Errors
/// As [`locate_uki`].
pub fn locate_uki_at<'a>(disk: &'a [u8], path: &str) -> Result<LocatedUki<'a>, EspError> {
    let gpt = Gpt::parse(disk)?;
    let volume = Fat::parse(gpt.esp()?)?;
    let bytes = volume.read(path)?;
    // systemd-stub(7), "Companion files".
    let beside = format!("{path}.extra.d");
    for companion in [beside.as_str(), "/loader/addons", "/loader/credentials", "/loader/extensions"] {
        if volume.exists(companion)? {
            return Err(EspError::Companion(companion.to_owned()));
        }
    }
    Ok(LocatedUki { path: path.to_owned(), bytes, gpt_event: gpt.event_data() })
}
