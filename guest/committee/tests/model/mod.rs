//! A model of what a committee adds to Raft, checked exhaustively within bounds.
//!
//! What is modelled: slots whose machines have a fresh key each boot, cosigning, admission, acknowledgement under q cosignatures, the
//! fate of a submission, disks that come back fresh or rolled back, recovery with an epoch. Two worlds share the rules of
//! [`state`]:
//!
//! - **crash faults**: Raft is assumed (one order an epoch, extended by majorities); the question is what may be said of it;
//! - **anyone orders**: whoever leads shows any history to any member, and some members are compromised outright; the question is
//!   whether two histories can be cosigned.
//!
//! Raft itself is not modelled; the simulation beside this folder runs the real one, and replays what it saw against [`state`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::cast_possible_truncation)]

mod entry;
mod explore;
mod proofs;
pub(crate) mod replay;
mod rules;
pub(crate) mod state;

pub(crate) use entry::{Entry, Fate, History};
pub(crate) use rules::{Rank, Rules, World};
