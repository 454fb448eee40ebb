//! A member as a whole: port, desk, engine, one life after another.

use std::fs::{File, OpenOptions, TryLockError};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hallmark_attest::{Clock, Endpoint, Hello, Identity, Prover};
use hallmark_machine::Machine;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::SlotKey;
use super::applicant::{Applicant, ApplyError};
use super::ask::Ask;
use super::beginning::Starter;
use super::ceremony::{Answer, Request, Standing};
use super::desk::{Desk, Front};
use super::disk;
use super::file::MemberFile;
use super::life::{End, Life, Pace};
use super::promise::Promise;
use super::rules::Rules;
use super::slot_key::SlotKeyError;
use super::starter::EngineStarter;
use crate::store::StoreError;
use crate::transport::{
    AttestedAcceptor, AttestedDialer, Limits, Pool, PooledPeers, Random, Refused, SlotGate, listen,
    system_random,
};
use crate::{DiskState, Engine, Timing};

/// What a member is started with, beside its files.
pub struct Dependencies {
    /// Makes this machine's evidence.
    pub prover: Arc<dyn Prover>,
    /// Judges the others'.
    pub rules: Rules,
    /// The clock that channels and evidence are held to.
    pub clock: Arc<dyn Clock>,
    /// The listener for members and operators, where it is bound already; else the file's address is bound.
    pub listener: Option<TcpListener>,
    /// How often it looks around.
    pub pace: Pace,
    /// The engine's intervals.
    pub timing: Timing,
    /// Bounds of connections.
    pub limits: Limits,
}

impl Dependencies {
    /// With the usual pace, timing and limits.
    #[must_use]
    pub fn new(prover: Arc<dyn Prover>, rules: Rules, clock: Arc<dyn Clock>) -> Self {
        Self {
            prover,
            rules,
            clock,
            listener: None,
            pace: Pace::default(),
            timing: Timing::default(),
            limits: Limits::default(),
        }
    }
}

