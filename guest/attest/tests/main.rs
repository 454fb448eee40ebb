//! Channels from outside: who gets one, who does not and under which slug, and what becomes of one that stays open.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]
#![allow(clippy::cast_possible_truncation, clippy::cast_lossless, clippy::cast_sign_loss)]

mod frames;
mod open;
mod policy;
mod rascal;
mod refused;
mod renewal;
mod tls;
mod world;
