//! Members over real sockets on loopback, with simulated evidence.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod admission;
mod changes;
mod recovery;
mod world;
