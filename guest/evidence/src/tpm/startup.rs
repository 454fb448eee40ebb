//! TPM2_Startup and TPM2_Shutdown (Part 3, 9.3, 9.4): only for a TPM that no firmware has started, as swtpm before
//! a machine's first power-on.

use std::io::{Read, Write};

use super::algorithm::Command;
use super::wire::{Reader, Writer};
use super::{Tpm, TpmError};

/// TPM_SU_CLEAR.
const CLEAR: u16 = 0;
/// TPM_RC_INITIALIZE: already started.
const INITIALIZE: u32 = 0x100;

impl<T: Read + Write> Tpm<T> {
    /// Starts the TPM with clear state. One that is already started is left as it is.
    ///
    /// # Errors
    /// The TPM's, or the transport's.
    pub fn startup(&mut self) -> Result<(), TpmError> {
        match self.state(Command::Startup) {
            Err(TpmError::Refused { code, .. }) if code.value() == INITIALIZE => Ok(()),
            other => other,
        }
    }

    /// Tells the TPM that power will go away.
    ///
    /// # Errors
    /// The TPM's, or the transport's.
    pub fn shutdown(&mut self) -> Result<(), TpmError> {
        self.state(Command::Shutdown)
    }

    fn state(&mut self, command: Command) -> Result<(), TpmError> {
        let mut writer = Writer::new(command, &[], false);
        writer.u16(CLEAR);
        let body = self.execute(command, writer)?;
        Reader::new(command, &body).end()
    }
}
