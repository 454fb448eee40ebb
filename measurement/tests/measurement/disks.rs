//! Disks of our own: partition table, file system, the whole prediction.

use hallmark_measurement::esp::{EspError, FALLBACK_PATH, locate_uki_at};
use hallmark_measurement::fat::{Fat, FatError};
use hallmark_measurement::gpt::{Gpt, GptError};
use hallmark_measurement::{
    DirectBoot, Edk2, Kernel, PredictError, Profile, Register, Stub, locate_uki, predict_direct,
    predict_disk, predict_uki,
};
use proptest::prelude::*;

use crate::images::{ESP_TYPE, FatKind, crc32, disk, fat, fat_sized, gpt, kernel, seal_gpt, uki};

const KINDS: [FatKind; 3] = [FatKind::Fat12, FatKind::Fat16, FatKind::Fat32];

fn esp(volume: &[u8]) -> Vec<u8> {
    gpt(&[(ESP_TYPE, volume)])
}

#[test]
fn every_fat_and_any_placement_gives_the_same_prediction() {
    let uki = uki();
    let mut predictions = Vec::new();
    for kind in KINDS {
        for scattered in [false, true] {
            let volume =
                fat(kind, &[("/EFI/BOOT/BOOTX64.EFI", &uki), ("/EFI/OTHER/FILE.TXT", b"text")], scattered);
            let disk = esp(&volume);
            let located = locate_uki(&disk).unwrap();
            assert_eq!(located.bytes, uki, "{kind:?} {scattered}");
            assert_eq!(located.path, FALLBACK_PATH);
            assert_eq!(matches!(located.bytes, std::borrow::Cow::Borrowed(_)), !scattered, "{kind:?}");
            // The partition table tells the volumes apart, nothing else does.
            let mut prediction = predict_disk(&disk, &Profile::HALLMARK).unwrap();
            let events = |log: &hallmark_measurement::Log| {
                log.events().iter().filter(|event| event.what != "gpt").cloned().collect::<Vec<_>>()
            };
            predictions.push((events(&prediction.vtpm), events(&prediction.tdx)));
            prediction = predict_uki(&uki, &Profile::HALLMARK).unwrap();
            assert!(prediction.vtpm.events().iter().all(|event| event.what != "gpt"));
        }
    }
    assert!(predictions.windows(2).all(|pair| pair[0] == pair[1]));
}

/// Registers of a disk of our own, computed by another program from the definitions.
#[test]
fn golden_disk() {
    let prediction = predict_disk(&disk(), &Profile::HALLMARK).unwrap();
    let tdx = prediction.tdx.registers();
    let value = |register: &str| hex::encode(tdx[&register.parse::<Register>().unwrap()].sha384.unwrap());
    assert_eq!((value("rtmr1"), value("rtmr2")), (GOLDEN[0].to_owned(), GOLDEN[1].to_owned()));
    let tpm = prediction.vtpm.registers();
    let value = |register: &str| hex::encode(tpm[&register.parse::<Register>().unwrap()].sha256.unwrap());
    for (register, golden) in ["pcr4", "pcr5", "pcr9", "pcr11"].into_iter().zip(&GOLDEN[2..]) {
        assert_eq!(value(register), *golden, "{register}");
    }
    for zero in ["pcr8", "pcr12", "pcr13"] {
        assert_eq!(value(zero), "0".repeat(64));
    }
    // One separator and nothing else, as in every captured boot.
    for constant in ["pcr2", "pcr3", "pcr6"] {
        assert_eq!(value(constant), "3d458cfe55cc03ea1f443f1562beec8df51c75e14a9fcf9a7234a13f198e7969");
    }
}

