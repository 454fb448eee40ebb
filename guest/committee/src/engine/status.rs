//! What a member says of itself.

use std::collections::BTreeMap;

use serde::Serialize;

use super::NodeId;

/// A member's part in Raft now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// Catches up; has no vote yet.
    Learner,
    /// Follows.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
    /// Runs no more.
    Stopped,
}

/// Why a member cosigns no more. Each is for ever: such a member has to be replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// A quorum signed another root than this member's at one size.
    #[error("at size {size} this member's root is not the one that a quorum signed")]
    Diverged {
        /// The size.
        size: u64,
    },
    /// The snapshot that a leader gave this member is not the one whose digest a quorum signed.
    #[error("the snapshot of entry {index} is not what a quorum signed: its {what} is another")]
    Snapshot {
        /// Index of its `committee.snapshot` entry.
        index: u64,
        /// What is another: `tree`, `roster`, `recoveries`, `log key`, `releases`, or `digest` (of the whole, machine included).
        what: String,
    },
    /// The log's own bytes were refused.
    #[error("replicated state: {why}")]
    State {
        /// What, and at which Raft index.
        why: String,
    },
    /// Raft's membership names a voter that the ledger did not admit.
    #[error("Raft counts node {node} as a voter, which the roster does not know")]
    UnadmittedVoter {
        /// The node.
        node: NodeId,
    },
    /// The disk refused a write or gave back other bytes.
    #[error("storage: {why}")]
    Storage {
        /// What the disk said.
        why: String,
    },
    /// A quorum of operators expelled this member, or its slot has a new machine.
    #[error("not in the roster since entry {index}")]
    NotInRoster {
        /// Index of the entry that took it out.
        index: u64,
    },
}

/// What a member that was admitted still lacks. Until it lacks nothing, losing another machine can cost the quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Lacks {
    /// A quorum was not found yet to have signed the snapshot that its state came from.
    Vouching,
    /// It has not seen the quorum that signed its admission.
    Witnesses,
    /// Raft does not count its vote, or counts that of the machine it replaces too.
    Vote,
}

/// A member's own account.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The epoch.
    pub epoch: u64,
    /// How often the committee was recovered.
    pub recoveries: u64,
    /// This member.
    pub node: NodeId,
    /// Its slot.
    pub slot: u16,
    /// Its part in Raft.
    pub role: Role,
    /// Raft's term.
    pub term: u64,
    /// The leader, if one is known.
    pub leader: Option<NodeId>,
    /// Leaves applied here.
    pub applied: u64,
    /// Leaves that this member cosigned.
    pub signed: u64,
    /// Leaves under the last quorum checkpoint known here.
    pub cosigned: u64,
    /// First leaf that this member's files lack (backfill goes on below `applied` after a snapshot).
    pub stored: u64,
    /// Why the ledger's files are not written any more, where they are not. Raft and cosigning go on.
    pub ledger: Option<String>,
    /// What the disk says while it has no room for Raft's log. Nothing is signed and no client's command taken until there is; reads go on.
    pub full: Option<String>,
    /// Members of the roster by slot.
    pub roster: BTreeMap<u16, NodeId>,
    /// Raft's voters.
    pub voters: Vec<NodeId>,
    /// Index of the retirement entry.
    pub retired: Option<u64>,
    /// Index of the `committee.snapshot` entry that its state came from, while no quorum was found to have signed that entry. Until then it cosigns nothing.
    pub unvouched: Option<u64>,
    /// What it lacks to count as a member, in votes and cosignatures.
    pub lacks: Option<Lacks>,
    /// Why it cosigns no more.
    pub fault: Option<Fault>,
    /// Members seen to sign two histories, by node. The proof is kept and can be ordered as an entry.
    pub equivocations: Vec<NodeId>,
}

/// Counters since the start, for `/metrics`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Proposals taken from clients of this member.
    pub submitted: u64,
    /// Proposals ordered by this member as the leader.
    pub proposed: u64,
    /// Raft entries they were coalesced into.
    pub batches: u64,
    /// Raft entries applied.
    pub applied_batches: u64,
    /// Times that the store called the disk's sync.
    pub syncs: u64,
    /// Cosignatures made.
    pub signatures: u64,
    /// Cosignatures of others verified.
    pub verified: u64,
    /// Checkpoints under a quorum.
    pub checkpoints: u64,
    /// Proposals lost in elections.
    pub lost: u64,
}
