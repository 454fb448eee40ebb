//! What runs the guest's instructions: KVM where it works, else emulation.
//!
//! `/dev/kvm` may open and still run nothing (nested virtualisation that is only half there), so KVM
//! counts when a guest of ours has run under it: it goes from the reset vector to 64-bit mode with
//! paging, the way that a UEFI firmware goes, says one word and ends QEMU with a known status.

mod guest;

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::console;
use crate::media::{Firmware, MediaError};
use crate::path::{AbsolutePath, PathError};
use crate::process::{ProcessError, Supervised};
use crate::qemu::command::{DebugExit, Machine};
use crate::scratch::{Scratch, ScratchError};
use crate::shape::{Shape, ShapeError};

/// What runs the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accelerator {
    /// The processor, through the kernel.
    Kvm,
    /// QEMU's emulator. Works everywhere, some twenty times slower.
    Tcg,
}

impl Accelerator {
    /// QEMU's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// The fullest processor model it has.
    #[must_use]
    pub fn cpu(self) -> &'static str {
        match self {
            Self::Kvm => "host",
            Self::Tcg => "max",
        }
    }
}

impl fmt::Display for Accelerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which accelerator works here, and how we know.
#[derive(Debug)]
pub struct Probe {
    /// The one to use.
    pub accelerator: Accelerator,
    /// How we know.
    pub reason: Reason,
    /// How long it took to find out.
    pub took: Duration,
}

/// How it is known what works.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// A guest ran under KVM.
    #[error("a guest ran under KVM")]
    Ran,
    /// This host has no KVM, or not for this user.
    #[error("/dev/kvm cannot be opened: {0}")]
    NoDevice(#[source] io::Error),
    /// The device opens, and no guest runs.
    #[error("/dev/kvm opens, but a guest does not run: {0}")]
    DidNotRun(#[from] TrialError),
}

/// Why the trial guest did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrialError {
    /// QEMU ended before the guest had done its work.
    #[error("QEMU ended with {status}{}", if output.is_empty() { String::new() } else { format!(": {output}") })]
    Ended {
        /// How.
        status: std::process::ExitStatus,
        /// The first line that QEMU printed which is not a warning.
        output: String,
    },
    /// The guest did not get to its end.
    #[error("no sign of life within {} ms", .0.as_millis())]
    Silent(Duration),
    /// QEMU could not be started.
    #[error(transparent)]
    Start(#[from] ProcessError),
    /// No folder for the trial's files.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The trial's files could not be used.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The trial's files could not be named.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The trial's machine has no valid size.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The trial's files could not be written.
    #[error("cannot write {path:?}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Longest that a trial may take. A guest under a KVM that works is done in a tenth of a second.
pub const TRIAL: Duration = Duration::from_secs(4);

/// Finds out which accelerator works here, in [`TRIAL`] and a little. Never fails: what does not
/// demonstrably run under KVM is emulated.
#[must_use]
pub fn probe(qemu: &Path) -> Probe {
    let started = Instant::now();
    let reason = match OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        Err(error) => Reason::NoDevice(error),
        Ok(_) => trial(qemu, Accelerator::Kvm, TRIAL).map_or_else(Reason::DidNotRun, |()| Reason::Ran),
    };
    let accelerator = if matches!(reason, Reason::Ran) { Accelerator::Kvm } else { Accelerator::Tcg };
    Probe { accelerator, reason, took: started.elapsed() }
}

/// Runs the trial guest to its end.
///
/// # Errors
/// When it does not come to its end within `limit`.
pub fn trial(qemu: &Path, accelerator: Accelerator, limit: Duration) -> Result<(), TrialError> {
    let scratch = Scratch::new()?;
    let rom = scratch.path().join("trial.rom");
    std::fs::write(&rom, guest::rom()).map_err(|source| TrialError::Write { path: rom.clone(), source })?;
    let console = AbsolutePath::new(scratch.path().join("console"))?;
    let machine = Machine::new(accelerator, Shape::new(16, 1)?, Firmware::open(&rom)?, console.clone())
        .debug_exit(DebugExit(guest::EXIT_PORT));
    let child = Supervised::start("qemu", qemu, &machine.arguments())?;
    let status = child.wait(limit).ok_or(TrialError::Silent(limit))?;
    let said = std::fs::read(console.as_path()).unwrap_or_default();
    if status.code() == Some(guest::EXIT_STATUS) && console::printable(&said) == guest::WORD {
        return Ok(());
    }
    // Features that the processor lacks are warned of first; the cause comes after.
    let printed = child.output();
    let cause = printed.lines().find(|line| !line.contains("warning:")).unwrap_or_default();
    let output = cause.chars().take(200).collect();
    Err(TrialError::Ended { status, output })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::Program;

    #[test]
    fn the_trial_guest_runs_under_emulation() {
        let Ok(qemu) = Program::Qemu.locate() else {
            eprintln!("skipped: no qemu-system-x86_64");
            return;
        };
        trial(&qemu, Accelerator::Tcg, Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn a_probe_is_bounded_and_has_a_reason() {
        let Ok(qemu) = Program::Qemu.locate() else {
            eprintln!("skipped: no qemu-system-x86_64");
            return;
        };
        let probe = probe(&qemu);
        eprintln!("{}: {} ({:?})", probe.accelerator, probe.reason, probe.took);
        assert!(probe.took < Duration::from_secs(6));
        assert_eq!(probe.accelerator == Accelerator::Kvm, matches!(probe.reason, Reason::Ran));
    }

    #[test]
    fn an_exit_without_the_word_is_not_a_run() {
        // Programs that are not QEMU: one that fails, one that says nothing, one that lies with its status.
        let sh = |text: &str| {
            let scratch = Scratch::new().unwrap();
            let path = scratch.path().join("qemu");
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            (scratch, path)
        };
        let (_scratch, path) = sh("echo 'cannot set MSR' >&2; exit 1");
        let error = trial(&path, Accelerator::Kvm, TRIAL).unwrap_err();
        assert!(error.to_string().ends_with(": cannot set MSR"), "{error}");
        let (_scratch, path) = sh("exec sleep 60");
        assert!(matches!(
            trial(&path, Accelerator::Kvm, Duration::from_millis(100)),
            Err(TrialError::Silent(_))
        ));
        let (_scratch, path) = sh(&format!("exit {}", guest::EXIT_STATUS));
        assert!(matches!(trial(&path, Accelerator::Kvm, TRIAL), Err(TrialError::Ended { .. })));
    }
}
