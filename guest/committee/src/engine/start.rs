//! Starts a member.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use hallmark_ledger::checkpoint;
use hallmark_ledger::note::Verifier;
use hallmark_machine::Machine;
use openraft::{Config, ServerState, SnapshotPolicy};
use thiserror::Error;
use tokio::sync::{Notify, mpsc, watch};

use super::adapter::Adapter;
use super::book::Book;
use super::shared::{Inner, Shared, Tally};
use super::{
    Engine, EngineConfig, Node, NodeId, Peers, Start, audit, backfill, couriers, membership, proposer,
};
use crate::raft::{Network, Raft};
use crate::state::{Founding, FoundingError, Proposal, Voter};
use crate::store::{Disk, LogStore, Room, StoreError, Writer};

/// Why an engine does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The founding is not one that members would begin with.
    #[error("founding: {0}")]
    Founding(#[from] FoundingError),
    /// A field of the configuration.
    #[error("{field}: {why}")]
    Config {
        /// The field.
        field: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger's folder.
    #[error("ledger: {0}")]
    Ledger(String),
    /// Raft.
    #[error("raft: {0}")]
    Raft(String),
}

fn wrong(field: &'static str, why: impl Into<String>) -> StartError {
    StartError::Config { field, why: why.into() }
}

/// What a founding says to this member.
struct Beginning {
    founding: Option<Box<Founding>>,
    founders: Vec<Voter>,
    initialise: bool,
    founds: bool,
}

fn beginning<M: Machine>(config: &mut EngineConfig) -> Result<Beginning, StartError> {
    let start = std::mem::replace(&mut config.start, Start::Join);
    let Start::Found { founding, initialise } = start else {
        let founds = matches!(start, Start::JoinFounders);
        return Ok(Beginning { founding: None, founders: Vec::new(), initialise: false, founds });
    };
    let begun = founding.begin::<M>(config.group)?;
    let me = begun.roster.node(config.node);
    let me = me.ok_or_else(|| wrong("node", format!("{} is not in the founding's roster", config.node)))?;
    if me.slot != config.slot || me.cosign_key != config.keys.cosign.public() {
        return Err(wrong("slot, keys", "the founding admits another slot or key under this node id"));
    }
    if begun.roster.epoch != config.epoch {
        return Err(wrong("epoch", format!("the founding begins epoch {}", begun.roster.epoch)));
    }
    if begun.log_key != Some(config.keys.log.verifier()) {
        return Err(wrong("keys.log", "not the founding's log key"));
    }
    Ok(Beginning { founding: Some(founding), founders: begun.voters, initialise, founds: true })
}

impl<M: Machine> Engine<M> {
    /// Starts a member.
    ///
    /// # Errors
    /// Where the configuration or the founding is refused, or the folder cannot be used.
    pub async fn start(mut config: EngineConfig, peers: Arc<dyn Peers>) -> Result<Self, StartError> {
        let log_key: Verifier = config.keys.log.verifier();
        let origin = checkpoint::origin(config.group.as_bytes(), config.epoch);
        if log_key.name() != origin {
            return Err(wrong(
                "keys.log",
                format!("named {:?}, the log of this epoch is {origin}", log_key.name()),
            ));
        }
        let begin = beginning::<M>(&mut config)?;
        let settings = raft_config(&config)?;
        let folder = config.folder.clone();
        std::fs::create_dir_all(&folder)
            .map_err(|e| StartError::Ledger(format!("{}: {e}", folder.display())))?;
        let syncs = Arc::new(AtomicU64::new(0));
        let path = folder.join(format!("raft-{}-{}.log", config.epoch, config.node));
        let identity = crate::store::Identity {
            group: *config.group.as_bytes(),
            epoch: config.epoch,
            node: config.node,
            slot: config.slot,
        };
        let room = Arc::<Room>::default();
        let storage = config.storage.clone().waiting_for(Arc::clone(&room));
        let disk = Disk::create(&path, &storage, &identity, Arc::clone(&syncs))?;
        room.begin();
        let writer = Arc::new(match config.storage.delay() {
            Some(delay) => Writer::late(disk, delay),
            None => Writer::new(disk, config.storage.threaded())?,
        });
        let book =
            Book::open(&folder.join("ledger")).map_err(|error| StartError::Ledger(error.to_string()))?;
        let (queue, queued) = mpsc::unbounded_channel();
        let parts = Parts {
            writer,
            syncs,
            room,
            book,
            queue,
            founding: begin.founding,
            founders: begin.founders,
            founds: begin.founds,
        };
        let shared = Arc::new(Shared::<M>::of_parts(config, Arc::clone(&peers), parts));
        let taker = Arc::clone(&shared);
        let network = Network::new(peers, &shared.timing, move |signed| taker.take_signatures(signed));
        let raft =
            Raft::new(shared.node, settings, network, shared.log.clone(), Adapter(Arc::clone(&shared)))
                .await
                .map_err(|error| StartError::Raft(error.to_string()))?;
        let _ = shared.raft.set(raft.clone());
        tokio::spawn(proposer::run(Arc::clone(&shared), queued));
        tokio::spawn(couriers::signatures(Arc::clone(&shared), shared.beat.listen()));
        tokio::spawn(couriers::checkpoints(Arc::clone(&shared), shared.beat.listen()));
        tokio::spawn(membership::run(Arc::clone(&shared)));
        tokio::spawn(backfill::run(Arc::clone(&shared)));
        tokio::spawn(audit::run(Arc::clone(&shared)));
        tokio::spawn(charges(Arc::clone(&shared)));
        tokio::spawn(tell_raft(Arc::clone(&shared), raft.clone()));
        tokio::spawn(watch_raft(Arc::clone(&shared), raft.clone()));
        tokio::spawn(watch_disk(Arc::clone(&shared)));
        tokio::spawn(tick(Arc::clone(&shared), folder, path));
        if begin.initialise {
            let nodes: std::collections::BTreeMap<NodeId, Node> =
                shared.founders.iter().map(|voter| (voter.node, voter.reach.clone())).collect();
            raft.initialize(nodes).await.map_err(|error| StartError::Raft(error.to_string()))?;
        }
        Ok(Self(shared))
    }
}

/// What is made before the rest.
pub(crate) struct Parts {
    writer: Arc<Writer>,
    syncs: Arc<AtomicU64>,
    room: Arc<Room>,
    book: Book,
    queue: mpsc::UnboundedSender<Proposal>,
    founding: Option<Box<Founding>>,
    founders: Vec<Voter>,
    founds: bool,
}

impl<M: Machine> Shared<M> {
    fn of_parts(config: EngineConfig, peers: Arc<dyn Peers>, parts: Parts) -> Self {
        Self {
            group: config.group,
            node: config.node,
            slot: config.slot,
            epoch: config.epoch,
            log_key: config.keys.log.verifier(),
            keys: config.keys,
            clock: config.clock,
            timing: config.timing,
            limits: config.limits,
            peers,
            inner: Mutex::new(Inner::new(config.group)),
            book: RwLock::new(parts.book),
            log: LogStore::new(Arc::clone(&parts.writer)),
            writer: parts.writer,
            syncs: parts.syncs,
            room: parts.room,
            raft: OnceLock::new(),
            published: watch::Sender::new(None),
            beat: super::beat::Beat::default(),
            queue: parts.queue,
            membership: Notify::new(),
            lacking: Notify::new(),
            held: Notify::new(),
            offered: Notify::new(),
            stopped: watch::Sender::new(false),
            tally: Tally::default(),
            moved: super::beat::Beat::default(),
            carrying: Mutex::default(),
            hurried: Mutex::default(),
            vouched: Mutex::default(),
            founding: parts.founding,
            founders: parts.founders,
            founds: parts.founds,
        }
    }

    /// Without Raft and without peers, for tests of the store.
    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    pub(crate) fn bare(
        group: hallmark_coalition::UniqueId,
        keys: super::MemberKeys,
        folder: &std::path::Path,
    ) -> Arc<Self> {
        struct Nobody;
        impl Peers for Nobody {
            fn call<'a>(
                &'a self,
                _: NodeId,
                _: &'a Node,
                _: super::PeerRequest,
                _: std::time::Duration,
            ) -> futures_util::future::BoxFuture<'a, Result<super::PeerResponse, super::PeerError>>
            {
                Box::pin(async { Err(super::PeerError::Unreachable("nobody".into())) })
            }
        }
        let identity = crate::store::Identity { group: *group.as_bytes(), epoch: 0, node: 0, slot: 0 };
        let storage = crate::store::Storage::inline_files();
        let disk = Disk::create(&folder.join("raft-0-0.log"), &storage, &identity, Arc::default()).unwrap();
        let parts = Parts {
            writer: Arc::new(Writer::new(disk, false).unwrap()),
            syncs: Arc::default(),
            room: Arc::default(),
            book: Book::open(&folder.join("ledger")).unwrap(),
            queue: mpsc::unbounded_channel().0,
            founding: None,
            founders: Vec::new(),
            founds: false,
        };
        let config = EngineConfig::new(group, (0, 0, 0), keys, Start::Join, folder.to_owned());
        Arc::new(Self::of_parts(config, Arc::new(Nobody), parts))
    }
}

