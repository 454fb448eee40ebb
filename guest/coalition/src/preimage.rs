//! What goes under a hash: fields, each of which says where it ends.
//!
//! Plain concatenation lets a byte move from one field to the next without a change of the hash. Here a field has a fixed
//! size, or its length before it, or it is the last.

use crate::UniqueId;

/// Bytes on their way into BLAKE3.
pub(crate) struct Preimage(blake3::Hasher);

impl Preimage {
    /// Starts with bytes that no other derivation starts with.
    pub(crate) fn new(tag: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(tag.as_bytes());
        Self(hasher)
    }

    /// Bytes of a size that the derivation fixes, or the last field.
    pub(crate) fn bare(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.update(bytes.as_ref());
        self
    }

    /// A number: 8 bytes, little-endian.
    pub(crate) fn number(self, number: u64) -> Self {
        self.bare(number.to_le_bytes())
    }

    /// How many items, or bytes, follow: 4 bytes, little-endian.
    fn count(self, count: usize) -> Self {
        // Documents are bounded far below; a constant of 4 GiB in a program is not what this is to guard against.
        self.bare(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes())
    }

    /// A name that is not last: its length in bytes, then itself.
    pub(crate) fn name(self, name: &str) -> Self {
        self.bytes(name.as_bytes())
    }

    /// Bytes that are not last: their count, then themselves.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        self.count(bytes.len()).bare(bytes)
    }

    /// A list: its count, then each item by `write`, which keeps to the rule in turn.
    pub(crate) fn list<T>(
        self,
        items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
        write: impl FnMut(Self, T) -> Self,
    ) -> Self {
        let items = items.into_iter();
        let start = self.count(items.len());
        items.fold(start, write)
    }

    /// A list of none or one.
    pub(crate) fn option<T>(self, item: Option<T>, write: impl FnMut(Self, T) -> Self) -> Self {
        self.list(item, write)
    }

    /// A list of identifiers.
    pub(crate) fn ids<'i>(
        self,
        ids: impl IntoIterator<Item = &'i UniqueId, IntoIter: ExactSizeIterator>,
    ) -> Self {
        self.list(ids, Self::bare)
    }

    /// The hash.
    pub(crate) fn finish(self) -> UniqueId {
        UniqueId::new(*self.0.finalize().as_bytes())
    }
}
