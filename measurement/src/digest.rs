//! The digests of one measured thing, one a bank.

use sha2::{Digest as _, Sha256, Sha384};

/// What is extended into a register, in each bank that the register has.
///
/// A TDX register has SHA-384 only. A bank is `None` where the register has no such bank or where the digest is the host's
/// to decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    /// SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// SHA-384.
    pub sha384: Option<[u8; 48]>,
}

impl Digests {
    /// Of a thing that the host decides.
    pub const UNKNOWN: Self = Self { sha256: None, sha384: None };

    /// The digests of `data` in both banks.
    #[must_use]
    pub fn of(data: &[u8]) -> Self {
        let mut banks = Banks::default();
        banks.update(data);
        banks.finish()
    }

    /// Whether no bank is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::UNKNOWN
    }

    /// Only what a TDX register can take.
    pub(crate) fn sha384_only(self) -> Self {
        Self { sha256: None, ..self }
    }

    /// `H(self || measured)`, bank by bank; a bank that either side lacks is lost.
    pub(crate) fn extended(&self, measured: &Self) -> Self {
        let sha256 = self.sha256.zip(measured.sha256);
        let sha384 = self.sha384.zip(measured.sha384);
        Self {
            sha256: sha256
                .map(|(old, new)| Sha256::new().chain_update(old).chain_update(new).finalize().into()),
            sha384: sha384
                .map(|(old, new)| Sha384::new().chain_update(old).chain_update(new).finalize().into()),
        }
    }
}

/// Both banks, fed once.
#[derive(Clone, Default)]
pub(crate) struct Banks {
    sha256: Sha256,
    sha384: Sha384,
}

/// Bytes hashed by one bank before the other takes its turn: they stay in the first-level cache.
const STRIDE: usize = 16 * 1024;

impl Banks {
    pub(crate) fn update(&mut self, data: &[u8]) {
        for chunk in data.chunks(STRIDE) {
            self.sha256.update(chunk);
            self.sha384.update(chunk);
        }
    }

    pub(crate) fn zeros(&mut self, mut count: usize) {
        const ZEROS: [u8; 4096] = [0; 4096];
        while count > 0 {
            let chunk = ZEROS.get(..count).unwrap_or(&ZEROS);
            self.update(chunk);
            count -= chunk.len();
        }
    }

    pub(crate) fn finish(self) -> Digests {
        Digests { sha256: Some(self.sha256.finalize().into()), sha384: Some(self.sha384.finalize().into()) }
    }
}
