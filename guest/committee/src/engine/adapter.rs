//! The state machine as Raft sees it.

use std::io::Cursor;
use std::sync::Arc;

use hallmark_machine::Machine;
use openraft::storage::RaftStateMachine;
use openraft::{
    AnyError, ErrorSubject, ErrorVerb, OptionalSend, RaftSnapshotBuilder, Snapshot, SnapshotMeta,
    StorageError, StorageIOError, StoredMembership,
};

use super::shared::Shared;
use super::{Node, NodeId};
use crate::raft::{Entry, LogId, Types};
use crate::store::StoredSnapshot;

/// Applies what Raft has ordered. Clones are the same.
pub(crate) struct Adapter<M>(pub(crate) Arc<Shared<M>>);

impl<M> Clone for Adapter<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

fn io(verb: ErrorVerb, why: impl std::fmt::Display) -> StorageError<NodeId> {
    let error = AnyError::error(why.to_string());
    StorageIOError::new(ErrorSubject::Snapshot(None), verb, error).into()
}

/// A snapshot as it travels: the state before the entry that vouches for it; nothing where nothing has begun.
fn carried(snapshot: &StoredSnapshot) -> Snapshot<Types> {
    let bytes = snapshot.bytes.as_ref().clone();
    Snapshot { meta: snapshot.meta.clone(), snapshot: Box::new(Cursor::new(bytes)) }
}

impl<M: Machine> RaftSnapshotBuilder<Types> for Adapter<M> {
    /// The snapshot that the last `committee.snapshot` entry left. Taking one is an entry of the log, so that its digest is in the ledger and all members
    /// take it at the same place; Raft only learns here that there is one, once a quorum has signed that entry.
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError<NodeId>> {
        let mut inner = self.0.lock();
        match (&inner.snapshot, inner.state.core()) {
            (Some(snapshot), Some(_)) => Ok(carried(snapshot)),
            (_, None) => {
                let index = inner.applied.map_or(0, |id| id.index);
                let snapshot = StoredSnapshot {
                    meta: SnapshotMeta {
                        last_log_id: inner.applied,
                        last_membership: inner.voters.clone(),
                        snapshot_id: format!("empty-{index}"),
                    },
                    bytes: Arc::default(),
                };
                let carried = carried(&snapshot);
                inner.snapshot = Some(Arc::new(snapshot));
                Ok(carried)
            }
            (None, Some(_)) => Err(io(ErrorVerb::Read, "no committee.snapshot entry so far")),
        }
    }
}

impl<M: Machine> RaftStateMachine<Types> for Adapter<M> {
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId>, StoredMembership<NodeId, Node>), StorageError<NodeId>> {
        let inner = self.0.lock();
        Ok((inner.applied, inner.voters.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<()>, StorageError<NodeId>>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<_> = entries.into_iter().collect();
        let replies = vec![(); entries.len()];
        self.0.apply(entries);
        Ok(replies)
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError<NodeId>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<NodeId, Node>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError<NodeId>> {
        let bytes = snapshot.into_inner();
        let bytes = (!bytes.is_empty()).then(|| Arc::new(bytes));
        self.0.install(meta, bytes).map_err(|error| io(ErrorVerb::Write, error))
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError<NodeId>> {
        Ok(self.0.lock().snapshot.as_deref().map(carried))
    }
}
