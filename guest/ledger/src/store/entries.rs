//! Entries out of a folder, each held against the tree before it is given.

use std::{collections::VecDeque, ops::Range};

use super::{LogDir, StoreError};
use crate::{
    edge::{Edge, TileError, check_bundle, fetch, owned},
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

    /// Some of the entries of a bundle, which has 256, or as many as there are in the last, which is in memory. The others are neither hashed
    /// nor copied.
    pub(super) fn bundle(&self, index: u64, wanted: Range<usize>) -> Result<Vec<Vec<u8>>, StoreError> {
        if index == Edge::full(self.size(), 0) {
            return Ok(check_bundle(&self.partial, self.tiles.edge.row(0), wanted, "tail").map(owned)?);
        }
        if wanted.start == 0 && wanted.end >= 256 {
            return Ok(self.view().bundle(index)?);
        }
        let leaves = self.tiles.tile(&self.files, 0, index)?;
        let (number, former) = &self.former;
        if *number == index && !former.is_empty() {
            return Ok(check_bundle(former, leaves.hashes(), wanted, "the last full bundle").map(owned)?);
        }
        let (bytes, path) = fetch(&self.files, Coordinates::full(Kind::Entries, index))?;
        Ok(check_bundle(&bytes, leaves.hashes(), wanted, &path).map(owned)?)
    }

    /// Reads everything and holds it against the tree.
    ///
    /// # Errors
    /// The first damage.
    pub fn verify(&self) -> Result<(), StoreError> {
        for index in 0..Edge::full(self.size(), 0) {
            self.bundle(index, 0..256)?;
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
        if self.size().is_multiple_of(WIDTH) {
            Ok(())
        } else {
            self.bundle(self.size() / WIDTH, 0..256).map(|_| ())
        }
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
            let skip = usize::try_from(index % WIDTH).unwrap_or(0);
            let count = usize::try_from(self.range.end - index).unwrap_or(usize::MAX);
            match self.log.bundle(index / WIDTH, skip..skip.saturating_add(count)) {
                Ok(entries) => self.ready = entries.into(),
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
