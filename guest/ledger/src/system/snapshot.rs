//! `committee.snapshot`: what the machine's state was.

use serde::{Deserialize, Serialize};

use crate::hash::Hash;

/// Digest of the machine's state after the first `size` entries. Who replays the commands can compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotDigest {
    /// Entries that the state comes from.
    pub size: u64,
    /// SHA-256 of the snapshot's bytes.
    pub sha256: Hash,
}
