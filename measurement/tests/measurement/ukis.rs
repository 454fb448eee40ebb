//! UKIs of our own: hashes, section order, command line, initrd.

use hallmark_measurement::authenticode::{AuthenticodeError, authenticode};
use hallmark_measurement::pe::{Pe, PeError};
use hallmark_measurement::uki::{Uki, UkiError};
use hallmark_measurement::{Digests, PredictError, Profile, Stub, predict_uki};
use proptest::prelude::*;

use crate::images::{CMDLINE, INITRD, OSREL, kernel, pe, section_header, uki, with_sections};

fn sha384(image: &[u8]) -> Result<String, AuthenticodeError> {
    authenticode::<sha2::Sha384>(image).map(hex::encode)
}

/// By another program, from Microsoft's description.
#[test]
fn authenticode_goldens() {
    let (kernel, uki) = (kernel(), uki());
    let hashes = |image: &[u8]| {
        (
            hex::encode(authenticode::<sha1::Sha1>(image).unwrap()),
            hex::encode(authenticode::<sha2::Sha256>(image).unwrap()),
            hex::encode(authenticode::<sha2::Sha384>(image).unwrap()),
        )
    };
    let golden = |[a, b, c]: [&str; 3]| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(hashes(&kernel), golden(KERNEL));
    assert_eq!(hashes(&uki), golden(UKI));
}

const KERNEL: [&str; 3] = [
    "990317c11024565a5c487f4da0d4e37f3acb62e3",
    "de569c7a81e2d2e4b6e6d10b00a3340a83b8df0fd9adf14d9ac7f6e25e07c5ba",
    "eb533062651a3b037ba1030c537737c5989a7a43a68715abb0ac29547e632e47f6f8572312de4093e6a68d6113f1d5fc",
];
const UKI: [&str; 3] = [
    "c627e43b107d0644cd3629ee0c9197446ac4e3c4",
    "4eeb1d4b9b6bc76e5cc54be40637ff6fa43ba919fa6d32e1ecc214af52c9b7a6",
    "fd38f95f2f75d9a77f88800a5b5bf53b0563c29d31d747f5669f5316c88fa8df4c863550e2fac43cb6371388946199e2",
];

#[test]
fn checksum_and_certificates_do_not_count_and_everything_else_does() {
    let image = kernel();
    let before = sha384(&image).unwrap();
    let certificates = image.len() - b"certificate!".len();
    let optional = 0x58;
    let skipped: Vec<_> = (optional + 64..optional + 68).chain(certificates..image.len()).collect();
    // The padding of the headers is hashed too; beyond it, some fields may not be changed without breaking the image.
    for at in skipped.iter().copied().chain(0x300..certificates) {
        let mut changed = image.clone();
        changed[at] ^= 0xff;
        assert_eq!(sha384(&changed).unwrap() == before, skipped.contains(&at), "byte {at:#x}");
    }
}

#[test]
fn trailing_bytes_are_hashed_without_padding() {
    let hash = |trailing: &[u8]| sha384(&pe(&[(".text", b"text")], trailing, &[])).unwrap();
    assert_ne!(hash(b""), hash(b"\0"));
    assert_ne!(hash(b"tail"), hash(b"tail\0\0\0\0"));
}

#[test]
fn sections_in_the_stubs_order() {
    let image = uki();
    let uki = Uki::parse(&image).unwrap();
    let names = |stub| uki.measured(stub).map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(Stub::V257), [".linux", ".osrel", ".cmdline", ".initrd", ".sbat"]);
    assert_eq!(names(Stub::V252), [".linux", ".osrel", ".cmdline", ".initrd"]);
    assert_eq!(uki.linux(), kernel());
    let digests = |name| Uki::section_digests(uki.measured(Stub::V257).find(|(n, _)| *n == name).unwrap().1);
    assert_eq!(digests(".cmdline"), Digests::of(CMDLINE));
    assert_eq!(digests(".osrel"), Digests::of(OSREL));
}

fn resized(name: &str, size: u32) -> Vec<u8> {
    resize(uki(), name, size)
}

fn resize(mut image: Vec<u8>, name: &str, size: u32) -> Vec<u8> {
    let at = section_header(&image, name);
    image[at + 8..at + 12].copy_from_slice(&size.to_le_bytes());
    image
}

#[test]
fn memory_is_measured_not_the_file() {
    let digests = |image: &[u8], name: &str| {
        let uki = Uki::parse(image).unwrap();
        let (_, section) = uki.measured(Stub::V257).find(|(n, _)| *n == name).unwrap();
        Uki::section_digests(section)
    };
    assert_eq!(digests(&resized(".osrel", 3), ".osrel"), Digests::of(&OSREL[..3]));
    let mut padded = OSREL.to_vec();
    padded.resize(1000, 0);
    assert_eq!(digests(&resized(".osrel", 1000), ".osrel"), Digests::of(&padded));
    // Without memory, a section is not there.
    let image = resized(".osrel", 0);
    assert!(Uki::parse(&image).unwrap().measured(Stub::V257).all(|(name, _)| name != ".osrel"));
}

