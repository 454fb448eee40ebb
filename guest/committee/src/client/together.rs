//! Submissions of one client library that go together: beyond [`ALONE`] requests at a time to a member, what comes waits until one of them is
//! answered, and then goes in one request with all that has waited.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use tokio::sync::oneshot;

use super::ClientError;
use super::connection::{Ask, Endpoint};
use crate::http::{AnswerLine, ReceiptDocument, Record};

/// Requests of submissions at a time.
const ALONE: usize = 16;
/// Submissions of one request, and bytes of their bodies.
const TOGETHER: usize = 128;
const TOGETHER_BYTES: usize = 256 * 1024;
/// Bytes of a body that goes alone, whoever waits: what is refused for its length must not take others with it.
const LARGE: usize = 16 * 1024;
/// Longest line of an answer.
const LINE: usize = 4 << 20;

type Answer = Result<ReceiptDocument, ClientError>;

/// Who waits for a request to be answered.
#[derive(Default)]
pub(super) struct Crowd(Mutex<State>);

#[derive(Default)]
struct State {
    under_way: usize,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    record: Record,
    authorization: Option<String>,
    limit: Duration,
    answer: oneshot::Sender<Answer>,
}

/// One of the requests under way. When it is given back, those who wait go.
pub(super) struct Place(Arc<Endpoint>);

impl Crowd {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// A place for a body of so many bytes, if there is one.
    pub(super) fn take(endpoint: &Arc<Endpoint>, bytes: usize) -> Option<Self> {
        let mut state = endpoint.crowd.lock();
        let free = state.under_way < ALONE || bytes > LARGE;
        state.under_way += usize::from(free);
        free.then(|| Self(Arc::clone(endpoint)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.0.crowd.lock();
        let (mut next, mut bytes) = (Vec::new(), 0);
        while next.len() < TOGETHER
            && bytes < TOGETHER_BYTES
            && let Some(waiting) = state.waiting.pop_front()
        {
            // Who has given up is not asked for.
            if !waiting.answer.is_closed() {
                bytes += waiting.record.submission.body.len();
                next.push(waiting);
            }
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if !next.is_empty() => {
                drop(state);
                let place = Self(Arc::clone(&self.0));
                drop(runtime.spawn(async move { place.ask(next).await }));
            }
            _ => state.under_way = state.under_way.saturating_sub(1),
        }
    }
}

impl Place {
    /// Sends submissions, and gives each its answer.
    async fn ask(self, waiting: Vec<Waiting>) {
        let limit = waiting.iter().map(|waiting| waiting.limit).max().unwrap_or_default();
        let mut open: Vec<Option<oneshot::Sender<Answer>>> = Vec::with_capacity(waiting.len());
        let (mut body, mut headers) = (Vec::new(), Vec::new());
        for waiting in waiting {
            // A record is strings and numbers: it has a JSON. Whose has none hears so by the end of its channel.
            let written = waiting.record.write(&mut body);
            open.push(written.ok().map(|()| waiting.answer));
            if let (Some(authorization), true) = (waiting.authorization, headers.is_empty()) {
                headers.push(("authorization", authorization));
            }
        }
        let ask = Ask { method: "POST", target: "/submit", headers: &headers, body: body.into() };
        let exchange = async {
            let (sender, answer) = self.0.open(&ask, limit).await?;
            self.read(answer, &mut open).await?;
            self.0.keep(sender).await;
            Ok(())
        };
        let ended = match tokio::time::timeout(limit, exchange).await {
            Ok(Ok(())) => ClientError::connection(&self.0.address, "a submission was not answered"),
            Ok(Err(error)) => error,
            Err(_) => ClientError::connection(&self.0.address, "no answer in time"),
        };
        for answer in open.into_iter().flatten() {
            let _ = answer.send(Err(ended.clone()));
        }
    }

    async fn read(
        &self,
        mut answer: Incoming,
        open: &mut [Option<oneshot::Sender<Answer>>],
    ) -> Result<(), ClientError> {
        let failed = |error: &dyn std::fmt::Display| ClientError::connection(&self.0.address, error);
        let (mut kept, mut under) = (Vec::new(), None);
        while let Some(frame) = answer.frame().await {
            let Ok(data) = frame.map_err(|error| failed(&error))?.into_data() else { continue };
            let text: Bytes = if kept.is_empty() {
                data
            } else {
                kept.extend(data);
                std::mem::take(&mut kept).into()
            };
            let mut rest = &text[..];
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let (line, after) = rest.split_at(end);
                rest = after.get(1..).unwrap_or_default();
                let line: AnswerLine = serde_json::from_slice(line).map_err(|error| failed(&error))?;
                self.give(line, &mut under, open);
            }
            if rest.len() > LINE {
                return Err(failed(&"a line without an end"));
            }
            kept = rest.to_vec();
        }
        Ok(())
    }

    /// What a line says, to whom it says it. What answers nobody is passed over: an answer counts by its proof.
    fn give(
        &self,
        line: AnswerLine,
        under: &mut Option<String>,
        open: &mut [Option<oneshot::Sender<Answer>>],
    ) {
        if line.checkpoint.is_some() {
            *under = line.checkpoint;
        }
        let Some(to) = line.nth.and_then(|nth| open.get_mut(nth)).and_then(Option::take) else { return };
        let answer = match (line.refused, line.outcome) {
            (Some(document), _) => Err(ClientError::refused(line.status.unwrap_or(500), document)),
            (None, None) => Err(ClientError::unproven(&self.0.address, "receipt", "no outcome")),
            (None, Some(outcome)) => Ok(ReceiptDocument {
                outcome,
                index: line.index,
                entries: line.entries,
                leaf: line.leaf,
                proof: line.proof,
                checkpoint: under.clone(),
            }),
        };
        let _ = to.send(answer);
    }
}

/// Waits for a request to go along with, and for its answer.
pub(super) async fn together(
    endpoint: &Arc<Endpoint>,
    record: Record,
    authorization: Option<String>,
    limit: Duration,
) -> Answer {
    let (answer, wait) = oneshot::channel();
    endpoint.crowd.lock().waiting.push_back(Waiting { record, authorization, limit, answer });
    // A place may have been given back since: nobody would come for this one.
    drop(Place::take(endpoint, 0));
    let lost = |_| Err(ClientError::connection(&endpoint.address, "the request that it went with ended"));
    match tokio::time::timeout(limit, wait).await {
        Ok(answer) => answer.unwrap_or_else(lost),
        Err(_) => Err(ClientError::connection(&endpoint.address, "no answer in time")),
    }
}
