//! How a request to a peer can end without its answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::FrameError;

/// What a peer says instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error("{code}: {why}")]
pub struct Refused {
    /// A word that programs compare.
    pub code: String,
    /// What a person reads.
    pub why: String,
}

impl Refused {
    /// A refusal.
    #[must_use]
    pub fn new(code: &str, why: impl Into<String>) -> Self {
        Self { code: code.to_owned(), why: why.into() }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).unwrap_or_default()
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        postcard::from_bytes(bytes)
            .unwrap_or_else(|_| Self::new("refused", "the peer gave no readable reason"))
    }
}

/// Why there is no answer. Where [`CallError::is_unclear`] says so, the peer may have done what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CallError {
    /// No connection could be made, or the last attempt failed a moment ago.
    #[error("{address} is not reached: {why}")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// Why not.
        why: String,
    },
    /// The connection ended before the answer.
    #[error("the connection ended before the answer")]
    Lost,
    /// The time that the caller gave was up.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The peer refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The request is too long to send.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The message could not be written, or the answer is none.
    #[error("not a message: {0}")]
    Codec(#[from] postcard::Error),
}

impl CallError {
    /// Whether the peer may have acted on the request all the same.
    #[must_use]
    pub const fn is_unclear(&self) -> bool {
        matches!(self, Self::Lost | Self::TimedOut(_) | Self::Codec(_))
    }
}
