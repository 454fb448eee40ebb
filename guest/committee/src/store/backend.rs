//! The bytes under redb.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::Room;

type Open = dyn Fn(&Path) -> io::Result<Box<dyn StorageBackend>> + Send + Sync;

/// How long a disk takes for what it is given now.
pub(crate) type Delay = dyn Fn() -> Duration + Send + Sync;

/// Where Raft's log goes, and who writes it.
#[derive(Clone)]
pub struct Storage {
    open: Option<Arc<Open>>,
    threaded: bool,
    room: Option<Arc<Room>>,
    delay: Option<Arc<Delay>>,
    tail: usize,
}

/// Bytes for what was appended last. A member holds as much in memory, and signs nothing while it makes rows of it.
const TAIL: usize = 2 << 20;
/// In simulations, which are to see it full.
const SHORT_TAIL: usize = 16 << 10;

impl Default for Storage {
    fn default() -> Self {
        Self::files()
    }
}

impl Storage {
    /// Files, written by a thread.
    #[must_use]
    pub fn files() -> Self {
        Self { open: None, threaded: true, room: None, delay: None, tail: TAIL }
    }

    /// Whatever `open` gives for a path, written at once by whoever appends: for simulations, which have one thread.
    #[must_use]
    pub fn simulated(
        open: impl Fn(&Path) -> io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static,
    ) -> Self {
        Self { open: Some(Arc::new(open)), threaded: false, room: None, delay: None, tail: SHORT_TAIL }
    }

    /// Files, written at once by whoever appends.
    #[must_use]
    pub const fn inline_files() -> Self {
        Self { open: None, threaded: false, room: None, delay: None, tail: TAIL }
    }

    /// The same, written by a thread.
    #[must_use]
    pub fn by_a_thread(mut self) -> Self {
        self.threaded = true;
        self
    }

    /// Has the thread that writes wait where the disk has no room.
    pub(crate) fn waiting_for(mut self, room: Arc<Room>) -> Self {
        self.room = self.threaded.then_some(room);
        self
    }

    /// Has a task write that first waits for as long as `delay` says, on tokio's clock: for simulations of a slow disk. What comes in meanwhile
    /// is written together next time, as the thread does it; what was not written when the task ends is lost.
    #[must_use]
    pub fn late(mut self, delay: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.delay = Some(Arc::new(delay));
        self
    }

    pub(crate) fn delay(&self) -> Option<Arc<Delay>> {
        self.delay.clone()
    }

    pub(crate) const fn threaded(&self) -> bool {
        self.threaded
    }

    /// Whether bytes are kept elsewhere than in the file system.
    pub(crate) const fn is_simulated(&self) -> bool {
        self.open.is_some()
    }

    /// Bytes of the region in front of redb's part of a new file.
    pub(crate) const fn tail(&self) -> usize {
        self.tail
    }

    pub(crate) fn open(&self, path: &Path, syncs: Arc<AtomicU64>) -> io::Result<Counted> {
        let inner = match &self.open {
            Some(open) => open(path)?,
            None => {
                let file =
                    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
                Box::new(FileBackend::new(file).map_err(io::Error::other)?)
            }
        };
        Ok(Counted { inner, syncs, room: self.room.clone() })
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage")
            .field("simulated", &self.is_simulated())
            .field("threaded", &self.threaded)
            .finish()
    }
}

/// Counts flushes.
#[derive(Debug)]
pub(crate) struct Counted {
    inner: Box<dyn StorageBackend>,
    syncs: Arc<AtomicU64>,
    room: Option<Arc<Room>>,
}

impl Counted {
    fn patient(&self, mut write: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        match &self.room {
            Some(room) => room.wait(write),
            None => write(),
        }
    }
}

impl StorageBackend for Counted {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.patient(|| self.inner.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.patient(|| self.inner.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    // Passed on, so that nobody opens a file that a running member writes.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }
}

/// A file from an offset on: redb's part.
#[derive(Debug)]
pub(crate) struct Behind {
    pub(crate) file: Arc<Counted>,
    pub(crate) from: u64,
}

impl Behind {
    fn at(&self, offset: u64) -> io::Result<u64> {
        self.from.checked_add(offset).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }
}

impl StorageBackend for Behind {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.len()?.saturating_sub(self.from))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(self.at(offset)?, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(self.at(len)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(self.at(offset)?, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    // Not moved: they keep two from opening one file, and all who open it are behind the same offset.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}
