//! What a ledger can have wrong with it.

use hallmark_coalition::UniqueId;
use thiserror::Error;

use crate::{
    cosignature::CosignatureError,
    hash::Hash,
    system::{BodyError, EquivocationError, OperatorError},
};

/// Where and why a ledger is not one.
#[derive(Debug, Error)]
#[error("entry {index}: {fault}")]
pub struct ReplayError {
    /// Index of the entry; of a checkpoint, its size.
    pub index: u64,
    /// What is wrong.
    #[source]
    pub fault: Fault,
}

/// What is wrong with an entry or a checkpoint.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not the next entry.
    #[error("out of order: entry {want} comes next")]
    Order {
        /// Which is next.
        want: u64,
    },
    /// The first entry is no genesis, or a later one is.
    #[error("committee.genesis is the first entry and no other")]
    Genesis,
    /// A genesis that contradicts itself.
    #[error("committee.genesis: {0}")]
    GenesisField(&'static str),
    /// A body that is none.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A number left out or used twice.
    #[error("surface {surface}: seq {got}, {want} comes next")]
    Seq {
        /// The surface.
        surface: String,
        /// What is there.
        got: u64,
        /// What should be.
        want: u64,
    },
    /// Too many surfaces.
    #[error("more than {0} surfaces")]
    Surfaces(usize),
    /// One submission answered twice.
    #[error("submission ({client}, {nonce}) was answered already")]
    Submission {
        /// The client.
        client: UniqueId,
        /// Its number.
        nonce: u64,
    },
    /// A rejection of another submission than the entry's.
    #[error("the rejection is of ({client}, {nonce}), the entry of another submission")]
    Rejection {
        /// The client.
        client: UniqueId,
        /// Its number.
        nonce: u64,
    },
    /// Bytes named by hash.
    #[error("blob {sha256}: {why}")]
    Blob {
        /// Its hash.
        sha256: Hash,
        /// Why.
        why: &'static str,
    },
    /// A slot that the ACL does not have.
    #[error("slot {slot}: the ACL has {slots}")]
    Slot {
        /// The slot.
        slot: u16,
        /// How many there are.
        slots: usize,
    },
    /// An admission that the slot's operator did not sign.
    #[error("slot {slot}: its operator did not sign this admission")]
    SlotSignature {
        /// The slot.
        slot: u16,
    },
    /// A key for the second time.
    #[error("slot {slot}: the {key} key was admitted before; keys are made anew at every boot")]
    KeyReused {
        /// The slot.
        slot: u16,
        /// Which key.
        key: &'static str,
    },
    /// A key that verifies nothing.
    #[error("slot {slot}: the {key} key is none")]
    Key {
        /// The slot.
        slot: u16,
        /// Which key.
        key: &'static str,
    },
    /// An admission that replaces somebody else.
    #[error("slot {slot}: replaces {got:?}, but its member is {want:?}")]
    Replaces {
        /// The slot.
        slot: u16,
        /// What the entry says.
        got: Option<u64>,
        /// Who is there.
        want: Option<u64>,
    },
    /// A statement over a tree that is not before it.
    #[error("the statement names a tree of {size}, which is not before it")]
    StatementSize {
        /// That size.
        size: u64,
    },
    /// Somebody who is not what the recovery said.
    #[error("slot {slot}: the recovery's candidates are admitted first, and it does not name this machine")]
    Candidate {
        /// The slot.
        slot: u16,
    },
    /// Operators have not agreed.
    #[error("{what}: {source}")]
    Operators {
        /// On what.
        what: &'static str,
        /// Why.
        source: OperatorError,
    },
    /// A release that is in already, or not in.
    #[error("release {0}: admitted twice, or retired without having been admitted")]
    Release(Hash),
    /// An endorsement by somebody who is not in the roster.
    #[error("endorsement: node {0} is not in the roster")]
    Endorser(u64),
    /// An endorsement with a wrong signature.
    #[error("endorsement: the signature of node {0} is wrong")]
    EndorserSignature(u64),
    /// An endorsement by too few.
    #[error("endorsement: {got} members, {want} are needed, each once and in the order of their slots")]
    EndorserQuorum {
        /// Who signed.
        got: usize,
        /// The quorum.
        want: usize,
    },
    /// An endorsement under another policy.
    #[error("endorsement under policy {got}, the committee's is {want}")]
    Policy {
        /// The endorsement's.
        got: Hash,
        /// The committee's.
        want: Hash,
    },
    /// A digest of a state that is not before it.
    #[error("snapshot of size {size}, which is not before it")]
    SnapshotSize {
        /// That size.
        size: u64,
    },
    /// Somebody who was never a member, or is none now.
    #[error("node {0} is no member")]
    Node(u64),
    /// An equivocation that convicts nobody.
    #[error("equivocation: {0}")]
    Equivocation(#[from] EquivocationError),
    /// A recovery that does not follow from what was.
    #[error("recovery: {0}")]
    Recovery(&'static str),
    /// A checkpoint, on its own or in a recovery.
    #[error(transparent)]
    Checkpoint(#[from] CosignatureError),
    /// A checkpoint that says otherwise than the entries.
    #[error("checkpoint: {what} {got}, the entries come to {want}")]
    CheckpointField {
        /// Which line.
        what: &'static str,
        /// What it says.
        got: String,
        /// What it should.
        want: String,
    },
    /// A checkpoint before there are members to sign it.
    #[error("checkpoint before the members of this epoch were admitted")]
    TooEarly,
    /// Anything behind the last entry.
    #[error("the committee has retired; nothing comes behind that")]
    Retired,
}

impl Fault {
    /// A short word for programs: stable, kebab case.
    #[must_use]
    pub const fn slug(&self) -> &'static str {
        match self {
            Self::Order { .. } => "ledger-order",
            Self::Genesis | Self::GenesisField(_) => "ledger-genesis",
            Self::Body(_) => "ledger-body",
            Self::Seq { .. } | Self::Surfaces(_) => "ledger-seq",
            Self::Submission { .. } => "ledger-submission-twice",
            Self::Rejection { .. } => "ledger-rejection",
            Self::Blob { .. } => "ledger-blob",
            Self::Slot { .. } => "ledger-slot",
            Self::SlotSignature { .. } => "ledger-slot-signature",
            Self::KeyReused { .. } => "ledger-key-reused",
            Self::Key { .. } => "ledger-key",
            Self::Replaces { .. } => "ledger-replaces",
            Self::StatementSize { .. } => "ledger-statement",
            Self::Candidate { .. } => "ledger-candidate",
            Self::Operators { .. } => "ledger-operators",
            Self::Release(_) => "ledger-release",
            Self::Endorser(_)
            | Self::EndorserSignature(_)
            | Self::EndorserQuorum { .. }
            | Self::Policy { .. } => "ledger-endorsement",
            Self::SnapshotSize { .. } => "ledger-snapshot",
            Self::Node(_) => "ledger-node",
            Self::Equivocation(_) => "ledger-equivocation",
            Self::Recovery(_) => "ledger-recovery",
            Self::Checkpoint(error) => match error {
                CosignatureError::Quorum { .. } => "checkpoint-quorum",
                CosignatureError::Roster { .. } => "checkpoint-roster",
                CosignatureError::Epoch { .. } => "checkpoint-epoch",
                CosignatureError::Origin { .. } => "checkpoint-origin",
                CosignatureError::Log { .. } => "checkpoint-log-key",
                CosignatureError::Wrong { .. } => "checkpoint-cosignature",
                _ => "checkpoint-malformed",
            },
            Self::CheckpointField { .. } => "checkpoint-contradicts",
            Self::TooEarly => "checkpoint-early",
            Self::Retired => "ledger-retired",
        }
    }
}
