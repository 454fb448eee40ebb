//! From a plan to a running QEMU.

use std::fs::{DirBuilder, File, TryLockError};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::time::{Duration, Instant};

use super::{BootError, Plan, Vm};
use crate::accelerator::{self, Accelerator};
use crate::console::Console;
use crate::path::AbsolutePath;
use crate::process::Supervised;
use crate::progress::{Event, Stage, StageClock};
use crate::qemu::command::{Forward, Machine, Network};
use crate::qemu::qmp::{Qmp, QmpError};
use crate::scratch::Scratch;
use crate::swtpm::Swtpm;

/// How long QEMU may take to open its control socket.
const CONTROL: Duration = Duration::from_secs(20);
/// How many free ports are tried: another program may take one between our look and QEMU's.
const PORTS: usize = 8;

impl Vm {
    /// Starts the machine: finds the accelerator, starts the TPM, then QEMU, and returns as soon as QEMU
    /// runs it. `tell` hears of every stage.
    ///
    /// # Errors
    /// When any of it cannot be had. Whatever was started by then is ended.
    pub fn boot(plan: &Plan, tell: &mut dyn FnMut(&Event)) -> Result<Self, BootError> {
        let (console, transcript) = prepare(plan)?;
        let scratch = Scratch::new()?;
        let accelerator = accelerator(plan, tell);
        let tpm = tpm(plan, &scratch, tell)?;
        let clock = StageClock::start(Stage::Firmware, tell);
        let control = scratch.socket("qmp")?;
        let mut machine = Machine::new(accelerator, plan.shape, plan.firmware.clone(), console.clone())
            .disk(plan.disk.clone())
            .control(control.clone());
        if let Some(tpm) = &tpm {
            machine = machine.tpm(tpm.control().clone());
        }
        let mut tries = 0;
        loop {
            let port = port(plan.host_port)?;
            let forwards =
                vec![Forward { host: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port), guest: plan.guest_port }];
            let machine = machine.clone().network(Network { forwards, outside: plan.outside });
            match start(plan, &machine, control.as_path()) {
                Ok((qemu, qmp)) => {
                    let console = Console::new(console.as_path());
                    return Ok(Self {
                        qemu,
                        qmp,
                        tpm,
                        _scratch: scratch,
                        _transcript: transcript,
                        console,
                        clock,
                        accelerator,
                        port,
                    });
                }
                Err(BootError::Ended { output, .. })
                    if plan.host_port.is_none() && tries < PORTS && lost_the_port(&output) =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Makes the folder and an empty transcript, locked: two machines that write one would make it useless.
fn prepare(plan: &Plan) -> Result<(AbsolutePath, File), BootError> {
    let folder = |source| BootError::Folder { path: plan.folder.clone(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(&plan.folder).map_err(folder)?;
    let path = plan.folder.canonicalize().map_err(folder)?.join("console.log");
    let failed = |source| BootError::Folder { path: path.clone(), source };
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => file.set_len(0).map_err(failed)?,
        Err(TryLockError::WouldBlock) => return Err(BootError::Busy { folder: plan.folder.clone() }),
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    Ok((AbsolutePath::new(path)?, file))
}

fn accelerator(plan: &Plan, tell: &mut dyn FnMut(&Event)) -> Accelerator {
    if let Some(accelerator) = plan.accelerator {
        return accelerator;
    }
    let clock = StageClock::start(Stage::Accelerator, tell);
    let probe = accelerator::probe(&plan.qemu);
    clock.finish(&format!("{}: {}", probe.accelerator, probe.reason), tell);
    probe.accelerator
}

fn tpm(plan: &Plan, scratch: &Scratch, tell: &mut dyn FnMut(&Event)) -> Result<Option<Swtpm>, BootError> {
    let Some(state) = &plan.tpm else { return Ok(None) };
    let clock = StageClock::start(Stage::Tpm, tell);
    let tpm = state.serve(scratch.socket("tpm")?)?;
    clock.finish(&format!("swtpm, state in {}", state.folder().display()), tell);
    Ok(Some(tpm))
}

/// A port of 127.0.0.1 that nobody listens on at this moment.
fn port(wanted: Option<u16>) -> Result<u16, BootError> {
    let port = wanted.unwrap_or(0);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| BootError::Port { port, source })
}

/// QEMU's words when a forwarded port is taken.
fn lost_the_port(output: &str) -> bool {
    output.contains("Could not set up host forwarding rule")
}

/// Starts QEMU and waits until it answers.
fn start(plan: &Plan, machine: &Machine, control: &std::path::Path) -> Result<(Supervised, Qmp), BootError> {
    let qemu = Supervised::start("qemu", &plan.qemu, &machine.arguments())?;
    let started = Instant::now();
    loop {
        match Qmp::connect(control, CONTROL.saturating_sub(started.elapsed())) {
            Ok(qmp) => return Ok((qemu, qmp)),
            Err(error) => {
                // Its end explains more than the socket that is not there.
                if let Some(status) = qemu.wait(Duration::from_millis(10)) {
                    return Err(BootError::Ended { status, output: qemu.output() });
                }
                let waiting = matches!(error, QmpError::Connect { .. } | QmpError::Closed { .. });
                if !waiting || started.elapsed() > CONTROL {
                    return Err(error.into());
                }
            }
        }
    }
}
