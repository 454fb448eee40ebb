//! A machine on this host: QEMU, with swtpm when a TPM is asked for.
//!
//! ```no_run
//! # use std::{path::Path, time::Duration};
//! # use hallmark_provisioning::{local::{Plan, Vm}, media::{Disk, Firmware, Writes}, programs::*, swtpm::TpmState};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let firmware = Firmware::open(Path::new("OVMF.fd"))?;
//! let disk = Disk::open(Path::new("disk.raw"), Writes::Refused)?;
//! let mut plan = Plan::new(Program::Qemu.locate()?, firmware, disk, Path::new("run"));
//! plan.tpm = Some(TpmState::open(&TpmPrograms::locate()?, Path::new("run/tpm"))?);
//!
//! let mut tell = |event: &_| eprintln!("{event}");
//! let mut vm = Vm::boot(&plan, &mut tell)?;
//! vm.wait_ready(Duration::from_secs(120), &mut tell)?;
//! let evidence = vm.get("/status", Default::default())?.body;
//! vm.power_off(Duration::from_secs(30))?;
//! # Ok(())
//! # }
//! ```

mod boot;
mod error;
mod power;
mod ready;

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::accelerator::Accelerator;
use crate::console::Console;
use crate::http::{self, HttpError, Limits, Response};
use crate::media::{Disk, Firmware};
use crate::process::Supervised;
use crate::progress::StageClock;
use crate::qemu::command::Outside;
use crate::qemu::qmp::Qmp;
use crate::scratch::Scratch;
use crate::shape::Shape;
use crate::swtpm::{Swtpm, TpmState};

pub use error::{BootError, PowerError, WaitError};
pub use power::{Manner, PowerOff};
pub use ready::Ready;

/// What is to run, with what, and where its files go.
#[derive(Debug, Clone)]
pub struct Plan {
    /// QEMU's program.
    pub qemu: PathBuf,
    /// The firmware.
    pub firmware: Firmware,
    /// The disk to boot from.
    pub disk: Disk,
    /// Folder for `console.log`; made if it is not there. One machine at a time; the transcript of an earlier
    /// one is replaced.
    pub folder: PathBuf,
    /// Memory and processors.
    pub shape: Shape,
    /// What runs it; `None`: find out ([`crate::accelerator::probe`]).
    pub accelerator: Option<Accelerator>,
    /// The TPM, if the machine is to have one.
    pub tpm: Option<TpmState>,
    /// What the guest reaches.
    pub outside: Outside,
    /// The guest's TCP port that a port of this host leads to.
    pub guest_port: u16,
    /// The port of this host, on 127.0.0.1; `None`: any that is free.
    pub host_port: Option<u16>,
}

impl Plan {
    /// The usual: 1 GiB, one processor, no TPM, nothing to reach, guest port 8080 on a free port.
    #[must_use]
    pub fn new(qemu: PathBuf, firmware: Firmware, disk: Disk, folder: &Path) -> Self {
        Self {
            qemu,
            firmware,
            disk,
            folder: folder.into(),
            shape: Shape::default(),
            accelerator: None,
            tpm: None,
            outside: Outside::default(),
            guest_port: 8080,
            host_port: None,
        }
    }
}

/// A machine that was started. Dropping it ends it.
#[derive(Debug)]
pub struct Vm {
    // In the order in which they must go: the machine, its TPM, the folder with their sockets, the lock.
    qemu: Supervised,
    qmp: Qmp,
    tpm: Option<Swtpm>,
    _scratch: Scratch,
    _transcript: File,
    console: Console,
    clock: StageClock,
    accelerator: Accelerator,
    port: u16,
}

impl Vm {
    /// What runs it.
    #[must_use]
    pub fn accelerator(&self) -> Accelerator {
        self.accelerator
    }

    /// Where this host reaches the guest's port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The transcript of the serial port. It stays when the machine goes.
    #[must_use]
    pub fn console(&self) -> &Path {
        self.console.path()
    }

    /// GETs a page of the guest.
    ///
    /// # Errors
    /// When there is no well-formed answer within the limits.
    pub fn get(&self, path: &str, limits: Limits) -> Result<Response, HttpError> {
        http::get(self.address(), path, limits)
    }

    /// Waits for the machine to end of itself, for at most `limit`.
    #[must_use]
    pub fn wait_exit(&self, limit: Duration) -> Option<ExitStatus> {
        self.qemu.wait(limit)
    }
}

#[cfg(test)]
mod tests;