#[test]
fn odd_images_are_refused_by_name() {
    let error = |image: &[u8]| Uki::parse(image).map(|_| ()).unwrap_err();
    assert_eq!(error(&kernel()), UkiError::NoKernel);
    assert_eq!(error(&resized(".linux", 0)), UkiError::NoKernel);
    let size = u32::try_from(kernel().len().next_multiple_of(512)).unwrap();
    assert_eq!(error(&resized(".linux", size + 8)), UkiError::Zeros { name: ".linux", zeros: 8 });
    assert!(matches!(error(&resized(".osrel", 0x7000_0000)), UkiError::Zeros { name: ".osrel", .. }));
    // The bound is over all sections: one of 12 MiB passes it, two do not.
    let (one, size) = (resized(".osrel", 12 << 20), 12 << 20);
    assert!(matches!(error(&one), UkiError::Overlap { .. }));
    assert!(matches!(error(&resize(one, ".cmdline", size)), UkiError::Zeros { name: ".cmdline", .. }));
    assert!(matches!(
        error(&resized(".osrel", u32::MAX)),
        UkiError::Pe(PeError::Field { field: "VirtualSize", .. })
    ));
    assert!(matches!(error(&resized(".osrel", 4097)), UkiError::Overlap { .. }));
    for name in [".profile", ".dtbauto", ".hwids", ".efifw"] {
        assert_eq!(error(&with_sections(&uki(), &[(name, b"x")])), UkiError::Choice(name));
    }
    let broken = pe(&[(".linux", b"no kernel at all")], &[], &[]);
    assert!(matches!(predict_uki(&broken, &Profile::HALLMARK), Err(PredictError::Uki(UkiError::Linux(_)))));
}

#[test]
fn the_first_of_two_sections_counts() {
    let image = with_sections(&uki(), &[(".cmdline", b"other")]);
    let uki = Uki::parse(&image).unwrap();
    assert_eq!(uki.measured(Stub::V257).filter(|(name, _)| *name == ".cmdline").count(), 1);
    assert_eq!(options(CMDLINE, Stub::V257).unwrap(), uki.load_options(Stub::V257).unwrap());
}

fn options(cmdline: &[u8], stub: Stub) -> Result<Option<Vec<u8>>, UkiError> {
    let kernel = kernel();
    let image = pe(&[(".cmdline", cmdline), (".linux", &kernel)], &[], &[]);
    Uki::parse(&image).unwrap().load_options(stub)
}

fn utf16(text: &str) -> Option<Vec<u8>> {
    Some(text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect())
}

#[test]
fn the_command_line_is_trimmed_as_the_stub_does() {
    let v257 = |text: &[u8]| options(text, Stub::V257);
    assert_eq!(v257(b"a b").unwrap(), utf16("a b"));
    assert_eq!(v257(b" \n\ta\tb  c\x7f\n").unwrap(), utf16("a b  c"));
    assert_eq!(v257(b"a\0b").unwrap(), utf16("a"));
    assert_eq!(v257(b" \n").unwrap(), utf16(""));
    assert_eq!(v257(b"").unwrap(), None);
    assert!(matches!(v257("a=\u{e9}".as_bytes()), Err(UkiError::Cmdline { offset: 2, byte: 0xc3, .. })));
    assert_eq!(options(b"a b", Stub::V252).unwrap(), utf16("a b"));
    for odd in [&b" a"[..], b"a ", b"a\n", b"a\tb", b"\na"] {
        assert!(options(odd, Stub::V252).is_err(), "{odd:?}");
    }
}

fn initrd(sections: &[(&str, &[u8])], stub: Stub) -> Option<Digests> {
    let kernel = kernel();
    let mut all = sections.to_vec();
    all.push((".linux", &kernel));
    let image = pe(&all, &[], &[]);
    Uki::parse(&image).unwrap().initrd_digests(stub)
}

