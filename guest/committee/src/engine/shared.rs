//! What the parts of an engine share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use hallmark_coalition::UniqueId;
use hallmark_ledger::cosignature::SignedCheckpoint;
use hallmark_ledger::hash::Hash;
use hallmark_ledger::note::Verifier;
use hallmark_ledger::system::Roster;
use hallmark_machine::Machine;
use openraft::StoredMembership;
use tokio::sync::{Notify, mpsc, watch};

use super::beat::Beat;
use super::book::Book;
use super::cosigning::{Boundary, Cosigning};
use super::following::Carrying;
use super::vouching::Vouched;
use super::waiting::Waiting;
use super::{Clock, Counters, Fault, Lacks, Limits, MemberKeys, Node, NodeId, Peers, Timing};
use crate::raft::{LogId, Raft};
use crate::state::{Founding, Proposal, ProposalId, State, Voter};
use crate::store::{LogStore, Room, StoredSnapshot, Writer};

/// A member's inside.
pub(crate) struct Shared<M> {
    pub(crate) group: UniqueId,
    pub(crate) node: NodeId,
    pub(crate) slot: u16,
    pub(crate) epoch: u64,
    pub(crate) keys: MemberKeys,
    pub(crate) log_key: Verifier,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timing: Timing,
    pub(crate) limits: Limits,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) inner: Mutex<Inner<M>>,
    /// Never locked while waiting for `inner`, which is locked first.
    pub(crate) book: RwLock<Book>,
    pub(crate) log: LogStore,
    pub(crate) writer: Arc<Writer>,
    pub(crate) syncs: Arc<AtomicU64>,
    /// Whether the disk under the log has room.
    pub(crate) room: Arc<Room>,
    pub(crate) raft: OnceLock<Raft>,
    pub(crate) published: watch::Sender<Option<Arc<SignedCheckpoint>>>,
    /// Changes whenever there may be something to send to peers.
    pub(crate) beat: Beat,
    pub(crate) queue: mpsc::UnboundedSender<Proposal>,
    /// There may be a voter to be made or unmade.
    pub(crate) membership: Notify,
    /// The files lack leaves.
    pub(crate) lacking: Notify,
    /// A snapshot has to be vouched for.
    pub(crate) held: Notify,
    /// There is a snapshot for Raft to know of.
    pub(crate) offered: Notify,
    pub(crate) stopped: watch::Sender<bool>,
    pub(crate) tally: Tally,
    /// Changes whenever entries were applied or came to the disk.
    pub(crate) moved: Beat,
    pub(crate) carrying: Mutex<Carrying>,
    /// When each follower last passed a proposal on.
    pub(crate) hurried: Mutex<BTreeMap<NodeId, tokio::time::Instant>>,
    /// Machines ahead of this member's state. Never locked while waiting for `inner`.
    pub(crate) vouched: Mutex<Vouched>,
    /// What the epoch must begin with, where this member knows it.
    pub(crate) founding: Option<Box<Founding>>,
    /// Whether a founding that names this member lets it cosign at once.
    pub(crate) founds: bool,
    /// Those who begin it.
    pub(crate) founders: Vec<Voter>,
}

/// What changes, under one lock.
pub(crate) struct Inner<M> {
    pub(crate) state: State<M>,
    /// The roster, shared by boundaries until it changes.
    pub(crate) roster: Arc<Roster>,
    pub(crate) applied: Option<LogId>,
    pub(crate) voters: StoredMembership<NodeId, Node>,
    pub(crate) snapshot: Option<Arc<StoredSnapshot>>,
    /// Snapshots that no quorum has signed the entry of yet, by the size behind that entry: the oldest and the latest.
    pub(crate) taken: std::collections::BTreeMap<u64, StoredSnapshot>,
    /// Entries and bytes since the last snapshot was taken.
    pub(crate) since: (u64, u64),
    /// Whether a snapshot has been asked for.
    pub(crate) asked: bool,
    pub(crate) waiting: Waiting,
    pub(crate) cosigning: Cosigning,
    pub(crate) fault: Option<Fault>,
}

