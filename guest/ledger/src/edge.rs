//! The right edge of a log's tiles, and tiles to its left, believed only when their hash is one that the edge leads to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use thiserror::Error;

use crate::{
    hash::{self, EMPTY, Hash},
    source::{Source, SourceError},
    tile::{self, BundleError, Coordinates, Kind, MAX_LEVEL},
    tree::{self, Nodes},
};

/// Tiles kept after they were checked: 8 KiB each.
const KEPT: usize = 64;

/// Why a tile is not what the tree says.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TileError {
    /// Not there.
    #[error("{path}: not there")]
    Missing {
        /// Its path.
        path: String,
    },
    /// Not a tile or bundle.
    #[error("{path}: {source}")]
    Malformed {
        /// Its path.
        path: String,
        /// Why.
        source: BundleError,
    },
    /// Other contents.
    #[error("{path}: its hash is {got}, the tree says {want}")]
    Wrong {
        /// Its path.
        path: String,
        /// Its hash.
        got: Hash,
        /// What it must be.
        want: Hash,
    },
    /// A place that the tree does not have.
    #[error("{path}: not in a tree of {size} entries")]
    Range {
        /// Its path, or what was asked.
        path: String,
        /// Entries.
        size: u64,
    },
    /// Cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// The partial tiles of every level: less than 256 hashes each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// Of an edge whose rows are known. `rows[level]` has as many hashes as the size says.
    pub(crate) fn of(size: u64, levels: Vec<Vec<Hash>>) -> Self {
        Self { size, levels }
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Full tiles of a level.
    pub(crate) fn full(size: u64, level: u8) -> u64 {
        size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0)
    }

    /// Hashes in the partial tile of a level.
    pub(crate) fn partial(size: u64, level: u8) -> u16 {
        let [low, ..] = size.checked_shr(8 * u32::from(level)).unwrap_or(0).to_le_bytes();
        u16::from(low)
    }

    pub(crate) fn row(&self, level: u8) -> &[Hash] {
        self.levels.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    /// Adds a leaf, and says which tiles it filled.
    pub(crate) fn push(&mut self, leaf: Hash, filled: &mut Vec<(Coordinates, Vec<Hash>)>) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0..=MAX_LEVEL {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::with_capacity(256));
            }
            let Some(row) = self.levels.get_mut(usize::from(level)) else { return };
            row.push(hash);
            if row.len() < 256 {
                return;
            }
            let row = std::mem::replace(row, Vec::with_capacity(256));
            hash = tree::perfect(&row);
            filled.push((Coordinates::full(Kind::Hashes(level), Self::full(self.size, level) - 1), row));
        }
    }

    pub(crate) fn root(&self) -> Hash {
        if self.size == 0 {
            return EMPTY;
        }
        let mut peaks = Vec::new();
        for row in self.levels.iter().rev() {
            let mut rest = row.as_slice();
            while let Some(level) = rest.len().checked_ilog2() {
                let (peak, after) = rest.split_at_checked(1 << level).unwrap_or((rest, &[]));
                peaks.push(tree::perfect(peak));
                rest = after;
            }
        }
        tree::fold(&peaks)
    }
}

/// A tree of which the right edge is believed.
#[derive(Debug)]
pub(crate) struct Tiles {
    pub(crate) edge: Edge,
    kept: Mutex<Kept>,
}

/// Tiles that were checked, the latest used last.
type Kept = VecDeque<((u8, u64), Arc<[Hash]>)>;

/// A tree with the files to read it from.
pub(crate) struct View<'a, S: ?Sized> {
    pub(crate) tiles: &'a Tiles,
    pub(crate) source: &'a S,
}

impl Tiles {
    pub(crate) fn new(edge: Edge) -> Self {
        Self { edge, kept: Mutex::default() }
    }

    /// The edge at `size`, read from its partial tiles and believed because they come to `root`.
    pub(crate) fn read<S: Source + ?Sized>(source: &S, size: u64, root: Hash) -> Result<Self, TileError> {
        let mut levels = Vec::new();
        for level in 0..=MAX_LEVEL {
            let width = Edge::partial(size, level);
            let index = Edge::full(size, level);
            let row = match Coordinates::new(Kind::Hashes(level), index, width) {
                Some(place) => read_hashes(source, place)?,
                None => Vec::new(),
            };
            levels.push(row);
        }
        let edge = Edge::of(size, levels);
        let got = edge.root();
        if got == root {
            Ok(Self::new(edge))
        } else {
            Err(TileError::Wrong { path: format!("tree of {size} entries"), got, want: root })
        }
    }

