//! Reading a ledger from anywhere, believing only what a checkpoint's root leads to.
//!
//! Memory does not grow with the ledger: the right edge's tiles, at most 64 tiles that were checked, and one bundle.

use std::collections::VecDeque;

use thiserror::Error;

use crate::{
    edge::{Tiles, View},
    hash::Hash,
    proof::{Consistency, Inclusion},
    source::Source,
    tile::WIDTH,
    tree,
};

pub use crate::edge::TileError;

/// A ledger behind a source, at one size and root.
#[derive(Debug)]
pub struct LogReader<S> {
    source: S,
    tiles: Tiles,
    root: Hash,
}

/// Why a ledger could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReaderError {
    /// A file that is missing, malformed or not what the root leads to.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// A place behind the end.
    #[error("entry {index} is not in a ledger of {size}")]
    Range {
        /// What was asked.
        index: u64,
        /// Entries.
        size: u64,
    },
}

/// Entries in order; see [`LogReader::entries`].
#[derive(Debug)]
pub struct Entries<'a, S> {
    reader: &'a LogReader<S>,
    next: u64,
    end: u64,
    ready: VecDeque<Vec<u8>>,
}

impl<S: Source> LogReader<S> {
    /// A reader of the first `size` entries, which come to `root`: a checkpoint's, verified by the caller. Reads the right edge's tiles.
    ///
    /// # Errors
    /// Where these are missing or do not come to the root.
    pub fn open(source: S, size: u64, root: Hash) -> Result<Self, ReaderError> {
        let tiles = Tiles::read(&source, size, root)?;
        Ok(Self { source, tiles, root })
    }

    /// Entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.tiles.edge.size()
    }

    /// Root over them.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The source.
    #[must_use]
    pub const fn source(&self) -> &S {
        &self.source
    }

    /// Entries from `from` on, each verified before it is given. To resume, ask from where it ended. Ends with the first error.
    #[must_use]
    pub const fn entries(&self, from: u64) -> Entries<'_, S> {
        Entries { reader: self, next: from, end: self.size(), ready: VecDeque::new() }
    }

    /// One entry.
    ///
    /// # Errors
    /// Where there is no such entry, or it is not what the root leads to.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, ReaderError> {
        self.entries(index).next().unwrap_or(Err(ReaderError::Range { index, size: self.size() }))
    }

    /// Root over the first `size` entries.
    ///
    /// # Errors
    /// Where there are fewer, or a tile is wrong.
    pub fn root_at(&self, size: u64) -> Result<Hash, ReaderError> {
        self.within(size)?;
        Ok(tree::root_at(&self.view(), size)?)
    }

    /// Proof that entry `index` is in the tree of the first `size`.
    ///
    /// # Errors
    /// Where it is not, there are fewer, or a tile is wrong.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Inclusion, ReaderError> {
        self.within(size)?;
        Inclusion::prove(&self.view(), index, size)?.ok_or(ReaderError::Range { index, size })
    }

    /// Proof that the first `old` entries are the beginning of the first `new`.
    ///
    /// # Errors
    /// Where `old` is more than `new`, there are fewer, or a tile is wrong.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Consistency, ReaderError> {
        self.within(new)?;
        Consistency::prove(&self.view(), old, new)?.ok_or(ReaderError::Range { index: old, size: new })
    }

    fn view(&self) -> View<'_, S> {
        View { tiles: &self.tiles, source: &self.source }
    }

    fn within(&self, size: u64) -> Result<(), ReaderError> {
        if size <= self.size() { Ok(()) } else { Err(ReaderError::Range { index: size, size: self.size() }) }
    }
}

impl<S: Source> Iterator for Entries<'_, S> {
    type Item = Result<Vec<u8>, ReaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        if self.ready.is_empty() {
            match self.reader.view().bundle(self.next / WIDTH) {
                Ok(bundle) => {
                    let skip = usize::try_from(self.next % WIDTH).unwrap_or(0);
                    self.ready = bundle.into();
                    self.ready.drain(..skip.min(self.ready.len()));
                }
                Err(error) => {
                    self.end = self.next;
                    return Some(Err(error.into()));
                }
            }
        }
        let entry = self.ready.pop_front()?;
        self.next += 1;
        Some(Ok(entry))
    }
}
