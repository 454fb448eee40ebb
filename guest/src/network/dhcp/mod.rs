//! DHCPv4 (RFC 2131), as much of it as a guest needs. Written out rather than taken from a crate: this parser meets
//! the network before anything else does, and a general one would bring a DNS library into the image for a dozen
//! options. Tests hold it against another implementation.

mod client;
mod lease;
mod message;

pub use client::{Client, ClientError};
pub use lease::{Lease, LeaseError, Route};
pub use message::{Message, MessageError, MessageType};

/// Where a client listens.
pub const CLIENT_PORT: u16 = 68;
/// Where servers listen.
pub const SERVER_PORT: u16 = 67;
