//! Evidence pointers: an entry of another citizen's ledger, with what is needed to believe it.

use hallmark_coalition::CitizenId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    cosignature::{CosignatureError, Keys, SignedCheckpoint},
    hash::{self, Hash},
    proof::{Inclusion, ProofError},
};

/// Most bytes of the checkpoint in a pointer.
pub const MAX_CHECKPOINT: usize = 16 << 10;

/// An entry of another citizen's ledger: (citizen, clock event), the entry's place and hash, the way from it to a root, and the checkpoint
/// that a quorum signed over that root. Says nothing until verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidencePointer {
    /// Whose ledger.
    pub citizen: CitizenId,
    /// The clock event of that citizen that the entry answers: its block, round or sequence number.
    pub clock: u64,
    /// Index of the entry.
    pub index: u64,
    /// RFC 6962 hash of the entry.
    pub leaf: Hash,
    /// From the entry to the checkpoint's root.
    pub proof: Inclusion,
    /// The cosigned checkpoint: the note's text and signatures.
    pub checkpoint: String,
}

/// Why a pointer proves nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PointerError {
    /// The checkpoint does not count.
    #[error("evidence pointer: {0}")]
    Checkpoint(#[from] CosignatureError),
    /// The entry is not under it.
    #[error("evidence pointer: {0}")]
    Proof(#[from] ProofError),
    /// The proof is of another entry or tree.
    #[error(
        "evidence pointer: the proof is of entry {index} in {size}, the pointer of {want_index} under {want_size}"
    )]
    Place {
        /// Index in the proof.
        index: u64,
        /// Size in the proof.
        size: u64,
        /// Index in the pointer.
        want_index: u64,
        /// Size of the checkpoint.
        want_size: u64,
    },
    /// Other bytes than the entry's.
    #[error("evidence pointer: the entry's hash is {got}, the pointer's {want}")]
    Leaf {
        /// Of the bytes.
        got: Hash,
        /// Of the pointer.
        want: Hash,
    },
    /// A checkpoint too large to be one.
    #[error("evidence pointer: a checkpoint of {0} bytes, the limit is {MAX_CHECKPOINT}")]
    TooLarge(usize),
}

impl EvidencePointer {
    /// Holds the pointer against the keys of the committee it points into, and gives the checkpoint it stands under. Which citizen those
    /// keys are is for the caller to know; so is the roster at that size.
    ///
    /// # Errors
    /// Where signatures, quorum or proof do not hold.
    pub fn verify(&self, keys: &Keys<'_>) -> Result<SignedCheckpoint, PointerError> {
        if self.checkpoint.len() > MAX_CHECKPOINT {
            return Err(PointerError::TooLarge(self.checkpoint.len()));
        }
        let signed = SignedCheckpoint::verify(self.checkpoint.as_bytes(), keys)?;
        let (size, root) = (signed.checkpoint().size, signed.checkpoint().root);
        if self.proof.index != self.index || self.proof.size != size {
            return Err(PointerError::Place {
                index: self.proof.index,
                size: self.proof.size,
                want_index: self.index,
                want_size: size,
            });
        }
        self.proof.verify(&self.leaf, &root)?;
        Ok(signed)
    }

    /// Whether these are the bytes of the entry that is pointed to.
    ///
    /// # Errors
    /// Where they are not.
    pub fn entry(&self, bytes: &[u8]) -> Result<(), PointerError> {
        let got = hash::leaf(bytes);
        if got == self.leaf { Ok(()) } else { Err(PointerError::Leaf { got, want: self.leaf }) }
    }
}
