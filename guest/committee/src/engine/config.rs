//! What an engine is started with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hallmark_coalition::UniqueId;
use hallmark_ledger::cosignature::CosignKey;
use hallmark_ledger::note::Signer;

use super::{Clock, NodeId, SystemClock};
use crate::state::Founding;
use crate::store::Storage;

/// How a member begins. It always begins with an empty Raft log: its disk is a cache for readers and a witness for recovery, no vote.
#[derive(Debug)]
#[non_exhaustive]
pub enum Start {
    /// One of the first members of an epoch. All of them hold the same founding; exactly one initialises Raft.
    Found {
        /// Genesis, or recovery.
        founding: Box<Founding>,
        /// Whether this member initialises Raft.
        initialise: bool,
    },
    /// Admitted to a living committee: everything comes from the leader.
    Join,
    /// One of the first members of an epoch that holds no founding itself, as after a recovery from another member's disk. Only for a machine that knows from the
    /// ceremony, not from a peer, that it begins the epoch: it cosigns as soon as a founding that names it is applied.
    JoinFounders,
}

/// The keys of a member, made at boot or handed over an attested channel; in RAM only.
#[derive(Debug)]
pub struct MemberKeys {
    /// This member's own. Its public half is in its admission.
    pub cosign: CosignKey,
    /// The epoch's log key, under the origin's name.
    pub log: Signer,
}

/// What an engine is started with.
pub struct EngineConfig {
    /// Identity of the committee.
    pub group: UniqueId,
    /// This member: index of its admission.
    pub node: NodeId,
    /// Its slot.
    pub slot: u16,
    /// The epoch.
    pub epoch: u64,
    /// Its keys.
    pub keys: MemberKeys,
    /// How it begins.
    pub start: Start,
    /// Folder for `ledger/` and `raft-EPOCH-NODE.log`.
    pub folder: PathBuf,
    /// Where Raft's log goes.
    pub storage: Storage,
    /// The clock of its cosignatures.
    pub clock: Arc<dyn Clock>,
    /// Raft's and its own intervals.
    pub timing: Timing,
    /// Bounds.
    pub limits: Limits,
}

impl EngineConfig {
    /// A configuration with the usual clock, storage, timing and limits.
    #[must_use]
    pub fn new(
        group: UniqueId,
        (epoch, node, slot): (u64, NodeId, u16),
        keys: MemberKeys,
        start: Start,
        folder: PathBuf,
    ) -> Self {
        Self {
            group,
            node,
            slot,
            epoch,
            keys,
            start,
            folder,
            storage: Storage::default(),
            clock: Arc::new(SystemClock),
            timing: Timing::default(),
            limits: Limits::default(),
        }
    }
}

/// Intervals. The defaults fit machines that share their CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Between a leader's heartbeats.
    pub heartbeat: Duration,
    /// Least wait for a heartbeat before an election.
    pub election_min: Duration,
    /// Most.
    pub election_max: Duration,
    /// How long a request to a peer may take. A chunk of a snapshot gets ten times that.
    pub call: Duration,
    /// How long a submission is waited for.
    pub submit: Duration,
    /// How long a peer that could not be reached is left alone.
    pub retry: Duration,
    /// How long an admitted machine may take to catch up before the leader tries again.
    pub catch_up: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(250),
            election_min: Duration::from_millis(1500),
            election_max: Duration::from_millis(3000),
            call: Duration::from_secs(2),
            submit: Duration::from_secs(10),
            retry: Duration::from_millis(200),
            catch_up: Duration::from_secs(60),
        }
    }
}

/// Bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a submission's body.
    pub body: usize,
    /// Most proposals that wait at one member.
    pub waiting: usize,
    /// Most proposals in one Raft entry.
    pub batch: usize,
    /// Bytes at which a Raft entry takes no further proposal.
    pub batch_bytes: usize,
    /// Raft entries under way at once.
    pub in_flight: usize,
    /// Raft entries between snapshots.
    pub snapshot_entries: u64,
    /// Bytes of Raft entries between snapshots.
    pub snapshot_bytes: u64,
    /// Raft entries kept behind a snapshot for followers that lag.
    pub keep_entries: u64,
    /// Leaves that a peer is given at once.
    pub entries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 64 << 10,
            waiting: 4096,
            batch: 512,
            batch_bytes: 512 << 10,
            in_flight: 8,
            snapshot_entries: 8192,
            snapshot_bytes: 64 << 20,
            keep_entries: 1024,
            entries: 1024,
        }
    }
}