#[test]
fn the_initrd_is_padded_only_when_something_follows() {
    assert_eq!(initrd(&[], Stub::V257), None);
    assert_eq!(initrd(&[(".initrd", INITRD)], Stub::V257), Some(Digests::of(INITRD)));
    let padded = [INITRD, &[0; 3]].concat();
    let with_ucode = [b"ucode\0\0\0", padded.as_slice()].concat();
    assert_eq!(
        initrd(&[(".initrd", INITRD), (".ucode", b"ucode")], Stub::V257),
        Some(Digests::of(&with_ucode))
    );
    assert_eq!(initrd(&[(".initrd", INITRD), (".osrel", OSREL)], Stub::V252), Some(Digests::of(INITRD)));
    // Stub 257 adds os-release, as an archive that begins with the directory `.extra`.
    let alone = initrd(&[(".osrel", OSREL)], Stub::V257).unwrap();
    let mut archive = b"070701000000010000416d".to_vec();
    archive.extend([b'0'; 16]);
    archive.extend(b"00000001");
    archive.extend([b'0'; 48]);
    archive.extend(b"0000000700000000.extra\0\0\0\0");
    archive.extend(b"07070100000002000081240000000000000000000000010000000000000019");
    archive.extend([b'0'; 32]);
    archive.extend(b"0000001200000000.extra/os-release\0");
    archive.extend(OSREL);
    archive.extend([0; 3]);
    archive.extend(b"070701");
    archive.extend([b'0'; 32]);
    archive.extend(b"00000001");
    archive.extend([b'0'; 48]);
    archive.extend(b"0000000B00000000TRAILER!!!\0\0\0\0");
    assert_eq!(alone, Digests::of(&archive));
    let both = [padded, archive].concat();
    assert_eq!(initrd(&[(".osrel", OSREL), (".initrd", INITRD)], Stub::V257), Some(Digests::of(&both)));
}

#[test]
fn one_changed_byte_changes_its_own_event_and_the_images() {
    let before = predict_uki(&uki(), &Profile::HALLMARK).unwrap();
    let cases = [
        (".initrd", "linux-initrd"),
        (".cmdline", "load-options"),
        (".osrel", "linux-initrd"),
        (".sbat", ""),
    ];
    for (name, also) in cases {
        let mut image = uki();
        let at = section_header(&image, name);
        let raw = u32::from_le_bytes(image[at + 20..at + 24].try_into().unwrap()) as usize;
        image[raw] ^= 1;
        let after = predict_uki(&image, &Profile::HALLMARK).unwrap();
        for (log, old) in [(&after.vtpm, &before.vtpm), (&after.tdx, &before.tdx)] {
            let changed: Vec<_> = log
                .events()
                .iter()
                .zip(old.events())
                .filter(|(new, old)| new.digests != old.digests)
                .map(|(new, _)| new.what.as_ref())
                .collect();
            let mut expected = vec!["uki", name];
            if !also.is_empty() {
                expected.push(also);
            }
            assert_eq!(changed, expected);
        }
    }
}

#[test]
fn a_kernel_of_many_overlapping_sections_is_refused_quickly() {
    let mut image = pe(&[(".text", &[1; 4096])], &[], &[]);
    // 60000 sections, each the whole file.
    let count = 60_000usize;
    let table = 0x58 + 240;
    let headers = (table + 40 * count).next_multiple_of(512);
    image.resize(headers + 4096, 0);
    image[0x46..0x48].copy_from_slice(&u16::try_from(count).unwrap().to_le_bytes());
    image[0x58 + 60..0x58 + 64].copy_from_slice(&u32::try_from(headers).unwrap().to_le_bytes());
    let len = u32::try_from(image.len()).unwrap();
    for index in 0..count {
        let at = table + 40 * index;
        image[at + 16..at + 20].copy_from_slice(&len.to_le_bytes());
        image[at + 20..at + 24].fill(0);
    }
    let result = sha384(&image);
    assert!(matches!(result, Err(AuthenticodeError::Sum { .. })), "{result:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The file's own padding and place do not matter to what is measured of a section.
    #[test]
    fn any_section_contents_are_measured_as_they_are(contents in proptest::collection::vec(any::<u8>(), 1..2000)) {
        let kernel = kernel();
        let image = pe(&[(".initrd", &contents), (".linux", &kernel)], &[], &[]);
        let uki = Uki::parse(&image).unwrap();
        let (_, section) = uki.measured(Stub::V257).find(|(name, _)| *name == ".initrd").unwrap();
        prop_assert_eq!(Uki::section_digests(section), Digests::of(&contents));
        prop_assert_eq!(uki.initrd_digests(Stub::V257), Some(Digests::of(&contents)));
    }

    #[test]
    fn printable_command_lines_pass_unchanged(text in "[!-~]([ -~]{0,60}[!-~])?") {
        prop_assert_eq!(options(text.as_bytes(), Stub::V257).unwrap(), utf16(&text));
        prop_assert_eq!(options(text.as_bytes(), Stub::V252).unwrap(), utf16(&text));
    }

    #[test]
    fn random_bytes_are_no_image(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let _ = Pe::parse(&bytes);
        let mut image = bytes;
        if image.len() > 0x100 {
            image[..2].copy_from_slice(b"MZ");
            image[0x3c..0x40].copy_from_slice(&0x40u32.to_le_bytes());
            image[0x40..0x44].copy_from_slice(b"PE\0\0");
            image[0x58..0x5a].copy_from_slice(&0x20bu16.to_le_bytes());
        }
        let _ = authenticode::<sha2::Sha384>(&image);
        let _ = Uki::parse(&image);
    }
}
