//! How long it takes to measure a firmware and a whole image.
//!
//! `cargo bench -p hallmark-measurement --bench mrtd`. The firmware and the parts of the image come from Debian packages
//! (`HALLMARK_DEB_CACHE`, else ../shared/debs) where they are there, else they are synthetic and of the same size; the
//! initrd is always synthetic. Beside each stands what the bare hash takes of as many bytes: the floor.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "../tests/measurement/images.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
mod images;
#[path = "../tests/measurement/vectors.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
mod vectors;

use std::hint::black_box;
use std::time::Instant;

use hallmark_measurement::{Firmware, PageOrder, Profile, mrtd, predict_disk};
use images::{ESP_TYPE, FatKind};
use sha2::{Digest, Sha256, Sha384};

const ROUNDS: usize = 15;
const MIB: usize = 1 << 20;

fn main() {
    let (source, firmware) = match vectors::ovmf_tdx_2026_08() {
        Some(firmware) => ("OVMF 2026.08", firmware),
        None => ("synthetic", tdvf()),
    };
    let parsed = Firmware::parse(&firmware).unwrap();
    let extended: usize = parsed.sections().iter().filter(|s| s.extend).map(|s| s.contents.len()).sum();
    println!("firmware: {source}, {} of {} KiB extended", extended / 1024, firmware.len() / 1024);
    compare(&mut [
        ("SHA-384 of as many bytes", &mut || hash::<Sha384>(&firmware[..extended])),
        ("MRTD, page by page", &mut || mrtd(black_box(&parsed), PageOrder::PageByPage).to_vec()),
        ("MRTD, section by section", &mut || mrtd(black_box(&parsed), PageOrder::SectionBySection).to_vec()),
    ]);

    let (source, stub, kernel) = match (vectors::stub_257(), vectors::kernel_72()) {
        (Some(stub), Some(kernel)) => ("stub 257, Linux 7.2", stub, kernel),
        _ => ("synthetic", images::pe(&[(".text", b"stub")], &[], &[]), kernel()),
    };
    let initrd = noise(16 * MIB);
    let uki = images::with_sections(
        &stub,
        &[
            (".osrel", images::OSREL),
            (".cmdline", images::CMDLINE),
            (".initrd", &initrd),
            (".linux", &kernel),
        ],
    );
    let clusters = (uki.len() + 4 * MIB) / 4096;
    let volume = images::fat_sized(FatKind::Fat16, &[("/EFI/BOOT/BOOTX64.EFI", &uki)], false, clusters, 8);
    let disk = images::gpt(&[(ESP_TYPE, &volume)]);
    println!("image: {source}, a UKI of {} MiB on a disk of {} MiB", uki.len() / MIB, disk.len() / MIB);
    compare(&mut [
        ("SHA-256 and SHA-384 of the UKI, once each", &mut || {
            [hash::<Sha256>(&uki), hash::<Sha384>(&uki)].concat()
        }),
        ("event list of the whole boot, both banks", &mut || {
            let prediction = predict_disk(black_box(&disk), &Profile::HALLMARK).unwrap();
            vec![u8::try_from(prediction.vtpm.events().len()).unwrap()]
        }),
    ]);
}

fn hash<D: Digest>(bytes: &[u8]) -> Vec<u8> {
    D::digest(black_box(bytes)).to_vec()
}

/// A name, and work that gives something back.
type Entry<'a> = (&'static str, &'a mut dyn FnMut() -> Vec<u8>);

/// Medians in milliseconds, and ratios to the first entry's. The entries take turns.
fn compare(entries: &mut [Entry<'_>]) {
    let mut rounds = vec![Vec::new(); entries.len()];
    for _ in 0..ROUNDS {
        for ((_, work), times) in entries.iter_mut().zip(&mut rounds) {
            let start = Instant::now();
            black_box(work());
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let medians: Vec<f64> = rounds
        .into_iter()
        .map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[ROUNDS / 2]
        })
        .collect();
    for ((name, _), median) in entries.iter().zip(&medians) {
        println!("  {name:<44}{median:>10.2} ms {:>7.2}x", median / medians[0]);
    }
}

/// Bytes that do not compress and are not all the same page.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_le_bytes()
    };
    std::iter::repeat_with(word).take(len / 8).flatten().collect()
}

/// A kernel of a cloud kernel's size.
fn kernel() -> Vec<u8> {
    images::pe(&[(".text", &noise(12 * MIB))], &[], &[])
}

/// A TDVF firmware of 4 MiB: boot volume extended, configuration volume not, TD HOB and temporary memory.
fn tdvf() -> Vec<u8> {
    const LEN: usize = 4 * MIB;
    const CFV: usize = 0x8_4000;
    let mut image = noise(LEN);
    let (descriptor, base) = (LEN - 0x400, (1_u64 << 32) - LEN as u64);
    // Data offset, size in the file, address, size in memory, type, attributes (Intel TDVF Design Guide, 11.2).
    let sections: [(usize, usize, u64, usize, u32, u32); 4] = [
        (CFV, LEN - CFV, base + CFV as u64, LEN - CFV, 0, 1),
        (0, CFV, base, CFV, 1, 0),
        (0, 0, 0x80_9000, 0x2000, 2, 0),
        (0, 0, 0x81_0000, 0x1_0000, 3, 0),
    ];
    let mut table = b"TDVF".to_vec();
    for word in [16 + 32 * sections.len(), 1, sections.len()] {
        table.extend(u32::try_from(word).unwrap().to_le_bytes());
    }
    for (offset, size, address, memory, kind, attributes) in sections {
        for word in [offset, size] {
            table.extend(u32::try_from(word).unwrap().to_le_bytes());
        }
        table.extend(address.to_le_bytes());
        table.extend((memory as u64).to_le_bytes());
        table.extend([kind.to_le_bytes(), attributes.to_le_bytes()].concat());
    }
    image[descriptor..descriptor + table.len()].copy_from_slice(&table);
    // Walked from the end: the footer, then the offset of the descriptor. A length counts its own 18 bytes.
    let footer: [u8; 16] = 0x96b5_82de_1fb2_45f7_baea_a366_c55a_082d_u128.to_be_bytes();
    let entry: [u8; 16] = 0xe47a_6535_984a_4798_865e_4685_a7bf_8ec2_u128.to_be_bytes();
    let end = LEN - 0x20;
    image[end - 16..end].copy_from_slice(&mixed(footer));
    image[end - 18..end - 16].copy_from_slice(&40_u16.to_le_bytes());
    image[end - 34..end - 18].copy_from_slice(&mixed(entry));
    image[end - 36..end - 34].copy_from_slice(&22_u16.to_le_bytes());
    image[end - 40..end - 36].copy_from_slice(&u32::try_from(LEN - descriptor).unwrap().to_le_bytes());
    image
}

/// A GUID as it stands in memory: its first three fields are little endian.
fn mixed(mut guid: [u8; 16]) -> [u8; 16] {
    guid[..4].reverse();
    guid[4..6].reverse();
    guid[6..8].reverse();
    guid
}
