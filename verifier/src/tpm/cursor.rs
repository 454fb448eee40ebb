//! A place in a TPM structure.

use super::TpmError;

pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, offset: 0 }
    }

    pub(super) const fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], TpmError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(TpmError::Truncated {
            field,
            offset: self.offset,
            needed: length,
            left: self.rest.len(),
        })?;
        self.rest = rest;
        self.offset = self.offset.saturating_add(length);
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], TpmError> {
        let (offset, left) = (self.offset, self.rest.len());
        let taken = self.take(N, field)?.first_chunk().copied();
        taken.ok_or(TpmError::Truncated { field, offset, needed: N, left })
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

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, TpmError> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// A `TPM2B_*`: a 16-bit size, then that many bytes; at most `most`.
    pub(super) fn sized(
        &mut self,
        field: &'static str,
        most: usize,
        clause: &'static str,
    ) -> Result<&'a [u8], TpmError> {
        let offset = self.offset;
        let size = usize::from(self.u16(field)?);
        if size > most {
            return Err(TpmError::Size { field, offset, size, most, clause });
        }
        self.take(size, field)
    }

    /// A 16-bit constant.
    pub(super) fn must_u16(
        &mut self,
        field: &'static str,
        must: u16,
        clause: &'static str,
    ) -> Result<(), TpmError> {
        let offset = self.offset;
        let value = self.u16(field)?;
        if value == must {
            return Ok(());
        }
        Err(TpmError::Value { field, offset, value: value.into(), must: must.into(), clause })
    }

    /// An ECC parameter: at most 32 bytes, big endian, here left-padded to 32 (11.2.5.1).
    pub(super) fn coordinate(&mut self, field: &'static str) -> Result<[u8; 32], TpmError> {
        let bytes = self.sized(field, 32, "11.2.5.1")?;
        let mut padded = [0; 32];
        padded.iter_mut().rev().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from);
        Ok(padded)
    }

    /// Nothing may follow.
    pub(super) fn finish(&self, structure: &'static str) -> Result<(), TpmError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(TpmError::Trailing { structure, offset: self.offset, left }),
        }
    }
}
