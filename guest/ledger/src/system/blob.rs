//! `committee.blob`: bytes that an entry after it names by hash. Evidence and collateral are larger than one leaf.

use serde::{Deserialize, Serialize};

use crate::hash::Hash;

/// Most bytes that one part carries.
pub const BLOB_PART: usize = 45_000;
/// Most bytes of a whole blob.
pub const MAX_BLOB: usize = 1 << 20;

/// A part of a blob. The parts of one blob stand one behind the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// SHA-256 of the whole.
    pub sha256: Hash,
    /// Which part, from 0.
    pub part: u32,
    /// Parts in all.
    pub parts: u32,
    /// The bytes of this part, [`BLOB_PART`] of them in all but the last.
    #[serde(with = "crate::encoding::base64")]
    pub data: Vec<u8>,
}

impl Blob {
    /// The parts of some bytes; none where they are more than [`MAX_BLOB`]. Empty bytes are one empty part.
    #[must_use]
    pub fn split(bytes: &[u8]) -> Option<Vec<Self>> {
        if bytes.len() > MAX_BLOB {
            return None;
        }
        let sha256 = Hash::of(bytes);
        let parts = u32::try_from(bytes.len().div_ceil(BLOB_PART).max(1)).ok()?;
        let chunks = bytes.chunks(BLOB_PART).chain(bytes.is_empty().then_some(&[][..]));
        Some(chunks.zip(0..).map(|(data, part)| Self { sha256, part, parts, data: data.to_vec() }).collect())
    }
}
