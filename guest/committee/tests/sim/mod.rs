//! The real engine under a simulated network, simulated disks and virtual time.
//!
//! One thread runs everything: three or more members (each a slot whose machine is a new member at every boot), clients, and a
//! driver that breaks things by a plan drawn from a seed: partitions, crashes, lost flushes, torn writes, full disks, disks rolled
//! back, slow disks, clocks that are wrong and jump. After a run the [`check`]s say whether what §10 of the design promises held.
//! [`two_faced`] is about a member that is compromised outright.
//!
//! Not simulated: the member's admission ceremony and the attested channel (the network here believes who the caller says it is), the
//! thread that writes behind an engine (a task on virtual time stands for it), and damage to the ledger's own files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::cast_possible_truncation, clippy::needless_pass_by_value)]

mod chance;
mod check;
mod clerk;
mod disk;
mod group;
mod history;
mod machine;
mod network;
mod plan;
mod run;
mod seeds;
mod trace;
mod two_faced;
mod wire;
