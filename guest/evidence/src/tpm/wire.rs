//! Big-endian structures, written and read. TPM 2.0 Library, Part 1, 18 and Part 2, 10.4.

use super::TpmError;
use super::algorithm::{Command, handle, tag};

/// Length of a header: tag, size, code.
pub(super) const HEADER: usize = 10;
/// Longest command or response: what PC Client TPMs and the Linux resource manager take.
pub(super) const MAX: usize = 4096;

/// A command under construction.
pub(super) struct Writer {
    command: Command,
    bytes: Vec<u8>,
}

impl Writer {
    /// A command with these handles. With `authorized`, the first handle's empty password is given.
    pub(super) fn new(command: Command, handles: &[u32], authorized: bool) -> Self {
        let mut writer = Self { command, bytes: Vec::with_capacity(128) };
        writer.u16(if authorized { tag::SESSIONS } else { tag::NO_SESSIONS });
        writer.u32(0); // the size, known at the end
        writer.u32(command as u32);
        for handle in handles {
            writer.u32(*handle);
        }
        if authorized {
            // Part 1, 19.4: one password session: handle, no nonce, no attributes, empty password.
            writer.u32(9);
            writer.u32(handle::PASSWORD);
            writer.u16(0);
            writer.u8(0);
            writer.u16(0);
        }
        writer
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }
    pub(super) fn u16(&mut self, value: u16) {
        self.bytes.extend(value.to_be_bytes());
    }
    pub(super) fn u32(&mut self, value: u32) {
        self.bytes.extend(value.to_be_bytes());
    }
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A TPM2B: u16 size, then the bytes.
    pub(super) fn sized(&mut self, bytes: &[u8]) -> Result<(), TpmError> {
        self.u16(u16::try_from(bytes.len()).map_err(|_| self.too_long(bytes.len()))?);
        self.bytes(bytes);
        Ok(())
    }

    /// The finished command.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, TpmError> {
        let len = self.bytes.len();
        let size = u32::try_from(len).ok().filter(|_| len <= MAX).ok_or_else(|| self.too_long(len))?;
        if let Some(field) = self.bytes.get_mut(2..6) {
            field.copy_from_slice(&size.to_be_bytes());
        }
        Ok(self.bytes)
    }

    fn too_long(&self, length: usize) -> TpmError {
        TpmError::CommandTooLong { command: self.command.name(), length }
    }
}

/// A response being read. Knows how far it is, for errors.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    command: Command,
    whole: usize,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// `body` is a response without its header.
    pub(super) fn new(command: Command, body: &'a [u8]) -> Self {
        Self { command, whole: body.len(), rest: body }
    }

    /// Bytes read so far, counted as in the response.
    fn offset(&self) -> usize {
        self.whole.saturating_sub(self.rest.len()).saturating_add(HEADER)
    }

    /// An error about `field`, which was read last or could not be.
    pub(super) fn error(&self, field: &'static str, found: impl Into<u64>) -> TpmError {
        TpmError::Response { command: self.command.name(), field, offset: self.offset(), found: found.into() }
    }

    pub(super) fn take(&mut self, field: &'static str, length: usize) -> Result<&'a [u8], TpmError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| TpmError::Truncated {
            command: self.command.name(),
            field,
            offset: self.offset(),
            needed: length,
            left: self.rest.len(),
        })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], TpmError> {
        self.take(field, N)?.try_into().map_err(|_| self.error(field, 0_u8))
    }
    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, TpmError> {
        self.array(field).map(u8::from_be_bytes)
    }
    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, TpmError> {
        self.array(field).map(u16::from_be_bytes)
    }
    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, TpmError> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// The contents of a TPM2B.
    pub(super) fn sized(&mut self, field: &'static str) -> Result<&'a [u8], TpmError> {
        let length = self.u16(field)?;
        self.take(field, usize::from(length))
    }

    /// The parameters of a response with sessions, after any handle: u32 size, parameters, authorization area.
    pub(super) fn parameters(&mut self) -> Result<Reader<'a>, TpmError> {
        let size = self.u32("parameterSize")?;
        let start = self.offset();
        let length = usize::try_from(size).map_err(|_| self.error("parameterSize", size))?;
        let rest = self.take("parameters", length)?;
        // Part 1, 19.4: the acknowledgement of a password session has an empty nonce and an empty HMAC.
        self.sized("nonceTPM")?;
        self.u8("sessionAttributes")?;
        self.sized("hmac")?;
        self.clone().end()?;
        let whole = start.saturating_sub(HEADER).saturating_add(length);
        Ok(Reader { command: self.command, whole, rest })
    }

    /// What is left, without reading it.
    pub(super) const fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), TpmError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.error("trailing bytes", u64::try_from(self.rest.len()).unwrap_or(0)))
        }
    }
}
