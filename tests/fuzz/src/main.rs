//! The libFuzzer entry: `FUZZ_TARGET=quote fuzz CORPUS`. With `FUZZ_SEEDS=CORPUS` it writes the target's seeds there
//! first. Built and run by `scripts/fuzz`.
#![no_main]
#![allow(unsafe_code)] // libFuzzer finds its entry by an unmangled symbol.

use std::ffi::OsString;
use std::path::Path;
use std::sync::LazyLock;

use hallmark_fuzz::{TARGETS, Target, seeds};

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    TARGETS.iter().find(|t| t.name == name).unwrap_or_else(|| {
        let names: Vec<_> = TARGETS.iter().map(|t| t.name).collect();
        eprintln!("FUZZ_TARGET must be one of: {}", names.join(" "));
        std::process::exit(2)
    })
});

fn write_seeds(folder: &OsString) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (index, seed) in seeds(TARGET.name).iter().enumerate() {
        std::fs::write(Path::new(folder).join(format!("seed-{index}")), seed)?;
    }
    Ok(())
}

libfuzzer_sys::fuzz_target!(
    init: {
        if let Some(Err(error)) = std::env::var_os("FUZZ_SEEDS").as_ref().map(write_seeds) {
            eprintln!("FUZZ_SEEDS: {error}");
            std::process::exit(2)
        }
    },
    |data: &[u8]| (TARGET.run)(data)
);
