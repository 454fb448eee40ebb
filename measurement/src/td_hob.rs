//! The TD HOB: the list of memory that the VMM hands to TDVF, whose digest is RTMR0's first event.
//!
//! Layout: UEFI PI 1.7, volume 3, chapter 5. Contents as QEMU makes them for a q35 machine. The digests of two real logs (2 GiB and
//! 10 GiB) come out of this.

use sha2::{Digest as _, Sha384};

use crate::Firmware;
use crate::tdvf::{Section, SectionKind, TdvfError};

const GIB: u64 = 1 << 30;
/// From this much memory on, q35 keeps 2 GiB below 4 GiB and puts the rest above.
const SPLIT_FROM: u64 = 0xb000_0000;
/// What is below 4 GiB then.
const LOW: u64 = 2 * GIB;
/// `EFI_RESOURCE_SYSTEM_MEMORY`: accepted before the TD ran.
const SYSTEM_MEMORY: u32 = 0;
/// `EFI_RESOURCE_MEMORY_UNACCEPTED`.
const UNACCEPTED: u32 = 7;
/// Present, initialised, tested.
const ATTRIBUTES: u32 = 7;

/// Why a HOB cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TdHobError {
    /// A section is missing.
    #[error(transparent)]
    Firmware(#[from] TdvfError),
    /// Too little memory for the firmware's own sections.
    #[error("{memory:#x} bytes of memory end before the firmware's section at {section:#x}")]
    Memory {
        /// Memory of the machine in bytes.
        memory: u64,
        /// Start of the section that does not fit.
        section: u64,
    },
    /// Not a size that a machine has.
    #[error("{0:#x} bytes of memory: not a whole number of MiB up to 64 TiB")]
    Size(u64),
}

/// SHA-384 of the HOB list of a q35 machine with `memory` bytes, as firmware measures it: without the end HOB.
///
/// # Errors
/// When the memory does not hold the firmware's sections or is no size for a machine.
pub fn td_hob_digest(firmware: &Firmware<'_>, memory: u64) -> Result<[u8; 48], TdHobError> {
    Ok(Sha384::digest(td_hob(firmware, memory)?).into())
}

/// The HOB list itself, without the end HOB.
///
/// # Errors
/// As [`td_hob_digest`].
pub fn td_hob(firmware: &Firmware<'_>, memory: u64) -> Result<Vec<u8>, TdHobError> {
    if memory == 0 || !memory.is_multiple_of(1 << 20) || memory > 64 << 40 {
        return Err(TdHobError::Size(memory));
    }
    let low = if memory < SPLIT_FROM { memory } else { LOW };
    let base = firmware.first(SectionKind::TdHob)?.address;
    let resources = resources(firmware, memory, low)?;

    let length = 56 + 48 * resources.len() as u64;
    let mut hob = Vec::new();
    // Handoff information table (PHIT): type 1, length 56, version 9, no addresses but the end of the list, end HOB included.
    hob.extend(1u16.to_le_bytes());
    hob.extend(56u16.to_le_bytes());
    hob.extend(0u32.to_le_bytes());
    hob.extend(9u32.to_le_bytes());
    hob.extend([0; 36]);
    hob.extend(base.saturating_add(length).saturating_add(8).to_le_bytes());
    for (kind, start, size) in resources {
        // Resource descriptor: type 3, length 48, no owner.
        hob.extend(3u16.to_le_bytes());
        hob.extend(48u16.to_le_bytes());
        hob.extend([0; 20]);
        hob.extend(kind.to_le_bytes());
        hob.extend(ATTRIBUTES.to_le_bytes());
        hob.extend(start.to_le_bytes());
        hob.extend(size.to_le_bytes());
    }
    Ok(hob)
}

/// `(type, start, size)`, by address: what the VMM accepted for the firmware, and the rest.
fn resources(firmware: &Firmware<'_>, memory: u64, low: u64) -> Result<Vec<(u32, u64, u64)>, TdHobError> {
    let mut accepted: Vec<&Section<'_>> = firmware
        .sections()
        .iter()
        .filter(|section| matches!(section.kind, SectionKind::TdHob | SectionKind::TempMem))
        .collect();
    accepted.sort_by_key(|section| section.address);
    let mut list = Vec::new();
    let mut at = 0u64;
    for section in accepted {
        let end = section.address.saturating_add(section.memory);
        if end > low {
            return Err(TdHobError::Memory { memory, section: section.address });
        }
        if section.address > at {
            list.push((UNACCEPTED, at, section.address - at));
        }
        list.push((SYSTEM_MEMORY, section.address, section.memory));
        at = end;
    }
    if low > at {
        list.push((UNACCEPTED, at, low - at));
    }
    if memory > low {
        list.push((UNACCEPTED, 4 * GIB, memory - low));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tdvf::tests::{ENTRIES, synthetic};

    #[test]
    fn splits_memory_at_the_boundary() {
        let image = synthetic(&ENTRIES);
        let firmware = Firmware::parse(&image).unwrap();
        let ranges =
            |memory| resources(&firmware, memory, if memory < SPLIT_FROM { memory } else { LOW }).unwrap();
        assert_eq!(
            ranges(GIB),
            [
                (UNACCEPTED, 0, 0x80_0000),
                (SYSTEM_MEMORY, 0x80_0000, 0x3000),
                (UNACCEPTED, 0x80_3000, 0x6000),
                (SYSTEM_MEMORY, 0x80_9000, 0x2000),
                (UNACCEPTED, 0x80_b000, GIB - 0x80_b000),
            ]
        );
        assert_eq!(ranges(SPLIT_FROM - (1 << 20)).len(), 5);
        assert_eq!(ranges(SPLIT_FROM).last(), Some(&(UNACCEPTED, 4 * GIB, SPLIT_FROM - LOW)));
        let total: u64 = ranges(10 * GIB).iter().map(|(_, _, size)| size).sum();
        assert_eq!(total, 10 * GIB);
    }

    #[test]
    fn refuses_impossible_memory() {
        let image = synthetic(&ENTRIES);
        let firmware = Firmware::parse(&image).unwrap();
        for memory in [0, 1, 4096, 65 << 40, u64::MAX] {
            assert_eq!(td_hob(&firmware, memory), Err(TdHobError::Size(memory)));
        }
        assert_eq!(
            td_hob(&firmware, 8 << 20),
            Err(TdHobError::Memory { memory: 8 << 20, section: 0x80_0000 })
        );
        let hob = td_hob(&firmware, GIB).unwrap();
        assert_eq!(hob.len(), 56 + 5 * 48);
    }
}