fn raft_config(config: &EngineConfig) -> Result<Arc<Config>, StartError> {
    let millis = |interval: std::time::Duration| u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
    let timing = &config.timing;
    let settings = Config {
        cluster_name: checkpoint::origin(config.group.as_bytes(), config.epoch),
        heartbeat_interval: millis(timing.heartbeat),
        election_timeout_min: millis(timing.election_min),
        election_timeout_max: millis(timing.election_max),
        install_snapshot_timeout: millis(timing.call).saturating_mul(10),
        // A snapshot is taken where the log says so, by every member alike.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: config.limits.keep_entries,
        purge_batch_size: 1,
        replication_lag_threshold: u64::MAX,
        max_payload_entries: 256,
        snapshot_max_chunk_size: 1 << 20,
        ..Config::default()
    };
    settings.validate().map(Arc::new).map_err(|error| wrong("timing", error.to_string()))
}

/// Wakes the others when leader, role or the followers' progress changes.
async fn watch_raft<M: Machine>(shared: Arc<Shared<M>>, raft: Raft) {
    let mut metrics = raft.server_metrics();
    let mut last = None;
    loop {
        let now = {
            let metrics = metrics.borrow_and_update();
            (metrics.current_leader, metrics.state, metrics.vote)
        };
        if last.as_ref() != Some(&now) {
            if now.1 == ServerState::Leader {
                shared.lock().asked = false;
            }
            last = Some(now);
            shared.membership.notify_one();
            shared.bump();
        }
        if metrics.changed().await.is_err() || shared.is_stopped() {
            return;
        }
    }
}

