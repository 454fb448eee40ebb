//! RTMR0: how the VMM and the firmware are configured, as far as that follows from inputs at hand.
//!
//! Order checked against real TDX logs, before and after edk2 stable202411.

use crate::boot_option::BootOption;
use crate::log::{Event, EventType, Log};
use crate::secure_boot::SecureBoot;
use crate::td_hob::{TdHobError, td_hob};
use crate::tdvf::TdvfError;
use crate::{Digests, Edk2, Firmware, Profile, Register};

/// The shape of a VM, as far as it is measured.
#[derive(Clone, Debug, Default)]
pub struct Vm {
    /// Memory in bytes.
    pub memory: u64,
    /// SHA-384 of the ACPI blobs (`etc/table-loader`, `etc/acpi/rsdp`, `etc/acpi/tables`), in that order. They follow devices, number of
    /// vCPUs and the VMM's version: `None` leaves the events without digests, and RTMR0 without a value.
    pub acpi: Option<[[u8; 48]; 3]>,
    /// SHA-384 of the SMBIOS handoff event, which edk2 2026.08 adds.
    pub smbios: Option<[u8; 48]>,
    /// The options in `BootOrder`, `None` when the devices are not known.
    pub boot_options: Option<Vec<BootOption>>,
}

impl Vm {
    /// A VM that is given its kernel directly: the firmware finds no disk, only its own applications.
    #[must_use]
    pub fn direct(memory: u64, edk2: Edk2) -> Self {
        let options = match edk2 {
            Edk2::V2022_11 | Edk2::V2025_02 => vec![BootOption::ui_app()],
            Edk2::V2026_08 => vec![BootOption::boot_manager_menu(), BootOption::firmware_setup()],
        };
        Self { memory, boot_options: Some(options), ..Self::default() }
    }
}

/// Why RTMR0 cannot be predicted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rtmr0Error {
    /// The firmware.
    #[error(transparent)]
    Firmware(#[from] TdvfError),
    /// The list of memory.
    #[error(transparent)]
    TdHob(#[from] TdHobError),
}

/// The events of RTMR0 under a profile, with the firmware's MRTD-independent parts computed and the host's parts as given.
///
/// # Errors
/// When the firmware lacks a section or the memory does not suit it.
pub fn predict_rtmr0(firmware: &Firmware<'_>, vm: &Vm, profile: &Profile) -> Result<Log, Rtmr0Error> {
    let hob = td_hob(firmware, vm.memory)?;
    let cfv = firmware.cfv()?;
    let given = |digest: Option<[u8; 48]>| Digests { sha256: None, sha384: digest };
    let event = |kind, what: &'static str, digests| Event::new(Register::Rtmr0, kind, what, digests);

    let mut events = vec![
        event(EventType::EfiHandoffTables2, "td-hob", Digests::of(&hob))
            .depending("firmware")
            .depending("vm:memory"),
        event(EventType::EfiPlatformFirmwareBlob2, "cfv", Digests::of(cfv)).depending("firmware:cfv"),
    ];
    events.extend(SecureBoot::of_cfv(cfv, profile.edk2).events(Register::Rtmr0, "firmware:cfv"));
    for (index, what) in ["acpi-loader", "acpi-rsdp", "acpi-tables"].into_iter().enumerate() {
        let digest = vm.acpi.and_then(|acpi| acpi.get(index).copied());
        events.push(event(EventType::PlatformConfigFlags, what, given(digest)).depending("vm:acpi"));
    }
    if profile.edk2 >= Edk2::V2026_08 {
        events.push(event(EventType::EfiHandoffTables, "smbios", given(vm.smbios)).depending("vm:smbios"));
    }
    events.extend(boot_variables(vm.boot_options.as_deref()));
    if !profile.edk2.separates_rtmr1() {
        events.push(Event::separator(Register::Rtmr0));
    }

    let mut log = Log::covering(&[Register::Rtmr0]);
    for mut event in events {
        event.digests = event.digests.sha384_only();
        log.push(event);
    }
    Ok(log)
}

/// `BootOrder`, then each option in that order; the contents of the variables only, unlike the Secure Boot ones.
fn boot_variables(options: Option<&[BootOption]>) -> Vec<Event> {
    let event = |what, data: Vec<u8>| {
        Event::new(Register::Rtmr0, EventType::EfiVariableBoot, what, Digests::of(&data))
            .depending("vm:boot-options")
            .holding(data)
    };
    let Some(options) = options else {
        let unknown =
            Event::new(Register::Rtmr0, EventType::EfiVariableBoot, "boot-options", Digests::UNKNOWN);
        return vec![unknown.depending("vm:boot-options")];
    };
    let order = (0u16..).zip(options).flat_map(|(number, _)| number.to_le_bytes()).collect();
    let order = event("BootOrder".to_owned(), order);
    let each = (0u16..)
        .zip(options)
        .map(|(number, option)| event(format!("Boot{number:04X}"), option.bytes().to_vec()));
    std::iter::once(order).chain(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tdvf::tests::{ENTRIES, synthetic};

    #[test]
    fn what_the_host_decides_leaves_no_value() {
        let image = synthetic(&ENTRIES);
        let firmware = Firmware::parse(&image).unwrap();
        let mut vm = Vm::direct(1 << 30, Edk2::V2025_02);
        let log = predict_rtmr0(&firmware, &vm, &Profile::HALLMARK).unwrap();
        assert!(log.registers().is_empty());
        assert_eq!(log.events().iter().filter(|event| event.digests.is_unknown()).count(), 3);
        vm.acpi = Some([[1; 48], [2; 48], [3; 48]]);
        let log = predict_rtmr0(&firmware, &vm, &Profile::HALLMARK).unwrap();
        assert!(log.registers().contains_key(&Register::Rtmr0));
        vm.boot_options = None;
        let log = predict_rtmr0(&firmware, &vm, &Profile::HALLMARK).unwrap();
        assert!(log.registers().is_empty());
    }

    #[test]
    fn old_firmware_separates_twice() {
        let image = synthetic(&ENTRIES);
        let firmware = Firmware::parse(&image).unwrap();
        let separators = |edk2| {
            let profile = Profile { edk2, ..Profile::HALLMARK };
            let log = predict_rtmr0(&firmware, &Vm::direct(1 << 30, edk2), &profile).unwrap();
            log.events().iter().filter(|event| event.kind == EventType::Separator).count()
        };
        assert_eq!(
            (separators(Edk2::V2022_11), separators(Edk2::V2025_02), separators(Edk2::V2026_08)),
            (2, 1, 1)
        );
    }
}
