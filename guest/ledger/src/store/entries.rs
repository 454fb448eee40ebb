//! Entries out of a folder, each held against the tree before it is given.

use std::{collections::VecDeque, ops::Range};

use super::{LogDir, StoreError};
use crate::{
    edge::{Edge, TileError, check_bundle, fetch},
    tile::{Coordinates, Kind, WIDTH},
};

/// Entries in order; see [`LogDir::entries`].
#[derive(Debug)]
pub struct Entries<'a> {
    log: &'a LogDir,
    range: Range<u64>,
    ready: VecDeque<Vec<u8>>,
}

impl LogDir {
    /// Entry `index`.
    ///
    /// # Errors
    /// Where there is no such entry, or it is damaged.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, StoreError> {
        self.entries(index..index.saturating_add(1))
            .next()
            .unwrap_or(Err(StoreError::Range { index, size: self.size() }))
    }

    /// Entries of a range, in order. One bundle is in memory at a time. Ends with an error where one is damaged or not there.
    #[must_use]
    pub const fn entries(&self, range: Range<u64>) -> Entries<'_> {
        Entries { log: self, range, ready: VecDeque::new() }
    }

    /// All entries of a bundle: 256, or as many as there are in the last.
    pub(super) fn bundle(&self, index: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        let leaves = self.tiles.tile(&self.files, 0, index)?;
        let held;
        let (bytes, path) = if index == Edge::full(self.size(), 0) {
            (&self.partial, "tail".to_owned())
        } else {
            let (bytes, path) = fetch(&self.files, Coordinates::full(Kind::Entries, index))?;
            held = bytes;
            (&held, path)
        };
        let entries = check_bundle(bytes, &leaves, &path)?;
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// Reads everything and holds it against the tree.
    ///
    /// # Errors
    /// The first damage.
    pub fn verify(&self) -> Result<(), StoreError> {
        for index in 0..Edge::full(self.size(), 0) {
            self.bundle(index)?;
            // Kept tiles were right once; the file is what is asked about.
            let place = Coordinates::full(Kind::Hashes(0), index);
            let (got, want) = (
                crate::tree::perfect(&crate::edge::read_hashes(&self.files, place)?),
                self.tiles.parent(&self.files, 0, index)?,
            );
            if got != want {
                return Err(TileError::Wrong { path: place.to_string(), got, want }.into());
            }
        }
        for level in 1..crate::tile::MAX_LEVEL {
            for index in 0..Edge::full(self.size(), level) {
                let place = Coordinates::full(Kind::Hashes(level), index);
                let got = crate::tree::perfect(&crate::edge::read_hashes(&self.files, place)?);
                let want = self.tiles.parent(&self.files, level, index)?;
                if got != want {
                    return Err(TileError::Wrong { path: place.to_string(), got, want }.into());
                }
            }
        }
        if self.size().is_multiple_of(WIDTH) { Ok(()) } else { self.bundle(self.size() / WIDTH).map(|_| ()) }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Vec<u8>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            let index = self.range.start;
            if index >= self.range.end {
                return None;
            }
            if index >= self.log.size() {
                self.range.end = index;
                return Some(Err(StoreError::Range { index, size: self.log.size() }));
            }
            match self.log.bundle(index / WIDTH) {
                Ok(bundle) => {
                    let skip = usize::try_from(index % WIDTH).unwrap_or(0);
                    self.ready = bundle.into_iter().skip(skip).collect();
                }
                Err(error) => {
                    self.range.end = index;
                    return Some(Err(error));
                }
            }
        }
        let entry = self.ready.pop_front()?;
        self.range.start += 1;
        if self.range.start >= self.range.end {
            self.ready.clear();
        }
        Some(Ok(entry))
    }
}
