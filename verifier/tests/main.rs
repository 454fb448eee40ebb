//! Black-box tests of the verifier.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod allocations;
mod differential;
mod peers_holes;
mod real;
mod support;
mod table;
