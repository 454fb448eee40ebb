//! Everything that is tested from outside, in one binary: one link step.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod architecture;
mod boot;
mod committee;
mod demo;
