//! `committee.rejection`: a submission that came to nothing, for good.

use hallmark_coalition::UniqueId;
use serde::{Deserialize, Serialize};

use crate::{encoding::Message, hash::Hash};

/// A submission was not applied and never will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// The client, as hex.
    pub client: UniqueId,
    /// The client's number for the command.
    pub nonce: u64,
    /// The word that programs compare. `invalid`: the submission was lost, and this entry shuts it out.
    pub code: String,
    /// What a person reads.
    pub why: String,
}

/// What a member signs when a reader asks, with a nonce of its own, how far the log is now.
#[must_use]
pub fn freshness_message(origin: &str, epoch: u64, nonce: &[u8; 32], size: u64, root: &Hash) -> Vec<u8> {
    Message::new("hallmark/freshness/1")
        .field(origin)
        .number(epoch)
        .field(nonce)
        .number(size)
        .field(root)
        .bytes()
}
