//! Opening a folder, whatever was written last.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions, TryLockError},
    io,
    path::Path,
};

use super::{LogDir, StoreError, bytes_of, failed, tail, tail::Tail, write_file};
use crate::{
    checkpoint::TreeHead,
    edge::{Edge, TileError, Tiles, View, check_bundle, fetch, read_hashes},
    hash::Hash,
    note::Note,
    source::{Directory, Source as _},
    tile::{self, Coordinates, Kind, MAX_CHECKPOINT, MAX_LEVEL, WIDTH},
    tree,
};

/// Full bundles that are read again when a folder is opened, at least.
const LOOK_BACK: u64 = 16;

/// What a folder holds.
pub(super) struct Loaded {
    pub(super) edge: Edge,
    pub(super) partial: Vec<u8>,
    /// Whether the tail file is as it should be, and its records.
    records: Vec<u8>,
}

impl Loaded {
    /// The tail, ready for more. Written anew, so that nothing torn stays in it.
    pub(super) fn tail(&self, folder: &Path) -> io::Result<Tail> {
        Tail::replace(folder, Edge::full(self.edge.size(), 0), &self.records)
    }
}

impl LogDir {
    /// Opens the ledger in a folder, or begins one there. Finds the longest beginning that the files bear out: after a power cut that may
    /// be less than was appended since the last [`Self::sync`].
    ///
    /// # Errors
    /// Where the folder cannot be written or another process has it.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let path = folder.join("lock");
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(failed(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path: folder.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(failed(&path)(error)),
        }
        let files = Directory::new(folder);
        let mut loaded = load(folder, &files)?;
        let checkpoint = read_checkpoint(&files);
        let head = checkpoint.as_deref().and_then(head);
        // The checkpoint knows better than a tile above: what is below it is read as a whole then.
        if head.as_ref().is_some_and(|head| head.size <= loaded.edge.size() && !agrees(&loaded, &files, head))
        {
            loaded = rebuild(folder, &files)?;
        }
        let covered = head.filter(|head| agrees(&loaded, &files, head)).map_or(0, |head| head.size);
        let tail = Some(loaded.tail(folder).map_err(failed(folder))?);
        let unflushed = Edge::full(loaded.edge.size(), 0).saturating_sub(WIDTH);
        Ok(Self {
            folder: folder.to_owned(),
            files,
            tiles: Tiles::new(loaded.edge),
            partial: loaded.partial,
            former: (0, Vec::new()),
            tail,
            covered,
            checkpoint,
            published: BTreeSet::new(),
            unflushed,
            lock,
        })
    }
}

fn read_checkpoint(files: &Directory) -> Option<String> {
    let bytes = files.read(tile::CHECKPOINT, MAX_CHECKPOINT).ok()??;
    String::from_utf8(bytes).ok()
}

/// Whether a checkpoint's root is that of the entries.
fn agrees(loaded: &Loaded, files: &Directory, head: &TreeHead) -> bool {
    let tiles = Tiles::new(loaded.edge.clone());
    head.size <= loaded.edge.size()
        && tree::root_at(&View { tiles: &tiles, source: files }, head.size)
            .is_ok_and(|root| root == head.root)
}

/// Reads every bundle, and makes the tiles above the first level anew where they are not what is below them.
fn rebuild(folder: &Path, files: &Directory) -> Result<Loaded, StoreError> {
    let (mut edge, mut filled) = (Edge::default(), Vec::new());
    for bundle in 0.. {
        let Ok(leaves) = read_hashes(files, Coordinates::full(Kind::Hashes(0), bundle)) else { break };
        let Ok((bytes, path)) = fetch(files, Coordinates::full(Kind::Entries, bundle)) else { break };
        if check_bundle(&bytes, &leaves, 0..256, &path).is_err() {
            break;
        }
        leaves.into_iter().for_each(|leaf| edge.push(leaf, &mut filled));
        for (place, row) in filled.drain(..) {
            let bytes = bytes_of(row.hashes());
            let path = place.to_string();
            if files.read(&path, place.limit()).ok().flatten().as_ref() != Some(&bytes) {
                write_file(&folder.join(path), &bytes)?;
            }
        }
    }
    let contents = tail::read(folder).map_err(failed(&folder.join("tail")))?;
    Ok(with_tail(edge, contents))
}

fn head(note: &str) -> Option<TreeHead> {
    TreeHead::parse(Note::parse(note.as_bytes()).ok()?.text()).ok()
}

