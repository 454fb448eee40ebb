//! Ledgers: entries in an RFC 6962 log, kept as C2SP tiles, under checkpoints that a quorum cosigned.
//!
//! # What this crate does not check or promise
//!
//! - **It orders nothing.** Which entry comes next is decided elsewhere; a ledger says what was decided, and shows a change of it.
//! - **It judges no quote.** [`replay`] checks signatures, quorums and structure, and hands out what a verifier must still judge.
//! - **A checkpoint proves what q members signed**, not that there is no second history: that takes 2q - n members who lie, and is seen
//!   only by who compares two checkpoints.
//! - **It does not prove freshness.** The last checkpoint of a directory may be an old one.
//! - **The disk is a cache.** [`store::LogDir`] detects damage by hash; it flushes when told ([`store::LogDir::sync`]).

mod edge;
mod encoding;
mod row;

pub mod checkpoint;
pub mod cosignature;
pub mod entry;
pub mod hash;
pub mod note;
pub mod pointer;
pub mod proof;
pub mod reader;
pub mod replay;
pub mod source;
pub mod store;
pub mod system;
pub mod tile;
pub mod tree;
