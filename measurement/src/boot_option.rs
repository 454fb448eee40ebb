//! Boot variables as OVMF makes them: `BootOrder` and `Boot####`, whose contents are measured into PCR 1 or RTMR0.
//!
//! UEFI 2.10, 3.1.3 (`EFI_LOAD_OPTION`) and chapter 10 (device paths). Which options there are follows the machine's devices.

use crate::field::utf16_nul;
use crate::guid::guid;

/// OVMF's volume of drivers.
const VOLUME: [u8; 16] = guid(0x7cb8_bdc9, 0xf8eb, 0x4f34, [0xaa, 0xea, 0x3e, 0xe4, 0xaf, 0x65, 0x16, 0xa1]);
const UI_APP: [u8; 16] = guid(0x462c_aa21, 0x7614, 0x4503, [0x83, 0x6e, 0x8a, 0xb6, 0xf4, 0x66, 0x23, 0x31]);
const BOOT_MANAGER_MENU: [u8; 16] =
    guid(0xeec2_5bdc, 0x67f2, 0x4d95, [0xb1, 0xd5, 0xf8, 0x1b, 0x20, 0x39, 0xd1, 0x1d]);
const SHELL: [u8; 16] = guid(0x7c04_a583, 0x9e3e, 0x4f1c, [0xad, 0x65, 0xe0, 0x52, 0x68, 0xd0, 0xb4, 0xd1]);
/// Marks options that the boot manager made by itself.
const AUTO_CREATED: [u8; 16] =
    guid(0x8108_ac4e, 0x9f11, 0x4d59, [0x85, 0x0e, 0xe2, 0x1a, 0x52, 0x2c, 0x59, 0xb2]);

const ACTIVE: u32 = 1;
const HIDDEN: u32 = 8;
const CATEGORY_APP: u32 = 0x100;

/// A boot option: the bytes of a `Boot####` variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootOption(Vec<u8>);

impl BootOption {
    /// An option given as the bytes of its variable.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The setup menu, up to edk2 2025.02: 62 bytes.
    #[must_use]
    pub fn ui_app() -> Self {
        Self::application(CATEGORY_APP | ACTIVE | HIDDEN, "UiApp", &UI_APP)
    }

    /// The boot menu of edk2 2026.08: 88 bytes.
    #[must_use]
    pub fn boot_manager_menu() -> Self {
        Self::application(CATEGORY_APP | ACTIVE | HIDDEN, "BootManagerMenuApp", &BOOT_MANAGER_MENU)
    }

    /// The setup menu of edk2 2026.08: 88 bytes.
    #[must_use]
    pub fn firmware_setup() -> Self {
        Self::application(CATEGORY_APP | ACTIVE, "EFI Firmware Setup", &UI_APP)
    }

    /// The shell, in builds that have it.
    #[must_use]
    pub fn internal_shell() -> Self {
        Self::application(ACTIVE, "EFI Internal Shell", &SHELL)
    }

    /// A virtio disk in a slot of the root bus, as the boot manager finds it.
    #[must_use]
    pub fn virtio_disk(device: u8, function: u8) -> Self {
        // ACPI PNP0A03 0, PCI, end.
        let mut path = vec![2, 1, 12, 0, 0xd0, 0x41, 0x03, 0x0a, 0, 0, 0, 0];
        path.extend([1, 1, 6, 0, function, device]);
        path.extend(END);
        Self::new(ACTIVE, "UEFI Misc Device", &path, &AUTO_CREATED)
    }

    /// The variable's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn application(attributes: u32, description: &str, file: &[u8; 16]) -> Self {
        // Firmware volume, file in it, end.
        let mut path = vec![4, 7, 20, 0];
        path.extend(VOLUME);
        path.extend([4, 6, 20, 0]);
        path.extend(file);
        path.extend(END);
        Self::new(attributes, description, &path, &[])
    }

    fn new(attributes: u32, description: &str, path: &[u8], optional: &[u8]) -> Self {
        let mut option = attributes.to_le_bytes().to_vec();
        option.extend(u16::try_from(path.len()).unwrap_or(u16::MAX).to_le_bytes());
        option.extend(utf16_nul(description));
        option.extend(path);
        option.extend(optional);
        Self(option)
    }
}

const END: [u8; 4] = [0x7f, 0xff, 4, 0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_real_logs() {
        assert_eq!(BootOption::ui_app().bytes().len(), 62);
        assert_eq!(BootOption::boot_manager_menu().bytes().len(), 88);
        assert_eq!(BootOption::firmware_setup().bytes().len(), 88);
        assert_eq!(BootOption::internal_shell().bytes().len(), 88);
        assert_eq!(BootOption::virtio_disk(1, 0).bytes().len(), 78);
    }
}
