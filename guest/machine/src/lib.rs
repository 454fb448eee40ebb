//! The traits that a module is written against.
//!
//! A [`Machine`] is a pure function of commands in an order that others decided: no clock, no randomness, no I/O, no unordered
//! map, no verifier. What it needs of the world comes in as part of a command, judged before it was ordered.
//!
//! # What this crate does not check or promise
//!
//! - **It cannot make a machine deterministic.** Two members whose machines differ in one byte stop cosigning each other's
//!   checkpoints; that is how a mistake shows, not how it is prevented.
//! - **It replicates nothing.** `hallmark-committee` orders, deduplicates, publishes and signs.

mod command;
mod context;
mod draft;
mod machine;
mod rejection;
mod surface;

pub mod kv;

pub use command::{ClientId, ClientIdError, Malformed};
pub use context::{Context, Endorsed};
pub use draft::Draft;
pub use machine::{Machine, RestoreError};
pub use rejection::{Rejection, RejectionCode};
pub use surface::{Kind, Surface, SurfaceName};
