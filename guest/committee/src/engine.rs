//! The engine of a member: Raft, the ledger, cosigning, and the answers to clients.
//!
//! The way of a command: [`Engine::submit`] (`submit`) hands it to the leader's queue; `proposer` puts what waits into one Raft entry; every
//! member applies it (`ordered`), writes its leaves to the ledger (`book`) and, once its own disk has the entry, signs the tree (`signing`); the signatures go to the leader
//! with answers to its entries (`following`) or by themselves (`couriers`), and it publishes the checkpoint when a quorum has signed and sends it to the others; then those who wait are answered (`waiting`).

mod adapter;
mod audit;
mod backfill;
mod beat;
mod book;
mod clock;
mod config;
mod cosigning;
mod couriers;
mod following;
mod handle;
mod membership;
mod ordered;
mod peers;
mod proposer;
mod shared;
mod signing;
mod start;
mod status;
mod submission;
mod submit;
mod vouching;
mod waiting;

pub use clock::{Clock, SystemClock};
pub use config::{EngineConfig, Limits, MemberKeys, Start, Timing};
pub use cosigning::Signed;
pub use peers::{
    Appended, Caller, Description, Freshness, Node, NodeId, PeerError, PeerRequest, PeerResponse, Peers,
    Welcome,
};
pub use start::StartError;
pub use status::{Counters, Fault, Lacks, Role, Status};
pub use submission::{Fate, Outcome, Receipt, Submission, SubmitError, command_hash};

use std::sync::Arc;

use hallmark_ledger::cosignature::SignedCheckpoint;
use hallmark_ledger::store::LogDir;
use hallmark_ledger::system::{Equivocation, Genesis, Roster};
use hallmark_machine::Machine;
use openraft::ServerState;
use tokio::sync::watch;

#[cfg(test)]
pub(crate) use adapter::Adapter;
pub(crate) use handle::MAX_SIGNATURES;
pub(crate) use shared::Shared;

/// An admission that was ordered and cosigned.
#[derive(Debug, Clone)]
pub struct Admission {
    /// The new node.
    pub node: NodeId,
    /// A checkpoint that covers it.
    pub checkpoint: Arc<SignedCheckpoint>,
}

/// A running member. Clones are handles to the same; it runs until [`Engine::shutdown`].
pub struct Engine<M>(Arc<Shared<M>>);

impl<M> Clone for Engine<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> std::fmt::Debug for Engine<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("node", &self.0.node)
            .field("slot", &self.0.slot)
            .finish_non_exhaustive()
    }
}

impl<M: Machine> Engine<M> {
    /// The last checkpoint that a quorum cosigned, as it changes.
    #[must_use]
    pub fn checkpoint(&self) -> watch::Receiver<Option<Arc<SignedCheckpoint>>> {
        self.0.published.subscribe()
    }

    /// Reads the ledger's files. Leaves above the last checkpoint may be there and are nobody's business.
    pub fn ledger<T>(&self, read: impl FnOnce(&LogDir) -> T) -> T {
        read(self.0.book().dir())
    }

    /// Reads the machine as it is now; what is not under a checkpoint yet included.
    pub fn machine<T>(&self, read: impl FnOnce(&M) -> T) -> T {
        read(self.0.lock().state.machine())
    }

    /// The roster at the last applied entry.
    #[must_use]
    pub fn roster(&self) -> Roster {
        self.0.lock().state.core().map(|core| core.roster.clone()).unwrap_or_default()
    }

    /// The first entry's body, once the epoch has begun here.
    #[must_use]
    pub fn genesis(&self) -> Option<Genesis> {
        self.0.lock().state.core().map(|core| core.genesis.clone())
    }

    /// Releases whose machines may be admitted now.
    #[must_use]
    pub fn releases(&self) -> Vec<hallmark_ledger::hash::Hash> {
        self.0.lock().state.core().map(|core| core.releases.iter().copied().collect()).unwrap_or_default()
    }

    /// The proof that a member signed two histories, if this member came upon one.
    #[must_use]
    pub fn equivocation(&self, node: NodeId) -> Option<Equivocation> {
        self.0.lock().cosigning.equivocations.get(&node).cloned()
    }

    /// This member's answer to a challenge; none before it has cosigned anything, or once it stopped doing so.
    #[must_use]
    pub fn freshness(&self, nonce: &[u8; 32]) -> Option<Freshness> {
        self.0.fresh(nonce)
    }

