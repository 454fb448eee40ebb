//! Real TDX logs: what is predicted without their image's bytes.

use hallmark_measurement::boot_option::BootOption;
use hallmark_measurement::td_hob::td_hob_digest;
use hallmark_measurement::{
    DirectBoot, Edk2, EventType, Firmware, Kernel, Profile, Register, Stub, Vm, Vmm, predict_direct,
    predict_rtmr0,
};

use crate::images;
use crate::logs::{Logged, assert_same, read};
use crate::vectors::{ovmf_2025_02, ovmf_tdx_2026_08, vector};

const GIB: u64 = 1 << 30;

fn of(log: &[Logged], rtmr: u32) -> Vec<&Logged> {
    log.iter().filter(|event| event.index == rtmr + 1).collect()
}

#[test]
fn td_hob_of_two_real_guests() {
    let (Some(image), Some(two), Some(ten)) = (
        ovmf_tdx_2026_08(),
        vector("measurement/ccel/CCEL_data_ovmf"),
        vector("measurement/ccel/CCEL_data_grub"),
    ) else {
        return;
    };
    let firmware = Firmware::parse(&image).unwrap();
    for (log, memory) in [(two, 2 * GIB), (ten, 10 * GIB)] {
        let log = read(&log);
        assert_eq!(log[0].kind, EventType::EfiHandoffTables2.value());
        assert_eq!(log[0].digests.sha384, Some(td_hob_digest(&firmware, memory).unwrap()));
    }
}

/// RTMR0 of a direct boot, every event: the firmware of that log is not at hand, but its configuration volume is that of
/// Debian's 2025.02 and its memory layout that of the inteltdx build, so each part is taken from the one that has it.
#[test]
fn rtmr0_of_a_direct_boot() {
    let (Some(layout), Some(volume), Some(log)) =
        (ovmf_tdx_2026_08(), ovmf_2025_02(), vector("measurement/ccel/CCEL_data_ovmf"))
    else {
        return;
    };
    let log = read(&log);
    let logged = of(&log, 0);
    // The volume takes the first 0x84000 bytes of both.
    let image = [&volume[..0x8_4000], &layout[0x8_4000..]].concat();
    let firmware = Firmware::parse(&image).unwrap();
    let acpi: Vec<_> =
        logged.iter().filter(|event| event.kind == 0xa).map(|event| event.digests.sha384.unwrap()).collect();
    let profile = Profile { edk2: Edk2::V2022_11, vmm: Vmm::Qemu8, stub: Stub::V257, kernel: Kernel::V6_12 };
    let vm = Vm { acpi: Some(acpi.try_into().unwrap()), ..Vm::direct(2 * GIB, profile.edk2) };
    // That firmware is old enough for two separators, but was built without Secure Boot.
    let predicted = predict_rtmr0(&firmware, &vm, &profile).unwrap();
    let modern = predict_rtmr0(&firmware, &vm, &Profile { edk2: Edk2::V2025_02, ..profile }).unwrap();
    let variables = modern.events().iter().take(7);
    let rest = predicted.events().iter().skip(7);
    assert_same(Register::Rtmr0, variables.chain(rest), &logged);
}

/// The constants of RTMR1 and the order around them.
#[test]
fn rtmr1_and_2_of_a_direct_boot_have_the_predicted_shape() {
    let Some(log) = vector("measurement/ccel/CCEL_data_ovmf") else { return };
    let log = read(&log);
    let kernel = images::kernel();
    let profile = Profile { edk2: Edk2::V2022_11, vmm: Vmm::Qemu8, stub: Stub::V257, kernel: Kernel::V6_12 };
    let direct =
        DirectBoot { kernel: &kernel, initrd: Some(b"initrd"), cmdline: "console=hvc0", memory: 2 * GIB };
    let predicted = predict_direct(&direct, &profile).unwrap();
    for (register, rtmr) in [(Register::Rtmr1, 1), (Register::Rtmr2, 2)] {
        let logged = of(&log, rtmr);
        let predicted: Vec<_> = predicted.tdx.of(register).collect();
        assert_eq!(predicted.len(), logged.len(), "{register}");
        for (mine, real) in predicted.iter().zip(&logged) {
            assert_eq!(mine.kind.value(), real.kind, "{register} {}", mine.what);
            if mine.depends.is_empty() {
                assert_eq!(mine.digests, real.digests, "{register} {}", mine.what);
            }
        }
    }
}

/// Boot through an ESP, after stable202411: order of separator, GPT and application in RTMR1.
#[test]
fn rtmr1_of_a_google_guest_begins_as_predicted() {
    let Some(log) = vector("by-source/google+go-tdx-guest/testing/testdata/ccel/ccel_data.dat") else {
        return;
    };
    let log = read(&log);
    let logged = of(&log, 1);
    let predicted = hallmark_measurement::predict_disk(&images::disk(), &Profile::HALLMARK).unwrap();
    let predicted: Vec<_> = predicted.tdx.of(Register::Rtmr1).collect();
    for (mine, real) in predicted.iter().zip(&logged).take(4) {
        assert_eq!(mine.kind.value(), real.kind, "{}", mine.what);
        if mine.depends.is_empty() {
            assert_eq!(mine.digests, real.digests, "{}", mine.what);
        }
    }
    // The last two as well.
    for (mine, real) in predicted.iter().rev().zip(logged.iter().rev()).take(2) {
        assert_eq!(mine.digests, real.digests, "{}", mine.what);
    }
    // One separator in RTMR0.
    assert_eq!(of(&log, 0).iter().filter(|event| event.kind == 4).count(), 1);
    assert!(logged.iter().any(|event| event.kind == 4));
}

#[test]
fn the_setup_menu_option_is_the_one_in_real_logs() {
    let Some(log) = vector("measurement/ccel/CCEL_data_grub") else { return };
    let log = read(&log);
    let found = log.iter().filter(|event| event.kind == EventType::EfiVariableBoot.value());
    let data: Vec<_> = found.map(|event| event.data.as_slice()).collect();
    assert!(data.iter().any(|data| data.ends_with(BootOption::ui_app().bytes())));
}
