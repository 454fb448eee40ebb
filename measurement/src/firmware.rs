//! What a release says of a TDX firmware.

use sha2::{Digest as _, Sha256, Sha384};

use crate::tdvf::TdvfError;
use crate::{Firmware, PageOrder, mrtd};

/// Values that depend on the firmware alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirmwareMeasurement {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// SHA-384 of the configuration volume, RTMR0's second event.
    pub cfv: [u8; 48],
    /// MRTD, one for each kind of host.
    pub platforms: [TdxPlatform; 2],
}

/// A kind of TDX host, told apart by the order in which it measures pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TdxPlatform {
    /// `qemu-tdx` (QEMU 9 and later) or `qemu8-tdx`.
    pub name: &'static str,
    /// How it orders pages.
    pub order: PageOrder,
    /// What MRTD is there.
    pub mrtd: [u8; 48],
}

/// Platform names and their page order.
pub const PLATFORMS: [(&str, PageOrder); 2] =
    [("qemu-tdx", PageOrder::PageByPage), ("qemu8-tdx", PageOrder::SectionBySection)];

/// Measures a firmware file for each kind of host.
///
/// # Errors
/// When the file is no whole TDVF image.
pub fn measure(image: &[u8]) -> Result<FirmwareMeasurement, TdvfError> {
    let firmware = Firmware::parse(image)?;
    Ok(FirmwareMeasurement {
        sha256: Sha256::digest(image).into(),
        cfv: Sha384::digest(firmware.cfv()?).into(),
        platforms: PLATFORMS.map(|(name, order)| TdxPlatform { name, order, mrtd: mrtd(&firmware, order) }),
    })
}
