//! `assay measure IMAGE`: registers from the image's bytes alone, by code that the verifier does not share.

mod compare;
mod page;

use std::collections::BTreeMap;
use std::path::PathBuf;

use hallmark_measurement::firmware::PLATFORMS;
use hallmark_measurement::{Digests, Edk2, Firmware, Log, Profile, Register, Vmm, mrtd, predict_disk};

use crate::complaint::Complaint;
use crate::input;
use crate::output::Output;

/// What to measure
#[derive(clap::Args)]
#[command(after_help = "Examples:
  assay measure disk.raw
  assay measure disk.raw --platform qemu-tdx --firmware OVMF.inteltdx.ms.fd
  assay measure disk.raw --release release.json     # does the release tell the truth?

Exit: 0; 1 the image cannot be measured, or the release is not of it; 2 a file cannot be read.")]
pub(crate) struct Options {
    /// Raw disk image
    image: PathBuf,
    /// Which kind of machine
    #[arg(long, value_name = "P", default_value = "qemu-vtpm", value_parser = ["qemu-vtpm", "qemu-tdx", "qemu8-tdx"])]
    platform: String,
    /// The software whose way of measuring counts. Default: what releases of this version say of the platform
    #[arg(long)]
    profile: Option<Profile>,
    /// TDX firmware, for MRTD
    #[arg(long, value_name = "FILE")]
    firmware: Option<PathBuf>,
    /// Recompute every register and event of this release, and compare
    #[arg(long, value_name = "FILE", conflicts_with_all = ["platform", "profile"])]
    release: Option<PathBuf>,
    /// Print JSON
    #[arg(long, conflicts_with = "release")]
    json: bool,
}

/// Prints the registers, or holds a release against them. Exit code.
pub(crate) fn run(options: &Options, out: &mut Output) -> Result<u8, Complaint> {
    let image = input::read(&options.image, "image", input::IMAGE)?;
    let firmware =
        options.firmware.as_ref().map(|path| input::read(path, "firmware", input::DOCUMENT)).transpose()?;
    if let Some(path) = &options.release {
        let release = input::release(path)?;
        return Ok(u8::from(!compare::agrees(&release, &image, firmware.as_deref(), out)?));
    }
    if firmware.is_some() && !options.platform.ends_with("-tdx") {
        let why = "a TPM's PCR 0 is the host's firmware and is not predicted";
        return Err(Complaint::unable("firmware", "--firmware is for TDX", why, "say --platform qemu-tdx"));
    }
    let profile = options.profile.unwrap_or_else(|| profile_of(&options.platform));
    let log = predict(&image, &options.platform, &profile)?;
    let registers = registers(&log, &options.platform, firmware.as_deref())?;
    if options.json {
        out.line(page::document(&options.platform, &profile, &registers, &log));
    } else {
        page::write(&registers, &log, out);
    }
    Ok(0)
}

/// The profile of a platform in the releases that this version makes.
fn profile_of(platform: &str) -> Profile {
    match platform {
        "qemu-tdx" => Profile { edk2: Edk2::V2026_08, ..Profile::HALLMARK },
        "qemu8-tdx" => Profile { edk2: Edk2::V2026_08, vmm: Vmm::Qemu8, ..Profile::HALLMARK },
        _ => Profile::HALLMARK,
    }
}

/// What a platform of that name measures of the disk.
fn predict(image: &[u8], platform: &str, profile: &Profile) -> Result<Log, Complaint> {
    let prediction = predict_disk(image, profile).map_err(|e| {
        let hint = "take the raw disk that `mint build` writes";
        Complaint::no("image", "what this image measures cannot be told", e, hint)
    })?;
    Ok(if platform.ends_with("-tdx") { prediction.tdx } else { prediction.vtpm })
}

/// The registers of a log; and MRTD, where the platform has one and the firmware is given.
fn registers(
    log: &Log,
    platform: &str,
    firmware: Option<&[u8]>,
) -> Result<BTreeMap<Register, Digests>, Complaint> {
    let mut registers = log.registers();
    let order = PLATFORMS.iter().find(|(name, _)| *name == platform).map(|(_, order)| *order);
    if let (Some(order), Some(firmware)) = (order, firmware) {
        let firmware = Firmware::parse(firmware).map_err(|e| {
            let hint = "take the whole image, such as OVMF.inteltdx.ms.fd";
            Complaint::no("firmware", "this firmware has no MRTD", e, hint)
        })?;
        registers.insert(Register::Mrtd, Digests { sha256: None, sha384: Some(mrtd(&firmware, order)) });
    }
    Ok(registers)
}

/// A digest in hex, by the name of its bank.
fn of_bank(digests: &Digests, bank: &str) -> Option<String> {
    match bank {
        "sha256" => digests.sha256.map(hex::encode),
        "sha384" => digests.sha384.map(hex::encode),
        _ => None,
    }
}
