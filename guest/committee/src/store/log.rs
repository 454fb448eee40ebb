//! Raft's log as Raft sees it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{EntryPayload, LogState, RaftLogReader, StorageError, Vote};

use super::{Command, Writer};
use crate::engine::NodeId;
use crate::raft::{Entry, LogId, Types};

/// The log, in memory; [`Writer`] keeps it on disk as well. Clones are the same log.
#[derive(Clone)]
pub(crate) struct LogStore {
    memory: Arc<Mutex<Memory>>,
    writer: Arc<Writer>,
}

#[derive(Default)]
struct Memory {
    /// By index, with the number of the command that writes it.
    entries: BTreeMap<u64, (Entry, u64)>,
    purged: Option<LogId>,
    /// The last index that ever held a change of the configuration.
    configured: Option<u64>,
    vote: Option<Vote<NodeId>>,
}

/// Most bytes of entries that go to a follower in one request, but for a single one that is larger.
const REQUEST_BYTES: usize = 2 << 20;

impl LogStore {
    pub(crate) fn new(writer: Arc<Writer>) -> Self {
        Self { memory: Arc::default(), writer }
    }

    /// Number of the command that puts the entry of this index on disk; 0 where it has been dropped behind a snapshot.
    pub(crate) fn command_of(&self, index: u64) -> u64 {
        self.lock().entries.get(&index).map_or(0, |(_, number)| *number)
    }

    /// The last index that ever held a change of the configuration: no entry behind it is one. It never goes back, so it may name one that was cut off since.
    pub(crate) fn configured(&self) -> Option<u64> {
        self.lock().configured
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes(entry: &Entry) -> usize {
    match &entry.payload {
        EntryPayload::Normal(batch) => batch.len() + 64,
        _ => 1024,
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + Send>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, StorageError<NodeId>> {
        // A leader that contradicts itself can bring Raft to ask for a range that ends before it begins: a map would panic.
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(from) => from.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let memory = self.lock();
        let entries = memory.entries.range(from..).take_while(|(index, _)| range.contains(*index));
        Ok(entries.map(|(_, (entry, _))| entry.clone()).collect())
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, StorageError<NodeId>> {
        let memory = self.lock();
        let mut left = REQUEST_BYTES;
        let fits = |(at, (_, (entry, _))): &(usize, (&u64, &(Entry, u64)))| {
            let fits = *at == 0 || bytes(entry) <= left;
            left = left.saturating_sub(bytes(entry));
            fits
        };
        let entries = memory.entries.range(start.min(end)..end).enumerate().take_while(fits);
        Ok(entries.map(|(_, (_, (entry, _)))| entry.clone()).collect())
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError<NodeId>> {
        let memory = self.lock();
        let last = memory.entries.last_key_value().map(|(_, (entry, _))| entry.log_id);
        Ok(LogState { last_purged_log_id: memory.purged, last_log_id: last.or(memory.purged) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<NodeId>) -> Result<(), StorageError<NodeId>> {
        self.lock().vote = Some(*vote);
        self.writer.send(Command::Vote(*vote));
        Ok(())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<NodeId>>, StorageError<NodeId>> {
        Ok(self.lock().vote)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Result<(), StorageError<NodeId>>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        {
            // One lock over both, so that commands are numbered in the order of the log.
            let mut memory = self.lock();
            let number = self.writer.send(Command::Append(entries.clone()));
            let changes = entries.iter().filter(|entry| matches!(entry.payload, EntryPayload::Membership(_)));
            memory.configured = memory.configured.max(changes.map(|entry| entry.log_id.index).max());
            memory.entries.extend(entries.into_iter().map(|entry| (entry.log_id.index, (entry, number))));
        }
        // Not the disk's word: see this module's parent for why Raft needs none.
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, since: LogId) -> Result<(), StorageError<NodeId>> {
        let mut memory = self.lock();
        memory.entries.split_off(&since.index);
        self.writer.send(Command::Truncate(since.index));
        Ok(())
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), StorageError<NodeId>> {
        let mut memory = self.lock();
        memory.entries = memory.entries.split_off(&upto.index.saturating_add(1));
        memory.purged = memory.purged.max(Some(upto));
        self.writer.send(Command::Purge(upto));
        Ok(())
    }
}
