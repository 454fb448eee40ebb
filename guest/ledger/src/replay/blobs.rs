//! Blobs on their way to the entry that names them.

use std::collections::BTreeMap;

use super::Fault;
use crate::{
    hash::Hash,
    system::{BLOB_PART, Blob, MAX_BLOB},
};

/// Most blobs that one entry can name.
const MOST: usize = 2;

/// Whole blobs that no entry has named yet, and one in parts.
#[derive(Debug, Clone, Default)]
pub(super) struct Blobs {
    whole: BTreeMap<Hash, Vec<u8>>,
    open: Option<(Blob, Vec<u8>)>,
}

impl Blobs {
    /// Takes a part.
    pub(super) fn push(&mut self, blob: &Blob) -> Result<(), Fault> {
        let wrong = |why| Fault::Blob { sha256: blob.sha256, why };
        let last = blob.part.checked_add(1) == Some(blob.parts);
        if usize::try_from(blob.parts).is_ok_and(|parts| parts == 0 || parts > MAX_BLOB.div_ceil(BLOB_PART)) {
            return Err(wrong("no blob has so many parts"));
        }
        if (last && blob.data.len() > BLOB_PART) || (!last && blob.data.len() != BLOB_PART) {
            return Err(wrong("a part of the wrong length"));
        }
        let mut bytes = match self.open.take() {
            None if blob.part == 0 => Vec::new(),
            Some((before, bytes))
                if (before.sha256, before.parts) == (blob.sha256, blob.parts)
                    && before.part.checked_add(1) == Some(blob.part) =>
            {
                bytes
            }
            _ => return Err(wrong("its parts do not follow each other")),
        };
        bytes.extend_from_slice(&blob.data);
        if !last {
            self.open = Some((Blob { data: Vec::new(), ..*blob }, bytes));
            return Ok(());
        }
        if Hash::of(&bytes) != blob.sha256 || bytes.len() > MAX_BLOB {
            return Err(wrong("its parts do not come to its hash"));
        }
        if self.whole.len() == MOST || self.whole.insert(blob.sha256, bytes).is_some() {
            return Err(wrong("more blobs than an entry can name"));
        }
        Ok(())
    }

    /// The bytes that an entry names.
    pub(super) fn take(&mut self, sha256: &Hash) -> Result<Vec<u8>, Fault> {
        self.whole
            .remove(sha256)
            .ok_or(Fault::Blob { sha256: *sha256, why: "it is named, but not before this entry" })
    }

    /// Nothing may be left over behind any entry that is not a blob.
    pub(super) fn done(&self) -> Result<(), Fault> {
        let open = self.open.as_ref().map(|(blob, _)| &blob.sha256);
        match open.or_else(|| self.whole.keys().next()) {
            Some(sha256) => Err(Fault::Blob { sha256: *sha256, why: "the entry behind it does not name it" }),
            None => Ok(()),
        }
    }
}
