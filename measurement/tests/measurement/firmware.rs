//! Real firmware: MRTD in both orders, CFV, halves that cannot be measured.

use hallmark_measurement::firmware::measure;
use hallmark_measurement::secure_boot::SecureBoot;
use hallmark_measurement::tdvf::TdvfError;
use hallmark_measurement::{Edk2, Firmware, PageOrder};

use crate::vectors::{ovmf_2025_02, ovmf_tdx_2026_08, packaged};

struct Golden {
    sha256: &'static str,
    page_by_page: &'static str,
    section_by_section: &'static str,
    cfv: &'static str,
}

/// Values of independent implementations (vectors, measurement/INDEX.tsv).
const OVMF_2025_02: Golden = Golden {
    sha256: "14954040cc754ade0c625ac3470ea46d4c14318b5b1396de4ef77090203d76db",
    page_by_page: "bdc6fb145880f06f30c8b346b8dce2a99d9351b56892df22f80fcf6574caa9f9c31df8e8576d53b4d0cd1c3f28910e11",
    section_by_section: "456f07902150d008bb913c3e1e84e9297f735a6c83cd2a957a1f0a8bbedb06df188e3837ae48d32c73d473d097dc0db2",
    cfv: "344bc51c980ba621aaa00da3ed7436f7d6e549197dfe699515dfa2c6583d95e6412af21c097d473155875ffd561d6790",
};
const OVMF_TDX_2026_08: Golden = Golden {
    sha256: "a265075b4147a096109e501e76196df1ec8a18659c26f7401492c597ec88f312",
    page_by_page: "a7a1f751abc454f9cbab198ca8d2edb2821935df525c74182b5e776cb0929e8c59aefecce725b0d08a5e9d3d3183bd08",
    section_by_section: "b90b236113eb4c0d4df4ef590568c14e6028a3a31d7e8ac63dee9845df5008d3ebf82d4f5974e933798f65d7a279b9a9",
    cfv: "327d4a91229b3993a7f6f64740d94ff689d44b45edada6e255596d4c7aa287576a92fb1f5c350c287caf60670a5bad5a",
};

fn check(image: &[u8], golden: &Golden) {
    let measured = measure(image).unwrap();
    assert_eq!(hex::encode(measured.sha256), golden.sha256);
    assert_eq!(hex::encode(measured.cfv), golden.cfv);
    let [tdx, tdx8] = measured.platforms;
    assert_eq!((tdx.name, tdx.order), ("qemu-tdx", PageOrder::PageByPage));
    assert_eq!((tdx8.name, tdx8.order), ("qemu8-tdx", PageOrder::SectionBySection));
    assert_eq!(hex::encode(tdx.mrtd), golden.page_by_page);
    assert_eq!(hex::encode(tdx8.mrtd), golden.section_by_section);
}

#[test]
fn ovmf_2025_02_measures_as_known() {
    let Some(image) = ovmf_2025_02() else { return };
    check(&image, &OVMF_2025_02);
}

#[test]
fn ovmf_inteltdx_2026_08_measures_as_known() {
    let Some(image) = ovmf_tdx_2026_08() else { return };
    check(&image, &OVMF_TDX_2026_08);
}

#[test]
fn halves_are_refused_and_two_halves_are_whole() {
    let (Some(code), Some(vars)) = (
        packaged("ovmf_2025.02", "usr/share/OVMF/OVMF_CODE_4M.fd"),
        packaged("ovmf_2025.02", "usr/share/OVMF/OVMF_VARS_4M.fd"),
    ) else {
        return;
    };
    assert!(matches!(Firmware::parse(&code), Err(TdvfError::Split { .. })));
    assert!(matches!(Firmware::parse(&vars), Err(TdvfError::Footer { .. })));
    let whole = [vars, code].concat();
    assert_eq!(Firmware::parse(&whole).unwrap().sections().len(), 6);
}

#[test]
fn cut_firmware_is_refused() {
    let Some(image) = ovmf_2025_02() else { return };
    for len in (0..image.len()).step_by(65_537) {
        assert!(Firmware::parse(&image[..len]).is_err());
        assert!(Firmware::parse(&image[image.len() - len..]).is_err());
    }
}

/// The inteltdx build comes with Microsoft's keys, the plain one with none.
#[test]
fn secure_boot_follows_from_the_configuration_volume() {
    let (Some(plain), Some(enrolled)) = (ovmf_2025_02(), ovmf_tdx_2026_08()) else { return };
    let of = |image: &[u8], edk2| SecureBoot::of_cfv(Firmware::parse(image).unwrap().cfv().unwrap(), edk2);
    assert_eq!(of(&plain, Edk2::V2025_02), SecureBoot::Absent);
    let SecureBoot::Enrolled { on: true, pk, kek, db, dbx } = of(&enrolled, Edk2::V2026_08) else { panic!() };
    // Each is a list of `EFI_SIGNATURE_LIST`, whose size stands behind its type.
    for list in [pk, kek, db, dbx] {
        let mut rest = list.as_slice();
        assert!(!rest.is_empty());
        while !rest.is_empty() {
            let size = u32::from_le_bytes(rest[16..20].try_into().unwrap());
            rest = &rest[size as usize..];
        }
    }
}
