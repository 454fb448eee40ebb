//! Receipts as JSON: the entry itself, that it is in the tree, and the tree under a quorum's cosignatures.

use std::sync::Arc;

use hallmark_ledger::hash::Hash;
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::problem::Problem;
use crate::service::{Service, ServiceError};
use crate::{Outcome, Receipt};

/// What a receipt says first. The entry says it too, and is what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OutcomeWord {
    /// Not decided, or not yet under a quorum's cosignatures.
    Pending,
    /// Applied.
    Committed,
    /// Refused by the machine, for good.
    Rejected,
    /// Never applied, and never to be.
    Invalid,
}

/// A receipt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReceiptDocument {
    /// What became of it.
    pub outcome: OutcomeWord,
    /// Index of the first entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Entries that it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// The first entry, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<Box<RawValue>>,
    /// Hashes from that entry to the root (RFC 6962, 2.1.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Vec<Hash>>,
    /// The checkpoint: a signed note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

impl ReceiptDocument {
    pub(crate) const fn pending() -> Self {
        Self {
            outcome: OutcomeWord::Pending,
            index: None,
            entries: None,
            leaf: None,
            proof: None,
            checkpoint: None,
        }
    }
}

/// What a receipt says beside its checkpoint.
pub(crate) struct Settled {
    outcome: OutcomeWord,
    index: u64,
    entries: u64,
    leaf: Bytes,
    proof: Vec<Hash>,
}

impl Settled {
    /// Reads entry and proof off the ledger. Blocks.
    pub(crate) fn read(service: &dyn Service, receipt: &Receipt) -> Result<Self, ServiceError> {
        let (outcome, entries) = match receipt.outcome {
            Outcome::Committed { entries, .. } => (OutcomeWord::Committed, entries),
            Outcome::Rejected { .. } => (OutcomeWord::Rejected, 1),
            Outcome::Invalid { .. } => (OutcomeWord::Invalid, 1),
        };
        let index = receipt.outcome.index();
        let leaf = service.entries(index, 1, 1)?.into_iter().next();
        let leaf = leaf
            .ok_or_else(|| ServiceError::Ledger { why: format!("no entry {index} where one was signed") })?;
        let proof = service.inclusion(index, receipt.checkpoint.checkpoint().size)?.path;
        Ok(Self { outcome, index, entries, leaf, proof })
    }

    /// Its fields as JSON, without the braces. An entry is JSON, and stands there byte for byte.
    pub(crate) fn fields(&self, text: &mut Vec<u8>) -> serde_json::Result<()> {
        text.extend(b"\"outcome\":");
        serde_json::to_writer(&mut *text, &self.outcome)?;
        text.extend(format!(",\"index\":{},\"entries\":{},\"leaf\":", self.index, self.entries).bytes());
        text.extend(&self.leaf);
        text.extend(b",\"proof\":");
        serde_json::to_writer(text, &self.proof)
    }
}

/// The JSON of a receipt that was settled long ago: its files may be cold.
pub(crate) async fn json(service: &Arc<dyn Service>, receipt: Receipt) -> Result<Vec<u8>, Problem> {
    let service = Arc::clone(service);
    let read = tokio::task::spawn_blocking(move || fresh_json(&*service, &receipt));
    read.await.unwrap_or_else(|error| Err(ServiceError::Ledger { why: error.to_string() }.into()))
}

/// The JSON of a receipt of just now, whose entry and proof are in memory or were written a moment ago: a thread of its own would cost more than
/// reading them.
pub(crate) fn fresh_json(service: &dyn Service, receipt: &Receipt) -> Result<Vec<u8>, Problem> {
    let settled = Settled::read(service, receipt)?;
    let note = receipt.checkpoint.note();
    let mut text = Vec::with_capacity(settled.leaf.len() + 2 * note.len() + 64 * settled.proof.len());
    let mut write = || {
        text.push(b'{');
        settled.fields(&mut text)?;
        text.extend(b",\"checkpoint\":");
        serde_json::to_writer(&mut text, note)?;
        text.push(b'}');
        Ok::<_, serde_json::Error>(())
    };
    write().map_err(|error| ServiceError::Ledger { why: error.to_string() })?;
    Ok(text)
}