/// The longest beginning that the files bear out.
pub(super) fn load(folder: &Path, files: &Directory) -> Result<Loaded, StoreError> {
    let contents = tail::read(folder).map_err(failed(&folder.join("tail")))?;
    let mut bundles = match &contents {
        Some(contents) if contents.bundles == 0 || there(files, contents.bundles - 1)? => contents.bundles,
        _ => count(files)?,
    };
    let edge = loop {
        match left_of_tail(files, bundles) {
            Ok(edge) => break edge,
            // Damage at a bundle: what is before it may be whole.
            Err(Damage::At(bundle)) => bundles = bundle.min(bundles.saturating_sub(1)),
            Err(Damage::Other(error)) => return Err(error.into()),
        }
    };
    Ok(with_tail(edge, contents))
}

/// The entries behind the bundles, if the tail is of just these bundles.
fn with_tail(edge: Edge, contents: Option<tail::Contents>) -> Loaded {
    let bundles = Edge::full(edge.size(), 0);
    let mut loaded = Loaded { edge, partial: Vec::new(), records: Vec::new() };
    let mut filled = Vec::new();
    for (entry, leaf) in contents.filter(|c| c.bundles == bundles).map(|c| c.entries).unwrap_or_default() {
        // A tail of 256 entries was about to become a bundle; the last one is ordered again.
        if loaded.edge.row(0).len() == 255 {
            break;
        }
        loaded.edge.push(leaf, &mut filled);
        tail::record(&mut loaded.records, &entry, &leaf);
        let _ = tile::append(&mut loaded.partial, &entry);
    }
    loaded
}

enum Damage {
    /// This bundle, or a tile over it.
    At(u64),
    /// The file system.
    Other(TileError),
}

impl Damage {
    /// A file that cannot be read is no damage, unless because it is too large to be the one.
    fn of(error: TileError, files: &Directory, place: Coordinates, bundle: u64) -> Self {
        match error {
            TileError::Source(error) if !files.is_larger(&place.to_string(), place.limit()) => {
                Self::Other(error.into())
            }
            _ => Self::At(bundle),
        }
    }
}

/// The edge over full bundles, from the tiles; the last bundles are read and held against it.
fn left_of_tail(files: &Directory, bundles: u64) -> Result<Edge, Damage> {
    let size = bundles.checked_mul(WIDTH).ok_or(Damage::At(0))?;
    let mut levels = vec![Vec::new()];
    for level in 0..MAX_LEVEL {
        let full = Edge::full(size, level);
        let row: Result<Vec<Hash>, _> = ((full / WIDTH) * WIDTH..full)
            .map(|index| match read_hashes(files, Coordinates::full(Kind::Hashes(level), index)) {
                Ok(row) => Ok(tree::perfect(&row)),
                Err(error) => Err(Damage::of(
                    error,
                    files,
                    Coordinates::full(Kind::Hashes(level), index),
                    index << (8 * u32::from(level)),
                )),
            })
            .collect();
        levels.push(row?);
    }
    let tiles = Tiles::new(Edge::of(size, levels));
    let view = View { tiles: &tiles, source: files };
    for bundle in bundles.saturating_sub(LOOK_BACK.max(bundles % WIDTH))..bundles {
        let tile = Coordinates::full(Kind::Hashes(0), bundle);
        let leaves = view
            .tiles
            .tile(view.source, 0, bundle)
            .map_err(|error| Damage::of(error, files, tile, bundle))?;
        let place = Coordinates::full(Kind::Entries, bundle);
        let damage = |error| Damage::of(error, files, place, bundle);
        let (bytes, path) = fetch(files, place).map_err(damage)?;
        check_bundle(&bytes, leaves.hashes(), 0..256, &path).map_err(damage)?;
    }
    Ok(tiles.edge)
}

/// Whether there is such a file. One that is too large to be a bundle is one that is damaged: what reads it says so.
fn there(files: &Directory, bundle: u64) -> Result<bool, StoreError> {
    let path = Coordinates::full(Kind::Entries, bundle).to_string();
    if files.is_larger(&path, tile::MAX_BUNDLE) {
        return Ok(true);
    }
    Ok(files.read(&path, tile::MAX_BUNDLE).map_err(TileError::from)?.is_some())
}

/// Full bundles of a folder without a tail: found by halving, since only the last ones can be missing.
fn count(files: &Directory) -> Result<u64, StoreError> {
    let mut step: u64 = 1;
    while there(files, step - 1)? {
        step *= 2;
    }
    let (mut low, mut high) = (step / 2, step - 1);
    while low < high {
        let middle = low.midpoint(high);
        if there(files, middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
