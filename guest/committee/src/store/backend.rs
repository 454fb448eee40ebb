//! The bytes under redb.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

type Open = dyn Fn(&Path) -> io::Result<Box<dyn StorageBackend>> + Send + Sync;

/// Where Raft's log goes, and who writes it.
#[derive(Clone)]
pub struct Storage {
    open: Option<Arc<Open>>,
    threaded: bool,
}

impl Default for Storage {
    fn default() -> Self {
        Self::files()
    }
}

impl Storage {
    /// Files, written by a thread.
    #[must_use]
    pub fn files() -> Self {
        Self { open: None, threaded: true }
    }

    /// Whatever `open` gives for a path, written at once by whoever appends: for simulations, which have one thread.
    #[must_use]
    pub fn simulated(
        open: impl Fn(&Path) -> io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static,
    ) -> Self {
        Self { open: Some(Arc::new(open)), threaded: false }
    }

    /// Files, written at once by whoever appends.
    #[must_use]
    pub const fn inline_files() -> Self {
        Self { open: None, threaded: false }
    }

    pub(crate) const fn threaded(&self) -> bool {
        self.threaded
    }

    /// Whether bytes are kept elsewhere than in the file system.
    pub(crate) const fn is_simulated(&self) -> bool {
        self.open.is_some()
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
        Ok(Counted { inner, syncs })
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
}

impl StorageBackend for Counted {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner.write(offset, data)
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
