//! Inclusion and consistency proofs (RFC 6962, 2.1.1 and 2.1.2), checked as RFC 9162 sections 2.1.3.2 and 2.1.4.2 say.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    hash::{self, EMPTY, Hash},
    tree::{Nodes, subtree},
};

/// Most hashes in a path: a tree of 2^63 leaves needs no more.
pub const MAX_PATH: usize = 64;

/// That a leaf is in a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// Index of the leaf.
    pub index: u64,
    /// Leaves in the tree.
    pub size: u64,
    /// Siblings from the leaf up.
    pub path: Vec<Hash>,
}

/// That a tree is the beginning of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// Leaves in the smaller tree.
    pub old: u64,
    /// Leaves in the larger tree.
    pub new: u64,
    /// Nodes, as RFC 6962 2.1.2 orders them.
    pub path: Vec<Hash>,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Index or size that no tree has.
    #[error("proof: {index} is not within a tree of {size} (RFC 9162, 2.1.3.2)")]
    Range {
        /// Index, or size of the smaller tree.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// A path of the wrong length.
    #[error("proof: {got} hashes in the path are not what {index} in {size} needs")]
    Length {
        /// Index, or size of the smaller tree.
        index: u64,
        /// Size of the tree.
        size: u64,
        /// Hashes in the path.
        got: usize,
    },
    /// The path leads to another root.
    #[error("proof: the path leads to root {got}, not {want}")]
    Root {
        /// Where it leads.
        got: Hash,
        /// The root that was asked.
        want: Hash,
    },
}

impl Inclusion {
    /// Proof that leaf `index` is in the tree of the first `size` leaves. About log2(size) nodes are read.
    ///
    /// # Errors
    /// Those of `nodes`. `None` where `index` is not below `size`.
    pub fn prove<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Option<Self>, N::Error> {
        if index >= size {
            return Ok(None);
        }
        let mut path = Vec::new();
        let (mut start, mut width, mut at) = (0, size, index);
        while width > 1 {
            let left = split(width);
            if at < left {
                path.push(subtree(nodes, start + left, width - left)?);
                width = left;
            } else {
                path.push(subtree(nodes, start, left)?);
                (start, width, at) = (start + left, width - left, at - left);
            }
        }
        path.reverse();
        Ok(Some(Self { index, size, path }))
    }

    /// Holds the proof against a leaf's hash and a root.
    ///
    /// # Errors
    /// Where it does not hold.
    pub fn verify(&self, leaf: &Hash, root: &Hash) -> Result<(), ProofError> {
        let Self { index, size, path } = self;
        if index >= size {
            return Err(ProofError::Range { index: *index, size: *size });
        }
        let length = || ProofError::Length { index: *index, size: *size, got: path.len() };
        let (mut at, mut last, mut got) = (*index, size - 1, *leaf);
        for sibling in path {
            if last == 0 {
                return Err(length());
            }
            if at & 1 == 1 || at == last {
                got = hash::node(sibling, &got);
                while at & 1 == 0 && at != 0 {
                    at >>= 1;
                    last >>= 1;
                }
            } else {
                got = hash::node(&got, sibling);
            }
            at >>= 1;
            last >>= 1;
        }
        if last != 0 {
            return Err(length());
        }
        equal(got, *root)
    }
}

impl Consistency {
    /// Proof that the tree of the first `old` leaves is the beginning of that of the first `new`.
    ///
    /// # Errors
    /// Those of `nodes`. `None` where `old` is greater than `new`.
    pub fn prove<N: Nodes>(nodes: &N, old: u64, new: u64) -> Result<Option<Self>, N::Error> {
        if old > new {
            return Ok(None);
        }
        let mut path = Vec::new();
        if old > 0 && old < new {
            let (mut start, mut width, mut at, mut whole) = (0, new, old, true);
            while at < width {
                let left = split(width);
                if at <= left {
                    path.push(subtree(nodes, start + left, width - left)?);
                    width = left;
                } else {
                    path.push(subtree(nodes, start, left)?);
                    (start, width, at, whole) = (start + left, width - left, at - left, false);
                }
            }
            // The old tree's root itself is known to who asks.
            if !whole {
                path.push(subtree(nodes, start, width)?);
            }
            path.reverse();
        }
        Ok(Some(Self { old, new, path }))
    }

    /// Holds the proof against the two roots.
    ///
    /// # Errors
    /// Where it does not hold.
    pub fn verify(&self, old_root: &Hash, new_root: &Hash) -> Result<(), ProofError> {
        let Self { old, new, path } = self;
        if old > new {
            return Err(ProofError::Range { index: *old, size: *new });
        }
        let length = || ProofError::Length { index: *old, size: *new, got: path.len() };
        if *old == 0 || old == new {
            // Nothing to prove, and so nothing may be there.
            if !path.is_empty() {
                return Err(length());
            }
            return equal(*old_root, if *old == 0 { EMPTY } else { *new_root });
        }
        let mut path = path.iter();
        let first = if old.is_power_of_two() { Some(old_root) } else { path.next() };
        let first = *first.ok_or_else(length)?;
        let (mut at, mut last) = (old - 1, new - 1);
        while at & 1 == 1 {
            at >>= 1;
            last >>= 1;
        }
        let (mut got_old, mut got_new) = (first, first);
        for sibling in path {
            if last == 0 {
                return Err(length());
            }
            if at & 1 == 1 || at == last {
                got_old = hash::node(sibling, &got_old);
                got_new = hash::node(sibling, &got_new);
                while at & 1 == 0 && at != 0 {
                    at >>= 1;
                    last >>= 1;
                }
            } else {
                got_new = hash::node(&got_new, sibling);
            }
            at >>= 1;
            last >>= 1;
        }
        if last != 0 {
            return Err(length());
        }
        equal(got_old, *old_root)?;
        equal(got_new, *new_root)
    }
}

/// The largest power of two below `width`, which is at least 2.
const fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

fn equal(got: Hash, want: Hash) -> Result<(), ProofError> {
    if got == want { Ok(()) } else { Err(ProofError::Root { got, want }) }
}
