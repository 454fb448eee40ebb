//! A disk in memory that loses, tears, refuses and takes its time.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallmark_committee::Storage;
use redb::StorageBackend;

use super::chance::Chance;

/// What is wrong with a disk just now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// A flush says that it was done, and was not.
    pub(crate) lost_flush: bool,
    /// What was not flushed at a crash is written in part, cut at any sector.
    pub(crate) torn: bool,
    /// No more bytes than there are.
    pub(crate) full: bool,
    /// Most milliseconds of virtual time that a write with its flush takes; 0 is at once.
    pub(crate) slow: u64,
}

#[derive(Debug, Clone, Default)]
struct File {
    /// What a crash leaves.
    durable: Vec<u8>,
    /// What the machine sees.
    seen: Vec<u8>,
    /// Writes and lengths since the last flush that was none.
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, most: usize) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(at, data) => {
                let data = &data[..data.len().min(most)];
                if bytes.len() < at + data.len() {
                    bytes.resize(at + data.len(), 0);
                }
                bytes[*at..at + data.len()].copy_from_slice(data);
            }
        }
    }
}

#[derive(Debug, Default)]
struct Inside {
    files: BTreeMap<PathBuf, File>,
    faults: Faults,
    /// An older state of the whole disk.
    kept: Option<BTreeMap<PathBuf, File>>,
}

/// One slot's disk. It outlives the slot's machines.
#[derive(Debug, Clone, Default)]
pub(crate) struct SlotDisk(Arc<Mutex<Inside>>);

const SECTOR: usize = 512;

impl SlotDisk {
    pub(crate) fn storage(&self) -> Storage {
        let disk = self.clone();
        let clock = self.clone();
        let storage = Storage::simulated(move |path: &Path| {
            disk.0.lock().unwrap().files.entry(path.to_owned()).or_default();
            Ok(Box::new(Backend { disk: disk.clone(), path: path.to_owned() }))
        });
        storage.late(move || clock.takes())
    }

    /// How long what is written now takes.
    fn takes(&self) -> Duration {
        let most = self.0.lock().unwrap().faults.slow;
        if most == 0 {
            return Duration::ZERO;
        }
        let now = turmoil::elapsed().as_millis() as u64;
        Duration::from_millis(Chance::new(now ^ most << 32).between(most / 4, most + 1))
    }

    pub(crate) fn set(&self, faults: Faults) {
        self.0.lock().unwrap().faults = faults;
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.0.lock().unwrap().files.keys().cloned().collect()
    }

    /// Keeps the disk as it is durable now, to be rolled back to.
    pub(crate) fn keep(&self) {
        let mut inside = self.0.lock().unwrap();
        let mut files = inside.files.clone();
        files.values_mut().for_each(File::cut);
        inside.kept = Some(files);
    }

    /// The power goes. Whether the machine before was rolled back to what was kept.
    pub(crate) fn crash(&self, rolled_back: bool, chance: &mut Chance) -> bool {
        let mut inside = self.0.lock().unwrap();
        if let (true, Some(kept)) = (rolled_back, inside.kept.take()) {
            inside.files = kept;
            return true;
        }
        let torn = inside.faults.torn;
        for file in inside.files.values_mut() {
            if torn {
                let whole = chance.below(file.pending.len() as u64 + 1) as usize;
                let pending = std::mem::take(&mut file.pending);
                for (at, change) in pending.iter().enumerate().take(whole + 1) {
                    let sectors = chance.below(8) as usize * SECTOR;
                    change.apply(&mut file.durable, if at < whole { usize::MAX } else { sectors });
                }
            }
            file.cut();
        }
        inside.faults = Faults::default();
        false
    }
}

impl File {
    fn cut(&mut self) {
        self.pending.clear();
        self.seen = self.durable.clone();
    }
}

#[derive(Debug)]
struct Backend {
    disk: SlotDisk,
    path: PathBuf,
}

impl Backend {
    fn with<T>(&self, act: impl FnOnce(&mut File, Faults) -> T) -> T {
        let mut inside = self.disk.0.lock().unwrap();
        let faults = inside.faults;
        act(inside.files.entry(self.path.clone()).or_default(), faults)
    }
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "no space left on the simulated disk")
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|file, _| file.seen.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|file, _| {
            let from = offset as usize;
            let bytes = file.seen.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(bytes);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|file, faults| {
            if faults.full && len as usize > file.seen.len() {
                return Err(full());
            }
            let change = Change::Length(len as usize);
            change.apply(&mut file.seen, usize::MAX);
            file.pending.push(change);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|file, faults| {
            if faults.lost_flush {
                return Ok(());
            }
            for change in std::mem::take(&mut file.pending) {
                change.apply(&mut file.durable, usize::MAX);
            }
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|file, faults| {
            if faults.full {
                return Err(full());
            }
            let change = Change::Write(offset as usize, data.to_vec());
            change.apply(&mut file.seen, usize::MAX);
            file.pending.push(change);
            Ok(())
        })
    }

    fn close(&self) -> io::Result<()> {
        Ok(())
    }
}
