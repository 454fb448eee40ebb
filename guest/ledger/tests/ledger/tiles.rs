//! Paths and bundles of C2SP tlog-tiles.

use hallmark_ledger::tile::{self, BundleError, Coordinates, Kind};
use proptest::prelude::*;

#[test]
fn paths_of_the_specification() {
    let full = |kind, index| Coordinates::full(kind, index).to_string();
    assert_eq!(full(Kind::Hashes(0), 1_234_067), "tile/0/x001/x234/067");
    assert_eq!(full(Kind::Entries, 0), "tile/entries/000");
    assert_eq!(full(Kind::Entries, 1000), "tile/entries/x001/000");
    assert_eq!(Coordinates::new(Kind::Hashes(1), 5, 8).unwrap().to_string(), "tile/1/005.p/8");
    for bad in [
        "",
        "tile",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/00/001",
        "tile/8/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/entries/000.p/",
        "tile/0/-01",
        "tile/0/../../etc",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert!(bad.parse::<Coordinates>().is_err(), "{bad}");
    }
    assert_eq!(Coordinates::new(Kind::Entries, 0, 0), None);
    assert_eq!(Coordinates::new(Kind::Entries, 0, 257), None);
}

proptest! {
    #[test]
    fn paths_have_one_spelling(level in 0..8_u8, entries: bool, index: u64, width in 1..=256_u16) {
        let kind = if entries { Kind::Entries } else { Kind::Hashes(level) };
        let place = Coordinates::new(kind, index, width).unwrap();
        prop_assert_eq!(place.to_string().parse::<Coordinates>().unwrap(), place);
    }

    #[test]
    fn bundles_come_back(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20)) {
        let bytes = tile::bundle(&entries).unwrap();
        prop_assert_eq!(tile::unbundle(&bytes, entries.len(), true).unwrap(), entries.clone());
        for cut in 0..bytes.len() {
            prop_assert!(tile::unbundle(&bytes[..cut], entries.len(), true).is_err());
        }
    }
}

#[test]
fn bundles_of_the_wrong_size() {
    let bytes = tile::bundle(&["ab", ""]).unwrap();
    assert_eq!(bytes, b"\x00\x02ab\x00\x00");
    assert_eq!(tile::unbundle(&bytes, 1, true), Err(BundleError::Count { got: 2, want: 1 }));
    assert_eq!(tile::unbundle(&bytes, 1, false).unwrap(), [b"ab"]);
    assert_eq!(tile::unbundle(&bytes, 3, false), Err(BundleError::Count { got: 2, want: 3 }));
    assert_eq!(tile::bundle(&[vec![0; 65_536]]), None);
    assert!(tile::bundle(&[vec![0; 65_535]]).is_some());
    assert!(tile::hashes(&[0; 33], 1).is_err());
    assert_eq!(tile::hashes(&[0; 64], 1).unwrap().len(), 1);
}
