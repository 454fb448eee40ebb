//! What a former life of a machine left on its disk.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_coalition::UniqueId;
use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::Roster;
use hallmark_machine::Machine;
use openraft::EntryPayload;
use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::disk::{COSIGNED, IDENTITY, Identity, SNAPSHOT};
use super::{Disk, Storage, StoreError, StoredSnapshot};
use crate::engine::NodeId;
use crate::raft::Entry;
use crate::state::{FoundingError, Replay, SnapshotBytes};

/// Where a disk's Raft log ends: greater is better, as in Raft's elections.
///
/// Among n - q + 1 fresh disks at least one has every acknowledged write, and the greatest has what any of them has: a write that was acknowledged in
/// an earlier term is in the log of every later leader, and so before every entry of its term. Size alone would not do: a deposed leader's disk may
/// be longer by entries that nobody committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Last {
    /// Epoch.
    pub epoch: u64,
    /// Term of the last entry.
    pub term: u64,
    /// Its index.
    pub index: u64,
}

/// What a former epoch left on a disk, replayed: its leaves, and where they end. Authentic only as far as a cosigned checkpoint covers it; behind that it is
/// this disk's word.
#[derive(Debug, Clone)]
pub struct DiskState {
    /// Where its Raft log ends.
    pub last: Last,
    /// How often the committee was recovered before.
    pub recoveries: u64,
    /// The node whose disk it was.
    pub node: NodeId,
    /// The node's slot.
    pub slot: u16,
    /// The epoch's log key.
    pub log_key: String,
    /// Leaves after all of the log was applied.
    pub size: u64,
    /// Their root.
    pub root: Hash,
    /// The roster then.
    pub roster: Roster,
    /// The last checkpoint that this disk saw a quorum cosign, as a signed note. Whoever uses it verifies it.
    pub cosigned: Option<String>,
    /// The entry that ended the committee.
    pub retired: Option<u64>,
    /// What the epoch is replayed from.
    pub replay: Replay,
    /// The file.
    pub path: PathBuf,
}