/// Counters.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) submitted: AtomicU64,
    pub(crate) proposed: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) applied_batches: AtomicU64,
    pub(crate) signatures: AtomicU64,
    pub(crate) verified: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    pub(crate) lost: AtomicU64,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl<M: Machine> Shared<M> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner<M>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn book_mut(&self) -> std::sync::RwLockWriteGuard<'_, Book> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn book(&self) -> std::sync::RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who send to peers.
    pub(crate) fn bump(&self) {
        self.beat.strike();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Whether this member leads now, and in which term.
    pub(crate) fn leads(&self) -> Option<u64> {
        let metrics = self.raft.get()?.metrics();
        let metrics = metrics.borrow();
        let leads =
            metrics.state == openraft::ServerState::Leader && metrics.current_leader == Some(self.node);
        leads.then_some(metrics.current_term)
    }

    /// What this member lacks to count.
    pub(crate) fn lacks(&self, inner: &Inner<M>) -> Option<Lacks> {
        if inner.cosigning.held.is_some() {
            return Some(Lacks::Vouching);
        }
        if !inner.cosigning.cleared {
            return Some(Lacks::Witnesses);
        }
        // In a joint configuration the machine that it replaces still counts.
        let configs = inner.voters.membership().get_joint_config();
        let votes = !configs.is_empty() && configs.iter().all(|voters| voters.contains(&self.node));
        (!votes).then_some(Lacks::Vote)
    }

    /// The leader, as far as this member knows.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        self.raft.get().and_then(|raft| raft.metrics().borrow().current_leader)
    }

    /// How a node is reached: by the roster, or by Raft's membership.
    pub(crate) fn reach(&self, node: NodeId) -> Option<Node> {
        let inner = self.lock();
        let voter = inner.state.core().and_then(|core| core.voters().into_iter().find(|v| v.node == node));
        let known =
            voter.map(|voter| voter.reach).or_else(|| inner.voters.membership().get_node(&node).cloned());
        known.or_else(|| self.founders.iter().find(|v| v.node == node).map(|voter| voter.reach.clone()))
    }

    /// Stops cosigning, for good.
    pub(crate) fn fault(&self, inner: &mut Inner<M>, fault: Fault) {
        if inner.fault.is_none() {
            tracing::error!(node = self.node, %fault, "this member cosigns no more");
            inner.fault = Some(fault);
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            submitted: read(&self.tally.submitted),
            proposed: read(&self.tally.proposed),
            batches: read(&self.tally.batches),
            applied_batches: read(&self.tally.applied_batches),
            syncs: read(&self.syncs),
            signatures: read(&self.tally.signatures),
            verified: read(&self.tally.verified),
            checkpoints: read(&self.tally.checkpoints),
            lost: read(&self.tally.lost),
        }
    }
}

impl<M: Machine> Inner<M> {
    pub(crate) fn new(group: UniqueId) -> Self {
        Self {
            state: State::new(group),
            roster: Arc::default(),
            applied: None,
            voters: StoredMembership::default(),
            snapshot: None,
            taken: std::collections::BTreeMap::new(),
            since: (0, 0),
            asked: false,
            waiting: Waiting::default(),
            cosigning: Cosigning::default(),
            fault: None,
        }
    }

    /// Notes the tree as it is now; the signature waits for a command of the disk.
    pub(crate) fn note_boundary(&mut self, command: u64, changes: bool) {
        let Some(core) = self.state.core() else { return };
        if self.cosigning.boundaries.contains_key(&core.frontier.size()) {
            return;
        }
        if *self.roster != core.roster {
            self.roster = Arc::new(core.roster.clone());
        }
        let (checkpoint, roster) = (core.checkpoint(), Arc::clone(&self.roster));
        self.cosigning.boundary(Boundary { checkpoint, roster, command, changes });
    }

    /// What is remembered of a command that a quorum has signed.
    pub(crate) fn settled(&self, id: &ProposalId) -> Option<(crate::state::Known, Arc<SignedCheckpoint>)> {
        let ProposalId::Command(client, nonce) = id else { return None };
        let known = self.state.known(client, *nonce)?;
        let checkpoint = self.cosigning.cosigned.clone()?;
        (known.outcome.end() <= checkpoint.checkpoint().size).then_some((known, checkpoint))
    }

    /// Proofs that are not in the ledger yet, against members that are still there.
    pub(crate) fn charges(&self) -> Vec<hallmark_ledger::system::Equivocation> {
        let Some(core) = self.state.core() else { return Vec::new() };
        let due = |node: &NodeId| core.roster.node(*node).is_some() && !core.convicted.contains(node);
        let all = self.cosigning.equivocations.iter();
        all.filter(|(node, _)| due(node)).map(|(_, proof)| proof.clone()).collect()
    }

    /// Whether this member's own signature stands under a quorum's checkpoint, or below one.
    pub(crate) fn signed_under_quorum(&self) -> bool {
        self.last_signed().is_some_and(|(size, _)| size <= self.cosigning.size())
    }

    /// The tree that this member signed last.
    pub(crate) fn last_signed(&self) -> Option<(u64, Hash)> {
        self.cosigning.signed
    }
}
