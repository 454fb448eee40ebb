//! Black-box tests of `mint`: its committee commands, as an operator types them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod committee;
