//! A machine, replicated and published through a ledger.
//!
//! [`Engine`] orders commands with Raft, has every member apply them, publishes what they say in one Merkle log, and acknowledges only
//! what q members have cosigned.
//!
//! # What this crate does not check or promise
//!
//! - **Crash faults, not Byzantine ones.** A member that lies cannot make a checkpoint alone; 2q - n of them can make two histories.
//! - **The disk has no vote.** A host can roll it back; it feeds readers and recovery, never Raft.
//! - **It judges no quote.** Who may be admitted is judged by its caller before [`Engine::admit`], and by auditors afterwards.
//! - **A machine's determinism is the machine's.** Members whose machines differ stop cosigning each other.
//! - **No liveness without a quorum** of live members that reach each other.

pub mod client;
pub mod engine;
pub mod http;
pub mod member;
pub mod raft;
pub mod service;
pub mod state;
pub mod store;
pub mod transport;

pub use engine::{
    Admission, Appended, Caller, Clock, Counters, Description, Engine, EngineConfig, Fate, Fault, Freshness,
    Lacks, Limits, MemberKeys, Node, NodeId, Outcome, PeerError, PeerRequest, PeerResponse, Peers, Receipt,
    Role, Signed, Start, StartError, Status, Submission, SubmitError, SystemClock, Timing, Welcome,
    command_hash,
};
pub use raft::seed_thread;
pub use state::{Admitting, Founding, Proposal};
pub use store::{DiskState, Storage};
