//! Engines in one process, over a router in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod commits;
mod damage;
mod endorsements;
mod following;
mod governance;
mod group;
mod matrix;
mod membership;
mod recovery;
mod router;
mod snapshots;
mod vouching;
