//! `mint boot DISK`: the image in QEMU, with its stages timed, and a policy that names its TPM.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use clap::Args;
use hallmark_guest::evidence::tpm;
use hallmark_image::fetch::Store;
use hallmark_image::inputs;
use hallmark_image::lock::Lock;
use hallmark_provisioning::advice::Advice;
use hallmark_provisioning::http::Limits;
use hallmark_provisioning::local::{Plan, Vm};
use hallmark_provisioning::media::{Disk, Firmware, Writes};
use hallmark_provisioning::programs::{Program, TpmPrograms};
use hallmark_provisioning::shape::Shape;
use hallmark_provisioning::swtpm::TpmState;

use crate::complaint::Complaint;
use crate::progress;

/// What to boot, and what to write down.
#[derive(Args)]
#[command(after_help = "Examples:
  mint boot out/disk.raw --tpm --policy policy.toml
  mint boot out/disk.raw --tpm --policy policy.toml --evidence evidence.json --nonce $NONCE --once")]
pub(crate) struct Options {
    /// The disk image; it is never written to
    disk: PathBuf,
    /// Give the machine a TPM (swtpm, SHA-256 and SHA-384 banks). Its evidence is worth what this host is worth
    #[arg(long)]
    tpm: bool,
    /// Write a policy that accepts this machine's TPM, by the name of its attestation key
    #[arg(long, value_name = "FILE", requires = "tpm")]
    policy: Option<PathBuf>,
    /// Ask the machine for evidence and write it here
    #[arg(long, value_name = "FILE", requires = "nonce")]
    evidence: Option<PathBuf>,
    /// The nonce to ask with: 64 hex digits
    #[arg(long, value_name = "HEX")]
    nonce: Option<String>,
    /// Power the machine off once it is ready and has answered
    #[arg(long)]
    once: bool,
    /// Firmware, instead of the lock file's OVMF
    #[arg(long, value_name = "FILE")]
    firmware: Option<PathBuf>,
    /// Folder of Debian packages (checked by hash)
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Where the console's transcript and the TPM's state go. Default: a folder beside the disk
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Port of 127.0.0.1 that leads to the guest's 8080. Default: any free one
    #[arg(long)]
    port: Option<u16>,
    /// Memory in MiB
    #[arg(long, default_value_t = 1024)]
    memory: u32,
    /// Virtual processors
    #[arg(long, default_value_t = 1)]
    cpus: u16,
    /// How long the machine may take to be ready, in seconds
    #[arg(long, default_value_t = 300)]
    timeout: u64,
}

impl Options {
    /// A machine that is asked once and powered off, as `mint demo --vm` wants it.
    pub(crate) fn once(
        disk: &Path,
        state: &Path,
        cache: Option<&Path>,
        (policy, evidence): (&Path, &Path),
        nonce: &str,
    ) -> Self {
        Self {
            disk: disk.into(),
            tpm: true,
            policy: Some(policy.into()),
            evidence: Some(evidence.into()),
            nonce: Some(nonce.into()),
            once: true,
            firmware: None,
            cache: cache.map(Into::into),
            state: Some(state.into()),
            port: None,
            memory: 1024,
            cpus: 1,
            timeout: 300,
        }
    }
}

/// Boots and, unless told `--once`, stays until the machine ends or the user asks it to.
pub(crate) fn run(options: &Options) -> Result<(), Complaint> {
    let state = options.state.clone().unwrap_or_else(|| options.disk.with_extension("state"));
    fs::create_dir_all(&state).map_err(|e| Complaint::file("create", &state, &e))?;
    let plan = plan(options, &state)?;
    if let (Some(path), Some(tpm)) = (&options.policy, &plan.tpm) {
        let name = attestation_key_name(tpm)?;
        fs::write(path, policy(&name)).map_err(|e| Complaint::file("write", path, &e))?;
        progress::say(&format!("policy     {} names AK {name}", path.display()));
    }
    let mut tell = |event: &_| progress::line(event);
    let mut vm = Vm::boot(&plan, &mut tell).map_err(|e| advised(&e))?;
    let ready = vm.wait_ready(Duration::from_secs(options.timeout), &mut tell).map_err(|e| {
        let tail = e.tail().map(|t| format!("\nthe console's last lines:\n{t}")).unwrap_or_default();
        Complaint { what: format!("{e}{tail}"), ..advised(&e) }
    })?;
    progress::say(&format!("ready      http://{} ({})", vm.address(), ready.detail));
    progress::say(&format!("console    {}", vm.console().display()));
    if let (Some(path), Some(nonce)) = (&options.evidence, &options.nonce) {
        ask(&vm, path, nonce)?;
    }
    if !options.once {
        stay(&vm);
    }
    let off = vm.power_off(Duration::from_secs(60)).map_err(|e| advised(&e))?;
    progress::say(&format!("off        {:?} in {:.1} s", off.manner, off.took.as_secs_f64()));
    Ok(())
}

