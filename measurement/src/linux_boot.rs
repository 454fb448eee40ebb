//! What QEMU writes into the setup header of a kernel that it is given with `-kernel`.
//!
//! Linux, "The Linux/x86 Boot Protocol". Firmware then measures the kernel with these bytes in it, so its digest depends on the
//! machine's memory and on the initrd's size. QEMU 10 with recent edk2 measures the kernel as it is.

use crate::field::{array, u16_le, u32_le};

/// Where the changed part of the header begins: `type_of_loader`.
pub(crate) const PATCH_AT: usize = 0x210;
/// Up to and with `cmd_line_ptr`.
const PATCH_LEN: usize = 0x1c;

/// QEMU puts the real-mode part and the command line here.
const REAL_MODE: u32 = 0x1_0000;
const COMMAND_LINE: u32 = 0x2_0000;
/// Room that QEMU's q35 leaves for ACPI tables at the end of low memory.
const ACPI_DATA: u64 = 0x2_8000;
/// q35: from this much memory on, 2 GiB are below 4 GiB.
const SPLIT_FROM: u64 = 0xb000_0000;

/// Why a kernel cannot be patched as QEMU does.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinuxBootError {
    /// A protocol that nobody uses any more.
    #[error(
        "setup header at 0x206: boot protocol {0:#06x} is older than 2.03; QEMU loads such kernels otherwise"
    )]
    Protocol(u16),
    /// No room.
    #[error("an initrd of {initrd} bytes does not fit below {limit:#x}")]
    Initrd {
        /// Its size.
        initrd: u64,
        /// Where low memory ends.
        limit: u64,
    },
}

/// The header's bytes from [`PATCH_AT`] on as QEMU leaves them; `None` when `kernel` has no Linux setup header, and is left alone.
///
/// # Errors
/// When the kernel or its initrd is such that QEMU would not boot it this way.
pub(crate) fn patched_header(
    kernel: &[u8],
    initrd_size: Option<u64>,
    memory: u64,
) -> Result<Option<[u8; PATCH_LEN]>, LinuxBootError> {
    let Some(mut header) = array::<PATCH_LEN>(kernel, PATCH_AT) else { return Ok(None) };
    if array(kernel, 0x202) != Some(*b"HdrS") {
        return Ok(None);
    }
    let protocol = u16_le(kernel, 0x206).unwrap_or_default();
    if protocol < 0x203 {
        return Err(LinuxBootError::Protocol(protocol));
    }
    let mut set = |at: usize, bytes: &[u8]| {
        header.iter_mut().skip(at - PATCH_AT).zip(bytes).for_each(|(to, from)| *to = *from);
    };
    // type_of_loader: QEMU. loadflags: heap usable. heap_end_ptr and cmd_line_ptr.
    set(0x210, &[0xb0]);
    let flags = kernel.get(0x211).copied().unwrap_or_default();
    set(0x211, &[flags | 0x80]);
    set(0x224, &(COMMAND_LINE - REAL_MODE - 0x200).to_le_bytes()[..2]);
    set(0x228, &COMMAND_LINE.to_le_bytes());
    if let Some(size) = initrd_size {
        const ABOVE_4G: u16 = 2;
        let above = protocol >= 0x20c && u16_le(kernel, 0x236).unwrap_or_default() & ABOVE_4G != 0;
        let highest =
            if above { u64::from(u32::MAX) } else { u32_le(kernel, 0x22c).unwrap_or_default().into() };
        let low = if memory < SPLIT_FROM { memory } else { 2 << 30 };
        let highest = highest.min(low.saturating_sub(ACPI_DATA + 1));
        let no_room = LinuxBootError::Initrd { initrd: size, limit: highest };
        let address = highest.checked_sub(size).map(|address| address & !4095);
        let (Some(address), Ok(size)) = (address.and_then(|a| u32::try_from(a).ok()), u32::try_from(size))
        else {
            return Err(no_room);
        };
        set(0x218, &address.to_le_bytes());
        set(0x21c, &size.to_le_bytes());
    }
    Ok(Some(header))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(protocol: u16, xloadflags: u16) -> Vec<u8> {
        let mut kernel = vec![0u8; 0x300];
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        kernel[0x206..0x208].copy_from_slice(&protocol.to_le_bytes());
        kernel[0x211] = 1;
        kernel[0x22c..0x230].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
        kernel[0x236..0x238].copy_from_slice(&xloadflags.to_le_bytes());
        kernel
    }

    #[test]
    fn fills_in_what_qemu_fills_in() {
        let header = patched_header(&kernel(0x20f, 2), Some(0x1234), 1 << 30).unwrap().unwrap();
        assert_eq!(&header[..2], &[0xb0, 0x81]);
        assert_eq!(header[8..12], 0x3ffd_6000u32.to_le_bytes());
        assert_eq!(header[12..16], 0x1234u32.to_le_bytes());
        assert_eq!(header[0x14..0x16], [0x00, 0xfe]);
        assert_eq!(header[0x18..0x1c], 0x2_0000u32.to_le_bytes());
        // From 2.75 GiB on, the address stays.
        let at = |memory| patched_header(&kernel(0x20f, 2), Some(0x1234), memory).unwrap().unwrap();
        assert_eq!(at(SPLIT_FROM), at(64 << 30));
        // A file that is no Linux kernel is not touched: a UKI.
        assert_eq!(patched_header(&[0; 0x300], Some(1), 1 << 30), Ok(None));
        assert_eq!(patched_header(b"HdrS", Some(1), 1 << 30), Ok(None));
    }

    #[test]
    fn refuses_what_does_not_fit() {
        assert_eq!(patched_header(&kernel(0x202, 0), None, 1 << 30), Err(LinuxBootError::Protocol(0x202)));
        assert!(matches!(
            patched_header(&kernel(0x20f, 2), Some(2 << 30), 1 << 30),
            Err(LinuxBootError::Initrd { .. })
        ));
        assert!(matches!(patched_header(&kernel(0x20f, 2), Some(1), 0), Err(LinuxBootError::Initrd { .. })));
    }
}
