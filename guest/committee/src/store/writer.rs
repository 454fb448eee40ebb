//! Who writes to the disk.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use tokio::sync::{oneshot, watch};

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
    Inline(Disk),
    /// The file is closed, or will be once the thread is through with what was sent before.
    Closed,
}

/// Takes commands; numbers them from 1.
pub(crate) struct Writer {
    sent: Mutex<(u64, Way)>,
    progress: watch::Receiver<Progress>,
    report: Arc<watch::Sender<Progress>>,
    /// The last cosigned checkpoint, written along with whatever comes next: losing it costs nothing that a recovery needs.
    lazy: Arc<Lazy>,
    /// Nobody sends on it: it is over when the thread has closed the file.
    thread: watch::Receiver<()>,
}

type Lazy = Mutex<Option<String>>;

/// Most commands in one transaction.
const TOGETHER: usize = 256;

impl Writer {
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
            Way::Inline(disk) => write(disk, number, vec![command], &self.report, &self.lazy),
            Way::Closed => drop(command),
        }
        number
    }

    /// Keeps the last cosigned checkpoint for the next write.
    pub(crate) fn lazily(&self, note: &str) {
        *self.lazy.lock().unwrap_or_else(PoisonError::into_inner) = Some(note.to_owned());
    }

    /// Writes what was kept, if anything was.
    pub(crate) fn nudge(&self) {
        if self.lazy.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
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
    if let Some(note) = lazy.lock().unwrap_or_else(PoisonError::into_inner).take()
        && let Ok(bytes) = postcard::to_allocvec(&note)
    {
        commands.push(Command::Meta(COSIGNED, bytes));
    }
    let needed = commands.iter().any(|command| !matches!(command, Command::Flush(_)));
    match if needed { disk.commit(&commands) } else { Ok(()) } {
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
