//! What is measured: kernels, stubs, UKIs, firmware, disks.

use hallmark_image::pe::Image;
use hallmark_measurement::authenticode::authenticode_digests;
use hallmark_measurement::fat::Fat;
use hallmark_measurement::pe::Pe;
use hallmark_measurement::uki::Uki;
use hallmark_measurement::{
    DirectBoot, Edk2, Firmware, PageOrder, Profile, Stub, Vm, locate_uki, mrtd, predict_direct, predict_disk,
    predict_rtmr0, predict_uki,
};

use crate::small_disk::with_checksums;

/// Images whose sections ask for more memory are measured in time that they themselves choose, within the bounds that
/// their parsers set: not here, where every run should be quick.
const MEMORY_MAX: u64 = 1 << 20;

/// Kernels, stubs, UKIs; firmware too.
pub(crate) fn pe(data: &[u8]) {
    if let Ok(pe) = Pe::parse(data) {
        let zeros: usize = pe.sections().iter().map(|section| section.zeros()).fold(0, usize::saturating_add);
        let _ = authenticode_digests(&pe);
        if zeros as u64 <= MEMORY_MAX {
            predict(data);
        }
    }
    append(data);
    if let Ok(firmware) = Firmware::parse(data)
        && firmware.sections().iter().map(|section| section.memory).sum::<u64>() <= MEMORY_MAX
    {
        assert!(firmware.cfv().is_ok());
        for order in [PageOrder::PageByPage, PageOrder::SectionBySection] {
            let _ = mrtd(&firmware, order);
        }
        let _ = predict_rtmr0(&firmware, &Vm::direct(2 << 30, Edk2::V2025_02), &Profile::HALLMARK);
    }
}

fn predict(data: &[u8]) {
    for stub in [Stub::V252, Stub::V257] {
        let profile = Profile { stub, ..Profile::HALLMARK };
        let _ = predict_uki(data, &profile);
        let direct = DirectBoot { kernel: data, initrd: Some(b"initrd"), cmdline: "quiet", memory: 2 << 30 };
        let _ = predict_direct(&direct, &profile);
    }
    if let Ok(uki) = Uki::parse(data) {
        assert!(!uki.linux().is_empty());
    }
}

/// What the builder adds to an image is what the predictor finds in it.
fn append(data: &[u8]) {
    const ADDED: (&str, &[u8]) = (".added", b"SIMULATED");
    let Ok(image) = Image::parse(data) else { return };
    let Ok(appended) = image.append(&[ADDED]) else { return };
    let again = Image::parse(&appended).expect("what was written can be read");
    assert_eq!(again.sections().len(), image.sections().len() + 1);
    if Pe::parse(data).is_ok() {
        let pe = Pe::parse(&appended).expect("the predictor reads what the builder wrote");
        assert!(
            pe.sections()
                .last()
                .is_some_and(|section| section.is_named(ADDED.0) && section.loaded() == ADDED.1)
        );
    }
}

/// Disks: GPT, FAT, and the UKI within. Once as they are, once with the checksums that the bytes should have, which
/// a fuzzer does not find by itself; and as a FAT volume, which has none.
pub(crate) fn gpt(data: &[u8]) {
    disk(data);
    if let Some(repaired) = with_checksums(data) {
        disk(&repaired);
    }
    if let Ok(volume) = Fat::parse(data) {
        let file = volume.read("/EFI/BOOT/BOOTX64.EFI");
        assert!(file.is_err() || volume.exists("/efi/boot/bootx64.efi").is_ok_and(|there| there));
        assert!(file.is_err() || file.is_ok_and(|bytes| bytes.len() <= data.len()));
    }
}

fn disk(data: &[u8]) {
    let Ok(located) = locate_uki(data) else { return };
    assert!(located.bytes.len() <= data.len());
    // As with any UKI.
    let quick = |pe: &Pe<'_>| {
        pe.sections().iter().map(|section| section.zeros()).fold(0, usize::saturating_add) as u64
            <= MEMORY_MAX
    };
    if Pe::parse(&located.bytes).is_ok_and(|pe| quick(&pe))
        && let Ok(prediction) = predict_disk(data, &Profile::HALLMARK)
    {
        assert!(!prediction.vtpm.events().is_empty() && !prediction.tdx.events().is_empty());
    }
}