/// Tells Raft of snapshots that it may offer to others, and drop the log for.
async fn tell_raft<M: Machine>(shared: Arc<Shared<M>>, raft: Raft) {
    loop {
        shared.offered.notified().await;
        if shared.is_stopped() || raft.trigger().snapshot().await.is_err() {
            return;
        }
    }
}

/// Signs what the disk has reached.
async fn watch_disk<M: Machine>(shared: Arc<Shared<M>>) {
    let mut progress = shared.writer.progress();
    while progress.changed().await.is_ok() && !shared.is_stopped() {
        let failed = progress.borrow_and_update().failed.clone();
        let ends = failed.is_some();
        shared.disk_moved(failed);
        if ends {
            return;
        }
    }
}

/// Has the proofs that this member found against others ordered, whoever leads, until they stand in the ledger.
async fn charges<M: Machine>(shared: Arc<Shared<M>>) {
    let mut stopped = shared.stopped.subscribe();
    while tokio::time::timeout(std::time::Duration::from_secs(1), stopped.changed()).await.is_err() {
        let due = shared.lock().charges();
        for equivocation in due {
            let node = equivocation.node;
            if let Err(error) = shared.order(Proposal::Equivocation(equivocation)).await {
                tracing::info!(%error, node, "a proof of two histories is not ordered yet");
            }
        }
    }
}

/// Writes that wait for room at most: their bytes are in memory.
const BEHIND: u64 = 2048;

/// Once a second: what can wait.
async fn tick<M: Machine>(shared: Arc<Shared<M>>, folder: std::path::PathBuf, own: std::path::PathBuf) {
    let mut stopped = shared.stopped.subscribe();
    let mut superseded = false;
    while tokio::time::timeout(std::time::Duration::from_secs(1), stopped.changed()).await.is_err() {
        shared.writer.nudge();
        if shared.room.full().is_some() && shared.writer.behind() > BEHIND {
            shared.room.give_up();
        }
        shared.book_mut().again();
        shared.bump();
        // This member's disk has what a quorum signed: what its former lives left is of no more use to a recovery.
        if !superseded && shared.lock().signed_under_quorum() {
            superseded = true;
            crate::store::remove_former(&folder, &own);
        }
    }
}
