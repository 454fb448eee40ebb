//! A ledger in a folder: `checkpoint`, `tile/...` as C2SP tlog-tiles says, and `tail`, which is ours.
//!
//! An append of any number of entries is one write to the tail, and for each full bundle two files more. Partial tiles are written by
//! [`LogDir::publish`] alone; a running member serves them from memory. Nothing is flushed but by [`LogDir::sync`]: a folder is a cache of
//! what is ordered elsewhere, and after a power cut it opens at the longest beginning that its hashes bear out.
//!
//! Reads give bytes only after they were held against the tree.

mod entries;
mod open;
mod published;
mod repair;
mod tail;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

pub use self::entries::Entries;
use self::tail::Tail;
pub use crate::edge::TileError;
use crate::{
    checkpoint::CheckpointError,
    cosignature::SignedCheckpoint,
    edge::{Edge, Tiles, View},
    entry::MAX_ENTRY,
    hash::{self, Hash},
    proof::{Consistency, Inclusion},
    source::Directory,
    tile::{self, Coordinates, Kind, WIDTH},
    tree,
};

/// A ledger in a folder that this process alone writes to.
#[derive(Debug)]
pub struct LogDir {
    folder: PathBuf,
    files: Directory,
    tiles: Tiles,
    /// The partial bundle, in a bundle's form.
    partial: Vec<u8>,
    /// The last full bundle since the folder was opened, and its number: who reads what was just written asks for its end as well.
    former: (u64, Vec<u8>),
    tail: Option<Tail>,
    /// Size under the last checkpoint that was set.
    covered: u64,
    /// The last checkpoint: the note.
    checkpoint: Option<String>,
    /// Partial files of the last publication.
    published: BTreeSet<PathBuf>,
    /// First bundle that may not be flushed.
    unflushed: u64,
    lock: File,
}

/// Why a ledger's folder does not serve.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it.
    #[error("{}: another process has this ledger open", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// An entry too long.
    #[error("entry {index}: {got} bytes, a leaf has at most {MAX_ENTRY} (C2SP tlog-tiles)")]
    TooLong {
        /// The index it would have.
        index: u64,
        /// Its bytes.
        got: usize,
    },
    /// Damage.
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
    /// What a checkpoint covers stays.
    #[error("cannot cut to {size}: a checkpoint covers {covered} entries")]
    Covered {
        /// What was asked.
        size: u64,
        /// What the checkpoint covers.
        covered: u64,
    },
    /// A checkpoint of another history.
    #[error("checkpoint of size {size} says root {got}; these entries come to {want}: two histories")]
    Contradiction {
        /// Its size.
        size: u64,
        /// Its root.
        got: Hash,
        /// Ours.
        want: Hash,
    },
    /// A checkpoint older than the last.
    #[error("checkpoint of size {size} is behind the last one, of {covered}")]
    Behind {
        /// Its size.
        size: u64,
        /// The last one's.
        covered: u64,
    },
    /// The checkpoint file is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// An earlier write failed and the folder could not be read again.
    #[error("{}: an earlier write failed; open the ledger again", path.display())]
    Broken {
        /// The folder.
        path: PathBuf,
    },
    /// A repair with other entries than the ledger's.
    #[error("repair of bundle {bundle}: the entries come to {got}, the tree says {want}")]
    Repair {
        /// Which bundle.
        bundle: u64,
        /// What the entries come to.
        got: Hash,
        /// What they must.
        want: Hash,
    },
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::File { path: path.to_owned(), source }
}

impl LogDir {
    /// Adds entries, all or none. On an error nothing is added, and what was there is still served.
    ///
    /// # Errors
    /// Where an entry is too long or a file cannot be written.
    pub fn append<E: AsRef<[u8]>>(&mut self, entries: &[E]) -> Result<(), StoreError> {
        for (entry, index) in entries.iter().zip(self.size()..) {
            let got = entry.as_ref().len();
            if got > MAX_ENTRY {
                return Err(StoreError::TooLong { index, got });
            }
        }
        if self.tail.is_none() {
            return Err(StoreError::Broken { path: self.folder.clone() });
        }
        let before = self.size();
        self.add(entries).inspect_err(|_| self.go_back(before))
    }

