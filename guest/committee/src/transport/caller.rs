//! Who is at the other end of a connection, as far as the channel proved it.

use tokio::io::{AsyncRead, AsyncWrite};

/// A stream of bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// A stream whose kind does not matter any more.
pub type BoxStream = Box<dyn Stream>;

/// The other end. What it may ask follows from the roster of the moment, not from this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// SHA-256 of the key that it proved to hold (SPKI, DER).
    pub spki_sha256: [u8; 32],
    /// The place that it claims, bound by the channel.
    pub claim: Claim,
}

/// What the other end says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// A machine that runs an accepted image, in or for this slot. Evidence was judged.
    Machine {
        /// The slot.
        slot: u16,
    },
    /// A key without a machine: an operator's or a requester's laptop. No evidence was asked for.
    Operator,
}

impl Caller {
    /// The slot that a machine claims.
    #[must_use]
    pub const fn slot(&self) -> Option<u16> {
        match self.claim {
            Claim::Machine { slot } => Some(slot),
            Claim::Operator => None,
        }
    }
}
