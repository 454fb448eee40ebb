//! Bytes meant to break a reader: cut, flipped, random. No panic, no endless loop, and never the same prediction for another image.

use hallmark_measurement::fat::Fat;
use hallmark_measurement::gpt::Gpt;
use hallmark_measurement::secure_boot::SecureBoot;
use hallmark_measurement::{Edk2, Firmware, PageOrder, Profile, mrtd, predict_disk, predict_uki};
use proptest::prelude::*;

use crate::images::{ESP_TYPE, FatKind, fat_sized, gpt, seal_gpt, uki};

fn small_volume() -> Vec<u8> {
    fat_sized(
        FatKind::Fat12,
        &[("/EFI/BOOT/BOOTX64.EFI", &uki()), ("/EFI/Linux/a long name.efi", b"x")],
        false,
        60,
        1,
    )
}

fn small_disk() -> Vec<u8> {
    gpt(&[(ESP_TYPE, &small_volume())])
}

#[test]
fn every_truncation_of_an_image() {
    let image = uki();
    assert!(predict_uki(&image, &Profile::HALLMARK).is_ok());
    for len in 0..image.len() {
        assert!(predict_uki(&image[..len], &Profile::HALLMARK).is_err(), "{len}");
    }
}

#[test]
fn every_flipped_byte_of_an_image_is_seen() {
    let mut image = uki();
    let before = predict_uki(&image, &Profile::HALLMARK).unwrap().tdx.registers();
    // What no hash covers: the checksum, and the address of a certificate table that is not there. Their kin inside of `.linux`
    // are covered by the section's own event.
    let uncovered: Vec<_> = (0x58 + 64..0x58 + 68).chain(0x58 + 144..0x58 + 148).collect();
    for at in 0..image.len() {
        for flip in [1, 0x80, 0xff] {
            image[at] ^= flip;
            if let Ok(prediction) = predict_uki(&image, &Profile::HALLMARK) {
                assert_eq!(prediction.tdx.registers() == before, uncovered.contains(&at), "byte {at:#x}");
            }
            image[at] ^= flip;
        }
    }
}

#[test]
fn truncations_of_a_disk() {
    let disk = small_disk();
    assert!(predict_disk(&disk, &Profile::HALLMARK).is_ok());
    // The backup table in the last 33 sectors is not read.
    let partition_end = disk.len() - 33 * 512;
    let lengths = (0..2048).chain((2048..1 << 20).step_by(4093)).chain((1 << 20..partition_end).step_by(61));
    for len in lengths {
        assert!(predict_disk(&disk[..len], &Profile::HALLMARK).is_err(), "{len}");
    }
}

#[test]
fn flipped_bytes_of_partition_table_and_file_system() {
    let mut disk = small_disk();
    let mut seals = 0;
    for at in (446..604).chain(1024..1024 + 256) {
        for flip in [1, 0x80, 0xff] {
            disk[at] ^= flip;
            let _ = predict_disk(&disk, &Profile::HALLMARK);
            if (512..604).contains(&at) {
                let crc: [u8; 4] = disk[528..532].try_into().unwrap();
                seal_gpt(&mut disk);
                let _ = predict_disk(&disk, &Profile::HALLMARK);
                disk[528..532].copy_from_slice(&crc);
                seals += 1;
            }
            disk[at] ^= flip;
        }
    }
    assert!(seals > 0);
    let mut volume = small_volume();
    // Boot sector, tables and root directory with three patterns; the clusters with one.
    for at in 0..volume.len() {
        for flip in [0xff, 1, 0x80].into_iter().take(if at < 18 * 1024 { 3 } else { 1 }) {
            volume[at] ^= flip;
            if let Ok(fat) = Fat::parse(&volume) {
                let _ = fat.read("/EFI/BOOT/BOOTX64.EFI");
                let _ = fat.exists("/EFI/Linux/a long name.efi");
            }
            volume[at] ^= flip;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..8192)) {
        let _ = Gpt::parse(&bytes);
        let _ = Fat::parse(&bytes).map(|fat| fat.read("/EFI/BOOT/BOOTX64.EFI"));
        let _ = Firmware::parse(&bytes);
        let _ = predict_uki(&bytes, &Profile::HALLMARK);
        let _ = SecureBoot::of_cfv(&bytes, Edk2::V2025_02);
    }

    /// Many fields wrong at once, where a reader looks first.
    #[test]
    fn several_changes_to_a_boot_sector(changes in proptest::collection::vec((0usize..64, any::<u8>()), 1..6)) {
        let mut volume = small_volume();
        for (at, value) in changes {
            volume[at] = value;
        }
        if let Ok(fat) = Fat::parse(&volume) {
            let _ = fat.read("/EFI/BOOT/BOOTX64.EFI");
        }
    }

    #[test]
    fn several_changes_to_an_images_headers(changes in proptest::collection::vec((0usize..0x300, any::<u8>()), 1..6)) {
        let mut image = uki();
        for (at, value) in changes {
            image[at] = value;
        }
        let _ = predict_uki(&image, &Profile::HALLMARK);
    }

    #[test]
    fn several_changes_to_firmware_metadata(
        changes in proptest::collection::vec((0usize..0x200, any::<u8>()), 1..6),
        tail in proptest::collection::vec((1usize..0x80, any::<u8>()), 0..3),
    ) {
        let mut image = synthetic_firmware();
        let len = image.len();
        for (at, value) in changes {
            image[0x1000 + at] = value;
        }
        for (before_end, value) in tail {
            image[len - before_end] = value;
        }
        if let Ok(firmware) = Firmware::parse(&image) {
            let _ = mrtd(&firmware, PageOrder::PageByPage);
            let _ = mrtd(&firmware, PageOrder::SectionBySection);
        }
    }
}

/// Two pages: CFV, then BFV with the metadata at its start.
fn synthetic_firmware() -> Vec<u8> {
    let mut image = vec![0x5a; 0x2000];
    let mut metadata = b"TDVF".to_vec();
    for word in [16 + 3 * 32, 1, 3u32] {
        metadata.extend(word.to_le_bytes());
    }
    let sections = [
        (0x1000u32, 0x1000u32, 0xffff_f000u64, 0x1000u64, 0u32, 1u32),
        (0, 0x1000, 0xffff_e000, 0x1000, 1, 0),
        (0, 0, 0x80_9000, 0x2000, 2, 0),
    ];
    for (offset, raw, address, memory, kind, attributes) in sections {
        metadata.extend(offset.to_le_bytes());
        metadata.extend(raw.to_le_bytes());
        metadata.extend(address.to_le_bytes());
        metadata.extend(memory.to_le_bytes());
        metadata.extend(kind.to_le_bytes());
        metadata.extend(attributes.to_le_bytes());
    }
    image[0x1000..0x1000 + metadata.len()].copy_from_slice(&metadata);
    let mut table = 0x1000u32.to_le_bytes().to_vec();
    table.extend(22u16.to_le_bytes());
    table.extend(hex::decode("35657ae44a989847865e4685a7bf8ec2").unwrap());
    table.extend(40u16.to_le_bytes());
    table.extend(hex::decode("de82b596b21ff745baeaa366c55a082d").unwrap());
    let end = 0x2000 - 0x20;
    image[end - table.len()..end].copy_from_slice(&table);
    assert!(Firmware::parse(&image).is_ok());
    image
}
