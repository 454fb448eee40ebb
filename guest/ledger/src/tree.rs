//! The Merkle tree of RFC 6962: its frontier, and roots and proofs from stored nodes.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::hash::{self, EMPTY, Hash};

/// Most leaves of a tree that is gone on with: what comes as bytes must leave room to count.
pub const MAX_SIZE: u64 = 1 << 63;

/// What is needed to add leaves and to say the root: the roots of the perfect subtrees on the right edge. 8 + 32 * 64 bytes at most.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Frontier {
    size: u64,
    /// Largest subtree first; one for each bit set in `size`.
    peaks: Vec<Hash>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    size: u64,
    peaks: Vec<Hash>,
}

/// Parts that are no frontier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a frontier of {size} leaves (at most 2^63) has {} subtrees, not {peaks} (RFC 6962, 2.1)",
    size.count_ones()
)]
pub struct FrontierError {
    size: u64,
    peaks: usize,
}

impl TryFrom<Parts> for Frontier {
    type Error = FrontierError;

    fn try_from(Parts { size, peaks }: Parts) -> Result<Self, FrontierError> {
        if size <= MAX_SIZE && usize::try_from(size.count_ones()) == Ok(peaks.len()) {
            Ok(Self { size, peaks })
        } else {
            Err(FrontierError { size, peaks: peaks.len() })
        }
    }
}

impl From<Frontier> for Parts {
    fn from(frontier: Frontier) -> Self {
        Self { size: frontier.size, peaks: frontier.peaks }
    }
}

impl Frontier {
    /// The empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// A frontier of its parts, largest subtree first.
    ///
    /// # Errors
    /// Where there is not one hash for each bit set in `size`, or that is more than [`MAX_SIZE`].
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Self, FrontierError> {
        Parts { size, peaks }.try_into()
    }

    /// Adds a leaf, by its hash ([`hash::leaf`]). One inner hash on average.
    pub fn push(&mut self, leaf: Hash) {
        let mut subtree = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                subtree = hash::node(&left, &subtree);
            }
        }
        self.peaks.push(subtree);
        self.size += 1;
    }

    /// Leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Root. At most 63 hashes.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold(&self.peaks)
    }

    /// Size as u64 LE, then the subtrees' roots, largest first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_le_bytes().to_vec();
        self.peaks.iter().for_each(|peak| bytes.extend_from_slice(&peak.0));
        bytes
    }

    /// Reads what [`Self::to_bytes`] writes.
    ///
    /// # Errors
    /// Where the length is not the size's.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let wrong = |size| FrontierError { size, peaks: bytes.len().saturating_sub(8) / 32 };
        let (size, rest) = bytes.split_first_chunk().ok_or_else(|| wrong(0))?;
        let size = u64::from_le_bytes(*size);
        let (peaks, odd) = rest.as_chunks::<32>();
        if !odd.is_empty() || peaks.len() > 64 {
            return Err(wrong(size));
        }
        Self::from_peaks(size, peaks.iter().map(|peak| Hash(*peak)).collect())
    }
}

/// Root over perfect subtrees that stand side by side, largest first.
pub(crate) fn fold(peaks: &[Hash]) -> Hash {
    let mut peaks = peaks.iter().rev();
    peaks.next().map_or(EMPTY, |last| peaks.fold(*last, |right, left| hash::node(left, &right)))
}

/// Root of a perfect tree over hashes whose number is a power of two.
pub(crate) fn perfect(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row
            .chunks(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(hash::node(left, right)),
                [only] => Some(*only),
                _ => None,
            })
            .collect();
    }
    row.first().copied().unwrap_or(EMPTY)
}

/// Where the nodes of a tree are kept.
pub trait Nodes {
    /// Why a node cannot be had.
    type Error;

    /// Root of the perfect subtree over leaves `[index << level, (index + 1) << level)`, all of which exist.
    ///
    /// # Errors
    /// Where the node is not there or not what the tree says.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Root of the tree's first `size` leaves.
///
/// # Errors
/// Those of `nodes`.
pub fn root_at<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    subtree(nodes, 0, size)
}

/// The frontier of the tree's first `size` leaves.
///
/// # Errors
/// Those of `nodes`.
pub fn frontier_at<N: Nodes>(nodes: &N, size: u64) -> Result<Frontier, N::Error> {
    Ok(Frontier { size, peaks: peaks(nodes, 0, size)? })
}

/// Roots of the perfect subtrees over leaves `[start, start + size)`, largest first.
fn peaks<N: Nodes>(nodes: &N, start: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let mut peaks = Vec::new();
    let (mut at, mut left) = (start, size);
    while let Some(level) = left.checked_ilog2() {
        peaks.push(nodes.node(level, at >> level)?);
        at += 1 << level;
        left -= 1 << level;
    }
    Ok(peaks)
}

/// Root over leaves `[start, start + size)`; `start` is a multiple of the smallest power of two that `size` fits in; `size` is not 0.
pub(crate) fn subtree<N: Nodes>(nodes: &N, start: u64, size: u64) -> Result<Hash, N::Error> {
    Ok(fold(&peaks(nodes, start, size)?))
}
