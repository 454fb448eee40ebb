//! The tables, and the way of what is written into them.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hallmark_ledger::hash::Hash;
use openraft::SnapshotMeta;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::backend::{Behind, Storage};
use super::chain::{Head, Row};
use super::tail::Tail;
use super::{Command, StoreError, failed};
use crate::engine::{Node, NodeId};
use crate::raft::{Entry, LogId};

/// Raft index to a row of the [`chain`](super::chain), the entry in postcard.
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// Name to SHA-256 of name, zero and value, then the value.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

pub(crate) const IDENTITY: &str = "identity";
pub(crate) const SNAPSHOT: &str = "snapshot";
pub(crate) const COSIGNED: &str = "cosigned";
const PURGED: &str = "purged";
/// Where the log ends: a log that is older than the rest of the file, or newer, is none.
const HEAD: &str = "head";
const VOTE: &str = "vote";
/// Which records of the [`Tail`] are rows that this file does not have yet.
const GENERATION: &str = "generation";

/// Whose file it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) group: [u8; 32],
    pub(crate) epoch: u64,
    pub(crate) node: NodeId,
    pub(crate) slot: u16,
}

/// A snapshot with Raft's words about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredSnapshot {
    pub(crate) meta: SnapshotMeta<NodeId, Node>,
    pub(crate) bytes: Arc<Vec<u8>>,
}

/// An open file.
pub(crate) struct Disk {
    path: PathBuf,
    database: Database,
    tail: Mutex<Tail>,
}

impl Disk {
    /// Begins a file, which must not exist.
    pub(crate) fn create(
        path: &Path,
        storage: &Storage,
        identity: &Identity,
        syncs: Arc<AtomicU64>,
    ) -> Result<Self, StoreError> {
        if !storage.is_simulated() && path.exists() {
            return Err(StoreError::Exists { path: path.to_owned() });
        }
        let disk = Self::open(path, storage, syncs)?;
        if disk.meta::<Identity>(IDENTITY)?.is_some() {
            return Err(StoreError::Exists { path: path.to_owned() });
        }
        disk.commit(&[Command::Meta(IDENTITY, postcard::to_allocvec(identity).unwrap_or_default())])?;
        Ok(disk)
    }

    /// Opens a file, made or not.
    pub(crate) fn open(path: &Path, storage: &Storage, syncs: Arc<AtomicU64>) -> Result<Self, StoreError> {
        let fail = failed(path);
        let file = Arc::new(storage.open(path, syncs).map_err(|error| fail(&error))?);
        let tail = Tail::open(Arc::clone(&file), storage.tail()).map_err(|error| fail(&error))?;
        let backend = Behind { file, from: tail.length() };
        // The log is read from memory while a member runs: a large cache would hold the same twice.
        let database = Database::builder()
            .set_cache_size(8 << 20)
            .create_with_backend(backend)
            .map_err(|error| fail(&error))?;
        let disk = Self { path: path.to_owned(), database, tail: Mutex::new(tail) };
        disk.load()?;
        Ok(disk)
    }

