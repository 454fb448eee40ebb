//! The ledger's files, and the leaves that wait for those before them.
//!
//! A machine that joins by a snapshot has the state but not the leaves below it. New leaves are kept in memory until the gap has been filled
//! from peers; what peers give is held against the root that the state came with.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use hallmark_ledger::cosignature::SignedCheckpoint;
use hallmark_ledger::hash::{self, Hash};
use hallmark_ledger::store::{LogDir, StoreError};

/// Most bytes of leaves kept in memory over a gap. Beyond, they are dropped and asked for like the rest.
const AHEAD: usize = 64 << 20;

/// The ledger's folder.
#[derive(Debug)]
pub(crate) struct Book {
    dir: LogDir,
    folder: PathBuf,
    /// Leaves from `from` on that cannot be written yet.
    ahead: VecDeque<Vec<u8>>,
    from: u64,
    ahead_bytes: usize,
    /// Sizes whose root the state knows, ascending: what fills the gap must come to these.
    anchors: VecDeque<(u64, Hash)>,
    /// Where the files ended when the gap opened, until they are cut back to there in vain.
    opened: u64,
    /// What peers gave did not come to the root that it must.
    doubtful: bool,
    /// Why the files are not written any more.
    failed: Option<String>,
    /// What the disk said, while there is no room: leaves wait in memory.
    full: Option<String>,
    /// The last checkpoint, where the files do not reach it yet.
    due: Option<std::sync::Arc<SignedCheckpoint>>,
}

/// Leaves that the files lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) root: Hash,
}

