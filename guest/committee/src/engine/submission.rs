//! What clients send, and what becomes of it.

use std::sync::Arc;

use hallmark_ledger::cosignature::SignedCheckpoint;
use hallmark_ledger::hash::Hash;
use hallmark_machine::ClientId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A command on its way. `(client, nonce)` names it within an epoch, and for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Who commands.
    pub client: ClientId,
    /// The client's number for it, used once.
    pub nonce: u64,
    /// The machine's surface that takes it.
    pub surface: String,
    /// The command, as the machine parses it.
    pub body: Vec<u8>,
}

/// SHA-256 of what was submitted: the surface, behind its u32 LE length, then the body. `command` of an entry's `submission`.
#[must_use]
pub fn command_hash(surface: &str, body: &[u8]) -> Hash {
    let length = u32::try_from(surface.len()).unwrap_or(u32::MAX).to_le_bytes();
    Hash::of([&length[..], surface.as_bytes(), body].concat())
}

/// What the ledger says of a submission. Final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Applied.
    Committed {
        /// Index of its first entry.
        first: u64,
        /// How many entries, consecutive.
        entries: u64,
    },
    /// Refused by the machine or by the committee.
    Rejected {
        /// Index of the entry that says so.
        index: u64,
        /// The word that programs compare.
        code: String,
        /// What a person reads.
        why: String,
    },
    /// Settled before it was ordered: it was not applied and never will be.
    Invalid {
        /// Index of the entry that says so.
        index: u64,
    },
}

impl Outcome {
    /// Index of the first entry of the ledger that tells it.
    #[must_use]
    pub const fn index(&self) -> u64 {
        match self {
            Self::Committed { first, .. } => *first,
            Self::Rejected { index, .. } | Self::Invalid { index } => *index,
        }
    }

    /// Leaves that a checkpoint must cover to cover it.
    #[must_use]
    pub const fn end(&self) -> u64 {
        match self {
            Self::Committed { first, entries } => first.saturating_add(*entries),
            Self::Rejected { index, .. } | Self::Invalid { index } => index.saturating_add(1),
        }
    }
}

/// An answer under a quorum's cosignatures.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Who commanded.
    pub client: ClientId,
    /// The client's number.
    pub nonce: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// A checkpoint that covers it, cosigned by a quorum.
    pub checkpoint: Arc<SignedCheckpoint>,
}

/// The fate of `(client, nonce)` as this member's cosigned ledger tells it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Fate {
    /// Not in the ledger, as far as a quorum has signed it. It may be on its way, here or at another member, or never have been sent;
    /// [`crate::Engine::settle`] makes the answer final.
    Pending,
    /// Final.
    Settled(Receipt),
    /// Older than what is remembered of this client: it can never be applied from now on, and whether it was is for the
    /// ledger's entries to tell.
    TooOld {
        /// The smallest nonce that can still be asked for.
        floor: u64,
    },
}

/// Why a submission has no receipt.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SubmitError {
    /// The machine has no such surface, or takes nothing there.
    #[error("surface {surface:?} takes no submissions; these do: {}", have.join(", "))]
    UnknownSurface {
        /// The one asked for.
        surface: String,
        /// Those that there are.
        have: Vec<String>,
    },
    /// Not a command of that surface.
    #[error("{surface}: not a command: {why}")]
    Malformed {
        /// The surface.
        surface: String,
        /// What is wrong, at which field.
        why: String,
    },
    /// Too many bytes.
    #[error("body has {size} bytes; at most {max} are taken")]
    TooLarge {
        /// Bytes sent.
        size: usize,
        /// Most bytes taken.
        max: usize,
    },
    /// The client's window has moved on.
    #[error("nonce {nonce} is too old: the window of this client starts at {floor}")]
    NonceTooOld {
        /// The nonce.
        nonce: u64,
        /// First nonce of the window.
        floor: u64,
    },
    /// `(client, nonce)` names another command.
    #[error("nonce {nonce} was used for another command, whose first entry is {first}")]
    NonceUsed {
        /// The nonce.
        nonce: u64,
        /// First entry of the command that used it.
        first: u64,
    },
    /// There is no leader, or none that this member knows.
    #[error("no leader is known; ask again, or another member")]
    NoLeader,
    /// The proposal was lost in an election. It was not applied and, unless it is sent again, will not be.
    #[error("lost in an election: not applied; it may be submitted again under the same nonce")]
    Lost,
    /// It was handed on, and what became of it was not learnt in time.
    #[error("no answer in time: ask for its fate, or settle it")]
    Unclear,
    /// Too much waits already.
    #[error("{waiting} proposals wait already; ask again later")]
    Overloaded {
        /// How many.
        waiting: usize,
    },
    /// Proposals are not being cosigned by a quorum, so none would be acknowledged.
    #[error("no quorum of members cosigns: {why}")]
    Stalled {
        /// What this member knows of the cause.
        why: String,
    },
    /// This member's disk takes no more.
    #[error("storage: {why}; reads go on")]
    Storage {
        /// What the disk said.
        why: String,
    },
    /// The committee has retired; its ledger says where to go.
    #[error("retired at entry {index}")]
    Retired {
        /// Index of the retirement.
        index: u64,
    },
    /// The committee's own entries: refused by the rule that guards them.
    #[error("{surface}: refused: {why}")]
    Refused {
        /// The committee's surface.
        surface: String,
        /// Which rule, and what broke it.
        why: String,
    },
    /// This member is shutting down, or was put out of the roster.
    #[error("this member has stopped: {why}")]
    Stopped {
        /// Why.
        why: String,
    },
}
