//! What can go wrong with a machine on this host.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::advice::Advice;
use crate::console::Tail;
use crate::path::PathError;
use crate::process::ProcessError;
use crate::progress::Stage;
use crate::qemu::qmp::QmpError;
use crate::scratch::ScratchError;
use crate::swtpm::TpmError;

/// Why a machine did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// Its folder could not be made or written to.
    #[error("cannot use {path:?} for the machine's files")]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another machine runs with the same folder.
    #[error("another machine uses the folder {folder:?}")]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// Its folder's path does not fit an option.
    #[error("the machine's folder cannot be named in an option")]
    Path(#[from] PathError),
    /// No place for its sockets.
    #[error("no place for the machine's sockets")]
    Scratch(#[from] ScratchError),
    /// No TPM.
    #[error("the machine's TPM did not start")]
    Tpm(#[from] TpmError),
    /// No free port, or not the one that was asked for.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Port {
        /// The port; 0 for any.
        port: u16,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// QEMU could not be started.
    #[error("QEMU could not be started")]
    Start(#[from] ProcessError),
    /// QEMU ended at once.
    #[error("QEMU ended with {status} before the machine ran")]
    Ended {
        /// How.
        status: ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// QEMU does not answer.
    #[error("QEMU runs but does not answer")]
    Control(#[from] QmpError),
}

impl Advice for BootError {
    fn slug(&self) -> &'static str {
        match self {
            Self::Folder { .. } | Self::Busy { .. } | Self::Path(_) | Self::Scratch(_) => "boot-folder",
            Self::Tpm(error) => error.slug(),
            Self::Port { .. } => "boot-port",
            Self::Start(_) | Self::Ended { .. } | Self::Control(_) => "boot-qemu",
        }
    }

    fn why(&self) -> String {
        match self {
            Self::Folder { source, .. } | Self::Port { source, .. } => source.to_string(),
            Self::Busy { .. } => "its console.log is locked".into(),
            Self::Ended { output, .. } => output.clone(),
            Self::Tpm(error) => match error.why() {
                why if why.is_empty() => error.to_string(),
                why => format!("{error}: {why}"),
            },
            Self::Path(error) => error.to_string(),
            Self::Scratch(error) => error.to_string(),
            Self::Start(error) => error.to_string(),
            Self::Control(error) => error.to_string(),
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Folder { .. } | Self::Path(_) => "give a folder that you may write to".into(),
            Self::Busy { .. } => "give each machine a folder of its own".into(),
            Self::Scratch(_) => "set TMPDIR to a folder with a short path that you may write to".into(),
            Self::Tpm(error) => error.hint(),
            Self::Port { .. } => "give another port, or none: a free one is then taken".into(),
            Self::Start(_) => "apt-get install qemu-system-x86".into(),
            Self::Ended { .. } => "if it is an option that this QEMU does not know: 7.2 or later, \
                                   with seccomp and user networking, is needed (apt-get install qemu-system-x86)"
                .into(),
            Self::Control(_) => "the host may be overloaded: try again".into(),
        }
    }
}

/// Why a machine that started is not ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The machine ended.
    #[error("the machine ended during {stage} ({status})")]
    Ended {
        /// How far it had come.
        stage: Stage,
        /// How QEMU ended.
        status: ExitStatus,
        /// What QEMU printed.
        output: String,
        /// The console's last lines.
        tail: Tail,
    },
    /// The kernel or the guest program gave up.
    #[error("the guest panicked: {line}")]
    Panicked {
        /// What it said.
        line: String,
        /// The console's last lines.
        tail: Tail,
    },
    /// The firmware started nothing.
    #[error("the firmware found nothing to start on the disk")]
    NotBootable {
        /// The console's last lines.
        tail: Tail,
    },
    /// Time is up. The machine still runs.
    #[error("not ready after {} s: still in {stage}", waited.as_secs())]
    TimedOut {
        /// How far it has come.
        stage: Stage,
        /// How long was waited.
        waited: Duration,
        /// The console's last lines.
        tail: Tail,
    },
    /// The guest prints without end.
    #[error("the console has more than {limit} bytes and the guest is not ready")]
    Flooded {
        /// How much is read.
        limit: u64,
        /// The console's last lines.
        tail: Tail,
    },
    /// The transcript could not be read.
    #[error("cannot read the console's transcript {path:?}")]
    Console {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl WaitError {
    /// The console's last lines, safe to show.
    #[must_use]
    pub fn tail(&self) -> Option<&Tail> {
        match self {
            Self::Ended { tail, .. }
            | Self::Panicked { tail, .. }
            | Self::NotBootable { tail }
            | Self::TimedOut { tail, .. }
            | Self::Flooded { tail, .. } => Some(tail),
            Self::Console { .. } => None,
        }
    }
}

impl Advice for WaitError {
    fn slug(&self) -> &'static str {
        match self {
            Self::Ended { .. } => "guest-ended",
            Self::Panicked { .. } => "guest-panicked",
            Self::NotBootable { .. } => "disk-not-bootable",
            Self::TimedOut { .. } => "guest-timeout",
            Self::Flooded { .. } => "guest-console",
            Self::Console { .. } => "console-read",
        }
    }

    /// The console's last line, or what QEMU or the system said. [`Self::tail`] has more.
    fn why(&self) -> String {
        let last = |tail: &Tail| {
            tail.0.last().map_or_else(|| tail.to_string(), |line| format!("last on the console: {line}"))
        };
        match self {
            Self::Ended { output, .. } if !output.is_empty() => output.clone(),
            Self::Console { source, .. } => source.to_string(),
            _ => self.tail().map(last).unwrap_or_default(),
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Ended { stage: Stage::Firmware, .. } => {
                "is the firmware one for QEMU's q35 (Debian's ovmf)?".into()
            }
            Self::Ended { .. } | Self::Panicked { .. } | Self::Flooded { .. } => {
                "read the console's transcript".into()
            }
            Self::NotBootable { .. } => {
                "the disk needs an EFI system partition with EFI/BOOT/BOOTX64.EFI".into()
            }
            Self::TimedOut { .. } => "emulation is slow on a busy host: give it more time".into(),
            Self::Console { .. } => String::new(),
        }
    }
}

/// The machine could not be made to end.
#[derive(Debug, thiserror::Error)]
#[error("QEMU (process {pid}) did not end, not even when killed")]
pub struct PowerError {
    /// Its number.
    pub pid: u32,
}

impl Advice for PowerError {
    fn slug(&self) -> &'static str {
        "power-off"
    }

    fn hint(&self) -> String {
        "the kernel is keeping it, in an unfinished read or write: look at the host's disks".into()
    }
}
