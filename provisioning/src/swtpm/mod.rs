//! A TPM 2.0 in software, for machines that have none: its state, and the `swtpm` process over it.
//!
//! The state folder *is* the TPM. Its seeds are made once, by [`TpmState::open`]; after that every process
//! over the same folder derives the same keys. So a caller can ask the TPM for its attestation key before
//! the machine starts ([`TpmState::session`]) and knows what the machine will sign with ([`TpmState::serve`]).
//! No endorsement certificate is made: a host that owns the seeds could certify anything.

mod control;

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use control::Control;
pub use control::ControlError;

use crate::advice::Advice;
use crate::path::{AbsolutePath, PathError, SocketPath};
use crate::process::{self, ProcessError, Supervised};
use crate::programs::TpmPrograms;
use crate::scratch::{Scratch, ScratchError};

/// Why there is no TPM.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TpmError {
    /// The folder for its state could not be made or found.
    #[error("cannot use {path:?} for the TPM's state")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The folder's path does not fit an option.
    #[error("the TPM's state cannot be named in an option")]
    Path(#[from] PathError),
    /// No place for its sockets.
    #[error("no place for the TPM's sockets")]
    Scratch(#[from] ScratchError),
    /// `swtpm_setup` did not make a TPM.
    #[error("the TPM's first state could not be made")]
    Setup(#[source] ProcessError),
    /// `swtpm` could not be started.
    #[error("the TPM could not be started")]
    Start(#[from] ProcessError),
    /// `swtpm` ended on its own.
    #[error("the TPM ended with {status}: {output}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// `swtpm` does not answer on its control channel.
    #[error("the TPM's control channel failed")]
    Control(#[from] ControlError),
    /// The command channel could not be reached.
    #[error("the TPM's command channel failed during {during}")]
    Channel {
        /// What was being done.
        during: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A TPM command of ours failed.
    #[error("the TPM answered {command} with {code:#x}")]
    Refused {
        /// The command's name in TPM 2.0 Library, Part 3.
        command: &'static str,
        /// Its response code (Part 2, 6.6).
        code: u32,
    },
    /// Not a TPM's response.
    #[error("the TPM's response to {command} is malformed: {bytes:02x?}")]
    Malformed {
        /// The command's name in TPM 2.0 Library, Part 3.
        command: &'static str,
        /// The response.
        bytes: [u8; 10],
    },
}

impl Advice for TpmError {
    fn slug(&self) -> &'static str {
        match self {
            Self::Folder { .. } | Self::Path(_) | Self::Scratch(_) => "tpm-folder",
            Self::Setup(_) => "tpm-setup",
            _ => "tpm-start",
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Folder { .. } => {
                "give a folder that you may write to; a TPM's state belongs to one user".into()
            }
            Self::Path(_) => "give a folder whose path has no comma".into(),
            Self::Scratch(_) => "set TMPDIR to a folder with a short path that you may write to".into(),
            Self::Setup(_) => "apt-get install swtpm swtpm-tools; where AppArmor confines swtpm, \
                               use a folder under your home or /tmp"
                .into(),
            _ => "is another machine using this TPM's state? one folder serves one machine at a time".into(),
        }
    }
}

/// What went wrong in a [`session`](TpmState::session): the TPM, or the caller's part.
#[derive(Debug, thiserror::Error)]
pub enum SessionError<E> {
    /// The TPM.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// What the caller's function returned.
    #[error("{0}")]
    Caller(E),
}

/// PCR banks that are made active, and no others.
pub const BANKS: &str = "sha256,sha384";

const SETUP_LIMIT: Duration = Duration::from_secs(60);
const START_LIMIT: Duration = Duration::from_secs(10);
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// The state of one TPM: a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmState {
    folder: AbsolutePath,
    programs: TpmPrograms,
}

impl TpmState {
    /// The TPM whose state is in `folder`. If there is none it is made: a new seed, banks [`BANKS`].
    ///
    /// # Errors
    /// When the folder cannot be used or `swtpm_setup` fails.
    pub fn open(programs: &TpmPrograms, folder: &Path) -> Result<Self, TpmError> {
        let unusable = |source| TpmError::Folder { path: folder.into(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
        let folder = AbsolutePath::new(folder.canonicalize().map_err(unusable)?)?;
        let state = Self { folder, programs: programs.clone() };
        state.folder.swtpm_option("dir")?;
        let mut args: Vec<OsString> =
            ["--tpm2", "--pcr-banks", BANKS, "--not-overwrite"].map(Into::into).into();
        args.extend(["--tpmstate".into(), state.folder.as_ref().to_owned()]);
        process::run("swtpm_setup", &programs.setup, &args, SETUP_LIMIT).map_err(TpmError::Setup)?;
        Ok(state)
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.as_path()
    }

    /// Runs the TPM without a machine, started up (`TPM2_Startup(CLEAR)` is done), gives `ask` the stream
    /// for commands, and shuts it down. Reads and writes on the stream fail after 30 s.
    ///
    /// # Errors
    /// When the TPM cannot be run, or `ask` fails.
    pub fn session<T, E>(
        &self,
        ask: impl FnOnce(&mut UnixStream) -> Result<T, E>,
    ) -> Result<T, SessionError<E>> {
        let scratch = Scratch::new().map_err(TpmError::from)?;
        let server = scratch.socket("server").map_err(TpmError::from)?;
        let control = scratch.socket("control").map_err(TpmError::from)?;
        let mut option = OsString::from("type=unixio,mode=0600,");
        option.push(server.as_absolute().swtpm_option("path").map_err(TpmError::from)?);
        let child = self.start(&control, &["--server".into(), option])?;

        let mut channel = Control::connect(&control).map_err(TpmError::from)?;
        channel.init().map_err(TpmError::from)?;
        let mut stream = open_commands(&server)?;
        send(&mut stream, "TPM2_Startup", STARTUP_CLEAR)?;
        let answer = ask(&mut stream).map_err(SessionError::Caller)?;
        send(&mut stream, "TPM2_Shutdown", SHUTDOWN_CLEAR)?;
        drop(stream);
        channel.shutdown().map_err(TpmError::from)?;
        // The next user of the folder needs its lock, so the process must be gone; dropping ends it if not.
        let _ = child.wait(START_LIMIT);
        Ok(answer)
    }

    /// Starts the TPM for a machine: QEMU connects to `control`, and when it goes the TPM goes too.
    ///
    /// # Errors
    /// When it cannot be started, or does not answer.
    pub fn serve(&self, control: SocketPath) -> Result<Swtpm, TpmError> {
        let child = self.start(&control, &["--terminate".into()])?;
        Ok(Swtpm { child, control })
    }

    /// Starts swtpm and waits until it answers on its control channel.
    fn start(&self, control: &SocketPath, more: &[OsString]) -> Result<Supervised, TpmError> {
        let mut option = OsString::from("type=unixio,mode=0600,");
        option.push(control.as_absolute().swtpm_option("path")?);
        let mut args: Vec<OsString> = ["socket", "--tpm2", "--tpmstate"].map(Into::into).into();
        args.extend([self.folder.swtpm_option("dir")?, "--ctrl".into(), option]);
        args.extend_from_slice(more);
        let child = Supervised::start("swtpm", &self.programs.swtpm, &args)?;
        let started = Instant::now();
        loop {
            match Control::connect(control).and_then(|mut channel| channel.capabilities()) {
                Ok(()) => return Ok(child),
                Err(error) if started.elapsed() > START_LIMIT => return Err(error.into()),
                Err(_) => {}
            }
            if let Some(status) = child.wait(Duration::from_millis(5)) {
                return Err(TpmError::Ended { status, output: child.output() });
            }
        }
    }
}

/// A running TPM that waits for, or serves, one machine. Dropping it ends it.
#[derive(Debug)]
pub struct Swtpm {
    child: Supervised,
    control: SocketPath,
}

impl Swtpm {
    /// Where QEMU connects.
    #[must_use]
    pub fn control(&self) -> &SocketPath {
        &self.control
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> &Supervised {
        &self.child
    }
}

/// TPM2_Startup(TPM_SU_CLEAR): TPM 2.0 Library, Part 3, 9.3.
const STARTUP_CLEAR: [u8; 12] = [0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0];
/// TPM2_Shutdown(TPM_SU_CLEAR): TPM 2.0 Library, Part 3, 9.4.
const SHUTDOWN_CLEAR: [u8; 12] = [0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x45, 0, 0];

fn open_commands(server: &SocketPath) -> Result<UnixStream, TpmError> {
    let failed = |source| TpmError::Channel { during: "connecting", source };
    let stream = UnixStream::connect(server.as_path()).map_err(failed)?;
    stream.set_read_timeout(Some(COMMAND_LIMIT)).map_err(failed)?;
    stream.set_write_timeout(Some(COMMAND_LIMIT)).map_err(failed)?;
    Ok(stream)
}

/// Sends a command whose response is a header alone: tag, size, response code (Part 1, 18.8).
fn send(stream: &mut UnixStream, command: &'static str, bytes: [u8; 12]) -> Result<(), TpmError> {
    let failed = |source| TpmError::Channel { during: command, source };
    stream.write_all(&bytes).map_err(failed)?;
    let mut response = [0; 10];
    stream.read_exact(&mut response).map_err(failed)?;
    let [0x80, 0x01, 0, 0, 0, 10, code @ ..] = response else {
        return Err(TpmError::Malformed { command, bytes: response });
    };
    match u32::from_be_bytes(code) {
        0 => Ok(()),
        code => Err(TpmError::Refused { command, code }),
    }
}

#[cfg(test)]
mod tests;
