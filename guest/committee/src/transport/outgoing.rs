//! The asking half of a connection: many requests at a time over one stream.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use super::call::{CallError, Refused};
use super::frame::{Frame, FrameError, Kind, Topic};
use super::{Limits, Stream};

type Answer = Result<Vec<u8>, Refused>;
type Waiting = Arc<Mutex<BTreeMap<u64, oneshot::Sender<Answer>>>>;

/// A live connection to one peer. Ends its task when dropped.
pub(crate) struct Outgoing {
    frames: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Waiting,
    /// What may be under way, in KiB. It bounds the queue as well.
    budget: Semaphore,
    next: AtomicU64,
    /// Frames that came in: a request that times out while this stands still condemns the connection.
    heard: Arc<AtomicU64>,
    ended: watch::Receiver<bool>,
    task: AbortHandle,
    limits: Limits,
}

impl Outgoing {
    /// Takes over a stream whose other end was checked.
    pub(crate) fn open(stream: impl Stream, limits: Limits) -> Self {
        let (frames, queue) = mpsc::unbounded_channel();
        let (end, ended) = watch::channel(false);
        let waiting = Waiting::default();
        let heard = Arc::new(AtomicU64::new(0));
        let (reading, counting) = (Arc::clone(&waiting), Arc::clone(&heard));
        let task = tokio::spawn(async move {
            let (reader, writer) = tokio::io::split(stream);
            // Biased: a simulation must be able to repeat itself. Neither half starves the other, as both end in awaits.
            let why = tokio::select! {
                biased;
                why = receive(reader, &reading, &counting, &limits) => why,
                why = send(writer, queue) => why,
            };
            tracing::debug!(?why, "a connection to a peer ended");
            // Whoever waits learns that its answer is lost when its sender goes.
            reading.lock().unwrap_or_else(PoisonError::into_inner).clear();
            end.send_replace(true);
        });
        let budget = Semaphore::new(kib(limits.in_flight_bytes));
        let task = task.abort_handle();
        Self { frames, waiting, budget, next: AtomicU64::new(1), heard, ended, task, limits }
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        *self.ended.borrow()
    }

    /// Returns when it has ended.
    pub(crate) async fn over(&self) {
        // An error means that the task is gone without a word, which is an end as well.
        let _ = self.ended.clone().wait_for(|over| *over).await;
    }

    /// Ends it.
    pub(crate) fn close(&self) {
        self.task.abort();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many frames came in so far.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Asks, and waits for the answer as long as the caller does.
    pub(crate) async fn call(&self, topic: Topic, body: Vec<u8>) -> Result<Vec<u8>, CallError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let frame = Frame { kind: Kind::Request, topic, id, body };
        let bytes = frame.encode(self.limits.body)?;
        let size = u32::try_from(kib(bytes.len())).unwrap_or(u32::MAX);
        let _permit = self.budget.acquire_many(size).await.map_err(|_| CallError::Lost)?;
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, answer);
        let _forget = Forget { waiting: &self.waiting, id };
        // Checked after the insertion: the task clears the map before it says that it is over.
        if self.is_over() || self.frames.send(bytes).is_err() {
            return Err(CallError::Lost);
        }
        answered.await.map_err(|_| CallError::Lost)?.map_err(CallError::Refused)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes a request off the list when its caller stops waiting.
struct Forget<'a> {
    waiting: &'a Waiting,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Size in KiB, at least one.
pub(super) const fn kib(bytes: usize) -> usize {
    bytes / 1024 + 1
}

async fn receive(
    reader: impl AsyncRead + Unpin,
    waiting: &Waiting,
    heard: &AtomicU64,
    limits: &Limits,
) -> Result<(), FrameError> {
    let mut reader = BufReader::with_capacity(64 << 10, reader);
    while let Some(frame) = Frame::read(&mut reader, limits).await? {
        heard.fetch_add(1, Ordering::Relaxed);
        let answer = match frame.kind {
            Kind::Request => return Err(FrameError::Kind(1)),
            Kind::Response => Ok(frame.body),
            Kind::Refusal => Err(Refused::decode(&frame.body)),
        };
        let waiter = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&frame.id);
        // Nobody waits for it any more: its caller's time was up.
        if let Some(waiter) = waiter {
            let _ = waiter.send(answer);
        }
    }
    Ok(())
}

/// Writes what is queued, and flushes when the queue is empty: frames that come together leave together.
pub(super) async fn send(
    writer: impl AsyncWrite + Unpin,
    mut queue: mpsc::UnboundedReceiver<Vec<u8>>,
) -> Result<(), FrameError> {
    let mut writer = BufWriter::with_capacity(64 << 10, writer);
    while let Some(frame) = queue.recv().await {
        writer.write_all(&frame).await?;
        while let Ok(frame) = queue.try_recv() {
            writer.write_all(&frame).await?;
        }
        writer.flush().await?;
    }
    Ok(())
}
