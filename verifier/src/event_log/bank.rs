//! Hash algorithms of registers, and digests of them.

use std::fmt;

use crate::crypto;

/// A hash algorithm that a log may declare (TCG Algorithm Registry, 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bank {
    /// SHA-1: read, never believed on its own.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Bank {
    /// The algorithm of a `TPM_ALG_ID`, where it is one that we can replay.
    #[must_use]
    pub const fn from_algorithm(id: u16) -> Option<Self> {
        match id {
            0x0004 => Some(Self::Sha1),
            0x000b => Some(Self::Sha256),
            0x000c => Some(Self::Sha384),
            0x000d => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Its `TPM_ALG_ID`.
    #[must_use]
    pub const fn algorithm(self) -> u16 {
        match self {
            Self::Sha1 => 0x0004,
            Self::Sha256 => 0x000b,
            Self::Sha384 => 0x000c,
            Self::Sha512 => 0x000d,
        }
    }

    /// The length of a digest in bytes.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The hash of these parts, one after the other.
    #[must_use]
    pub fn hash(self, parts: &[&[u8]]) -> Digest {
        match self {
            Self::Sha1 => Digest::Sha1(crypto::sha1(parts)),
            Self::Sha256 => Digest::Sha256(crypto::sha256(parts)),
            Self::Sha384 => Digest::Sha384(crypto::sha384(parts)),
            Self::Sha512 => Digest::Sha512(crypto::sha512(parts)),
        }
    }

    /// All zeros: what a register is before anything extends it.
    #[must_use]
    pub const fn zero(self) -> Digest {
        match self {
            Self::Sha1 => Digest::Sha1([0; 20]),
            Self::Sha256 => Digest::Sha256([0; 32]),
            Self::Sha384 => Digest::Sha384([0; 48]),
            Self::Sha512 => Digest::Sha512([0; 64]),
        }
    }
}

impl fmt::Display for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        })
    }
}

/// A digest, or a register's value, in one bank.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// 20 bytes.
    Sha1([u8; 20]),
    /// 32 bytes.
    Sha256([u8; 32]),
    /// 48 bytes.
    Sha384([u8; 48]),
    /// 64 bytes.
    Sha512([u8; 64]),
}

impl Digest {
    /// The bank.
    #[must_use]
    pub const fn bank(&self) -> Bank {
        match self {
            Self::Sha1(_) => Bank::Sha1,
            Self::Sha256(_) => Bank::Sha256,
            Self::Sha384(_) => Bank::Sha384,
            Self::Sha512(_) => Bank::Sha512,
        }
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha1(bytes) => bytes,
            Self::Sha256(bytes) => bytes,
            Self::Sha384(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
        }
    }

    /// The register's value after an extend: `H(value || digest)` (TPM 2.0 Library, Part 1, 17;
    /// Intel TDX Module, TDG.MR.RTMR.EXTEND).
    #[must_use]
    pub fn extend(&self, digest: &[u8]) -> Self {
        self.bank().hash(&[self.as_bytes(), digest])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{self}", self.bank())
    }
}

/// The digests of one event, at most one an algorithm, borrowed from the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digests<'a> {
    pub(super) sha1: Option<&'a [u8; 20]>,
    pub(super) sha256: Option<&'a [u8; 32]>,
    pub(super) sha384: Option<&'a [u8; 48]>,
    pub(super) sha512: Option<&'a [u8; 64]>,
}

impl<'a> Digests<'a> {
    /// The digest of that bank.
    #[must_use]
    pub fn get(&self, bank: Bank) -> Option<&'a [u8]> {
        match bank {
            Bank::Sha1 => self.sha1.map(<[u8; 20]>::as_slice),
            Bank::Sha256 => self.sha256.map(<[u8; 32]>::as_slice),
            Bank::Sha384 => self.sha384.map(<[u8; 48]>::as_slice),
            Bank::Sha512 => self.sha512.map(<[u8; 64]>::as_slice),
        }
    }

    /// The SHA-256 digest.
    #[must_use]
    pub const fn sha256(&self) -> Option<&'a [u8; 32]> {
        self.sha256
    }

    /// The SHA-384 digest.
    #[must_use]
    pub const fn sha384(&self) -> Option<&'a [u8; 48]> {
        self.sha384
    }

    /// Every digest with its bank, shortest first.
    pub fn iter(&self) -> impl Iterator<Item = (Bank, &'a [u8])> + use<'a> {
        let this = *self;
        [Bank::Sha1, Bank::Sha256, Bank::Sha384, Bank::Sha512]
            .into_iter()
            .filter_map(move |bank| this.get(bank).map(|digest| (bank, digest)))
    }

    /// Whether these bytes hash to every digest here. A SHA-1 digest alone shows nothing: two texts
    /// can be made that share it.
    #[must_use]
    pub fn are_of(&self, text: &[u8]) -> bool {
        let strong = self.sha256.is_some() || self.sha384.is_some() || self.sha512.is_some();
        strong && self.iter().all(|(bank, digest)| bank.hash(&[text]).as_bytes() == digest)
    }
}
