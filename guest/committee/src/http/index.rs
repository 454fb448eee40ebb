//! Which entries a surface has: built by reading the ledger once, moved on with each cosigned checkpoint.
//!
//! Eight bytes an entry, and the keys of collections. Nothing is in it that no quorum has signed.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hallmark_ledger::cosignature::SignedCheckpoint;
use hyper::body::Bytes;
use serde::Deserialize;
use tokio::sync::watch;

use crate::service::{Service, ServiceError};

/// Entries read at a time.
const STEP: usize = 1024;
/// As many are read without a thread of their own: they are in memory, or were written a moment ago.
const AT_ONCE: usize = 64;
/// Bytes read at a time.
const STEP_BYTES: usize = 4 << 20;

/// The index of one member.
pub(crate) struct Index {
    state: RwLock<State>,
    seen: watch::Sender<Option<Arc<SignedCheckpoint>>>,
}

#[derive(Default)]
struct State {
    checkpoint: Option<Arc<SignedCheckpoint>>,
    surfaces: BTreeMap<String, Places>,
}

#[derive(Default)]
struct Places {
    entries: Vec<u64>,
    last: HashMap<String, u64>,
}

/// Part of a stream.
pub(crate) struct Part {
    /// Indices in the ledger of the sequence numbers asked for.
    pub(crate) indices: Vec<u64>,
    /// The checkpoint that covers them, once there is one.
    pub(crate) checkpoint: Option<Arc<SignedCheckpoint>>,
}

/// The fields of a leaf that say where it belongs.
#[derive(Deserialize)]
struct Head {
    surface: String,
    #[serde(default)]
    key: Option<String>,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self { state: RwLock::default(), seen: watch::Sender::new(None) }
    }

    /// Notified with each checkpoint that the index covers.
    pub(crate) fn seen(&self) -> watch::Receiver<Option<Arc<SignedCheckpoint>>> {
        self.seen.subscribe()
    }

    /// The entries of a surface at these sequence numbers, as far as they are there.
    pub(crate) fn part(&self, surface: &str, sequence: Range<u64>) -> Part {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let entries = state.surfaces.get(surface).map_or(&[][..], |places| &places.entries);
        let from = usize::try_from(sequence.start).unwrap_or(usize::MAX).min(entries.len());
        let to = usize::try_from(sequence.end).unwrap_or(usize::MAX).min(entries.len()).max(from);
        let indices = entries.get(from..to).unwrap_or_default().to_vec();
        Part { indices, checkpoint: state.checkpoint.clone() }
    }

    /// The last entry of a key, and the checkpoint as of which it is.
    pub(crate) fn last(&self, surface: &str, key: &str) -> (Option<u64>, Option<Arc<SignedCheckpoint>>) {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let index = state.surfaces.get(surface).and_then(|places| places.last.get(key)).copied();
        (index, state.checkpoint.clone())
    }

    /// The surfaces that have entries.
    pub(crate) fn names(&self) -> Vec<String> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.surfaces.keys().cloned().collect()
    }

    /// Follows the service's checkpoints, for ever.
    pub(crate) async fn follow(self: Arc<Self>, service: Arc<dyn Service>) {
        let mut checkpoints = service.checkpoint();
        let mut size = 0;
        let mut epoch = None;
        loop {
            let newest = checkpoints.borrow_and_update().clone();
            if let Some(newest) = newest {
                let checkpoint = newest.checkpoint();
                // A recovery may keep less than we have read.
                if epoch != Some(checkpoint.epoch) || checkpoint.size < size {
                    let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
                    *state = State::default();
                    size = 0;
                    epoch = Some(checkpoint.epoch);
                }
                if self.advance(&service, &mut size, &newest).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    continue;
                }
            }
            if checkpoints.changed().await.is_err() {
                return;
            }
        }
    }

    async fn advance(
        self: &Arc<Self>,
        service: &Arc<dyn Service>,
        size: &mut u64,
        newest: &Arc<SignedCheckpoint>,
    ) -> Result<(), ServiceError> {
        let to = newest.checkpoint().size;
        while *size < to {
            let count = usize::try_from(to - *size).unwrap_or(usize::MAX).min(STEP);
            let (service, from, index, newest) =
                (Arc::clone(service), *size, Arc::clone(self), Arc::clone(newest));
            let read = move || {
                let leaves = service.entries(from, count, STEP_BYTES)?;
                let heads = leaves.iter().take(count).map(head).collect::<Result<Vec<_>, _>>()?;
                index.add(from, heads, &newest);
                Ok(leaves.len())
            };
            let ledger = |why: &str| ServiceError::Ledger { why: why.into() };
            let read = if count <= AT_ONCE {
                read()
            } else {
                let read = tokio::task::spawn_blocking(read).await;
                read.map_err(|error| ledger(&error.to_string()))?
            };
            match read {
                Ok(0) => return Err(ledger("no entry where one was signed")),
                Ok(read) => *size += read.min(count) as u64,
                Err(error) => return Err(error),
            }
        }
        self.seen.send_replace(Some(Arc::clone(newest)));
        Ok(())
    }

    /// Adds entries; the checkpoint changes with the last of them, so that a reader sees a tree and its entries at once.
    fn add(&self, from: u64, heads: Vec<Head>, newest: &Arc<SignedCheckpoint>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let end = from + heads.len() as u64;
        for (Head { surface, key }, index) in heads.into_iter().zip(from..) {
            let places = state.surfaces.entry(surface).or_default();
            places.entries.push(index);
            if let Some(key) = key {
                places.last.insert(key, index);
            }
        }
        if end >= newest.checkpoint().size {
            state.checkpoint = Some(Arc::clone(newest));
        }
    }
}

fn head(leaf: &Bytes) -> Result<Head, ServiceError> {
    serde_json::from_slice(leaf).map_err(|error| ServiceError::Ledger { why: error.to_string() })
}