const GOLDEN: [&str; 6] = [
    "71b8c2377af21b25e8ff8ca7a61303c9e4fd3f7ed4cea1fca769895e4f05f10ce836dfdca216823f298955a30be0f568",
    "39c6167c9832cb066c97cdafd2a17f6997eb9b9c680857976ffa30f2b697c7f7a8b32376f0862034a3cfa15e4b1170a9",
    "54c10e116720533c0fb430e27efe2821dae9a2d3492a0948207c0acd260a78af",
    "3da9d422b99a08f7324e2011a69b5fd8d0c346b4e394930bce562001f0f974eb",
    "678dde970613f260fbac8c96a70efa323ff7022572cce75ed6cba89ec01f7005",
    "f93c0f1702f67776218514d34e01e3b2a0839748449f66f382606634120aaaff",
];

#[test]
fn files_are_found_by_short_and_long_names() {
    for kind in KINDS {
        let long = "/EFI/Linux/hallmark-0.1.0.efi";
        let volume =
            fat(kind, &[(long, b"long"), ("/EFI/BOOT/BOOTX64.EFI", b"short"), ("/EMPTY", b"")], false);
        let fat = Fat::parse(&volume).unwrap();
        for path in [long, "efi/linux/HALLMARK-0.1.0.EFI", "//EFI//LINUX//Hallmark-0.1.0.efi"] {
            assert_eq!(fat.read(path).unwrap(), b"long".as_slice(), "{path}");
        }
        assert_eq!(fat.read("/efi/boot/bootx64.efi").unwrap(), b"short".as_slice());
        assert_eq!(fat.read("/empty").unwrap(), b"".as_slice());
        for absent in ["/EFI/BOOT/BOOTIA32.EFI", "/EFI", "/EFI/BOOT", "/EFI/BOOT/BOOTX64.EFI/x", "/NONE/x"] {
            assert!(matches!(fat.read(absent), Err(FatError::NotFound { .. })), "{absent}");
        }
        for bad in ["", "/", "/EFI/../EFI/BOOT/BOOTX64.EFI", "./EFI"] {
            assert!(matches!(fat.read(bad), Err(FatError::Path(_))), "{bad}");
        }
    }
}

#[test]
fn files_beside_the_image_that_the_stub_would_measure_are_refused() {
    let uki = uki();
    let companions = [
        "/EFI/BOOT/BOOTX64.EFI.extra.d/x.cred",
        "/loader/addons/x.efi",
        "/loader/credentials/x",
        "/LOADER/EXTENSIONS/X.RAW",
    ];
    for companion in companions {
        let volume = fat(FatKind::Fat12, &[("/EFI/BOOT/BOOTX64.EFI", &uki), (companion, b"x")], false);
        assert!(matches!(locate_uki(&esp(&volume)), Err(EspError::Companion(_))), "{companion}");
    }
    let volume =
        fat(FatKind::Fat12, &[("/EFI/BOOT/BOOTX64.EFI", &uki), ("/loader/entries.srel", b"x")], false);
    assert!(locate_uki(&esp(&volume)).is_ok());
    let volume = fat(FatKind::Fat12, &[("/EFI/Linux/hallmark.efi", &uki)], false);
    let disk = esp(&volume);
    assert_eq!(locate_uki_at(&disk, "/EFI/Linux/hallmark.efi").unwrap().bytes, uki);
    assert!(matches!(locate_uki(&disk), Err(EspError::Fat(FatError::NotFound { .. }))));
}

