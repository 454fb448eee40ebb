//! Lines of `/streams/` as they are read.

use hallmark_ledger::hash::Hash;
use hallmark_ledger::proof::Inclusion;
use serde::Deserialize;
use serde_json::value::RawValue;

/// One line.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    /// A checkpoint that covers the leaves after it.
    pub(super) checkpoint: Option<String>,
    /// Index of the leaf.
    pub(super) index: Option<u64>,
    /// The leaf, byte for byte.
    pub(super) leaf: Option<Box<RawValue>>,
    /// From the leaf to the root.
    pub(super) proof: Option<Vec<Hash>>,
}

/// A leaf with its way to the root.
pub(super) struct Leaf {
    pub(super) index: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) path: Vec<Hash>,
}

impl Line {
    /// The leaf of a line that has one.
    pub(super) fn leaf(self) -> Option<Leaf> {
        let bytes = self.leaf?.get().as_bytes().to_vec();
        Some(Leaf { index: self.index?, bytes, path: self.proof? })
    }
}

impl Leaf {
    /// Whether it is in the tree.
    pub(super) fn verify(&self, size: u64, root: &Hash) -> Result<(), hallmark_ledger::proof::ProofError> {
        let proof = Inclusion { index: self.index, size, path: self.path.clone() };
        proof.verify(&hallmark_ledger::hash::leaf(&self.bytes), root)
    }
}