    /// A tile of the tree: the edge's, or a full one that the edge leads to.
    pub(crate) fn tile<S: Source + ?Sized>(
        &self,
        source: &S,
        level: u8,
        index: u64,
    ) -> Result<Arc<[Hash]>, TileError> {
        let full = Edge::full(self.edge.size, level);
        if index == full {
            return Ok(self.edge.row(level).into());
        }
        let place = Coordinates::full(Kind::Hashes(level), index);
        if index > full {
            return Err(TileError::Range { path: place.to_string(), size: self.edge.size });
        }
        if let Some(kept) = self.kept(level, index) {
            return Ok(kept);
        }
        let want = self.parent(source, level, index)?;
        let row = read_hashes(source, place)?;
        let got = tree::perfect(&row);
        if got != want {
            return Err(TileError::Wrong { path: place.to_string(), got, want });
        }
        let row: Arc<[Hash]> = row.into();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(((level, index), Arc::clone(&row)));
        Ok(row)
    }

    /// Root of a full tile, from the tile above it.
    pub(crate) fn parent<S: Source + ?Sized>(
        &self,
        source: &S,
        level: u8,
        index: u64,
    ) -> Result<Hash, TileError> {
        let above = self.tile(source, level + 1, index / tile::WIDTH)?;
        let [place, ..] = index.to_le_bytes();
        above.get(usize::from(place)).copied().ok_or_else(|| TileError::Range {
            path: Coordinates::full(Kind::Hashes(level), index).to_string(),
            size: self.edge.size,
        })
    }

    fn kept(&self, level: u8, index: u64) -> Option<Arc<[Hash]>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().rposition(|(place, _)| *place == (level, index))?;
        let found = kept.remove(at)?;
        let row = Arc::clone(&found.1);
        kept.push_back(found);
        Some(row)
    }
}

impl<S: Source + ?Sized> Nodes for View<'_, S> {
    type Error = TileError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, TileError> {
        let range = || TileError::Range {
            path: format!("node {index} of level {level}"),
            size: self.tiles.edge.size,
        };
        let row_level = u8::try_from(level / 8).map_err(|_| range())?;
        let height = level % 8;
        let row = self.tiles.tile(self.source, row_level, index >> (8 - height))?;
        let [start, ..] = (index << height).to_le_bytes();
        let start = usize::from(start);
        row.get(start..start + (1 << height)).map(tree::perfect).ok_or_else(range)
    }
}

/// Hashes of a tile. Where a partial one is gone, the full one that took its place serves (C2SP tlog-tiles, "Partial tiles").
pub(crate) fn read_hashes<S: Source + ?Sized>(
    source: &S,
    place: Coordinates,
) -> Result<Vec<Hash>, TileError> {
    let (bytes, path) = fetch(source, place)?;
    tile::hashes(&bytes, place.width()).map_err(|source| TileError::Malformed { path, source })
}

/// Bytes of a tile or bundle, or of the full one that took its place, and the path that they came from.
pub(crate) fn fetch<S: Source + ?Sized>(
    source: &S,
    place: Coordinates,
) -> Result<(Vec<u8>, String), TileError> {
    let path = place.to_string();
    if let Some(bytes) = source.read(&path, place.limit())? {
        return Ok((bytes, path));
    }
    let full = Coordinates::full(place.kind(), place.index());
    if full != place {
        let path = full.to_string();
        if let Some(bytes) = source.read(&path, full.limit())? {
            return Ok((bytes, path));
        }
    }
    Err(TileError::Missing { path })
}

/// Entries of a bundle of just these leaves, held against their hashes.
pub(crate) fn check_bundle<'b>(
    bytes: &'b [u8],
    leaves: &[Hash],
    path: &str,
) -> Result<Vec<&'b [u8]>, TileError> {
    let entries = tile::unbundle(bytes, leaves.len(), true)
        .map_err(|source| TileError::Malformed { path: path.to_owned(), source })?;
    for (entry, want) in entries.iter().zip(leaves) {
        let got = hash::leaf(entry);
        if got != *want {
            return Err(TileError::Wrong { path: path.to_owned(), got, want: *want });
        }
    }
    Ok(entries)
}
