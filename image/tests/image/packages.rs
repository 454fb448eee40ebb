//! A full-size image of the locked packages. Needs them in `HALLMARK_DEB_CACHE` or `../shared/debs`.

use std::{
    env,
    path::{Path, PathBuf},
};

use hallmark_image::{
    Lock, Recipe,
    build::with_guest,
    fetch::Store,
    inputs::{self, Inputs},
    module::Module,
    pe,
    release::{Expected, QEMU_VTPM, Validation},
};
use hallmark_measurement::Register;

fn store() -> Option<Store> {
    let cache = env::var_os("HALLMARK_DEB_CACHE").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/debs");
    let Some(cache) = cache.or_else(|| beside.is_dir().then_some(beside)) else {
        println!("skipped: no packages (set HALLMARK_DEB_CACHE)");
        return None;
    };
    // Nothing is downloaded here: the folder for downloads is not there and no mirror is known.
    Some(Store::new(Some(cache), PathBuf::from("/nonexistent")))
}

#[test]
fn the_locked_packages_make_an_image() {
    let Some(store) = store() else { return };
    let (lock, recipe) = (Lock::shipped().unwrap(), Recipe::shipped().unwrap());
    let inputs = Inputs::read(&store, &lock, &mut |_| {}).unwrap();
    assert_eq!(inputs.release, "7.2.12+deb13-cloud-amd64");

    let modules = inputs.modules.select(recipe.modules(), &inputs.release).unwrap();
    let names: Vec<_> = modules.iter().map(Module::name).collect();
    let place =
        |name: &str| names.iter().position(|n| *n == name).unwrap_or_else(|| panic!("{name} in {names:?}"));
    // Each after what it needs; what is built in is not there.
    assert!(place("failover") < place("net_failover") && place("net_failover") < place("virtio_net"));
    assert!(place("configfs") < place("tsm_report") && place("tsm_report") < place("tdx_guest"));
    assert!(!names.contains(&"virtio_pci") && !names.contains(&"tpm_crb"));

    let image = with_guest(&inputs, &recipe, b"no guest: never booted").unwrap();
    assert!(image == with_guest(&inputs, &recipe, b"no guest: never booted").unwrap());
    let sections: Vec<_> = {
        let image = pe::Image::parse(&image.uki).unwrap();
        image.sections().iter().map(|s| String::from_utf8_lossy(s.name).into_owned()).collect()
    };
    assert_eq!(
        sections,
        [
            ".text", ".rodata", ".data", ".sbat", ".sdmagic", ".reloc", ".osrel", ".cmdline", ".uname",
            ".initrd", ".linux"
        ]
    );

    let firmware = inputs::firmware(&store, &lock, &mut |_| {}).unwrap();
    let firmware_tdx = inputs::firmware_tdx(&store, &lock, &mut |_| {}).unwrap();
    let expected = Expected::predict(&image.disk, &firmware, &firmware_tdx, &Validation::default()).unwrap();
    let platforms: Vec<_> = expected.iter().map(|e| e.platform.as_str()).collect();
    assert_eq!(platforms, [QEMU_VTPM, "qemu-tdx", "qemu8-tdx"]);
    for entry in &expected[1..] {
        for register in [Register::Mrtd, Register::Rtmr1, Register::Rtmr2] {
            assert!(entry.registers.contains_key(&register), "{register}");
        }
        assert!(!entry.registers.contains_key(&Register::Rtmr0));
    }
    assert_ne!(expected[1].registers[&Register::Mrtd], expected[2].registers[&Register::Mrtd]);
}
