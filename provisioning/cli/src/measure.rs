//! `mint measure DISK`: what a disk measures to on every platform that this version knows.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use hallmark_image::fetch::Store;
use hallmark_image::inputs;
use hallmark_image::lock::Lock;
use hallmark_image::release::{Expected, Validation};

use crate::complaint::Complaint;
use crate::progress;

/// What to measure
#[derive(Args)]
#[command(after_help = "Example:
  mint measure out/disk.raw

`assay measure` does the same from files alone, and holds a release against a disk.")]
pub(crate) struct Options {
    /// Raw disk image
    disk: PathBuf,
    /// Folder of Debian packages (checked by hash), for the firmware of image/lock.toml
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

/// Prints the registers, platform by platform.
pub(crate) fn run(options: &Options) -> Result<(), Complaint> {
    let failed = |e: &dyn std::fmt::Display| {
        Complaint::unable("measure", "this cannot be measured", e, "take the disk.raw of `mint build`")
    };
    let disk = fs::read(&options.disk).map_err(|e| Complaint::file("read", &options.disk, &e))?;
    let lock = Lock::shipped().map_err(|e| failed(&e))?;
    let store = Store::of_this_machine(options.cache.as_deref()).map_err(|e| failed(&e))?;
    let firmware = inputs::firmware(&store, &lock, &mut progress::download).map_err(|e| failed(&e))?;
    let firmware_tdx =
        inputs::firmware_tdx(&store, &lock, &mut progress::download).map_err(|e| failed(&e))?;
    let expected =
        Expected::predict(&disk, &firmware, &firmware_tdx, &Validation::default()).map_err(|e| failed(&e))?;
    for entry in &expected {
        print(entry);
    }
    Ok(())
}

/// An entry of a release, in short.
pub(crate) fn print(entry: &Expected) {
    println!("{} ({})", entry.platform, entry.profile);
    for (register, (value, validated)) in &entry.registers {
        let digest = value.sha384.map(hex::encode).unwrap_or_default();
        println!("  {:<6} {digest} (validated: {})", register.to_string(), validated.as_str());
    }
}
