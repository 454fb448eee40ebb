//! swtpm's control channel: big-endian numbers over a socket.
//!
//! swtpm's manual page swtpm_ioctls(3) and its header tpm_ioctl.h: a request is a command number and its
//! parameters, a response begins with a result, zero for success.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::path::SocketPath;

const CMD_GET_CAPABILITY: u32 = 1;
const CMD_INIT: u32 = 2;
const CMD_SHUTDOWN: u32 = 3;

const LIMIT: Duration = Duration::from_secs(10);

/// Why the control channel failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// It could not be reached, or broke.
    #[error("swtpm's control channel failed during {during}")]
    Io {
        /// The command's name in tpm_ioctl.h, or `connecting`.
        during: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// swtpm said no.
    #[error("swtpm answered {command} with {result:#x}")]
    Refused {
        /// The command's name in tpm_ioctl.h.
        command: &'static str,
        /// Its result: a TPM 1.2 code, whatever the TPM's version.
        result: u32,
    },
}

pub(super) struct Control(UnixStream);

impl Control {
    pub(super) fn connect(path: &SocketPath) -> Result<Self, ControlError> {
        let failed = |source| ControlError::Io { during: "connecting", source };
        let stream = UnixStream::connect(path.as_path()).map_err(failed)?;
        stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
        stream.set_write_timeout(Some(LIMIT)).map_err(failed)?;
        Ok(Self(stream))
    }

    /// Asks what it can do, which is the way to see that it listens; the answer's eight bytes are not used.
    pub(super) fn capabilities(&mut self) -> Result<(), ControlError> {
        let [_, _, _, _, _, _, _, _] = self.ask("CMD_GET_CAPABILITY", &CMD_GET_CAPABILITY.to_be_bytes())?;
        Ok(())
    }

    /// Powers the TPM on, keeping its state.
    pub(super) fn init(&mut self) -> Result<(), ControlError> {
        let flags = 0_u32;
        self.command("CMD_INIT", &[CMD_INIT.to_be_bytes(), flags.to_be_bytes()].concat())
    }

    /// Ends the process.
    pub(super) fn shutdown(&mut self) -> Result<(), ControlError> {
        self.command("CMD_SHUTDOWN", &CMD_SHUTDOWN.to_be_bytes())
    }

    fn command(&mut self, command: &'static str, request: &[u8]) -> Result<(), ControlError> {
        match u32::from_be_bytes(self.ask(command, request)?) {
            0 => Ok(()),
            result => Err(ControlError::Refused { command, result }),
        }
    }

    fn ask<const N: usize>(&mut self, during: &'static str, request: &[u8]) -> Result<[u8; N], ControlError> {
        let failed = |source| ControlError::Io { during, source };
        self.0.write_all(request).map_err(failed)?;
        let mut response = [0; N];
        self.0.read_exact(&mut response).map_err(failed)?;
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// One request against a control channel that answers with `answer`; the request is returned.
    fn exchange(
        answer: &'static [u8],
        ask: fn(&mut Control) -> Result<(), ControlError>,
    ) -> (Vec<u8>, Result<(), ControlError>) {
        let scratch = Scratch::new().unwrap();
        let path = scratch.socket("control").unwrap();
        let listener = UnixListener::bind(path.as_path()).unwrap();
        let peer = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 16];
            let count = stream.read(&mut request).unwrap();
            request.truncate(count);
            stream.write_all(answer).unwrap();
            request
        });
        let outcome = ask(&mut Control::connect(&path).unwrap());
        (peer.join().unwrap(), outcome)
    }

    #[test]
    fn requests_are_big_endian() {
        let (request, outcome) = exchange(&[0; 4], Control::init);
        assert_eq!(request, [0, 0, 0, 2, 0, 0, 0, 0]);
        outcome.unwrap();
        let (request, outcome) = exchange(&[0; 4], Control::shutdown);
        assert_eq!(request, [0, 0, 0, 3]);
        outcome.unwrap();
        let (request, outcome) = exchange(&[0, 0, 0, 0, 0, 0, 0xff, 0xff], Control::capabilities);
        assert_eq!(request, [0, 0, 0, 1]);
        outcome.unwrap();
    }

    #[test]
    fn refusals_and_short_answers() {
        let (_, outcome) = exchange(&[0, 0, 0, 9], Control::init);
        assert!(matches!(outcome, Err(ControlError::Refused { command: "CMD_INIT", result: 9 })));
        let (_, outcome) = exchange(&[0, 0, 0], Control::init);
        assert!(matches!(outcome, Err(ControlError::Io { during: "CMD_INIT", .. })));
    }
}
