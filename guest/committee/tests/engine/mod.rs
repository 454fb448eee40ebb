//! Engines in one process, over a router in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod commits;
mod group;
mod membership;
mod recovery;
mod router;