    /// Signs another message of a member with its cosign key, as an endorsement wants it. The message must carry its own domain.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.keys.cosign.sign(message)
    }

    /// Index of the retirement entry, once it is applied here.
    #[must_use]
    pub fn retired(&self) -> Option<u64> {
        self.0.lock().state.core().and_then(|core| core.retired)
    }

    /// This member's account of itself.
    #[must_use]
    pub fn status(&self) -> Status {
        let shared = &self.0;
        let metrics = shared.raft.get().map(|raft| raft.metrics().borrow().clone());
        let role = match metrics.as_ref().map(|metrics| metrics.state) {
            _ if shared.is_stopped() => Role::Stopped,
            Some(ServerState::Learner) => Role::Learner,
            Some(ServerState::Follower) => Role::Follower,
            Some(ServerState::Candidate) => Role::Candidate,
            Some(ServerState::Leader) => Role::Leader,
            Some(ServerState::Shutdown) | None => Role::Stopped,
        };
        let (stored, ledger) = {
            let book = shared.book();
            (book.dir().size(), book.failed().map(str::to_owned))
        };
        let inner = shared.lock();
        let core = inner.state.core();
        Status {
            epoch: shared.epoch,
            recoveries: core.map_or(0, |core| core.recoveries),
            node: shared.node,
            slot: shared.slot,
            role,
            term: metrics.as_ref().map_or(0, |metrics| metrics.current_term),
            leader: metrics.as_ref().and_then(|metrics| metrics.current_leader),
            applied: inner.state.size(),
            signed: inner.last_signed().map_or(0, |(size, _)| size),
            cosigned: inner.cosigning.size(),
            stored,
            ledger,
            full: shared.room.full(),
            roster: core
                .map(|core| core.roster.members.iter().map(|(slot, member)| (*slot, member.node)).collect())
                .unwrap_or_default(),
            voters: inner.voters.membership().voter_ids().collect(),
            retired: core.and_then(|core| core.retired),
            unvouched: inner.cosigning.held.as_ref().map(|claim| claim.index),
            lacks: shared.lacks(&inner),
            fault: inner.fault.clone(),
            equivocations: inner.cosigning.equivocations.keys().copied().collect(),
        }
    }

    /// The leader, where one leads: a leader that a quorum has not answered for an election's time is none any more, though Raft has nobody
    /// else to name.
    pub(crate) fn leading(&self) -> Option<NodeId> {
        let shared = &self.0;
        let metrics = shared.raft.get()?.metrics().borrow().clone();
        let since = metrics.millis_since_quorum_ack.map(std::time::Duration::from_millis);
        let is_cut_off = metrics.state == ServerState::Leader
            && since.is_none_or(|since| since > shared.timing.election_max);
        metrics.current_leader.filter(|_| !is_cut_off && !shared.is_stopped())
    }

    /// Counters since the start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.0.counters()
    }

    /// What the committee is now, as this member sees it.
    #[must_use]
    pub fn describe(&self) -> Description {
        self.0.description()
    }

    /// This member.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.0.node
    }

    /// Raft's election timer of this member fires now, as for a hand-over before maintenance.
    pub async fn stand(&self) {
        if let Some(raft) = self.0.raft.get() {
            let _ = raft.trigger().elect().await;
        }
    }

    /// Stops: those who wait are told, Raft ends, the disk is flushed and closed, the ledger's folder is left so that it serves readers by
    /// itself. When it returns another engine may use the folder, even while handles to this one are still held.
    pub async fn shutdown(&self) {
        let shared = &self.0;
        // Each step may be done twice: a second caller must not come back before the folder is free.
        shared.stopped.send_replace(true);
        shared.lock().waiting.stop("shut down");
        shared.bump();
        shared.membership.notify_one();
        shared.lacking.notify_one();
        shared.held.notify_one();
        shared.offered.notify_one();
        if let Some(raft) = shared.raft.get() {
            let _ = raft.shutdown().await;
        }
        // Wakes the proposer, which sees that all is over.
        let _ = shared.queue.send(crate::state::Proposal::Snapshot);
        // A disk without room is not waited for.
        shared.room.give_up();
        shared.writer.close().await;
        let mut book = shared.book_mut();
        book.publish();
        book.close();
    }
}