impl DiskState {
    /// The best of a folder's former epochs; none where there was none. Files that are damaged are passed over, and said; one whose
    /// reading ended the process several times is renamed to `*.damaged`, and said once.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn read<M: Machine>(
        folder: &Path,
        group: UniqueId,
    ) -> Result<(Option<Self>, Vec<StoreError>), StoreError> {
        let mut damaged = Vec::new();
        let mut best: Option<Self> = None;
        let fail =
            |error: std::io::Error| StoreError::Disk { path: folder.to_owned(), why: error.to_string() };
        let files = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((None, damaged)),
            other => other.map_err(fail)?,
        };
        let mut paths = Vec::new();
        for file in files {
            let path = file.map_err(fail)?.path();
            if is_log(&path) {
                paths.push(path);
            }
        }
        paths.sort();
        for path in paths {
            let read = Attempt::begin(&path).and_then(|attempt| {
                let read = Self::of_file::<M>(&path, group, &Storage::files());
                attempt.end();
                read
            });
            match read {
                Ok(Some(state)) if best.as_ref().is_none_or(|best| *best < state) => best = Some(state),
                Ok(_) => {}
                Err(error) => damaged.push(error),
            }
        }
        Ok((best, damaged))
    }

    /// What one file holds; none where nothing was founded in it.
    ///
    /// # Errors
    /// Where it cannot be read, is damaged, or is another group's.
    pub fn of_file<M: Machine>(
        path: &Path,
        group: UniqueId,
        storage: &Storage,
    ) -> Result<Option<Self>, StoreError> {
        // redb asserts where a file contradicts itself. Where a panic ends the process all the same, `attempt` keeps count.
        let read = std::panic::AssertUnwindSafe(|| Self::read_file::<M>(path, group, storage));
        std::panic::catch_unwind(read).unwrap_or_else(|_| {
            let why = "redb gave up on it".to_owned();
            Err(StoreError::Damaged { path: path.to_owned(), row: "file".to_owned(), why })
        })
    }

    fn read_file<M: Machine>(
        path: &Path,
        group: UniqueId,
        storage: &Storage,
    ) -> Result<Option<Self>, StoreError> {
        let disk = Disk::open(path, storage, Arc::default())?;
        let Some(identity) = disk.meta::<Identity>(IDENTITY)? else { return Ok(None) };
        if identity.group != *group.as_bytes() {
            return Err(StoreError::Group { path: path.to_owned() });
        }
        let damaged = |row: &str, why: &dyn std::fmt::Display| StoreError::Damaged {
            path: path.to_owned(),
            row: row.to_owned(),
            why: why.to_string(),
        };
        let log = disk.log()?;
        let snapshot = disk.meta::<StoredSnapshot>(SNAPSHOT)?;
        let behind = snapshot.as_ref().and_then(|snapshot| snapshot.meta.last_log_id).map(|id| id.index);
        let purged = disk.purged()?.map(|id| id.index);
        let begins = log.first().map(|entry| entry.log_id.index);
        let gap = match (behind.max(None), begins) {
            (None, begins) => purged.is_some() || begins.is_some_and(|first| first > 0),
            (Some(snapshot), Some(first)) => first > snapshot.saturating_add(1),
            (Some(_), None) => false,
        };
        if gap {
            return Err(damaged("log", &"entries between the snapshot and the log are missing"));
        }
        let last = log.last().map(|entry| entry.log_id);
        let last = last.max(snapshot.as_ref().and_then(|snapshot| snapshot.meta.last_log_id));
        let replay = Replay {
            snapshot: snapshot.map(|snapshot| SnapshotBytes(snapshot.bytes)),
            batches: log.into_iter().filter_map(|entry| batch(entry, behind)).collect(),
        };
        let cosigned = disk.meta::<String>(COSIGNED)?;
        let (state, counts) = match replay.run_under::<M>(group, cosigned.as_deref()) {
            // A snapshot that a leader gave, and that this machine had not found a quorum's signatures for: it signed nothing with it, and what it had
            // signed before stands on q other disks (nobody is given a snapshot that no quorum has signed).
            Ok((_, false)) if replay.snapshot.is_some() => return Ok(None),
            Ok((replayed, counts)) => (replayed.state, counts),
            // A machine that was admitted and never came so far.
            Err(FoundingError::Field { field: "replay", .. }) => return Ok(None),
            Err(error) => return Err(damaged("replay", &error)),
        };
        let (Some(core), Some(last)) = (state.core(), last) else { return Ok(None) };
        // Of an epoch before, or of a tree that this log does not have.
        let cosigned = cosigned.filter(|_| counts);
        Ok(Some(Self {
            last: Last { epoch: core.epoch, term: last.leader_id.term, index: last.index },
            recoveries: core.recoveries,
            node: identity.node,
            slot: identity.slot,
            log_key: core.log_key.clone(),
            size: state.size(),
            root: state.root(),
            roster: core.roster.clone(),
            cosigned,
            retired: core.retired,
            replay,
            path: path.to_owned(),
        }))
    }
}

fn batch(entry: Entry, behind: Option<u64>) -> Option<(u64, crate::raft::Batch)> {
    let new = behind.is_none_or(|behind| entry.log_id.index > behind);
    match entry.payload {
        EntryPayload::Normal(batch) if new => Some((entry.log_id.leader_id.term, batch)),
        _ => None,
    }
}

/// Drops the files of a folder's former nodes, all but `own`.
pub(crate) fn remove_former(folder: &Path, own: &Path) {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    for path in files.filter(|path| is_log(path) && path != own) {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(%error, path = %path.display(), "a former log stays");
        }
    }
}

fn is_log(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("raft-") && path.extension().is_some_and(|extension| extension == "log")
}

impl PartialEq for DiskState {
    fn eq(&self, other: &Self) -> bool {
        self.last == other.last
    }
}

impl Eq for DiskState {}

impl PartialOrd for DiskState {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DiskState {
    fn cmp(&self, other: &Self) -> Ordering {
        self.last.cmp(&other.last)
    }
}
