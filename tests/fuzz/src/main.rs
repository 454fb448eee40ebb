//! The libFuzzer entry: `FUZZ_TARGET=quote fuzz CORPUS`. Built and run by `scripts/fuzz`.
#![no_main]
#![allow(unsafe_code)] // libFuzzer finds its entry by an unmangled symbol.

use std::sync::LazyLock;

use hallmark_fuzz::{TARGETS, Target};

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    TARGETS.iter().find(|t| t.name == name).unwrap_or_else(|| {
        let names: Vec<_> = TARGETS.iter().map(|t| t.name).collect();
        eprintln!("FUZZ_TARGET must be one of: {}", names.join(" "));
        std::process::exit(2)
    })
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (TARGET.run)(data));
