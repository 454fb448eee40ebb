//! `mint demo`: the main job with nothing but this program. Every line says SIMULATED.
//!
//! The assembler, the prediction and the verifier are the real ones; the kernel is a stand-in that cannot boot and the
//! machine is forged. So it shows that a changed image is refused and why, not that any machine is good. Then a committee of
//! three such machines.

mod committee;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use hallmark_guest::evidence::{NOTHING_BOUND, Nonce, evidence_json};
use hallmark_image::release::{Artefact, Digests, Expected, Register, Release, Validation};
use hallmark_image::source::Source;
use hallmark_image::{Image, Parts, assemble, initrd, synthetic};
use hallmark_simulated::{Measured, SimulatedTd};
use hallmark_verifier::verdict::{Verdict, Word};

use crate::complaint::Complaint;
use crate::progress::{self, say};
use crate::{boot, verify};

/// The nonce of the demo's requester.
const NONCE: &str = "5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed";

/// Text of a module that QEMU does not need.
const UNNEEDED: &[u8] = b"Google Virtual NIC";

/// What to show
#[derive(Args)]
#[command(after_help = "Examples:
  mint demo
  mint build --out out && mint demo --vm --image out")]
pub(crate) struct Options {
    /// The real image in QEMU with OVMF and swtpm, instead of a synthetic one
    #[arg(long, requires = "image")]
    vm: bool,
    /// Where `mint build` put the image
    #[arg(long, value_name = "DIR")]
    image: Option<PathBuf>,
    /// Folder of Debian packages (checked by hash), for the firmware
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

/// Shows it. An error if anything came out other than it must.
pub(crate) fn run(options: &Options) -> Result<(), Complaint> {
    let start = Instant::now();
    progress::simulate();
    match &options.image {
        Some(image) if options.vm => vm(image, options.cache.as_deref())?,
        _ => {
            synthetic_image()?;
            committee::run()?;
        }
    }
    say(&format!("done in {:.1} s", start.elapsed().as_secs_f64()));
    Ok(())
}

/// Image, prediction, evidence, verdict; then the same with one byte of the initrd changed.
fn synthetic_image() -> Result<(), Complaint> {
    say("a small synthetic image: the real assembler, a kernel that does not boot");
    let initrd = initrd::initrd(b"SIMULATED guest", &[]).map_err(broken)?;
    let good = image(&initrd)?;
    let release = release(&good, "mint demo")?;
    let document = release.to_json().map_err(broken)?;
    for artefact in &release.artefacts {
        say(&format!("built      {} sha256 {}", artefact.name, hex::encode(artefact.sha256)));
    }
    let entry = entry(&release)?;
    for (register, (value, _)) in &entry.registers {
        say(&format!("predicted  {register} {}", value.sha384.map(hex::encode).unwrap_or_default()));
    }

    let verdict = ask(&release, &document)?;
    show("the machine that booted it", &verdict, Word::Simulated)?;

    let mut changed = initrd;
    let byte = changed.iter().position(|b| *b == b'S').unwrap_or_default();
    if let Some(byte) = changed.get_mut(byte) {
        *byte ^= 1;
    }
    say(&format!("changed    byte {byte} of the initrd, one bit; assembled and measured again"));
    let other = self::release(&image(&changed)?, "mint demo")?;
    let verdict = ask(&other, &document)?;
    show("a machine that booted that", &verdict, Word::Refused)?;
    must_mismatch(&verdict)
}

pub(crate) fn image(initrd: &[u8]) -> Result<Image, Complaint> {
    let (stub, kernel) = (synthetic::stub(), synthetic::kernel());
    let parts = Parts {
        stub: &stub,
        kernel: &kernel,
        release: "0-simulated",
        initrd,
        command_line: "console=ttyS0 simulated",
        os_release: "ID=hallmark\nNAME=SIMULATED\n",
    };
    assemble(&parts).map_err(broken)
}

pub(crate) fn release(image: &Image, builder: &str) -> Result<Release, Complaint> {
    let firmware = synthetic::firmware();
    Ok(Release {
        name: "simulated".into(),
        version: "0".into(),
        source: Source::UNCLAIMED,
        artefacts: vec![Artefact::of("hallmark.efi", &image.uki), Artefact::of("disk.raw", &image.disk)],
        lock_sha256: [0; 32],
        toolchain: "SIMULATED".into(),
        builder: builder.into(),
        expected: Expected::tdx(&image.disk, &firmware, &Validation::default()).map_err(broken)?,
        manifest_prehash: None,
        previous: None,
    })
}

/// The first TDX entry: what the simulated machine claims to be.
fn entry(release: &Release) -> Result<&Expected, Complaint> {
    release.expected.first().ok_or_else(|| broken("the release is empty"))
}

/// A simulated machine that booted the image of this release.
pub(crate) fn machine(booted: &Release) -> Result<SimulatedTd, Complaint> {
    let entry = entry(booted)?;
    let sha384 = |digests: &Digests| digests.sha384.ok_or_else(|| broken("an event without SHA-384"));
    let mut mr_td = None;
    if let Some((value, _)) = entry.registers.get(&Register::Mrtd) {
        mr_td = value.sha384;
    }
    let mut events = Vec::new();
    for event in &entry.events {
        let rtmr = match event.register {
            Register::Rtmr1 => 1,
            Register::Rtmr2 => 2,
            _ => continue,
        };
        events.push(Measured { rtmr, event: event.event.clone(), sha384: sha384(&event.digests)? });
    }
    let mr_td = mr_td.ok_or_else(|| broken("no MRTD"))?;
    SimulatedTd::boot(mr_td, &events, verify::now()).map_err(broken)
}

/// A simulated machine that measured what `booted` predicts, judged against the published `document`.
fn ask(booted: &Release, document: &str) -> Result<Verdict, Complaint> {
    let mut td = machine(booted)?;
    let nonce = Nonce::from_hex(NONCE).map_err(broken)?;
    let evidence = evidence_json(&mut td, &nonce, &NOTHING_BOUND).map_err(broken)?;
    verify::judge(&evidence, Some(&td.collateral()), document.as_bytes(), &SimulatedTd::policy(), NONCE)
}

fn show(what: &str, verdict: &Verdict, due: Word) -> Result<(), Complaint> {
    say(&format!("verdict    {what}: {}", verdict.word()));
    if !verdict.trust().is_empty() {
        say(&format!("trust      {}", verdict.trust().join(", ")));
    }
    for line in verdict.checks().iter().filter(|l| Some(l.slug) == verdict.code()) {
        for detail in line.detail.lines() {
            say(&format!("why        {}: {detail}", line.slug));
        }
    }
    if verdict.word() == due {
        return Ok(());
    }
    Err(Complaint::no("demo", format!("the verdict must be {due}"), verdict.to_json(), "report this"))
}

/// The real image in QEMU: what is simulated here is the machine, and its TPM is a program. Then the same disk with one
/// bit of its initrd flipped, in a module that this machine does not need, so that it still boots.
fn vm(image: &Path, cache: Option<&Path>) -> Result<(), Complaint> {
    say("the real image in QEMU, with OVMF and a software TPM");
    let release = image.join("release.json");
    let disk = image.join("disk.raw");
    show(
        "the machine that booted it",
        &booted(&disk, &image.join("demo"), &release, cache)?,
        Word::Accepted,
    )?;

    let mut bytes = fs::read(&disk).map_err(|e| Complaint::file("read", &disk, &e))?;
    let at =
        bytes.windows(UNNEEDED.len()).position(|w| w == UNNEEDED).ok_or_else(|| broken("no such module"))?;
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
    let state = image.join("demo-changed");
    fs::create_dir_all(&state).map_err(|e| Complaint::file("create", &state, &e))?;
    let changed = state.join("disk.raw");
    fs::write(&changed, bytes).map_err(|e| Complaint::file("write", &changed, &e))?;
    say(&format!("changed    byte {at} of the disk, one bit: a network card's module in the initrd"));
    let verdict = booted(&changed, &state, &release, cache)?;
    show("the machine that booted that", &verdict, Word::Refused)?;
    must_mismatch(&verdict)
}

/// Boots a disk, asks the machine, powers it off, and judges what it said.
fn booted(disk: &Path, state: &Path, release: &Path, cache: Option<&Path>) -> Result<Verdict, Complaint> {
    fs::create_dir_all(state).map_err(|e| Complaint::file("create", state, &e))?;
    let (policy, evidence) = (state.join("policy.toml"), state.join("evidence.json"));
    boot::run(&boot::Options::once(disk, state, cache, (&policy, &evidence), NONCE))?;
    verify::evidence(&evidence, release, &policy, NONCE)
}

fn must_mismatch(verdict: &Verdict) -> Result<(), Complaint> {
    if verdict.code() == Some("image-mismatch") {
        return Ok(());
    }
    Err(Complaint::no("demo", "refused for another reason", format!("{:?}", verdict.code()), "report this"))
}

fn broken(why: impl std::fmt::Display) -> Complaint {
    Complaint::unable("demo", "the demo did not come to its end", why, "report this")
}