/// Why a member does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MemberError {
    /// The address cannot be listened at.
    #[error("{address}: {error}")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The data folder cannot be used.
    #[error("{path}: {why}")]
    Folder {
        /// The folder.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The slot's key cannot be used.
    #[error(transparent)]
    SlotKey(#[from] SlotKeyError),
    /// The key is another slot's.
    #[error("slot_key: it is not the operator's key of slot {0}")]
    OtherKey(u16),
    /// Keys or the TLS side cannot be made.
    #[error("{0}")]
    Keys(String),
}

impl From<ApplyError> for MemberError {
    fn from(error: ApplyError) -> Self {
        Self::Keys(error.to_string())
    }
}

/// A machine in, or on its way to, a slot. Stops when dropped.
pub struct Member<M: Machine> {
    address: SocketAddr,
    shared: Arc<Shared<M>>,
    task: JoinHandle<()>,
}

struct Shared<M: Machine> {
    file: MemberFile,
    dependencies: Dependencies,
    slot_key: Option<Arc<SlotKey>>,
    listener: Arc<TcpListener>,
    /// Held as long as this member is there: a second one in the folder would take the first one's open files for damaged ones, and a
    /// recovery would go on without what they hold.
    _lock: File,
    engine: watch::Sender<Option<Engine<M>>>,
    desk: Mutex<Option<Arc<Desk>>>,
    over: watch::Sender<Option<String>>,
}

impl<M: Machine> Member<M> {
    /// Starts: fresh keys, then the way into the group. Returns once it listens.
    ///
    /// # Errors
    /// [`MemberError`]. What happens later is told by [`Self::standing`] and [`Self::over`].
    pub async fn start(file: MemberFile, mut dependencies: Dependencies) -> Result<Self, MemberError> {
        let slot_key = own_key(&file)?;
        let lock = own(&file)?;
        let listener = match dependencies.listener.take() {
            Some(listener) => listener,
            None => TcpListener::bind(file.listen.as_str()).await.map_err(|error| unheard(&file, error))?,
        };
        let address = listener.local_addr().map_err(|error| unheard(&file, error))?;
        let shared = Arc::new(Shared {
            file,
            dependencies,
            slot_key,
            listener: Arc::new(listener),
            _lock: lock,
            engine: watch::Sender::new(None),
            desk: Mutex::new(None),
            over: watch::Sender::new(None),
        });
        // The first life is made here, so that what cannot work is said at once.
        let first = shared.born().await?;
        let task = tokio::spawn(Arc::clone(&shared).lives(first));
        Ok(Self { address, shared, task })
    }

    /// Where it listens for members and operators.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The engine, while it is a member.
    #[must_use]
    pub fn engine(&self) -> watch::Receiver<Option<Engine<M>>> {
        self.shared.engine.subscribe()
    }

    /// How it stands; none in the moment between two lives.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        self.shared.desk().map(|desk| desk.standing())
    }

    /// Answers a request of a ceremony that came another way than over the members' port.
    ///
    /// # Errors
    /// The refusal.
    pub async fn ceremony(&self, request: Request) -> Result<Answer, Refused> {
        match self.shared.desk() {
            Some(desk) => desk.ceremony(request, false).await,
            None => Err(Refused::new("starting", "it starts over; ask again")),
        }
    }

    /// Waits until it is a member no more for good, and says why.
    pub async fn over(&self) -> String {
        let mut over = self.shared.over.subscribe();
        match over.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => "it was stopped".into(),
        }
    }

    /// Ends it: the engine first, so that what it holds is on disk. The port is free afterwards.
    pub async fn stop(mut self) {
        if let Some(running) = self.shared.desk().and_then(|desk| desk.running()) {
            running.stop().await;
        }
        self.task.abort();
        // An error says that it was aborted, which is what was asked for.
        let _ = (&mut self.task).await;
        *self.shared.desk.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.shared.engine.send_replace(None);
        // The listening task ends a moment after it was told to; it has the last other hold on the port.
        for _ in 0..200 {
            if Arc::strong_count(&self.shared.listener) == 1 {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl<M: Machine> Drop for Member<M> {
    fn drop(&mut self) {
        self.task.abort();
        // Not stopped in order: the engine runs in tasks of its own, which nobody but this would end.
        let running = self.shared.desk().and_then(|desk| desk.running());
        if let (Some(running), Ok(runtime)) = (running, tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { running.stop().await });
        }
    }
}

/// A life, with the port that it answers on.
struct Born {
    life: Life,
    listening: JoinHandle<()>,
}

impl<M: Machine> Shared<M> {
    fn desk(&self) -> Option<Arc<Desk>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One life after another, until the slot has another machine.
    async fn lives(self: Arc<Self>, first: Born) {
        let mut next = Some(first);
        while let Some(Born { life, listening }) = next.take() {
            let guard = Listening(listening);
            let end = life.live().await;
            drop(guard);
            self.engine.send_replace(None);
            *self.desk.lock().unwrap_or_else(PoisonError::into_inner) = None;
            let why = match &end {
                End::Replaced => "another machine has the slot, or operators put this one out".to_owned(),
                End::Leaderless | End::Spent | End::Unstarted(_) => match self.born().await {
                    Ok(born) => {
                        if let End::Unstarted(why) = end {
                            born.life.desk.trouble(Some(format!("the engine did not start: {why}")));
                        }
                        next = Some(born);
                        continue;
                    }
                    Err(error) => error.to_string(),
                },
            };
            self.over.send_replace(Some(why));
        }
    }

    /// Fresh keys, the disk as it is found, and a port that answers.
    async fn born(self: &Arc<Self>) -> Result<Born, MemberError> {
        let committee = self.file.shared.committee.clone();
        let (group, slot) = (committee.id(), self.file.slot);
        let (found, damaged) = self.disk().await?;
        let promise = Promise::open(&self.file.data).map_err(|error| folder(&self.file, &error))?;
        let identity = Arc::new(Identity::generate().map_err(|error| keys(&error))?);
        let Dependencies { prover, rules, clock, pace, timing, limits, .. } = &self.dependencies;
        let address = self.file.shared.peers.get(&slot).unwrap_or(&self.file.listen).clone();
        let applicant = Arc::new(Applicant::new(
            (group, slot),
            Arc::clone(&identity),
            address,
            (Arc::clone(prover), Arc::clone(clock)),
            rules.collateral.clone(),
            self.slot_key.clone(),
        )?);

        let gate = SlotGate::shared(committee.acl().slots().len());
        let hello = Hello::candidate(*group.as_bytes(), slot);
        let mutual = Endpoint::mutual(
            &identity,
            Arc::clone(prover),
            Arc::clone(&rules.judge),
            Arc::clone(&gate),
            hello.clone(),
        )
        .map_err(|error| keys(&error))?
        .with_clock(Arc::clone(clock));
        let host = Endpoint::host(&identity, Arc::clone(prover), gate, hello)
            .map_err(|error| keys(&error))?
            .with_clock(Arc::clone(clock));
        let random: Random = system_random();
        let dialer = Arc::new(AttestedDialer::machine(mutual.clone()));
        let pool = Arc::new(Pool::new(dialer, *limits, Arc::clone(&random)));

        let (orders, inbox) = mpsc::channel(8);
        let disk = found.as_ref().map(|state| disk::account(state, slot));
        let desk = Arc::new(Desk::new(
            (committee, rules.clone()),
            Arc::clone(&applicant),
            self.slot_key.clone(),
            (disk, &damaged, promise),
            orders,
        ));
        *self.desk.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&desk));
        let front = Arc::new(Front(Arc::clone(&desk)));
        let acceptor = Arc::new(AttestedAcceptor::new(mutual, host));
        let listening = listen(Arc::clone(&self.listener), acceptor, front, *limits);
        let listening = tokio::spawn(async move {
            let error = listening.await;
            tracing::error!(%error, "no longer listening for members");
        });

        let starter: Arc<dyn Starter> = Arc::new(EngineStarter::<M> {
            applicant,
            group,
            folder: self.file.data.clone(),
            replay: found.map(|state| state.replay),
            peers: Arc::new(PooledPeers::new(Arc::clone(&pool))),
            timing: *timing,
            tell: self.engine.clone(),
        });
        let others = self.file.shared.peers.iter().filter(|(other, _)| **other != slot);
        let life = Life {
            desk,
            others: others.map(|(slot, address)| (*slot, address.clone())).collect(),
            ask: Ask { pool, within: pace.request },
            starter,
            orders: inbox,
            pace: *pace,
            random,
            folder: self.file.data.clone(),
            enough_since: None,
        };
        Ok(Born { life, listening })
    }

    /// The best former epoch in the data folder. Reading it replays it.
    async fn disk(&self) -> Result<(Option<DiskState>, Vec<StoreError>), MemberError> {
        let (data, group) = (self.file.data.clone(), self.file.shared.committee.id());
        let read = tokio::task::spawn_blocking(move || DiskState::read::<M>(&data, group)).await;
        let (best, damaged) =
            read.map_err(|error| folder(&self.file, &error))?.map_err(|error| folder(&self.file, &error))?;
        // Started with another identity (access rules, ticket rule): it would begin a second life beside this log.
        if let Some(other) = damaged.iter().find(|error| matches!(error, StoreError::Group { .. })) {
            let why = format!(
                "{other} than the configuration's, {group}: have its access or ticket rules changed?"
            );
            return Err(folder(&self.file, &why));
        }
        for error in &damaged {
            tracing::warn!(%error, "a former epoch's file is passed over");
        }
        Ok((best, damaged))
    }
}

