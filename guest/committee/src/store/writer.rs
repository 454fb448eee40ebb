//! Who writes to the disk.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use tokio::sync::{oneshot, watch};

use super::backend::Delay;
use super::disk::COSIGNED;
use super::{Disk, StoreError, StoredSnapshot};
use crate::engine::NodeId;
use crate::raft::{Entry, LogId};

/// Something to be written. Commands take effect in the order in which they were sent.
#[derive(Debug)]
pub(crate) enum Command {
    Append(Vec<Entry>),
    /// Drops entries from this index.
    Truncate(u64),
    /// Drops entries up to this one.
    Purge(LogId),
    Vote(openraft::Vote<NodeId>),
    Snapshot(Box<StoredSnapshot>),
    Meta(&'static str, Vec<u8>),
    /// Nothing but what was kept for the next write.
    Nudge,
    /// Answers once all before it is on disk, or never if the disk failed.
    Flush(oneshot::Sender<()>),
}

/// How far the disk is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Number of the last command on disk, from 1.
    pub(crate) flushed: u64,
    /// Why nothing is written any more.
    pub(crate) failed: Option<StoreError>,
}

enum Way {
    Thread(mpsc::Sender<(u64, Command)>),
    Task(tokio::sync::mpsc::UnboundedSender<(u64, Command)>),
    Inline(Disk),
    /// The file is closed, or will be once the thread is through with what was sent before.
    Closed,
}

/// Takes commands; numbers them from 1.
pub(crate) struct Writer {
    sent: Mutex<(u64, Way)>,
    progress: watch::Receiver<Progress>,
    report: Arc<watch::Sender<Progress>>,
    /// The last cosigned checkpoint, written along with what comes sooner or later: losing it costs nothing that a recovery needs.
    lazy: Arc<Lazy>,
    /// Nobody sends on it: it is over when the thread has closed the file.
    thread: watch::Receiver<()>,
}

type Lazy = Mutex<Kept>;

/// What waits for a write to go along with.
#[derive(Default)]
struct Kept {
    note: Option<String>,
    /// Writes that went without it.
    passed: u32,
}

/// Writes that a checkpoint lets pass: each that it goes along with costs a page more.
const PASSED: u32 = 64;

impl Kept {
    fn take(&mut self, now: bool) -> Option<String> {
        self.passed = self.passed.saturating_add(1);
        if !now && self.passed < PASSED {
            return None;
        }
        self.passed = 0;
        self.note.take()
    }
}

/// Most commands in one transaction.
const TOGETHER: usize = 256;

impl Writer {
    /// Over a slow disk, written by a task.
    pub(crate) fn late(disk: Disk, delay: Arc<Delay>) -> Self {
        let (report, progress) = watch::channel(Progress::default());
        let (report, lazy) = (Arc::new(report), Arc::<Lazy>::default());
        let (ended, thread) = watch::channel(());
        let (to, mut from) = tokio::sync::mpsc::unbounded_channel::<(u64, Command)>();
        let (told, kept) = (Arc::clone(&report), Arc::clone(&lazy));
        tokio::spawn(async move {
            while let Some((mut number, first)) = from.recv().await {
                let mut commands = vec![first];
                let pause = delay();
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                while commands.len() < TOGETHER
                    && let Ok((next, command)) = from.try_recv()
                {
                    number = next;
                    commands.push(command);
                }
                write(&disk, number, commands, &told, &kept);
            }
            drop(disk);
            drop(ended);
        });
        Self { sent: Mutex::new((0, Way::Task(to))), progress, report, lazy, thread }
    }

    /// Over a disk: a thread's, or done at once.
    pub(crate) fn new(disk: Disk, threaded: bool) -> Result<Self, StoreError> {
        let (report, progress) = watch::channel(Progress::default());
        let report = Arc::new(report);
        let lazy = Arc::<Lazy>::default();
        let (ended, thread) = watch::channel(());
        let way = if threaded {
            let (to, from) = mpsc::channel();
            let (report, lazy) = (Arc::clone(&report), Arc::clone(&lazy));
            std::thread::Builder::new()
                .name("raft-log".into())
                .spawn(move || {
                    run(&disk, &from, &report, &lazy);
                    drop(disk);
                    drop(ended);
                })
                .map_err(|error| StoreError::Disk { path: "raft-log".into(), why: error.to_string() })?;
            Way::Thread(to)
        } else {
            Way::Inline(disk)
        };
        Ok(Self { sent: Mutex::new((0, way)), progress, report, lazy, thread })
    }