impl Book {
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        let dir = LogDir::open(folder)?;
        let from = dir.size();
        Ok(Self {
            dir,
            folder: folder.to_owned(),
            ahead: VecDeque::new(),
            from,
            ahead_bytes: 0,
            anchors: VecDeque::new(),
            opened: 0,
            doubtful: false,
            failed: None,
            full: None,
            due: None,
        })
    }

    pub(crate) const fn dir(&self) -> &LogDir {
        &self.dir
    }

    pub(crate) fn failed(&self) -> Option<&str> {
        self.failed.as_deref().or(self.full.as_deref())
    }

    /// Takes the leaves from `first` on, behind a tree of `first` leaves with root `before` (asked for only where needed).
    pub(crate) fn append(&mut self, first: u64, before: impl FnOnce() -> Hash, leaves: Vec<Vec<u8>>) {
        if leaves.is_empty() || self.failed.is_some() {
            return;
        }
        let result = if !self.ahead.is_empty() || self.anchors.front().is_some() {
            self.wait(first, leaves);
            Ok(())
        } else if first == self.dir.size() {
            match self.dir.append(&leaves) {
                Err(error) if is_full(&error) => {
                    self.from = first;
                    self.wait(first, leaves);
                    Err(error)
                }
                other => other,
            }
        } else if first < self.dir.size() {
            self.overlap(first, &leaves)
        } else {
            self.anchors.push_back((first, before()));
            self.opened = self.dir.size();
            self.from = first;
            self.wait(first, leaves);
            Ok(())
        };
        self.note(result);
    }

    fn note(&mut self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            if is_full(&error) {
                // Nothing was added: tried again once in a while.
                tracing::error!(%error, "ledger: no room");
                self.full = Some(error.to_string());
                return;
            }
            tracing::error!(%error, "ledger: the files are not written any more");
            self.failed = Some(error.to_string());
        }
    }

    fn wait(&mut self, first: u64, leaves: Vec<Vec<u8>>) {
        let next = self.from.saturating_add(u64::try_from(self.ahead.len()).unwrap_or(u64::MAX));
        if next != first {
            // Another jump (a snapshot over a gap): what waited is asked for again.
            self.ahead.clear();
            self.ahead_bytes = 0;
            self.from = first;
        }
        self.ahead_bytes += leaves.iter().map(Vec::len).sum::<usize>();
        self.ahead.extend(leaves);
        while self.ahead_bytes > AHEAD
            && let Some(leaf) = self.ahead.pop_front()
        {
            self.ahead_bytes -= leaf.len();
            self.from = self.from.saturating_add(1);
        }
    }

    /// The files know some of these leaves already, from a former life. They are a cache: what differs goes.
    fn overlap(&mut self, first: u64, leaves: &[Vec<u8>]) -> Result<(), StoreError> {
        for (index, leaf) in (first..).zip(leaves) {
            if index < self.dir.size() && self.dir.leaf(index)? != hash::leaf(leaf) {
                self.cut(index)?;
                if self.dir.size() != index {
                    // The whole folder was another history: everything below is asked for.
                    self.from = index;
                    let rest = usize::try_from(index.saturating_sub(first)).unwrap_or(usize::MAX);
                    self.wait(index, leaves.get(rest..).unwrap_or_default().to_vec());
                    return Ok(());
                }
            }
            if index >= self.dir.size() {
                let rest = usize::try_from(index.saturating_sub(first)).unwrap_or(usize::MAX);
                return self.dir.append(leaves.get(rest..).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Drops leaves from `size` on; where a checkpoint covers them, sets the folder aside and begins a new one.
    fn cut(&mut self, size: u64) -> Result<(), StoreError> {
        match self.dir.truncate(size) {
            Err(StoreError::Covered { covered, .. }) => {
                tracing::error!(
                    size,
                    covered,
                    "ledger: a checkpoint of a former life covers another history; set aside"
                );
                let aside = (0u32..)
                    .map(|n| self.folder.with_extension(format!("aside-{n}")))
                    .find(|path| !path.exists());
                if let Some(aside) = aside {
                    std::fs::rename(&self.folder, aside)
                        .map_err(|source| StoreError::File { path: self.folder.clone(), source })?;
                }
                self.dir = LogDir::open(&self.folder)?;
                Ok(())
            }
            other => other,
        }
    }

    /// What the state says of its tree at the end of a snapshot: the files must come to it.
    pub(crate) fn anchor(&mut self, size: u64, root: Hash) {
        self.ahead.clear();
        self.ahead_bytes = 0;
        self.from = size;
        self.anchors.clear();
        let known = self.dir.size() >= size && self.dir.root_at(size).is_ok_and(|ours| ours == root);
        if known || size == 0 {
            return;
        }
        if self.dir.size() >= size {
            // Not a beginning of ours.
            let result = self.cut(0);
            self.note(result);
        }
        self.opened = self.dir.size();
        self.doubtful = false;
        self.anchors.push_back((size, root));
    }

    /// Whether peers gave leaves that are not what the state says.
    pub(crate) const fn doubtful(&self) -> bool {
        self.doubtful
    }

    /// What has to be asked of peers.
    pub(crate) fn gap(&self) -> Option<Gap> {
        let (size, root) = *self.anchors.front()?;
        (self.failed.is_none()).then_some(Gap { from: self.dir.size(), to: size, root })
    }

    /// Leaves behind the files that were dropped from memory: they too have to be asked for.
    pub(crate) fn behind(&self) -> Option<(u64, u64)> {
        let size = self.dir.size();
        (self.anchors.is_empty() && self.failed.is_none() && size < self.from).then_some((size, self.from))
    }

    /// Takes leaves of a gap; true once it is closed. Leaves that do not come to the anchor's root are dropped again.
    pub(crate) fn fill(&mut self, from: u64, leaves: &[Vec<u8>]) -> bool {
        let Some((size, root)) = self.anchors.front().copied() else { return true };
        if from != self.dir.size() || self.failed.is_some() {
            return false;
        }
        let room = usize::try_from(size.saturating_sub(from)).unwrap_or(usize::MAX);
        let leaves = leaves.get(..leaves.len().min(room)).unwrap_or_default();
        let result = self.dir.append(leaves);
        self.note(result);
        if self.dir.size() < size {
            return false;
        }
        if self.dir.root() != root {
            tracing::warn!(size, "ledger: what peers gave is not what the state says; asked for again");
            // The peer, the state, or what was there before is wrong: first without the peer's, then from the beginning.
            let opened = std::mem::take(&mut self.opened);
            let result = self.cut(opened);
            self.note(result);
            self.doubtful = true;
            return false;
        }
        self.doubtful = false;
        self.anchors.pop_front();
        self.catch_up();
        true
    }

    /// Takes leaves that were dropped from memory; `frontier_root` is the root that they and what follows must come to.
    pub(crate) fn refill(&mut self, from: u64, leaves: &[Vec<u8>]) {
        if from == self.dir.size() && self.anchors.is_empty() {
            let room = usize::try_from(self.from.saturating_sub(from)).unwrap_or(usize::MAX);
            let result = self.dir.append(leaves.get(..leaves.len().min(room)).unwrap_or_default());
            if result.is_ok() {
                self.full = None;
            }
            self.note(result);
            self.catch_up();
        }
    }

    fn catch_up(&mut self) {
        if self.dir.size() == self.from && self.failed.is_none() {
            let result = self.dir.append(self.ahead.make_contiguous());
            if result.as_ref().is_err_and(is_full) {
                self.note(result);
                return;
            }
            self.ahead.clear();
            self.ahead_bytes = 0;
            self.full = None;
            self.note(result);
            self.from = self.dir.size();
        }
        if let Some(due) = self.due.take() {
            self.checkpoint(&due);
        }
    }

    /// Takes a verified checkpoint; the files serve up to it once they reach it.
    pub(crate) fn checkpoint(&mut self, signed: &std::sync::Arc<SignedCheckpoint>) {
        if self.failed.is_some() {
            return;
        }
        if self.dir.size() < signed.checkpoint().size {
            self.due = Some(std::sync::Arc::clone(signed));
            return;
        }
        match self.dir.set_checkpoint(signed) {
            Ok(()) | Err(StoreError::Behind { .. }) => {}
            Err(StoreError::Contradiction { size, .. }) => {
                // The state is what a quorum signed; the files are not. All of them again.
                tracing::error!(size, "ledger: the files contradict a cosigned checkpoint; asked for again");
                let result = self.cut(0);
                self.note(result);
                self.anchor(signed.checkpoint().size, signed.checkpoint().root);
                self.due = Some(std::sync::Arc::clone(signed));
            }
            Err(error) => self.note(Err(error)),
        }
    }

    /// Whether leaves wait for room.
    pub(crate) const fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// Tries again what found no room.
    pub(crate) fn again(&mut self) {
        if self.ahead.is_empty() {
            self.full = None;
        } else if self.full.is_some() && self.anchors.is_empty() {
            self.catch_up();
        }
    }

    /// Writes what the folder lacks to serve readers by itself.
    pub(crate) fn publish(&mut self) {
        if self.failed.is_none() {
            let result = self.dir.publish();
            self.note(result);
        }
    }

    /// Writes no more, and leaves the folder to the next engine.
    pub(crate) fn close(&mut self) {
        self.failed.get_or_insert_with(|| "this member has stopped".to_owned());
        if let Err(error) = self.dir.close() {
            tracing::warn!(%error, "ledger: the folder stays locked until the last handle is gone");
        }
    }
}

/// Whether there is no room for it, and nothing else wrong.
fn is_full(error: &StoreError) -> bool {
    matches!(error, StoreError::File { source, .. } if crate::store::is_full(source))
}
