//! Rows of the log, each of which names the one before it by hash.
//!
//! A hash in each row finds a damaged row. It does not find a row that is whole and from another time: a damaged page of redb's tree can lead to a
//! page that an earlier write left, and redb, which looks at its own checksums after a crash only, would read old rows beside new ones.

use hallmark_ledger::hash::Hash;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Bytes before the entry: the former row's seal, and this one's.
const HEADER: usize = 64;

/// Where a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    index: u64,
    seal: Hash,
}

/// The header of a row: `seal` is SHA-256 of `former`, then the entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    former: Hash,
    seal: Hash,
}

impl Row {
    /// The row that comes after `head`; zeros stand for none.
    pub(super) fn after(head: Option<&Head>, entry: &[u8]) -> Self {
        let former = head.map_or(Hash([0; 32]), |head| head.seal);
        Self { former, seal: seal(&former, entry) }
    }

    pub(super) fn encode(&self, entry: &[u8]) -> Vec<u8> {
        [&self.former.0[..], &self.seal.0, entry].concat()
    }

    /// The header, which is not checked yet; none where the bytes are too few.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (former, rest) = bytes.split_first_chunk()?;
        let (seal, _) = rest.split_first_chunk()?;
        Some(Self { former: Hash(*former), seal: Hash(*seal) })
    }

    /// The entry of the row that these bytes are, if it has the hash.
    pub(super) fn checked<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let entry = Self::entry(bytes)?;
        (seal(&self.former, entry) == self.seal).then_some(entry)
    }

    /// The entry of the row that these bytes are, unchecked.
    pub(super) fn entry(bytes: &[u8]) -> Option<&[u8]> {
        bytes.get(HEADER..)
    }

    /// Whether it is the next one after `head`, with this index.
    pub(super) fn follows(&self, head: &Head, index: u64) -> bool {
        self.former == head.seal && head.index.checked_add(1) == Some(index)
    }

    /// The end of a log that ends with this row.
    pub(super) const fn head(&self, index: u64) -> Head {
        Head { index, seal: self.seal }
    }
}

fn seal(former: &Hash, entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(former).chain_update(entry).finalize().into())
}
