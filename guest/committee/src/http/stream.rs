//! Lines: `{"checkpoint":NOTE}`, then `{"index":N,"leaf":ENTRY,"proof":[..]?}` for entries that it covers, and so on. A leaf stands in its line byte for byte.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use hallmark_ledger::cosignature::SignedCheckpoint;
use hyper::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use super::body::Body;
use super::index::Index;
use super::limits::Limits;
use crate::service::{Service, ServiceError};

/// Chunks that wait for a slow reader.
const WAITING: usize = 2;

/// What is to be sent.
pub(crate) struct Wanted {
    /// A surface, or the whole ledger.
    pub(crate) surface: Option<String>,
    /// First sequence number, or index.
    pub(crate) from: u64,
    /// Entries at most; None to follow.
    pub(crate) limit: Option<u64>,
    /// Whether each line carries its proof.
    pub(crate) proofs: bool,
}

/// Sends lines to a body until the limit, the end of the follower's time, or the reader's.
pub(crate) fn lines(
    service: Arc<dyn Service>,
    index: Arc<Index>,
    limits: &Limits,
    wanted: Wanted,
    place: Option<OwnedSemaphorePermit>,
) -> Body {
    let (to, body) = mpsc::channel(WAITING);
    let (chunk, beat, life) = (limits.chunk, limits.heartbeat, limits.follow_time);
    let writer = Writer { service, index, wanted, chunk, to, sent: None };
    tokio::spawn(async move {
        let _place = place;
        let ends = writer.to.clone();
        let written = tokio::time::timeout(life, writer.run(beat));
        // The end of a follower's time is an end like another: it comes back with `from`.
        if let Ok(Err(Stop::Ledger(error))) = written.await {
            let _ = ends.send(Err(io::Error::other(error.to_string()))).await;
        }
    });
    Body::Lines(body)
}

struct Writer {
    service: Arc<dyn Service>,
    index: Arc<Index>,
    wanted: Wanted,
    chunk: usize,
    to: mpsc::Sender<Result<Bytes, io::Error>>,
    sent: Option<Arc<SignedCheckpoint>>,
}

enum Stop {
    Reader,
    Ledger(ServiceError),
}

impl Writer {
    async fn run(mut self, beat: Duration) -> Result<(), Stop> {
        let mut seen = self.index.seen();
        let end = self.wanted.limit.map_or(u64::MAX, |limit| self.wanted.from.saturating_add(limit));
        let mut next_beat = Instant::now() + beat;
        loop {
            seen.mark_unchanged();
            while self.wanted.from < end && self.step(end).await? {
                next_beat = Instant::now() + beat;
            }
            if self.wanted.limit.is_some() {
                return Ok(());
            }
            tokio::select! {
                changed = seen.changed() => if changed.is_err() { return Ok(()) },
                () = tokio::time::sleep_until(next_beat) => {
                    let size = self.sent.as_ref().map_or(0, |sent| sent.checkpoint().size);
                    self.send(format!("{{\"heartbeat\":{{\"size\":{size}}}}}\n").into()).await?;
                    next_beat = Instant::now() + beat;
                }
                () = self.to.closed() => return Err(Stop::Reader),
            }
        }
    }

    /// Sends what there is, up to a chunk. False where there is nothing.
    async fn step(&mut self, end: u64) -> Result<bool, Stop> {
        let from = self.wanted.from;
        let range = from..end.min(from.saturating_add(256));
        let (indices, checkpoint) = match &self.wanted.surface {
            Some(surface) => {
                let part = self.index.part(surface, range);
                (part.indices, part.checkpoint)
            }
            None => {
                let checkpoint = self.index.seen().borrow().clone();
                let size = checkpoint.as_ref().map_or(0, |newest| newest.checkpoint().size);
                let Range { start, end } = range;
                ((start..end.min(size)).collect(), checkpoint)
            }
        };
        let Some(checkpoint) = checkpoint.filter(|_| !indices.is_empty()) else { return Ok(false) };
        let (service, chunk, proofs) = (Arc::clone(&self.service), self.chunk, self.wanted.proofs);
        let covering = Arc::clone(&checkpoint);
        let old = self.sent.as_ref().is_some_and(|sent| sent.note() == checkpoint.note());
        let written = tokio::task::spawn_blocking(move || {
            let mut text = Vec::new();
            if !old {
                checkpoint_line(&mut text, &covering).map_err(|error| json(&error))?;
            }
            let mut count = 0;
            for run in runs(&indices) {
                let mut at = run.start;
                while at < run.end && text.len() < chunk {
                    let leaves = service.entries(at, usize::try_from(run.end - at).unwrap_or(1), chunk)?;
                    if leaves.is_empty() {
                        return Err(ServiceError::Ledger {
                            why: format!("no entry {at} where one was signed"),
                        });
                    }
                    for leaf in leaves {
                        let proof = proofs.then(|| service.inclusion(at, covering.checkpoint().size));
                        leaf_line(&mut text, at, &leaf, proof.transpose()?.as_ref())
                            .map_err(|error| json(&error))?;
                        (at, count) = (at + 1, count + 1);
                        if at == run.end {
                            break;
                        }
                    }
                }
                if text.len() >= chunk {
                    break;
                }
            }
            Ok((text, count))
        });
        let failed = |error: tokio::task::JoinError| ServiceError::Ledger { why: error.to_string() };
        let (text, count) =
            written.await.map_err(|error| Stop::Ledger(failed(error)))?.map_err(Stop::Ledger)?;
        self.sent = Some(checkpoint);
        self.wanted.from += count;
        self.send(text.into()).await?;
        Ok(true)
    }

    async fn send(&self, bytes: Bytes) -> Result<(), Stop> {
        self.to.send(Ok(bytes)).await.map_err(|_| Stop::Reader)
    }
}

/// Runs of consecutive indices.
fn runs(indices: &[u64]) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for index in indices {
        match runs.last_mut() {
            Some(run) if run.end == *index => run.end += 1,
            _ => runs.push(*index..*index + 1),
        }
    }
    runs
}

fn json(error: &serde_json::Error) -> ServiceError {
    ServiceError::Ledger { why: error.to_string() }
}

pub(crate) fn checkpoint_line(
    text: &mut Vec<u8>,
    checkpoint: &SignedCheckpoint,
) -> Result<(), serde_json::Error> {
    text.extend(b"{\"checkpoint\":");
    serde_json::to_writer(&mut *text, checkpoint.note())?;
    text.extend(b"}\n");
    Ok(())
}

fn leaf_line(
    text: &mut Vec<u8>,
    index: u64,
    leaf: &[u8],
    proof: Option<&hallmark_ledger::proof::Inclusion>,
) -> Result<(), serde_json::Error> {
    text.extend(format!("{{\"index\":{index},\"leaf\":").bytes());
    text.extend(leaf);
    if let Some(proof) = proof {
        text.extend(b",\"proof\":");
        serde_json::to_writer(&mut *text, &proof.path)?;
    }
    text.extend(b"}\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_fall_into_runs() {
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[3, 4, 5, 9, 11, 12]), [3..6, 9..10, 11..13]);
    }
}