#[test]
fn partition_tables_that_firmware_would_not_take_are_refused() {
    let good = disk();
    let with = |at: usize, bytes: &[u8], seal: bool| {
        let mut disk = good.clone();
        disk[at..at + bytes.len()].copy_from_slice(bytes);
        if seal {
            seal_gpt(&mut disk);
        }
        Gpt::parse(&disk).map(|_| ()).unwrap_err()
    };
    let field = |error| match error {
        GptError::Field { field, .. } => field,
        other => panic!("{other}"),
    };
    assert!(matches!(with(510, &[0], false), GptError::Absent { what: "protective MBR", .. }));
    assert!(matches!(with(450, &[0x0c], false), GptError::Absent { what: "protective MBR", .. }));
    assert!(matches!(with(446, &[0x80], false), GptError::Absent { what: "protective MBR", .. }));
    assert!(matches!(with(454, &[2], false), GptError::Absent { what: "protective MBR", .. }));
    assert!(matches!(with(512, b"X", false), GptError::Absent { .. }));
    assert_eq!(field(with(520, &[1, 0, 2, 0], true)), "Revision");
    assert_eq!(field(with(524, &[91], true)), "HeaderSize");
    assert_eq!(field(with(524, &[0xff, 0xff, 0xff, 0xff], true)), "HeaderSize");
    assert!(matches!(with(568, &[9], false), GptError::Crc { what: "header", .. }));
    assert_eq!(field(with(536, &[2], true)), "MyLBA");
    assert_eq!(field(with(584, &[1], true)), "PartitionEntryLBA");
    assert_eq!(field(with(584, &[0xff; 8], true)), "PartitionEntryLBA");
    assert_eq!(field(with(592, &[0, 0, 0, 0], true)), "NumberOfPartitionEntries");
    assert_eq!(field(with(592, &[0xff; 4], true)), "NumberOfPartitionEntries");
    assert_eq!(field(with(596, &[0, 1, 0, 0], true)), "SizeOfPartitionEntry");
    assert!(matches!(with(1024 + 16, &[1], false), GptError::Crc { what: "partition array", .. }));
    assert!(matches!(
        Gpt::parse(&good[..(1 << 20) + 512]).map(|_| ()),
        Err(GptError::Partition { index: 0, .. })
    ));

    let mut overlapping = gpt(&[(ESP_TYPE, &[0; 1024]), ([1; 16], &[0; 512])]);
    overlapping[1024 + 128 + 32] -= 1;
    let crc = crc32(&overlapping[1024..1024 + 128 * 128]);
    overlapping[600..604].copy_from_slice(&crc.to_le_bytes());
    seal_gpt(&mut overlapping);
    assert_eq!(Gpt::parse(&overlapping).map(|_| ()), Err(GptError::Overlap { index: 1 }));

    let count =
        |partitions: &[([u8; 16], &[u8])]| Gpt::parse(&gpt(partitions)).unwrap().esp().map(<[u8]>::len);
    let other = [1; 16];
    assert_eq!(count(&[(other, &[0; 512])]), Err(GptError::EspCount(0)));
    assert_eq!(count(&[(ESP_TYPE, &[0; 512]), (ESP_TYPE, &[0; 512])]), Err(GptError::EspCount(2)));
    assert_eq!(count(&[(other, &[0; 512]), (ESP_TYPE, &[0; 1024])]), Ok(1024));
}

#[test]
fn the_gpt_event_lists_used_entries_only() {
    let disk = gpt(&[([1; 16], &[0; 512]), (ESP_TYPE, &[0; 512])]);
    let data = Gpt::parse(&disk).unwrap().event_data();
    assert_eq!(data.len(), 92 + 8 + 2 * 128);
    assert_eq!(data[..92], disk[512..604]);
    assert_eq!(data[92..100], 2u64.to_le_bytes());
    assert_eq!(data[100..], disk[1024..1024 + 256]);
}

/// Offsets in a volume of `fat_sized(Fat16, .., 5000 clusters, 1)`.
const TABLE: usize = 512;

#[test]
fn chains_that_loop_or_leave_the_volume_end() {
    let volume = fat_sized(FatKind::Fat16, &[("/DIR/FILE", &[1; 3000])], false, 5000, 1);
    // The file takes clusters 2 to 7, its directory 8.
    let with = |cluster: usize, next: u16| {
        let mut volume = volume.clone();
        volume[TABLE + 2 * cluster..TABLE + 2 * cluster + 2].copy_from_slice(&next.to_le_bytes());
        Fat::parse(&volume).unwrap().read("/DIR/FILE").map(|_| ())
    };
    assert_eq!(with(7, 0xffff), Ok(()));
    for next in [0u16, 1, 5002, 0xfff0, 0xfff7] {
        assert!(matches!(with(3, next), Err(FatError::Chain { cluster: 3, .. })), "{next:#x}");
    }
    assert!(matches!(
        with(3, 0xffff),
        Err(FatError::Chain { why: "the chain ends before the file does", .. })
    ));
    // A file in a circle still has its stated size; a directory in a circle ends at its limit.
    assert_eq!(with(7, 2), Ok(()));
    assert_eq!(with(8, 8), Err(FatError::Directory));
}

