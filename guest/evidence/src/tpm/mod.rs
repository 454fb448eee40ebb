//! TPM 2.0 commands over anything that reads and writes: `/dev/tpmrm0` in the guest, swtpm's socket on a host.
//!
//! TCG, Trusted Platform Module Library, Parts 2 and 3. Sizes are bounded, responses are parsed whole, and a
//! response that is not exactly what Part 3 says is an error. Only what evidence needs is here; no secret is
//! ever asked for, and the one key used is a primary, so none is stored either.

mod algorithm;
mod attestation_key;
mod code;
mod pcr;
mod quote;
mod startup;
mod wire;

use std::io::{self, Read, Write};
use std::time::Duration;

use algorithm::Command;
use wire::{HEADER, MAX, Reader, Writer};

pub use algorithm::Bank;
pub use attestation_key::{AttestationKey, Name, attestation_key};
pub use code::{ResponseCode, Subject};
pub use pcr::{NotAPcr, Pcr, PcrSet};
pub use quote::EVIDENCE_BANKS;

/// How often a command is sent again when the TPM asks for it.
const RETRIES: u32 = 20;

/// Why a TPM command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TpmError {
    /// The transport failed.
    #[error("{command}: {error}")]
    Transport {
        /// The command.
        command: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The TPM refused.
    #[error("{command}: {code} (TPM 2.0 Library, Part 2, 6.6)")]
    Refused {
        /// The command.
        command: &'static str,
        /// The TPM's word.
        code: ResponseCode,
    },
    /// The response is shorter than its fields.
    #[error(
        "{command}: response ends in {field} at offset {offset}: {needed} bytes needed, {left} left (TPM 2.0 Library, Part 3)"
    )]
    Truncated {
        /// The command.
        command: &'static str,
        /// The field.
        field: &'static str,
        /// Where, from the start of the response.
        offset: usize,
        /// Bytes that the field has.
        needed: usize,
        /// Bytes that there are.
        left: usize,
    },
    /// A field of the response has a value that it cannot have.
    #[error("{command}: {field} before offset {offset} is 0x{found:x} (TPM 2.0 Library, Part 3)")]
    Response {
        /// The command.
        command: &'static str,
        /// The field.
        field: &'static str,
        /// Where the field ends, from the start of the response.
        offset: usize,
        /// What was found: a value or a length.
        found: u64,
    },
    /// A command would not fit.
    #[error("{command}: {length} bytes are more than a TPM takes ({MAX})")]
    CommandTooLong {
        /// The command.
        command: &'static str,
        /// Length of what was to be sent.
        length: usize,
    },
    /// A digest does not have its bank's length.
    #[error("a {bank:?} digest has {} bytes, not {found}", bank.digest_len())]
    DigestLength {
        /// The bank.
        bank: Bank,
        /// Length given.
        found: usize,
    },
    /// The bank that evidence needs is not active.
    #[error("PCR bank {bank:?} is not active; activate it (swtpm_setup --pcr-banks sha256,sha384)")]
    BankMissing {
        /// The bank.
        bank: Bank,
    },
}

/// A TPM behind a transport.
#[derive(Debug)]
pub struct Tpm<T> {
    transport: T,
}

impl<T: Read + Write> Tpm<T> {
    /// Speaks to the TPM behind `transport`. Sends nothing yet.
    pub const fn new(transport: T) -> Self {
        Self { transport }
    }

    /// The transport back.
    pub fn into_inner(self) -> T {
        self.transport
    }

    /// Sends a command and gives the body of its response, code checked.
    fn execute(&mut self, command: Command, writer: Writer) -> Result<Vec<u8>, TpmError> {
        let bytes = writer.finish()?;
        let mut attempt = 0_u32;
        loop {
            match self.exchange(command, &bytes) {
                // Part 3, 5.2: the TPM was not ready; nothing has changed.
                Err(TpmError::Refused { code, .. }) if code.is_retry() && attempt < RETRIES => {
                    attempt = attempt.saturating_add(1);
                    std::thread::sleep(Duration::from_millis(10).saturating_mul(attempt));
                }
                other => return other,
            }
        }
    }

    fn exchange(&mut self, command: Command, bytes: &[u8]) -> Result<Vec<u8>, TpmError> {
        let transport = |error| TpmError::Transport { command: command.name(), error };
        self.transport.write_all(bytes).and_then(|()| self.transport.flush()).map_err(transport)?;
        // A device gives a whole response to one read, a stream in pieces: ask for all, stop at its size.
        let mut buffer = [0; MAX];
        let mut length = 0_usize;
        let mut expected = HEADER;
        while length < expected {
            let space = buffer.get_mut(length..).unwrap_or_default();
            match self.transport.read(space) {
                Ok(0) => return Err(transport(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => length = length.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(transport(error)),
            }
            if let Some([_, _, size @ ..]) = buffer.first_chunk::<6>().filter(|_| length >= HEADER) {
                let size = u32::from_be_bytes(*size);
                expected = usize::try_from(size)
                    .ok()
                    .filter(|size| (HEADER..=MAX).contains(size))
                    .ok_or_else(|| TpmError::Response {
                        command: command.name(),
                        field: "responseSize",
                        offset: 6,
                        found: size.into(),
                    })?;
            }
        }
        let response = buffer.get(..length).unwrap_or_default();
        let mut reader = Reader::new(command, response);
        reader.take("header", 6)?;
        let code = reader.u32("responseCode")?;
        if length != expected {
            let found = u64::try_from(length).unwrap_or(u64::MAX);
            return Err(TpmError::Response {
                command: command.name(),
                field: "responseSize",
                offset: 6,
                found,
            });
        }
        match ResponseCode::new(code) {
            Some(code) => Err(TpmError::Refused { command: command.name(), code }),
            None => Ok(reader.remaining().to_vec()),
        }
    }
}

#[cfg(test)]
mod tests;
