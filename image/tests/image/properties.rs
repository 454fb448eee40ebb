//! Properties over random input: what goes in comes out, and nothing panics.

use hallmark_image::{
    Lock, Recipe, Release, cpio::Tree, deb::Deb, disk, module::Module, pe::Image, synthetic,
};
use hallmark_ledger::note::{Note, Verifier};
use proptest::prelude::*;

/// Random bytes behind a start that gets a parser past its first check.
fn behind(start: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..512).prop_map(move |rest| [start, &rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes_do_not_panic(
        ar in behind(b"!<arch>\n"), elf in behind(b"\x7fELF\x02\x01"), pe in behind(b"MZ"), text in ".{0,300}",
        note in "[a-z\n— A-Z+/=]{0,300}",
    ) {
        let _ = Deb::open(&ar).and_then(|d| d.files(|_| true));
        let _ = Module::parse(&[&elf[..], b"~Module signature appended~\n"].concat());
        let _ = Image::parse(&pe).and_then(|i| i.append(&[(".a", b"x")]));
        let _ = (Lock::parse(&text), Recipe::parse(&text), Release::parse(text.as_bytes()), Verifier::parse(&text));
        let _ = Note::parse(note.as_bytes());
    }

    #[test]
    fn sections_come_back(contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..3000), 1..8)) {
        let names: Vec<_> = (0..contents.len()).map(|i| format!(".s{i}")).collect();
        let added: Vec<_> = names.iter().map(String::as_str).zip(contents.iter().map(Vec::as_slice)).collect();
        let stub = synthetic::stub();
        let before = Image::parse(&stub).unwrap();
        let out = before.append(&added).unwrap();
        let after = Image::parse(&out).unwrap();
        prop_assert_eq!(&after.sections()[..before.sections().len()], before.sections());
        for (section, (name, contents)) in after.sections()[before.sections().len()..].iter().zip(&added) {
            prop_assert_eq!(section.name, name.as_bytes());
            prop_assert_eq!(section.contents(), *contents);
        }
        // In one go or one by one: the same bytes.
        let one_by_one = added.iter().fold(stub.clone(), |stub, one| Image::parse(&stub).unwrap().append(&[*one]).unwrap());
        prop_assert!(one_by_one == out);
    }

    #[test]
    fn an_archive_does_not_depend_on_the_order_of_adding(mut names in prop::collection::btree_set("[a-z]{1,8}", 1..8)
        .prop_map(|set| set.into_iter().collect::<Vec<_>>()).prop_shuffle()) {
        let archive = |names: &[String]| {
            let mut tree = Tree::new();
            for name in names {
                tree.file(name, 0o644, name.clone().into_bytes()).unwrap();
            }
            tree.archive()
        };
        let shuffled = archive(&names);
        names.sort();
        prop_assert!(shuffled == archive(&names));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn the_file_on_the_disk_is_the_uki(size in 1_usize..300_000, seed: u8) {
        let (stub, kernel) = (synthetic::stub(), synthetic::kernel());
        let initrd: Vec<u8> = (0..=252).map(|i| seed.wrapping_add(i)).cycle().take(size).collect();
        let contents = hallmark_image::uki::Contents {
            os_release: "ID=x\n", command_line: "", release: "0", initrd: &initrd, kernel: &kernel,
        };
        let uki = hallmark_image::uki::uki(&stub, &contents).unwrap();
        let disk = disk::disk(&uki).unwrap();
        prop_assert!(*hallmark_measurement::locate_uki(&disk).unwrap().bytes == uki);
    }
}
