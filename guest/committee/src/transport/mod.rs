//! Requests between members: bounded frames, many at a time, over a channel that proved who is at its other end.
//!
//! Each member dials each other one and asks on the connections that it made, so there are two between a pair, one in each
//! direction. [`Pool`] makes them when they are wanted; [`listen`] answers. What a caller may ask is for the
//! [`Handler`] to decide, request by request, from the roster of that moment.
//!
//! Not promised: an order among requests that are under way together, or that a request whose answer was lost was not
//! carried out ([`CallError::is_unclear`]).

mod attested;
mod backoff;
mod call;
mod caller;
mod dial;
mod frame;
mod incoming;
mod limits;
mod listen;
mod outgoing;
mod peers;
pub mod plain;
mod pool;
#[cfg(test)]
mod tests;

pub use attested::{AttestedAcceptor, AttestedDialer, SlotGate};
pub use backoff::{Random, system_random};
pub use call::{CallError, Refused};
pub use caller::{BoxStream, Caller, Claim, Stream};
pub use dial::{Accepting, Acceptor, Dialer, Dialling, Target};
pub use frame::{FrameError, Topic};
pub use incoming::{Answering, Handler, serve};
pub use limits::Limits;
pub use listen::listen;
pub use peers::PooledPeers;
pub use pool::Pool;
