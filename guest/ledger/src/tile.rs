//! Tiles and entry bundles: how a log stands in files.
//!
//! <https://c2sp.org/tlog-tiles>: tiles of height 8 (256 hashes), `tile/<level>/<n>`, bundles of 256 entries `tile/entries/<n>`, each
//! entry behind its u16 BE length. `<n>` in groups of three digits, all but the last with an `x` before them; a partial tile has
//! `.p/<width>` behind it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::{checkpoint::decimal, entry::MAX_ENTRY, hash::Hash};

/// Hashes in a full tile, entries in a full bundle.
pub const WIDTH: u64 = 256;
/// Highest level that a tile can have.
pub const MAX_LEVEL: u8 = 7;
/// Most bytes of a tile.
pub const MAX_TILE: usize = 256 * 32;
/// Most bytes of an entry bundle.
pub const MAX_BUNDLE: usize = 256 * (MAX_ENTRY + 2);
/// Path of the checkpoint.
pub const CHECKPOINT: &str = "checkpoint";
/// Most bytes of the checkpoint.
pub const MAX_CHECKPOINT: usize = crate::note::MAX_NOTE;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Hashes of a level: 0 are leaves, each further one the roots of full tiles below.
    Hashes(u8),
    /// Entries.
    Entries,
}

/// Which tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coordinates {
    kind: Kind,
    index: u64,
    width: u16,
}

/// Text that is no tile's path, or coordinates that no tile has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no path of a tile (C2SP tlog-tiles)")]
pub struct PathError(String);

/// Bytes that are no bundle or tile.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Ends within an entry.
    #[error("entry bundle: ends at {at} within entry {entry}")]
    Short {
        /// Offset of the entry's length.
        at: usize,
        /// Which entry, from 0.
        entry: usize,
    },
    /// Another number of entries.
    #[error("entry bundle: {got} entries, {want} expected")]
    Count {
        /// How many there are.
        got: usize,
        /// How many there should be.
        want: usize,
    },
    /// Another number of bytes.
    #[error("tile: {got} bytes, {want} expected")]
    Length {
        /// Bytes.
        got: usize,
        /// What its width comes to.
        want: usize,
    },
}

impl Coordinates {
    /// A full tile or bundle.
    #[must_use]
    pub const fn full(kind: Kind, index: u64) -> Self {
        Self { kind, index, width: 256 }
    }

    /// A tile or bundle of `width` items, 1 to 256.
    #[must_use]
    pub const fn new(kind: Kind, index: u64, width: u16) -> Option<Self> {
        let level = matches!(kind, Kind::Hashes(level) if level > MAX_LEVEL);
        if width == 0 || width > 256 || level { None } else { Some(Self { kind, index, width }) }
    }

    /// What it holds.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its number within its level.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Items: 1 to 256.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Most bytes that it can have.
    #[must_use]
    pub fn limit(&self) -> usize {
        match self.kind {
            Kind::Hashes(_) => usize::from(self.width) * 32,
            Kind::Entries => usize::from(self.width) * (MAX_ENTRY + 2),
        }
    }
}

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Hashes(level) => write!(f, "tile/{level}/")?,
            Kind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        while let Some(group) = groups.pop() {
            if groups.is_empty() {
                write!(f, "{group:03}")?;
            } else {
                write!(f, "x{group:03}/")?;
            }
        }
        if u64::from(self.width) < WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

impl FromStr for Coordinates {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        let read = || {
            let rest = path.strip_prefix("tile/").filter(|rest| rest.len() <= 64)?;
            let (kind, rest) = rest.split_once('/')?;
            let kind = match kind {
                "entries" => Kind::Entries,
                level => Kind::Hashes(u8::try_from(decimal(level)?).ok()?),
            };
            let (number, width) = match rest.split_once(".p/") {
                Some((number, width)) => (number, u16::try_from(decimal(width)?).ok().filter(|w| *w < 256)?),
                None => (rest, 256),
            };
            let mut index: u64 = 0;
            for group in number.split('/') {
                let digits = group.strip_prefix('x').unwrap_or(group);
                if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
            }
            Self::new(kind, index, width)
        };
        // Whatever else it may be, a path has one spelling.
        let found = read().filter(|found| found.to_string() == path);
        found.ok_or_else(|| PathError(path.chars().take(80).collect()))
    }
}

/// Whether a path is one that a ledger's folder has: it cannot lead out of it.
pub(crate) fn is_plain(path: &str) -> bool {
    path == CHECKPOINT || path.parse::<Coordinates>().is_ok()
}

/// The bundle of these entries, each of [`MAX_ENTRY`] bytes at most; none where one is longer.
#[must_use]
pub fn bundle<E: AsRef<[u8]>>(entries: &[E]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(entries.iter().map(|entry| entry.as_ref().len() + 2).sum());
    for entry in entries {
        append(&mut bytes, entry.as_ref())?;
    }
    Some(bytes)
}

/// Adds an entry to a bundle.
pub(crate) fn append(bundle: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
    bundle.extend_from_slice(&u16::try_from(entry.len()).ok()?.to_be_bytes());
    bundle.extend_from_slice(entry);
    Some(())
}

/// The first `width` entries of a bundle that has at least so many; `exact` where it must have no more.
///
/// # Errors
/// Where there are fewer, one is cut, or there are more than there may be.
pub fn unbundle(bytes: &[u8], width: usize, exact: bool) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::with_capacity(width.min(256));
    let mut rest = bytes;
    while entries.len() < width {
        let at = bytes.len() - rest.len();
        if rest.is_empty() {
            return Err(BundleError::Count { got: entries.len(), want: width });
        }
        let short = || BundleError::Short { at, entry: entries.len() };
        let (length, after) = rest.split_first_chunk().ok_or_else(short)?;
        let (entry, after) =
            after.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or_else(short)?;
        entries.push(entry);
        rest = after;
    }
    if exact && !rest.is_empty() {
        return Err(BundleError::Count { got: width + 1, want: width });
    }
    Ok(entries)
}

/// The first `width` hashes of a tile that has at least so many.
///
/// # Errors
/// Where there are fewer, or half ones.
pub fn hashes(bytes: &[u8], width: u16) -> Result<Vec<Hash>, BundleError> {
    let want = usize::from(width) * 32;
    let (all, odd) = bytes.as_chunks::<32>();
    let first = all.get(..usize::from(width)).filter(|_| odd.is_empty());
    let first = first.ok_or(BundleError::Length { got: bytes.len(), want })?;
    Ok(first.iter().map(|hash| Hash(*hash)).collect())
}
