//! What can go wrong, and what is kept of it.

use std::time::Duration;

use crate::http::Document;

/// Two checkpoints, both under a quorum's cosignatures, of which one does not extend the other: proof that 2q - n members lied or two machines had their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The signed note that was verified first.
    pub first: String,
    /// The one that contradicts it.
    pub second: String,
    /// How: equal sizes with two roots, or a consistency proof that fails.
    pub why: String,
}

/// Two checkpoints of different epochs, each under a quorum's cosignatures, of which the later one's tree went on from fewer entries than the earlier
/// one has: a recovery, signed by q slot operators, dropped what was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truncation {
    /// The signed note of the earlier epoch.
    pub before: String,
    /// That of the later one.
    pub after: String,
    /// Entries of the earlier epoch's tree that went on.
    pub survives: u64,
}

/// Why a client has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No member of this committee answered at any of the addresses: they are wrong, or of another committee, or not reached. Never "not found".
    #[error("no member of committee {group} answered within {after:?}; the last that was found: {last}")]
    ConnectTimeout {
        /// The committee.
        group: hallmark_coalition::UniqueId,
        /// How long it was tried.
        after: Duration,
        /// What the last address did.
        last: String,
    },
    /// A member refused, with its reason.
    #[error("{status} {}: {}", document.code, document.why)]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its reason.
        document: Box<Document>,
    },
    /// The committee has retired.
    #[error("the committee has retired; it goes on as {}", replacement.map_or_else(|| "nothing".into(), |id| id.to_string()))]
    Retired {
        /// What the marker names.
        replacement: Option<hallmark_coalition::UniqueId>,
    },
    /// What was answered does not verify.
    #[error("{address}: {what}: {why}")]
    Unproven {
        /// Who answered.
        address: String,
        /// Which part: checkpoint, roster, proof, leaf.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// A member is behind what this client has seen signed.
    #[error("{address}: checkpoint of size {got}, epoch {epoch}; {known} entries are known to be signed")]
    Stale {
        /// Who answered.
        address: String,
        /// The size it gave.
        got: u64,
        /// The epoch it gave.
        epoch: u64,
        /// The size known.
        known: u64,
    },
    /// Two histories. They are kept: [`Client::fork`](super::Client::fork).
    #[error("two histories: {}", .0.why)]
    Forked(Box<Fork>),
    /// A receipt's entry did not survive a recovery.
    #[error("entry {index} was acknowledged and is gone: a recovery went on from {} entries", .proof.survives)]
    Truncated {
        /// Index of the entry.
        index: u64,
        /// The two checkpoints that show it.
        proof: Box<Truncation>,
    },
    /// It is not known whether the command was or will be applied: ask for the fate, or settle it.
    #[error("submission {nonce}: its outcome is not known: {why}")]
    Unclear {
        /// The client's number.
        nonce: u64,
        /// What the last member said.
        why: String,
    },
    /// Fewer than a quorum answered a challenge.
    #[error("{got} members answered the challenge, {want} are needed: {last}")]
    NoQuorum {
        /// How many did.
        got: usize,
        /// How many must.
        want: usize,
        /// What the last other one did.
        last: String,
    },
    /// A request failed below HTTP, or its answer made no sense.
    #[error("{address}: {why}")]
    Connection {
        /// Who was asked.
        address: String,
        /// What happened.
        why: String,
    },
}

impl ClientError {
    pub(super) fn connection(address: &str, why: impl std::fmt::Display) -> Self {
        Self::Connection { address: address.to_owned(), why: why.to_string() }
    }

    pub(super) fn unproven(address: &str, what: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Unproven { address: address.to_owned(), what, why: why.to_string() }
    }

    /// A member's refusal.
    pub(super) fn refused(status: u16, document: Document) -> Self {
        if status == 410 {
            return Self::Retired { replacement: document.retirement.and_then(|marker| marker.replacement) };
        }
        Self::Refused { status, document: Box::new(document) }
    }

    /// Whether another member, or the same one later, may do better.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Unproven { .. } | Self::Stale { .. } | Self::Connection { .. } => true,
            _ => false,
        }
    }
}