    fn add<E: AsRef<[u8]>>(&mut self, entries: &[E]) -> Result<(), StoreError> {
        let mut records = Vec::new();
        let mut filled = Vec::new();
        let mut fresh_tail = false;
        for entry in entries.iter().map(AsRef::as_ref) {
            let leaf = hash::leaf(entry);
            tail::record(&mut records, entry, &leaf);
            let _ = tile::append(&mut self.partial, entry);
            self.tiles.edge.push(leaf, &mut filled);
            if filled.is_empty() {
                continue;
            }
            let bundle = Edge::full(self.size(), 0) - 1;
            self.write(&Coordinates::full(Kind::Entries, bundle), &self.partial)?;
            for (place, row) in filled.drain(..) {
                self.write(&place, &bytes_of(row.hashes()))?;
                if let Kind::Hashes(level) = place.kind() {
                    self.tiles.keep(level, place.index(), &row);
                }
            }
            self.former.0 = bundle;
            std::mem::swap(&mut self.former.1, &mut self.partial);
            self.partial.clear();
            records.clear();
            fresh_tail = true;
        }
        let path = self.folder.join("tail");
        if fresh_tail {
            let bundles = Edge::full(self.size(), 0);
            self.tail = Some(Tail::replace(&self.folder, bundles, &records).map_err(failed(&path))?);
        } else if let (Some(tail), false) = (&mut self.tail, records.is_empty()) {
            tail.append(&records).map_err(failed(&path))?;
        }
        Ok(())
    }

    /// After a failed write: memory to what the files say, which is what was there before.
    fn go_back(&mut self, size: u64) {
        self.tail = None;
        if let Ok(loaded) = open::load(&self.folder, &self.files)
            && loaded.edge.size() == size
        {
            self.tail = loaded.tail(&self.folder).ok();
            self.tiles = Tiles::new(loaded.edge);
            self.partial = loaded.partial;
            self.former.1.clear();
        }
    }

