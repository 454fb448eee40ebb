//! What members say to each other, and the trait that carries it.

use std::time::Duration;

use futures_util::future::BoxFuture;
use openraft::error::InstallSnapshotError;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{SubmitError, cosigning::Signed};
use crate::raft::{LogId, Types};
use crate::state::{Admitting, Proposal};

/// A member of one epoch: the index of its admission entry in the ledger.
pub type NodeId = u64;

/// How a member is reached and known. Replicated by Raft beside the node id; what it may sign is decided by the roster alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its slot, from 0.
    pub slot: u16,
    /// Where it listens for members, as its transport writes it.
    pub address: String,
    /// SHA-256 of the DER SubjectPublicKeyInfo that its channels must prove.
    pub spki_sha256: [u8; 32],
    /// Ed25519 public key of its cosignatures.
    pub cosign_key: [u8; 32],
}

/// Who is at the other end, as the channel proved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// SHA-256 of the SubjectPublicKeyInfo that the channel proved.
    pub spki_sha256: [u8; 32],
}

/// Carries requests to other members. A test puts a router in memory here.
pub trait Peers: Send + Sync + 'static {
    /// Asks `to`. The answer is whoever's holds the key `node.spki_sha256`; anything else is [`PeerError::Unreachable`].
    fn call<'a>(
        &'a self,
        to: NodeId,
        node: &'a Node,
        request: PeerRequest,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<PeerResponse, PeerError>>;
}

/// Why a peer gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PeerError {
    /// Not connected, refused, or cut off.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("no answer in {0:?}")]
    Timeout(Duration),
    /// An answer that is none.
    #[error("malformed answer: {0}")]
    Malformed(String),
}

/// A request between members. Encoded by the transport with postcard.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PeerRequest {
    /// Raft: entries, or a heartbeat.
    Append(AppendEntriesRequest<Types>),
    /// Raft: a vote.
    Vote(VoteRequest<NodeId>),
    /// Raft: a chunk of a snapshot.
    Snapshot(InstallSnapshotRequest<Types>),
    /// Cosignatures, pushed to the leader.
    Cosigned(Vec<Signed>),
    /// A cosigned checkpoint (signed-note bytes), pushed by the leader.
    Checkpoint(Vec<u8>),
    /// Proposals for the leader to order.
    Propose(Vec<Proposal>),
    /// Leaves `from..` of the ledger, as many as the peer gives at once.
    Entries {
        /// First index.
        from: u64,
        /// Most leaves.
        limit: u32,
    },
    /// What the committee is now. A candidate may ask.
    Describe,
    /// A candidate asks to be admitted. Who passes this on to [`crate::Engine::admit`] has judged the evidence.
    Admit(Box<Admitting>),
    /// An admitted machine asks for what it needs to begin: the epoch's log key and its node id. Only the key of its own admission may ask.
    Join,
    /// A freshness challenge.
    Freshness {
        /// The challenger's nonce.
        nonce: [u8; 32],
    },
}

impl PeerRequest {
    /// Whether a machine that is not in the roster may ask this.
    #[must_use]
    pub const fn open_to_candidates(&self) -> bool {
        matches!(self, Self::Describe | Self::Admit(_) | Self::Entries { .. } | Self::Freshness { .. })
    }
}

/// An answer between members.
#[derive(Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PeerResponse {
    /// To [`PeerRequest::Append`].
    Append(Appended),
    /// To [`PeerRequest::Vote`].
    Vote(VoteResponse<NodeId>),
    /// To [`PeerRequest::Snapshot`].
    Snapshot(Result<InstallSnapshotResponse<NodeId>, InstallSnapshotError>),
    /// Taken note of.
    Done,
    /// To [`PeerRequest::Propose`]: queued under this term.
    Queued {
        /// The leader's Raft term.
        term: u64,
    },
    /// To [`PeerRequest::Entries`]: consecutive leaves. Empty where there are none (yet).
    Entries(Vec<Vec<u8>>),
    /// To [`PeerRequest::Describe`].
    Description(Box<Description>),
    /// To [`PeerRequest::Admit`]: ordered and cosigned.
    Admitted {
        /// The new node.
        node: NodeId,
    },
    /// To [`PeerRequest::Join`].
    Join(Box<Welcome>),
    /// To [`PeerRequest::Freshness`].
    Freshness(Freshness),
    /// Not the leader; this one is, as far as known.
    NotLeader {
        /// The leader, if one is known, and how it is reached.
        leader: Option<(NodeId, Node)>,
    },
    /// A submission, or another proposal, that is not taken.
    NotTaken(SubmitError),
    /// The caller may not ask this, or the request is malformed.
    Refused {
        /// Why, in words.
        why: String,
    },
}

/// What a follower made of its leader's entries.
#[derive(Debug, Serialize, Deserialize)]
pub struct Appended {
    /// Raft's answer.
    pub answer: AppendEntriesResponse<NodeId>,
    /// Up to where the follower knows by itself that the log is committed, where it does.
    pub committed: Option<LogId>,
    /// Its signatures, as in [`PeerRequest::Cosigned`]: those that it did not send before.
    pub signed: Vec<Signed>,
}

/// What the committee is now, as one member sees it. Nothing here is to be believed without its proof.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// The epoch.
    pub epoch: u64,
    /// How often the committee was recovered.
    pub recoveries: u64,
    /// The last cosigned checkpoint, as a signed note.
    pub checkpoint: Option<Vec<u8>>,
    /// The leader, and how it is reached.
    pub leader: Option<NodeId>,
    /// The members in the roster at the member's last entry, and how each is reached.
    pub members: Vec<(NodeId, Node)>,
}

/// What an admitted machine needs to begin.
#[derive(Clone, Serialize, Deserialize)]
pub struct Welcome {
    /// Its node id.
    pub node: NodeId,
    /// The epoch.
    pub epoch: u64,
    /// Seed of the epoch's log key (Ed25519). Kept in RAM only.
    pub log_seed: [u8; 32],
}

impl std::fmt::Debug for Welcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Welcome")
            .field("node", &self.node)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl Drop for Welcome {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.log_seed);
    }
}

/// A member's answer to a challenge: the largest tree that it had cosigned, or seen a quorum cosign, when it was asked.
///
/// An acknowledged write is under q cosignatures, and two sets of q members share one; so among the answers of q members, the
/// largest size covers all that was acknowledged before the question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// Who answers.
    pub node: NodeId,
    /// Leaves of that tree.
    pub size: u64,
    /// Their root.
    pub root: hallmark_ledger::hash::Hash,
    /// Ed25519 signature by its cosign key over [`hallmark_ledger::system::freshness_message`]. 64 bytes.
    pub signature: Vec<u8>,
}
