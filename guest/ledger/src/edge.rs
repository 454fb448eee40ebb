//! The right edge of a log's tiles, and tiles to its left, believed only when their hash is one that the edge leads to.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use thiserror::Error;

use crate::{
    hash::{self, Hash},
    row::Row,
    source::{Source, SourceError},
    tile::{self, BundleError, Coordinates, Kind, MAX_LEVEL},
    tree::{self, Nodes},
};

/// Tiles kept after they were checked: 16 KiB each.
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
    levels: Vec<Arc<Row>>,
}

impl Edge {
    /// Of an edge whose rows are known. `rows[level]` has as many hashes as the size says.
    pub(crate) fn of(size: u64, levels: Vec<Vec<Hash>>) -> Self {
        Self { size, levels: levels.into_iter().map(|row| Arc::new(Row::new(row))).collect() }
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
        self.levels.get(usize::from(level)).map_or(&[], |row| row.hashes())
    }

    /// Adds a leaf, and says which tiles it filled.
    pub(crate) fn push(&mut self, leaf: Hash, filled: &mut Vec<(Coordinates, Arc<Row>)>) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0..=MAX_LEVEL {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Arc::default());
            }
            let Some(row) = self.levels.get_mut(usize::from(level)) else { return };
            Arc::make_mut(row).push(hash);
            if !row.is_full() {
                return;
            }
            let row = std::mem::take(row);
            hash = row.root();
            filled.push((Coordinates::full(Kind::Hashes(level), Self::full(self.size, level) - 1), row));
        }
    }

    pub(crate) fn root(&self) -> Hash {
        tree::fold(&self.levels.iter().rev().flat_map(|row| row.peaks()).collect::<Vec<_>>())
    }
}

/// A tree of which the right edge is believed.
#[derive(Debug)]
pub(crate) struct Tiles {
    pub(crate) edge: Edge,
    kept: Mutex<Kept>,
}

/// Tiles that were checked, the latest used last.
type Kept = VecDeque<((u8, u64), Arc<Row>)>;

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
    ) -> Result<Arc<Row>, TileError> {
        let full = Edge::full(self.edge.size, level);
        if index == full {
            return Ok(self.edge.levels.get(usize::from(level)).cloned().unwrap_or_default());
        }
        let place = Coordinates::full(Kind::Hashes(level), index);
        if index > full {
            return Err(TileError::Range { path: place.to_string(), size: self.edge.size });
        }
        if let Some(kept) = self.kept(level, index) {
            return Ok(kept);
        }
        let want = self.parent(source, level, index)?;
        let row = Arc::new(Row::new(read_hashes(source, place)?));
        let got = row.root();
        if got != want {
            return Err(TileError::Wrong { path: place.to_string(), got, want });
        }
        self.keep(level, index, &row);
        Ok(row)
    }

    /// Keeps a tile that is right.
    pub(crate) fn keep(&self, level: u8, index: u64, row: &Arc<Row>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(((level, index), Arc::clone(row)));
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
        above.node(0, usize::from(place)).ok_or_else(|| TileError::Range {
            path: Coordinates::full(Kind::Hashes(level), index).to_string(),
            size: self.edge.size,
        })
    }

    fn kept(&self, level: u8, index: u64) -> Option<Arc<Row>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().rposition(|(place, _)| *place == (level, index))?;
        let found = kept.remove(at)?;
        let row = Arc::clone(&found.1);
        kept.push_back(found);
        Some(row)
    }
}

impl<S: Source + ?Sized> View<'_, S> {
    /// The entries of a bundle, full or the last. The leaves' tile is not read: their root is in the tile above, the last ones are in the edge.
    pub(crate) fn bundle(&self, index: u64) -> Result<Vec<Vec<u8>>, TileError> {
        let size = self.tiles.edge.size;
        let full = Edge::full(size, 0);
        let width = if index < full { 256 } else { Edge::partial(size, 0) };
        let range = || TileError::Range { path: format!("bundle {index}"), size };
        let place =
            Coordinates::new(Kind::Entries, index, width).filter(|_| index <= full).ok_or_else(range)?;
        let (bytes, path) = fetch(self.source, place)?;
        if index == full {
            // Where the partial one is gone, the full one has more than the tree of this size.
            let exact = path == place.to_string();
            return check_entries(&bytes, self.tiles.edge.row(0), 0..256, &path, exact).map(owned);
        }
        let entries = tile::unbundle(&bytes, usize::from(width), true)
            .map_err(|source| TileError::Malformed { path: path.clone(), source })?;
        let leaves: Vec<Hash> = entries.iter().map(|entry| hash::leaf(entry)).collect();
        let (got, want) = (tree::perfect(&leaves), self.tiles.parent(self.source, 0, index)?);
        if got == want { Ok(owned(entries)) } else { Err(TileError::Wrong { path, got, want }) }
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
        let within = index & ((1 << (8 - height)) - 1);
        let node = usize::try_from(within).ok().zip(usize::try_from(height).ok());
        node.and_then(|(within, height)| row.node(height, within)).ok_or_else(range)
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

/// Some of the entries of a bundle of just these leaves, those held against their hashes.
pub(crate) fn check_bundle<'b>(
    bytes: &'b [u8],
    leaves: &[Hash],
    wanted: Range<usize>,
    path: &str,
) -> Result<Vec<&'b [u8]>, TileError> {
    check_entries(bytes, leaves, wanted, path, true)
}

/// Some of the first entries of a bundle, which must have these leaves; and no more where it is `exact`.
fn check_entries<'b>(
    bytes: &'b [u8],
    leaves: &[Hash],
    wanted: Range<usize>,
    path: &str,
    exact: bool,
) -> Result<Vec<&'b [u8]>, TileError> {
    let mut entries = tile::unbundle(bytes, leaves.len(), exact)
        .map_err(|source| TileError::Malformed { path: path.to_owned(), source })?;
    entries.truncate(wanted.end);
    let entries = entries.split_off(wanted.start.min(entries.len()));
    for (entry, want) in entries.iter().zip(leaves.iter().skip(wanted.start)) {
        let got = hash::leaf(entry);
        if got != *want {
            return Err(TileError::Wrong { path: path.to_owned(), got, want: *want });
        }
    }
    Ok(entries)
}

pub(crate) fn owned(entries: Vec<&[u8]>) -> Vec<Vec<u8>> {
    entries.into_iter().map(<[u8]>::to_vec).collect()
}