    /// Entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.tiles.edge.size()
    }

    /// Root over all entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.tiles.edge.root()
    }

    /// Root over the first `size` entries.
    ///
    /// # Errors
    /// Where there are fewer, or a tile is damaged.
    pub fn root_at(&self, size: u64) -> Result<Hash, StoreError> {
        self.within(size)?;
        Ok(if size == self.size() { self.root() } else { tree::root_at(&self.view(), size)? })
    }

    /// The frontier at `size`, to go on from there.
    ///
    /// # Errors
    /// Where there are fewer entries, or a tile is damaged.
    pub fn frontier_at(&self, size: u64) -> Result<tree::Frontier, StoreError> {
        self.within(size)?;
        Ok(tree::frontier_at(&self.view(), size)?)
    }

    /// Proof that entry `index` is in the tree of the first `size`.
    ///
    /// # Errors
    /// Where it is not, there are fewer, or a tile is damaged.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Inclusion, StoreError> {
        self.within(size)?;
        Inclusion::prove(&self.view(), index, size)?.ok_or(StoreError::Range { index, size })
    }

    /// Proof that the first `old` entries are the beginning of the first `new`.
    ///
    /// # Errors
    /// Where `old` is more than `new`, there are fewer, or a tile is damaged.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Consistency, StoreError> {
        self.within(new)?;
        Consistency::prove(&self.view(), old, new)?.ok_or(StoreError::Range { index: old, size: new })
    }

    /// RFC 6962 hash of entry `index`.
    ///
    /// # Errors
    /// Where there is no such entry, or a tile is damaged.
    pub fn leaf(&self, index: u64) -> Result<Hash, StoreError> {
        self.within(index.saturating_add(1))?;
        Ok(tree::Nodes::node(&self.view(), 0, index)?)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Flushes what was written since the last time.
    ///
    /// # Errors
    /// Where a file cannot be flushed.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        let mut folders = BTreeSet::from([self.folder.clone()]);
        let bundles = Edge::full(self.size(), 0);
        let mut paths: Vec<_> = (self.unflushed..bundles)
            .flat_map(|index| [Kind::Entries, Kind::Hashes(0)].map(|kind| Coordinates::full(kind, index)))
            .collect();
        for level in 1..=tile::MAX_LEVEL {
            let from = self.unflushed >> (8 * u32::from(level));
            paths.extend(
                (from..Edge::full(self.size(), level)).map(|i| Coordinates::full(Kind::Hashes(level), i)),
            );
        }
        for path in
            paths.iter().map(|place| self.folder.join(place.to_string())).chain(self.published.clone())
        {
            File::open(&path).and_then(|file| file.sync_data()).map_err(failed(&path))?;
            folders.extend(
                path.ancestors().skip(1).take_while(|f| f.starts_with(&self.folder)).map(Path::to_owned),
            );
        }
        if let Some(tail) = &self.tail {
            tail.sync().map_err(failed(&self.folder))?;
        }
        for folder in folders {
            File::open(&folder).and_then(|file| file.sync_all()).map_err(failed(&folder))?;
        }
        self.unflushed = bundles;
        Ok(())
    }

    /// Cuts off what no checkpoint covers.
    ///
    /// # Errors
    /// Where a checkpoint covers more, there are fewer entries, or the folder cannot be written.
    pub fn truncate(&mut self, size: u64) -> Result<(), StoreError> {
        self.within(size)?;
        if size < self.covered {
            return Err(StoreError::Covered { size, covered: self.covered });
        }
        let (bundles, keep) = (size / WIDTH, usize::try_from(size % WIDTH).unwrap_or(0));
        let old = Edge::full(self.size(), 0);
        let mut records = Vec::new();
        if keep > 0 {
            for entry in &self.bundle(bundles, 0..keep)? {
                tail::record(&mut records, entry, &hash::leaf(entry));
            }
        }
        let want = self.root_at(size)?;
        self.tail = None;
        let path = self.folder.join("tail");
        Tail::replace(&self.folder, bundles, &records).map_err(failed(&path))?;
        let loaded = open::load(&self.folder, &self.files)?;
        let got = loaded.edge.root();
        if got != want {
            return Err(TileError::Wrong { path: path.display().to_string(), got, want }.into());
        }
        self.tail = Some(loaded.tail(&self.folder).map_err(failed(&path))?);
        self.tiles = Tiles::new(loaded.edge);
        self.partial = loaded.partial;
        self.former.1.clear();
        self.unflushed = self.unflushed.min(bundles);
        // Leftovers are overwritten before they count; a reader of the folder should not see them either.
        for index in bundles..old {
            let _ = fs::remove_file(self.folder.join(Coordinates::full(Kind::Entries, index).to_string()));
            let _ = fs::remove_file(self.folder.join(Coordinates::full(Kind::Hashes(0), index).to_string()));
        }
        Ok(())
    }

    /// Leaves the folder to whoever opens it next. Reading goes on for as long as nobody does; adding entries is refused from here on. Dropping it
    /// does the same, but others may still hold it.
    ///
    /// # Errors
    /// Where the lock cannot be given back; dropping it will.
    pub fn close(&mut self) -> Result<(), StoreError> {
        self.tail = None;
        self.lock.unlock().map_err(failed(&self.folder))
    }

    /// Takes a checkpoint that was verified: what it covers stays, and readers are served up to there.
    ///
    /// # Errors
    /// Where it is of another history, of entries that are not here, or behind the last one.
    pub fn set_checkpoint(&mut self, signed: &SignedCheckpoint) -> Result<(), StoreError> {
        let (size, got) = (signed.checkpoint().size, signed.checkpoint().root);
        if size < self.covered {
            return Err(StoreError::Behind { size, covered: self.covered });
        }
        let want = self.root_at(size)?;
        if got != want {
            return Err(StoreError::Contradiction { size, got, want });
        }
        self.covered = size;
        self.checkpoint = Some(signed.note().to_owned());
        Ok(())
    }

    /// Entries that the last checkpoint covers.
    #[must_use]
    pub const fn covered(&self) -> u64 {
        self.covered
    }

    /// The last checkpoint's note: the one that was set, or after opening the folder's. In the latter case it is not verified.
    #[must_use]
    pub fn checkpoint(&self) -> Option<&str> {
        self.checkpoint.as_deref()
    }

    fn view(&self) -> View<'_, Directory> {
        View { tiles: &self.tiles, source: &self.files }
    }

    fn within(&self, size: u64) -> Result<(), StoreError> {
        if size <= self.size() { Ok(()) } else { Err(StoreError::Range { index: size, size: self.size() }) }
    }

    fn write(&self, place: &Coordinates, bytes: &[u8]) -> Result<(), StoreError> {
        write_file(&self.folder.join(place.to_string()), bytes)
    }
}

/// Writes a file and, the first time, its folder.
fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    match fs::write(path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(path);
            fs::create_dir_all(folder).map_err(failed(folder))?;
            fs::write(path, bytes).map_err(failed(path))
        }
        other => other.map_err(failed(path)),
    }
}

fn bytes_of(row: &[Hash]) -> Vec<u8> {
    row.iter().flat_map(|hash| hash.0).collect()
}
