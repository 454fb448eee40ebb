//! Who commands, and bytes that are no command.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A client: 32 bytes that it chose or was given (a public key, a one-time id). Sorted and shown as hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId([u8; 32]);

/// Text that is not a client id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a client id is 64 lower-case hex digits; got {0} bytes of text")]
pub struct ClientIdError(usize);

impl ClientId {
    /// The client of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({self})")
    }
}

impl FromStr for ClientId {
    type Err = ClientIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        // One spelling only: an id is compared as text by those who read a ledger.
        let lower = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !lower || hex::decode_to_slice(text, &mut bytes).is_err() {
            return Err(ClientIdError(text.len()));
        }
        Ok(Self(bytes))
    }
}

impl Serialize for ClientId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Bytes that a surface does not take as a command: refused before they are ordered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{surface}: not a command: {why}")]
pub struct Malformed {
    /// The surface that was submitted to.
    pub surface: String,
    /// What is wrong, at which field.
    pub why: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        let id = ClientId::new([0xab; 32]);
        let text = id.to_string();
        assert_eq!(text, "ab".repeat(32));
        assert_eq!(text.parse::<ClientId>().unwrap(), id);
        assert_eq!(text.to_uppercase().parse::<ClientId>(), Err(ClientIdError(64)));
        assert_eq!("ab".parse::<ClientId>(), Err(ClientIdError(2)));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<ClientId>(&json).unwrap(), id);
    }
}