/// Ends the listening with the life.
struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The slot's key, where the file names one; it must be the slot's.
fn own_key(file: &MemberFile) -> Result<Option<Arc<SlotKey>>, MemberError> {
    let Some(path) = &file.slot_key else { return Ok(None) };
    let key = SlotKey::read(path)?;
    let due = file.shared.committee.acl().slots().get(usize::from(file.slot));
    if due.is_none_or(|due| *due != key.public()) {
        return Err(MemberError::OtherKey(file.slot));
    }
    Ok(Some(Arc::new(key)))
}

/// The data folder, for this member alone.
fn own(file: &MemberFile) -> Result<File, MemberError> {
    let failed = |error: std::io::Error| folder(file, &error);
    std::fs::create_dir_all(&file.data).map_err(failed)?;
    let path = file.data.join("lock");
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(folder(file, &"another member has this folder open")),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn folder(file: &MemberFile, why: &dyn std::fmt::Display) -> MemberError {
    MemberError::Folder { path: file.data.display().to_string(), why: why.to_string() }
}

fn keys(why: &dyn std::fmt::Display) -> MemberError {
    MemberError::Keys(why.to_string())
}

fn unheard(file: &MemberFile, error: std::io::Error) -> MemberError {
    MemberError::Listen { address: file.listen.to_string(), error }
}
