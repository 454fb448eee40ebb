//! Ending a machine: by its power button, by QEMU, by the kernel, in this order.

use std::time::{Duration, Instant};

use super::{PowerError, Vm};

/// What it took to end a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Manner {
    /// It had ended before.
    AlreadyOff,
    /// The guest powered off when its power button was pressed.
    Guest,
    /// The guest did not react; QEMU was asked to quit.
    Quit,
    /// QEMU did not react; its process was ended.
    Killed,
}

/// A machine that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerOff {
    /// What it took.
    pub manner: Manner,
    /// How long it took.
    pub took: Duration,
}

/// How long QEMU has to answer, and to end once it was asked to.
const ANSWER: Duration = Duration::from_secs(5);

impl Vm {
    /// Presses the power button, gives the guest `grace` to power off, then ends the machine and its TPM.
    ///
    /// # Errors
    /// When QEMU's process does not end even when killed.
    pub fn power_off(mut self, grace: Duration) -> Result<PowerOff, PowerError> {
        let started = Instant::now();
        let manner = self.end(grace)?;
        // It goes by itself when QEMU does; dropping ends it otherwise.
        if let Some(tpm) = &self.tpm {
            let _ = tpm.process().wait(Duration::from_secs(2));
        }
        Ok(PowerOff { manner, took: started.elapsed() })
    }

    fn end(&mut self, grace: Duration) -> Result<Manner, PowerError> {
        if self.qemu.exited().is_some() {
            return Ok(Manner::AlreadyOff);
        }
        // What QMP answers does not matter, only whether the process ends.
        let pressed = self.qmp.execute("system_powerdown", ANSWER).is_ok();
        if pressed && self.qemu.wait(grace).is_some() {
            return Ok(Manner::Guest);
        }
        if self.qmp.execute("quit", ANSWER).is_ok() && self.qemu.wait(ANSWER).is_some() {
            return Ok(Manner::Quit);
        }
        match self.qemu.end(Duration::from_secs(1)) {
            Some(_) => Ok(Manner::Killed),
            None => Err(PowerError { pid: self.qemu.id() }),
        }
    }
}
