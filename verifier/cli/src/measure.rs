//! `assay measure IMAGE`: registers from the image's bytes alone, by code that the verifier does not share.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hallmark_measurement::{Digests, Event, Firmware, Log, PageOrder, Profile, Register, mrtd, predict_disk};
use hallmark_verifier::release::{Expected, Release};
use serde_json::{Map, Value, json};

use crate::complaint::Complaint;
use crate::input;

/// What to measure
#[derive(clap::Args)]
#[command(after_help = "Examples:
  assay measure disk.raw
  assay measure disk.raw --platform qemu-tdx --profile edk2-2026.08/qemu/stub-257/linux-7.2 --firmware OVMF.inteltdx.ms.fd
  assay measure disk.raw --release release.json     # does the release tell the truth? Exit 1 if not")]
pub(crate) struct Options {
    /// Raw disk image
    image: PathBuf,
    /// Which kind of machine
    #[arg(long, value_name = "P", default_value = "qemu-vtpm", value_parser = ["qemu-vtpm", "qemu-tdx", "qemu8-tdx"])]
    platform: String,
    /// The software whose way of measuring counts
    #[arg(long, default_value_t = Profile::HALLMARK)]
    profile: Profile,
    /// TDX firmware, for MRTD
    #[arg(long, value_name = "FILE")]
    firmware: Option<PathBuf>,
    /// Recompute every register and event of this release, and compare
    #[arg(long, value_name = "FILE", conflicts_with_all = ["platform", "profile"])]
    release: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the registers, or holds a release against them. Exit code.
pub(crate) fn run(options: &Options) -> Result<u8, Complaint> {
    let image = input::read(&options.image, "image", input::IMAGE)?;
    let firmware = options.firmware.as_ref().map(|path| input::read(path, "firmware", input::DOCUMENT)).transpose()?;
    if let Some(path) = &options.release {
        let release = input::release(path)?;
        return Ok(u8::from(!agrees(&release, &image, firmware.as_deref())?));
    }
    let log = predict(&image, &options.platform, &options.profile)?;
    let mut registers = log.registers();
    if let Some((register, value)) = measured_firmware(&options.platform, firmware.as_deref())? {
        registers.insert(register, value);
    }
    if options.json {
        println!("{}", document(options, &registers, &log));
    } else {
        print(&registers, &log);
    }
    Ok(0)
}

/// What a platform of that name measures of the disk.
fn predict(image: &[u8], platform: &str, profile: &Profile) -> Result<Log, Complaint> {
    let prediction = predict_disk(image, profile).map_err(|e| {
        Complaint::no("image", "what this image measures cannot be told", e, "take the raw disk that `mint build` writes")
    })?;
    Ok(if platform.ends_with("-tdx") { prediction.tdx } else { prediction.vtpm })
}

/// MRTD, where the platform has one and the firmware is given.
fn measured_firmware(platform: &str, firmware: Option<&[u8]>) -> Result<Option<(Register, Digests)>, Complaint> {
    let order = match (platform, firmware) {
        (_, None) => return Ok(None),
        ("qemu-tdx", _) => PageOrder::PageByPage,
        ("qemu8-tdx", _) => PageOrder::SectionBySection,
        _ => return Ok(None),
    };
    let firmware = Firmware::parse(firmware.unwrap_or_default()).map_err(|e| {
        Complaint::no("firmware", "this firmware has no MRTD", e, "take the whole image, such as OVMF.inteltdx.ms.fd")
    })?;
    Ok(Some((Register::Mrtd, Digests { sha256: None, sha384: Some(mrtd(&firmware, order)) })))
}

/// Recomputes every entry of a release. True when all that can be computed is as the release says.
fn agrees(release: &Release, image: &[u8], firmware: Option<&[u8]>) -> Result<bool, Complaint> {
    let mut all = true;
    for expected in release.expected() {
        let profile: Profile = expected.profile().parse().map_err(|e| {
            Complaint::unable("profile", format!("platform {}", expected.platform()), e, "use the assay of that release")
        })?;
        let log = predict(image, expected.platform(), &profile)?;
        let mut computed = log.registers();
        computed.extend(measured_firmware(expected.platform(), firmware)?);
        println!("{} ({})", expected.platform(), expected.profile());
        all &= same_registers(expected, &computed) & same_events(expected, &log);
    }
    println!("{}", if all { "the release tells the truth of this image" } else { "the release is NOT of this image" });
    Ok(all)
}

fn same_registers(expected: &Expected, computed: &BTreeMap<Register, Digests>) -> bool {
    let mut same = true;
    for (register, value, validated) in expected.registers() {
        let name = register.to_string();
        let found = computed.iter().find(|(r, _)| r.to_string() == name).map(|(_, d)| *d);
        let says = |digest: &hallmark_verifier::event_log::Digest| {
            let bank = digest.bank().to_string();
            let ours = found.and_then(|d| of_bank(&d, &bank));
            ours.is_some_and(|ours| ours == hex::encode(digest.as_bytes()))
        };
        let word = match found {
            None => "not computed (MRTD needs --firmware)",
            Some(_) if value.iter().all(|d| says(&d)) => "equal",
            Some(_) => {
                same = false;
                "DIFFERS"
            }
        };
        println!("  {name:<6} {word} (validated: {})", validated.word());
    }
    same
}

fn same_events(expected: &Expected, log: &Log) -> bool {
    let ours: Vec<String> = log.events().iter().map(|e| line(&e.register.to_string(), &e.what, &e.digests)).collect();
    let theirs: Vec<String> = expected
        .events()
        .iter()
        .map(|e| {
            let of = |bank: &str| {
                e.digests.iter().find(|d| d.bank().to_string() == bank).map(|d| hex::encode(d.as_bytes()))
            };
            [Some(e.register.to_string()), Some(e.what.clone()), of("sha256"), of("sha384")].into_iter().flatten().collect::<Vec<_>>().join(" ")
        })
        .collect();
    let first = ours.iter().zip(&theirs).position(|(a, b)| a != b).or((ours.len() != theirs.len()).then_some(ours.len().min(theirs.len())));
    let Some(index) = first else {
        println!("  {} events equal", ours.len());
        return true;
    };
    let show = |list: &[String]| list.get(index).cloned().unwrap_or_else(|| "no event".to_owned());
    println!("  event {} DIFFERS\n    computed {}\n    release  {}", index + 1, show(&ours), show(&theirs));
    false
}

fn of_bank(digests: &Digests, bank: &str) -> Option<String> {
    match bank {
        "sha256" => digests.sha256.map(hex::encode),
        "sha384" => digests.sha384.map(hex::encode),
        _ => None,
    }
}

fn line(register: &str, what: &str, digests: &Digests) -> String {
    let parts = [Some(register.to_owned()), Some(what.to_owned()), of_bank(digests, "sha256"), of_bank(digests, "sha384")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn print(registers: &BTreeMap<Register, Digests>, log: &Log) {
    for event in log.events() {
        let digest = of_bank(&event.digests, "sha384").unwrap_or_default();
        let short = digest.get(..16).unwrap_or(&digest);
        println!("{:<6} {short}.. {:<30} {}", event.register.to_string(), event.what, event.depends.join(", "));
    }
    println!();
    for (register, value) in registers {
        for bank in ["sha256", "sha384"] {
            if let Some(digest) = of_bank(value, bank) {
                println!("{:<6} {bank} {digest}", register.to_string());
            }
        }
    }
}

fn document(options: &Options, registers: &BTreeMap<Register, Digests>, log: &Log) -> Value {
    let digests = |digests: &Digests| -> Value {
        ["sha256", "sha384"].iter().filter_map(|b| Some(((*b).to_owned(), Value::from(of_bank(digests, b)?)))).collect::<Map<_, _>>().into()
    };
    let event = |e: &Event| {
        json!({"register": e.register.to_string(), "event": e.kind.name(), "what": e.what, "digests": digests(&e.digests), "depends": e.depends})
    };
    json!({
        "platform": options.platform,
        "profile": options.profile.to_string(),
        "registers": registers.iter().map(|(r, d)| (r.to_string(), digests(d))).collect::<Map<_, _>>(),
        "events": log.events().iter().map(event).collect::<Vec<_>>(),
    })
}
