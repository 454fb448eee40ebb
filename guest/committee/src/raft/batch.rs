//! The payload of a Raft entry: several proposals, as bytes.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::state::Proposal;

/// Proposals that are ordered together, encoded once.
///
/// `term` is the Raft term of the leader that queued them. [`crate::state::State`] refuses a batch whose term is not its log
/// entry's, so nothing that a deposed leader had queued is ever applied under a later one.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    term: u64,
    bytes: Arc<[u8]>,
}

/// Bytes that are no batch. Only a leader that runs other code can order such.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a batch of proposals: {0}")]
pub struct BatchError(String);

impl Batch {
    /// Encodes proposals.
    ///
    /// # Errors
    /// Where a proposal has no encoding (it always has one).
    pub fn new(term: u64, proposals: &[Proposal]) -> Result<Self, BatchError> {
        let bytes = postcard::to_allocvec(proposals).map_err(|error| BatchError(error.to_string()))?;
        Ok(Self { term, bytes: bytes.into() })
    }

    /// The term in which it was queued.
    #[must_use]
    pub const fn term(&self) -> u64 {
        self.term
    }

    /// Bytes of the proposals.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has no bytes: no batch that was encoded here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The proposals.
    ///
    /// # Errors
    /// Where the bytes are not exactly a list of proposals.
    pub fn proposals(&self) -> Result<Vec<Proposal>, BatchError> {
        let (proposals, rest) =
            postcard::take_from_bytes(&self.bytes).map_err(|error| BatchError(error.to_string()))?;
        if rest.is_empty() { Ok(proposals) } else { Err(BatchError(format!("{} bytes follow", rest.len()))) }
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("term", &self.term).field("bytes", &self.bytes.len()).finish()
    }
}

// As one run of bytes: serde's own form of a byte slice goes element by element.
#[derive(Serialize, Deserialize)]
struct Wire<'a>(u64, #[serde(borrow, with = "bytes")] std::borrow::Cow<'a, [u8]>);

mod bytes {
    use super::{Deserializer, Serializer};
    use std::borrow::Cow;

    #[allow(clippy::ptr_arg, reason = "serde hands over the field as it is")]
    pub(super) fn serialize<S: Serializer>(bytes: &Cow<'_, [u8]>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Cow<'a, [u8]>, D::Error> {
        struct Bytes;
        impl<'de> serde::de::Visitor<'de> for Bytes {
            type Value = Cow<'de, [u8]>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(bytes))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Cow::Owned(bytes.to_vec()))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
                // Formats without bytes (JSON) write a list of numbers.
                let mut bytes = Vec::new();
                while let Some(byte) = from.next_element()? {
                    bytes.push(byte);
                }
                Ok(Cow::Owned(bytes))
            }
        }
        from.deserialize_bytes(Bytes)
    }
}

impl Serialize for Batch {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Wire(self.term, self.bytes.as_ref().into()).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Wire(term, bytes) = Wire::deserialize(from)?;
        Ok(Self { term, bytes: bytes.as_ref().into() })
    }
}
