//! 32 bytes that name one thing, as mosaik names things.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// 32 bytes that name one thing: the hash of its name, or of what it is derived from.
///
/// The values are those of mosaik 0.4.2's `UniqueId` (golden vectors in `tests/golden/mosaik.json`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueId([u8; 32]);

/// Text that is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// It is not hex of the right length.
    #[error("`{text}` is not {digits} lower-case hex digits")]
    NotHex {
        /// The text, cut to 128 characters.
        text: String,
        /// How many digits were due.
        digits: usize,
    },
}

/// Exactly `2 * N` lower-case hex digits: one way to write each value.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], IdError> {
    let error = || IdError::NotHex { text: text.chars().take(128).collect(), digits: 2 * N };
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(error());
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| error())?;
    Ok(bytes)
}

impl UniqueId {
    /// 32 zero bytes: "none" where a document needs a value.
    pub const ZERO: Self = Self([0; 32]);

    /// These bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Of a name: 64 hex digits (of either case) are the bytes themselves, anything else is hashed with BLAKE3.
    ///
    /// This is mosaik's rule, and so a name must never be taken from someone who may choose a hash: use [`FromStr`] for text
    /// that must be an identifier.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(name, &mut bytes) {
            Ok(()) => Self(bytes),
            Err(_) => Self(*blake3::hash(name.as_bytes()).as_bytes()),
        }
    }

    /// `unique_id("mosaik.universe")`, the network that everyone shares.
    #[must_use]
    pub fn universe() -> Self {
        Self::of_name("mosaik.universe")
    }

    /// Reads exactly 64 lower-case hex digits, and hashes nothing.
    ///
    /// # Errors
    /// [`IdError`] for any other text.
    pub fn from_hex(text: &str) -> Result<Self, IdError> {
        from_hex(text).map(Self)
    }

    /// What is below this: `blake3(self || part)`.
    #[must_use]
    pub fn derive(&self, part: impl AsRef<[u8]>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0).update(part.as_ref());
        Self(*hasher.finalize().as_bytes())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl AsRef<[u8]> for UniqueId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; 32]> for UniqueId {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl FromStr for UniqueId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::from_hex(text)
    }
}

/// Display, Debug and serde of bytes that are written as hex: 32 or 20 of them, raw in binary formats.
macro_rules! written_as_hex {
    ($type:ty, $size:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = Cow::<str>::deserialize(deserializer)?;
                    from_hex(&text).map(Self).map_err(de::Error::custom)
                } else {
                    <[u8; $size]>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

written_as_hex!(UniqueId, 32);

/// A citizen: a lattice, an organism or a confluence, wherever evidence points to it. The first 20 bytes of its stable id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CitizenId([u8; 20]);

written_as_hex!(CitizenId, 20);

impl CitizenId {
    /// Of a citizen's stable id.
    #[must_use]
    pub fn of(stable: &UniqueId) -> Self {
        let [head @ .., _, _, _, _, _, _, _, _, _, _, _, _] = *stable.as_bytes();
        Self(head)
    }

    /// These bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The 20 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl FromStr for CitizenId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        from_hex(text).map(Self)
    }
}

/// A member: of a committee, SHA-256 of the SubjectPublicKeyInfo that it was admitted with; of an atlas, a citizen's stable id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId([u8; 32]);

written_as_hex!(MemberId, 32);

impl MemberId {
    /// These bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<UniqueId> for MemberId {
    fn from(id: UniqueId) -> Self {
        Self(id.0)
    }
}

impl FromStr for MemberId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        from_hex(text).map(Self)
    }
}
