//! The forge held against programs that are not ours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod documents;
mod openssl;
mod oracle;
