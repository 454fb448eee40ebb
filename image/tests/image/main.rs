//! The image, held against programs and packages that are not ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod packages;
mod properties;
mod reproduce;
mod tools;

use hallmark_image::{Image, Parts, Recipe, assemble, initrd::initrd, synthetic};

/// The synthetic image: an initrd of `guest`, no modules.
fn synthetic_image(guest: &[u8]) -> Image {
    let (stub, kernel) = (synthetic::stub(), synthetic::kernel());
    let recipe = Recipe::shipped().unwrap();
    assemble(&Parts {
        stub: &stub,
        kernel: &kernel,
        release: "0-simulated",
        initrd: &initrd(guest, &[]).unwrap(),
        command_line: recipe.command_line(),
        os_release: &recipe.os_release(),
    })
    .unwrap()
}

#[test]
fn measurement_finds_the_same_image_on_the_disk() {
    let image = synthetic_image(b"SIMULATED guest");
    let located = hallmark_measurement::locate_uki(&image.disk).unwrap();
    assert!(*located.bytes == image.uki);
}

#[test]
fn a_changed_guest_changes_the_initrd_alone() {
    use hallmark_measurement::{Profile, predict_disk};
    let of = |guest: &[u8]| predict_disk(&synthetic_image(guest).disk, &Profile::HALLMARK).unwrap().vtpm;
    let (one, two) = (of(b"SIMULATED guest one"), of(b"SIMULATED guest two"));
    let differ: Vec<_> = one
        .events()
        .iter()
        .zip(two.events())
        .filter(|(a, b)| a.digests != b.digests)
        .map(|(a, _)| a.what.clone().into_owned())
        .collect();
    // The UKI as a whole, its .initrd section, and the initrd that the kernel measures. Not the partition table.
    assert!(differ.contains(&"uki".to_owned()) && differ.contains(&".initrd".to_owned()), "{differ:?}");
    assert!(differ.iter().all(|w| w == "uki" || w.contains("initrd")), "{differ:?}");
}
