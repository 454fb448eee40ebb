//! The surface and the client library, over a fake member with a real ledger and real cosigners.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod fake;
mod raw;
mod routes;
mod tickets;
mod wear;