fn plan(options: &Options, state: &Path) -> Result<Plan, Complaint> {
    let firmware = match &options.firmware {
        Some(path) => path.clone(),
        None => locked_firmware(options.cache.as_deref(), state)?,
    };
    let firmware = Firmware::open(&firmware).map_err(|e| advised(&e))?;
    let disk = Disk::open(&options.disk, Writes::Discarded).map_err(|e| advised(&e))?;
    let mut plan = Plan::new(Program::Qemu.locate().map_err(|e| advised(&e))?, firmware, disk, state);
    plan.shape = Shape::new(options.memory, options.cpus).map_err(|e| {
        Complaint::unable("shape", "no such machine", e, "see --memory and --cpus in `mint boot --help`")
    })?;
    plan.host_port = options.port;
    if options.tpm {
        let programs = TpmPrograms::locate().map_err(|e| advised(&e))?;
        plan.tpm = Some(TpmState::open(&programs, &state.join("tpm")).map_err(|e| advised(&e))?);
    }
    Ok(plan)
}

/// The lock file's OVMF, unpacked beside the machine's state.
fn locked_firmware(cache: Option<&Path>, state: &Path) -> Result<PathBuf, Complaint> {
    let failed = |why: &dyn std::fmt::Display| {
        Complaint::unable(
            "firmware",
            "no OVMF to boot with",
            why,
            "give --firmware FILE, or --cache DIR with its package",
        )
    };
    let lock = Lock::shipped().map_err(|e| failed(&e))?;
    let store = Store::of_this_machine(cache).map_err(|e| failed(&e))?;
    let firmware = inputs::firmware(&store, &lock, &mut progress::download).map_err(|e| failed(&e))?;
    let path = state.join("OVMF.fd");
    fs::write(&path, firmware).map_err(|e| Complaint::file("write", &path, &e))?;
    Ok(path)
}

/// Asks the TPM itself, before the machine runs: what a guest says of its own key proves nothing.
fn attestation_key_name(state: &TpmState) -> Result<String, Complaint> {
    let key = state.session(|stream| tpm::attestation_key(&mut tpm::Tpm::new(stream))).map_err(|e| {
        Complaint::unable(
            "tpm",
            "the TPM gives no attestation key",
            e,
            "remove the state folder and boot again",
        )
    })?;
    Ok(key.name().to_string())
}

fn policy(name: &str) -> String {
    format!(
        "# Accepts one TPM, by the name of its attestation key, read from it before its machine started. It is a process of\n\
         # the host that ran `mint boot`: a verdict under this policy lists \"host\" in `trust`.\n\
         format = \"hallmark/policy/1\"\n\n[vtpm]\naccept = true\nak = [\"{name}\"]\n"
    )
}

fn ask(vm: &Vm, path: &Path, nonce: &str) -> Result<(), Complaint> {
    let limits = Limits { time: Duration::from_secs(120), body: 4 << 20 };
    let answer = vm.get(&format!("/evidence?nonce={nonce}"), limits).map_err(|e| {
        Complaint::unable("evidence", "the machine gave no evidence", &e, "its console may say why")
    })?;
    if answer.status != 200 {
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        return Err(Complaint::unable(
            "evidence",
            format!("the machine answered {}", answer.status),
            said,
            "is the nonce 64 hex digits?",
        ));
    }
    fs::write(path, &answer.body).map_err(|e| Complaint::file("write", path, &e))?;
    progress::say(&format!("evidence   {}", path.display()));
    Ok(())
}

/// Until the machine ends, or somebody presses enter or closes our input.
fn stay(vm: &Vm) {
    println!("press enter to power it off");
    let (done, asked) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_line(&mut String::new());
        let _ = done.send(());
    });
    while vm.wait_exit(Duration::from_millis(300)).is_none() {
        if !matches!(asked.try_recv(), Err(mpsc::TryRecvError::Empty)) {
            return;
        }
    }
}

fn advised(error: &impl Advice) -> Complaint {
    let (slug, why, hint) = (error.slug(), error.why(), error.hint());
    Complaint::unable(slug, error.to_string(), why, hint)
}