    /// Makes the tables, and reads what was appended and is in none.
    fn load(&self) -> Result<(), StoreError> {
        let fail = failed(&self.path);
        let transaction = self.database.begin_write().map_err(|error| fail(&error))?;
        drop(transaction.open_table(META).map_err(|error| fail(&error))?);
        let end = self.last(&transaction.open_table(LOG).map_err(|error| fail(&error))?)?;
        transaction.commit().map_err(|error| fail(&error))?;
        let generation = self.meta(GENERATION)?.unwrap_or_default();
        let read = self.tail().load(generation, end).map_err(|error| fail(&error))?;
        read.map_err(|damage| {
            self.damaged(&format!("record at {}", damage.at), "what was flushed there is gone")
        })
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes commands, with one flush: behind what was appended before where they are appends and there is room, and else into the tables.
    pub(crate) fn commit(&self, commands: &[Command]) -> Result<(), StoreError> {
        let mut tail = self.tail();
        let appended = tail.append(commands).map_err(|error| failed(&self.path)(&error))?;
        if appended { Ok(()) } else { self.transact(&mut tail, commands) }
    }

    /// Writes what was appended before, and these commands, in one transaction: redb's one-phase commit, which flushes once.
    fn transact(&self, tail: &mut Tail, commands: &[Command]) -> Result<(), StoreError> {
        let fail = failed(&self.path);
        let mut transaction = self.database.begin_write().map_err(|error| fail(&error))?;
        transaction.set_durability(Durability::Immediate).map_err(|error| fail(&error))?;
        let head;
        {
            let mut log = transaction.open_table(LOG).map_err(|error| fail(&error))?;
            let mut meta = transaction.open_table(META).map_err(|error| fail(&error))?;
            let mut put = |key: &str, value: &[u8]| {
                meta.insert(key, [&seal_of(key, value).0, value].concat().as_slice())
                    .map(drop)
                    .map_err(|error| fail(&error))
            };
            for (index, row) in tail.rows() {
                log.insert(index, row).map_err(|error| fail(&error))?;
            }
            if let Some(note) = tail.note() {
                put(COSIGNED, note)?;
            }
            for command in commands {
                match command {
                    Command::Append(entries) => {
                        let mut head = self.last(&log)?;
                        for entry in entries {
                            let bytes = postcard::to_allocvec(entry).map_err(|error| fail(&error))?;
                            let row = Row::after(head.as_ref(), &bytes);
                            let index = entry.log_id.index;
                            log.insert(index, row.encode(&bytes).as_slice()).map_err(|error| fail(&error))?;
                            head = Some(row.head(index));
                        }
                    }
                    Command::Truncate(since) => {
                        log.retain_in(*since.., |_, _| false).map_err(|error| fail(&error))?;
                    }
                    Command::Purge(upto) => {
                        log.retain_in(..=upto.index, |_, _| false).map_err(|error| fail(&error))?;
                        put(PURGED, &postcard::to_allocvec(upto).map_err(|error| fail(&error))?)?;
                    }
                    Command::Vote(vote) => {
                        put(VOTE, &postcard::to_allocvec(vote).map_err(|error| fail(&error))?)?;
                    }
                    Command::Snapshot(snapshot) => {
                        put(SNAPSHOT, &postcard::to_allocvec(&**snapshot).map_err(|error| fail(&error))?)?;
                    }
                    Command::Meta(key, value) => put(key, value)?,
                    Command::Flush(_) | Command::Nudge => {}
                }
            }
            head = self.last(&log)?;
            put(HEAD, &postcard::to_allocvec(&head).map_err(|error| fail(&error))?)?;
            put(GENERATION, &postcard::to_allocvec(&tail.next()).map_err(|error| fail(&error))?)?;
        }
        transaction.commit().map_err(|error| fail(&error))?;
        tail.restart(head);
        Ok(())
    }

    /// Where a table of entries ends, as its last row says.
    fn last(&self, log: &impl ReadableTable<u64, &'static [u8]>) -> Result<Option<Head>, StoreError> {
        let fail = failed(&self.path);
        let Some((index, row)) = log.last().map_err(|error| fail(&error))? else { return Ok(None) };
        let name = format!("log entry {}", index.value());
        let row = Row::read(row.value()).ok_or_else(|| self.damaged(&name, "too short"))?;
        Ok(Some(row.head(index.value())))
    }

    /// A value by its name.
    pub(crate) fn meta<T: for<'de> Deserialize<'de>>(&self, key: &str) -> Result<Option<T>, StoreError> {
        let fail = failed(&self.path);
        if key == COSIGNED
            && let Some(note) = self.tail().note()
        {
            return postcard::from_bytes(note)
                .map(Some)
                .map_err(|error| self.damaged(key, error.to_string()));
        }
        let transaction = self.database.begin_read().map_err(|error| fail(&error))?;
        let table = transaction.open_table(META).map_err(|error| fail(&error))?;
        let Some(row) = table.get(key).map_err(|error| fail(&error))? else { return Ok(None) };
        self.unsealed(key, row.value()).map(Some)
    }

    /// All entries, in order and without a gap: those that stood there together after one of the writes, or damage.
    pub(crate) fn log(&self) -> Result<Vec<Entry>, StoreError> {
        let fail = failed(&self.path);
        let transaction = self.database.begin_read().map_err(|error| fail(&error))?;
        let table = transaction.open_table(LOG).map_err(|error| fail(&error))?;
        let mut read = (Vec::new(), None);
        for row in table.iter().map_err(|error| fail(&error))? {
            let (index, row) = row.map_err(|error| fail(&error))?;
            self.read(&mut read, index.value(), row.value())?;
        }
        if self.meta::<Option<Head>>(HEAD)?.flatten() != read.1 {
            return Err(self.damaged(HEAD, "the log ends elsewhere"));
        }
        for (index, row) in self.tail().rows() {
            self.read(&mut read, index, row)?;
        }
        Ok(read.0)
    }

    /// Adds a row to the entries that were read before it, if it is the next one.
    fn read(
        &self,
        (entries, head): &mut (Vec<Entry>, Option<Head>),
        index: u64,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let name = format!("log entry {index}");
        let row = Row::read(bytes).ok_or_else(|| self.damaged(&name, "too short"))?;
        let entry = row.checked(bytes).ok_or_else(|| self.damaged(&name, NOT_ITS_HASH))?;
        let entry: Entry =
            postcard::from_bytes(entry).map_err(|error| self.damaged(&name, error.to_string()))?;
        if entry.log_id.index != index || !head.is_none_or(|head| row.follows(&head, index)) {
            let why = "not the entry of that index, or not of one log with the one before it";
            return Err(self.damaged(&name, why));
        }
        *head = Some(row.head(index));
        entries.push(entry);
        Ok(())
    }

    /// Up to where entries were dropped behind a snapshot.
    pub(crate) fn purged(&self) -> Result<Option<LogId>, StoreError> {
        self.meta(PURGED)
    }

    #[cfg(test)]
    pub(crate) fn vote(&self) -> Result<Option<openraft::Vote<NodeId>>, StoreError> {
        self.meta(VOTE)
    }

    /// Bytes of the region that are written.
    #[cfg(test)]
    pub(crate) fn written(&self) -> usize {
        self.tail().written()
    }

    fn unsealed<T: for<'de> Deserialize<'de>>(&self, row: &str, bytes: &[u8]) -> Result<T, StoreError> {
        let (seal, rest) = bytes.split_first_chunk().ok_or_else(|| self.damaged(row, "too short"))?;
        if seal_of(row, rest) != Hash(*seal) {
            return Err(self.damaged(row, NOT_ITS_HASH));
        }
        postcard::from_bytes(rest).map_err(|error| self.damaged(row, error.to_string()))
    }

    pub(super) fn damaged(&self, row: &str, why: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), row: row.to_owned(), why: why.into() }
    }
}

const NOT_ITS_HASH: &str = "its SHA-256 is not the one written beside it";

/// Of a value under its name: a row that is found under another's name is damage too.
fn seal_of(key: &str, bytes: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(key).chain_update([0]).chain_update(bytes).finalize().into())
}