#[test]
fn a_file_larger_than_its_volume_is_refused() {
    let mut volume = fat_sized(FatKind::Fat12, &[("/FILE", &[1; 600])], false, 100, 1);
    let root = (1 + 2) * 512;
    assert_eq!(&volume[root..root + 4], b"FILE");
    volume[root + 28..root + 32].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = Fat::parse(&volume).unwrap().read("/FILE").unwrap_err();
    assert!(matches!(error, FatError::Chain { why: "the file is larger than the volume", .. }));
}

#[test]
fn direct_boots() {
    let kernel = kernel();
    let direct = DirectBoot { kernel: &kernel, initrd: Some(b"initrd"), cmdline: "a=b", memory: 1 << 30 };
    let options = |direct: &DirectBoot<'_>, profile: &Profile| {
        let prediction = predict_direct(direct, profile).unwrap();
        let event = prediction.vtpm.events().iter().find(|event| event.what == "load-options").cloned()?;
        let units: Vec<_> =
            event.data.unwrap().chunks(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
        Some(String::from_utf16(&units).unwrap())
    };
    let newer = Profile { edk2: Edk2::V2026_08, ..Profile::HALLMARK };
    assert_eq!(options(&direct, &Profile::HALLMARK).unwrap(), "a=b initrd=initrd\0");
    assert_eq!(options(&direct, &newer).unwrap(), "initrd=initrd a=b\0");
    let plain = DirectBoot { initrd: None, ..direct };
    assert_eq!(options(&plain, &newer).unwrap(), "a=b\0");
    assert_eq!(options(&DirectBoot { cmdline: "", ..plain }, &newer), None);

    // In a TD, a kernel before 6.9 leaves RTMR2 alone; so does stub 252.
    let old = Profile { kernel: Kernel::V6_1, ..Profile::HALLMARK };
    assert_eq!(predict_direct(&direct, &old).unwrap().tdx.of(Register::Rtmr2).count(), 0);
    assert_eq!(predict_direct(&direct, &Profile::HALLMARK).unwrap().tdx.of(Register::Rtmr2).count(), 2);
    let stub = Profile { stub: Stub::V252, ..Profile::HALLMARK };
    assert_eq!(predict_uki(&uki(), &stub).unwrap().tdx.of(Register::Rtmr2).count(), 2);
    assert_eq!(predict_uki(&uki(), &Profile::HALLMARK).unwrap().tdx.of(Register::Rtmr2).count(), 12);

    let uki = uki();
    assert_eq!(predict_direct(&DirectBoot { kernel: &uki, ..direct }, &old), Err(PredictError::UkiAsKernel));
    for bad in ["a\nb", "a\0", "\u{e9}"] {
        assert!(matches!(
            predict_direct(&DirectBoot { cmdline: bad, ..direct }, &old),
            Err(PredictError::Cmdline { .. })
        ));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_stored_is_read(
        size in 0usize..20_000,
        per_cluster in prop::sample::select(vec![1usize, 2, 8]),
        kind in prop::sample::select(vec![FatKind::Fat12, FatKind::Fat16]),
        scattered: bool,
    ) {
        let contents: Vec<u8> = (0..size).map(|i| i.to_le_bytes()[0] ^ i.to_le_bytes()[1]).collect();
        let clusters = if kind == FatKind::Fat12 { 300 } else { 4200 };
        let volume = fat_sized(kind, &[("/A/B/a long name.bin", &contents)], scattered, clusters, per_cluster);
        let fat = Fat::parse(&volume).unwrap();
        prop_assert_eq!(fat.read("/a/b/A Long Name.bin").unwrap(), contents);
    }
}
