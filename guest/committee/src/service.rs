//! What the HTTP surface asks of a member. The engine implements it; tests fake it over a real ledger.
//!
//! Methods that return a future may wait for a quorum; those that do not may read the disk and are called off the async threads.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hallmark_coalition::UniqueId;
use hallmark_ledger::checkpoint::Checkpoint;
use hallmark_ledger::cosignature::SignedCheckpoint;
use hallmark_ledger::entry::Entry;
use hallmark_ledger::proof::{Consistency, Inclusion};
use hallmark_ledger::system::{Roster, SystemEntry};
use hallmark_ledger::tile::Coordinates;
use hallmark_machine::{ClientId, Surface};
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{Counters, Fate, Receipt, Status, Submission, SubmitError};

/// A future that a trait object returns.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Names a submission for ever: no two commands share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubmissionId {
    /// The epoch that it was submitted in.
    pub epoch: u64,
    /// Who submitted.
    pub client: ClientId,
    /// The client's number for it.
    pub nonce: u64,
}

/// Why a member does not answer a question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// Not now: no quorum, not yet a member. Ask again, or another.
    #[error("{why}")]
    NotReady {
        /// What is missing.
        why: String,
        /// Seconds after which to ask again.
        retry_after: u64,
    },
    /// The ledger cannot be read here: files that are still being fetched, or that do not hash to the tree.
    #[error("ledger: {why}")]
    Ledger {
        /// What was found.
        why: String,
    },
}

/// The last entry of a retired committee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retirement {
    /// Its index.
    pub index: u64,
    /// From when on readers follow the replacement: milliseconds since 1970.
    pub effective_at: u64,
    /// The committee that goes on instead, 64 hex digits.
    pub replacement: Option<UniqueId>,
}

impl Retirement {
    /// Reads the marker off its entry; None where the entry is none.
    #[must_use]
    pub fn of(index: u64, leaf: &[u8]) -> Option<Self> {
        match SystemEntry::of(&Entry::parse(leaf).ok()?).ok()?? {
            SystemEntry::Retirement(body) => {
                Some(Self { index, effective_at: body.effective_at, replacement: body.replacement })
            }
            _ => None,
        }
    }
}

/// This member's word, given for a nonce, on the largest tree that it has cosigned.
///
/// The signature is Ed25519, by its cosigning key, over `ledger::system::freshness_message(origin, epoch, nonce, size, root)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// Its node id.
    pub node: u64,
    /// Size of that tree.
    pub size: u64,
    /// Its root.
    pub root: hallmark_ledger::hash::Hash,
    /// 64 bytes as 128 hex digits.
    #[serde(with = "hex::serde")]
    pub signature: [u8; 64],
}

/// This member's word, given for a nonce, on what the last entry of a key is.
///
/// The signature is Ed25519, by its cosigning key, over `ledger::system::lookup_message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// Its node id.
    pub node: u64,
    /// 64 bytes as 128 hex digits.
    #[serde(with = "hex::serde")]
    pub signature: [u8; 64],
}

/// A member, as its surface sees it.
pub trait Service: Send + Sync + 'static {
    /// The committee.
    fn group(&self) -> UniqueId;

    /// What the machine publishes and where it takes commands.
    fn surfaces(&self) -> &'static [Surface];

    /// The newest checkpoint under a quorum's cosignatures.
    fn checkpoint(&self) -> watch::Receiver<Option<Arc<SignedCheckpoint>>>;

    /// The roster at that checkpoint; None before there is one.
    fn roster(&self) -> Option<Roster>;

    /// Up to `count` leaves from `from` on, all below the newest checkpoint's size; fewer where they come to more than `bytes`, but one at least. Blocks.
    ///
    /// # Errors
    /// Where the disk cannot be read or does not hash to the tree.
    fn entries(&self, from: u64, count: usize, bytes: usize) -> Result<Vec<Bytes>, ServiceError>;

    /// A tile or entry bundle; None where no quorum has signed a tree that has it. Blocks.
    ///
    /// # Errors
    /// As for [`Service::entries`].
    fn tile(&self, tile: &Coordinates) -> Result<Option<Bytes>, ServiceError>;

    /// That an entry is in the tree of a size. Blocks.
    ///
    /// # Errors
    /// As for [`Service::entries`].
    fn inclusion(&self, index: u64, size: u64) -> Result<Inclusion, ServiceError>;

    /// That one size extends another. Blocks.
    ///
    /// # Errors
    /// As for [`Service::entries`].
    fn consistency(&self, old: u64, new: u64) -> Result<Consistency, ServiceError>;

    /// What this member says of itself.
    fn status(&self) -> Status;

    /// Index of the retirement entry, once there is one.
    fn retired(&self) -> Option<u64> {
        self.status().retired
    }

    /// What it has counted.
    fn counters(&self) -> Counters;

    /// Orders a command, on whichever member leads, and waits until a quorum has cosigned its entry. Safe to repeat.
    fn submit(&self, submission: Submission) -> Boxed<'_, Result<Receipt, SubmitError>>;

    /// What became of a submission, from cosigned state alone.
    fn fate(&self, client: ClientId, nonce: u64) -> Boxed<'_, Fate>;

    /// The same; where it is open, orders that it never be applied.
    fn settle(&self, client: ClientId, nonce: u64) -> Boxed<'_, Result<Fate, SubmitError>>;

    /// Signs a challenge.
    fn freshness(&self, nonce: [u8; 32]) -> Boxed<'_, Result<Freshness, ServiceError>>;

    /// Signs for a nonce what the last entry of a key is in the tree of this checkpoint: an index, or none.
    ///
    /// # Errors
    /// Where this member cosigns no more: its word would count for nothing.
    fn lookup(
        &self,
        nonce: &[u8; 32],
        checkpoint: &Checkpoint,
        at: (&str, &str),
        index: Option<u64>,
    ) -> Result<Lookup, ServiceError>;
}
