//! The answering half of a connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, BufReader};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::call::Refused;
use super::frame::{Frame, FrameError, Kind, Topic};
use super::outgoing::{kib, send};
use super::{Caller, Claim, Limits, Stream};

/// A future that a handler returns.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, Refused>> + Send + 'a>>;

/// What answers requests. It must decide anew at each request what its caller may ask: rosters change while connections last.
pub trait Handler: Send + Sync + 'static {
    /// Answers `body`, or says why not.
    fn handle<'a>(&'a self, caller: &'a Caller, topic: Topic, body: Vec<u8>) -> Answering<'a>;
}

/// Answers requests on a stream whose other end was checked, until it ends. Requests run side by side; answers go out as they come.
///
/// # Errors
/// What the other end did that no peer of ours does, or the stream's own failure.
pub async fn serve(
    stream: impl Stream,
    caller: Caller,
    handler: Arc<dyn Handler>,
    limits: Limits,
) -> Result<(), FrameError> {
    let limits = match caller.claim {
        Claim::Machine { .. } => limits,
        Claim::Operator => Limits { body: limits.body.min(limits.operator_body), ..limits },
    };
    let (reader, writer) = tokio::io::split(stream);
    let (answers, queue) = mpsc::unbounded_channel();
    tokio::select! {
        biased;
        ended = receive(reader, Arc::new(caller), handler, limits, answers) => ended,
        ended = send(writer, queue) => ended,
    }
}

async fn receive(
    reader: impl AsyncRead + Unpin,
    caller: Arc<Caller>,
    handler: Arc<dyn Handler>,
    limits: Limits,
    answers: mpsc::UnboundedSender<Vec<u8>>,
) -> Result<(), FrameError> {
    let mut reader = BufReader::with_capacity(64 << 10, reader);
    let count = Arc::new(Semaphore::new(limits.in_flight));
    let bytes = Arc::new(Semaphore::new(kib(limits.in_flight_bytes)));
    // Dropping it ends what is under way for a caller that is gone.
    let mut running = JoinSet::new();
    while let Some(frame) = Frame::read(&mut reader, &limits).await? {
        if frame.kind != Kind::Request {
            return Err(FrameError::Kind(if frame.kind == Kind::Response { 2 } else { 3 }));
        }
        // While its bounds are reached nothing more is read: the other end feels it as a slow stream.
        let size = u32::try_from(kib(frame.body.len())).unwrap_or(u32::MAX);
        let (Ok(one), Ok(size)) =
            (Arc::clone(&count).acquire_owned().await, Arc::clone(&bytes).acquire_many_owned(size).await)
        else {
            return Ok(());
        };
        while running.try_join_next().is_some() {}
        let (caller, handler, answers) = (Arc::clone(&caller), Arc::clone(&handler), answers.clone());
        running.spawn(async move {
            let Frame { topic, id, body, .. } = frame;
            let answer = answer(&*handler, &caller, topic, id, body, limits.body).await;
            let _ = answers.send(answer);
            drop((one, size));
        });
    }
    Ok(())
}

async fn answer(
    handler: &dyn Handler,
    caller: &Caller,
    topic: Topic,
    id: u64,
    body: Vec<u8>,
    most: usize,
) -> Vec<u8> {
    let (kind, body) = match handler.handle(caller, topic, body).await {
        Ok(body) if body.len() <= most => (Kind::Response, body),
        Ok(body) => {
            let why = format!("the answer has {} bytes; a message has at most {most}", body.len());
            (Kind::Refusal, Refused::new("answer-too-long", why).encode())
        }
        Err(refused) => (Kind::Refusal, refused.encode()),
    };
    // Both bodies are within the bound, but for a refusal of absurd length: its caller then runs into its own timeout.
    Frame { kind, topic, id, body }.encode(most).unwrap_or_default()
}