    /// Sends a command; its number.
    pub(crate) fn send(&self, command: Command) -> u64 {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.0 = sent.0.saturating_add(1);
        let number = sent.0;
        match &sent.1 {
            // The thread ends only with this sender.
            Way::Thread(to) => drop(to.send((number, command))),
            Way::Task(to) => drop(to.send((number, command))),
            Way::Inline(disk) => write(disk, number, vec![command], &self.report, &self.lazy),
            Way::Closed => drop(command),
        }
        number
    }

    /// Commands that were sent and are not on disk.
    pub(crate) fn behind(&self) -> u64 {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner).0;
        sent.saturating_sub(self.progress.borrow().flushed)
    }

    /// Keeps the last cosigned checkpoint for the next write.
    pub(crate) fn lazily(&self, note: &str) {
        self.lazy.lock().unwrap_or_else(PoisonError::into_inner).note = Some(note.to_owned());
    }

    /// Writes what was kept, if anything was.
    pub(crate) fn nudge(&self) {
        if self.lazy.lock().unwrap_or_else(PoisonError::into_inner).note.is_some() {
            self.send(Command::Nudge);
        }
    }

    /// How far the disk is, as it changes.
    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Whether the command of this number is on disk.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.progress.borrow().flushed >= number
    }

    /// Waits until all that was sent is on disk. False if the disk failed.
    pub(crate) async fn flush(&self) -> bool {
        let (done, wait) = oneshot::channel();
        self.send(Command::Flush(done));
        wait.await.is_ok()
    }

    /// Closes the file, whoever still holds this: when it returns, all that was sent before is written and the file can be opened anew.
    /// What is sent afterwards is dropped.
    pub(crate) async fn close(&self) {
        self.nudge();
        self.flush().await;
        let way = {
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut sent.1, Way::Closed)
        };
        // Ends the thread, after what it was sent.
        drop(way);
        let _ = self.thread.clone().changed().await;
        // Those who follow the progress find that there will be no more.
        self.report.send_modify(|_| ());
    }
}

fn run(disk: &Disk, from: &mpsc::Receiver<(u64, Command)>, report: &watch::Sender<Progress>, lazy: &Lazy) {
    while let Ok((mut number, first)) = from.recv() {
        let mut commands = vec![first];
        while commands.len() < TOGETHER
            && let Ok((next, command)) = from.try_recv()
        {
            number = next;
            commands.push(command);
        }
        write(disk, number, commands, report, lazy);
    }
}

fn write(
    disk: &Disk,
    number: u64,
    mut commands: Vec<Command>,
    report: &watch::Sender<Progress>,
    lazy: &Lazy,
) {
    // After a failure nothing is written: what came later must not be on disk without what came before.
    if report.borrow().failed.is_some() {
        return;
    }
    // A disk is of no use to a recovery with a snapshot that its note does not cover: they go together.
    let now = commands.iter().any(|command| matches!(command, Command::Nudge | Command::Snapshot(_)));
    if let Some(note) = lazy.lock().unwrap_or_else(PoisonError::into_inner).take(now)
        && let Ok(bytes) = postcard::to_allocvec(&note)
    {
        commands.push(Command::Meta(COSIGNED, bytes));
    }
    let needed = commands.iter().any(|command| !matches!(command, Command::Flush(_)));
    // redb asserts where the file contradicts itself: those who wait for this disk must hear of it.
    let commit = std::panic::AssertUnwindSafe(|| disk.commit(&commands));
    let gave_up = |_| Err(disk.damaged("file", "redb gave up on it"));
    match if needed { std::panic::catch_unwind(commit).unwrap_or_else(gave_up) } else { Ok(()) } {
        Ok(()) => {
            report.send_modify(|progress| progress.flushed = number);
            for command in commands {
                if let Command::Flush(done) = command {
                    let _ = done.send(());
                }
            }
        }
        Err(error) => {
            tracing::error!(%error, "raft log: writing stops; this member cosigns no more");
            report.send_modify(|progress| progress.failed = Some(error));
        }
    }
}
