//! `POST /submit/{surface}`, `POST /submit`, `GET` and `POST /fate/...`: the ways in.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as HttpBody, Bytes};
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use hyper::{Request, StatusCode};

use super::gate::{SETTLE, Shown, scope};
use super::problem::{Problem, printable};
use super::receipt::{self, ReceiptDocument};
use super::server::Surface;
use super::together::{Lines, Record};
use super::{CLIENT, NONCE};
use crate::service::{Retirement, SubmissionId};
use crate::{Fate, Outcome, Receipt, Submission, SubmitError};
use hallmark_machine::ClientId;

impl Surface {
    /// Takes a command, and answers once a quorum has cosigned what became of it.
    pub(crate) async fn submit<B>(
        &self,
        surface: String,
        request: Request<B>,
        from: IpAddr,
    ) -> Result<Vec<u8>, Problem>
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        self.takes(&surface, from).await?;
        let (client, nonce) = (client(request.headers())?, nonce(request.headers())?);
        let (head, body) = request.into_parts();
        let body = self.read(&head.headers, body, self.limits.body).await?.into();
        let submission = Submission { client, nonce, surface, body };
        let receipt = self.settled(submission, &Shown::by(&head.headers)).await?;
        receipt::fresh_json(&*self.service, &receipt)
    }

    /// Takes commands, and answers each once a quorum has cosigned what became of it.
    pub(crate) async fn submit_together<B>(
        self: &Arc<Self>,
        request: Request<B>,
        from: IpAddr,
    ) -> Result<Lines, Problem>
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let (head, body) = request.into_parts();
        let body = self.read(&head.headers, body, self.limits.together_body).await?;
        let records = Record::read_all(&body, self.limits.together)?;
        let submissions = records.into_iter().enumerate().map(|(nth, record)| {
            let surface = Arc::clone(self);
            let shown = Shown::of(&head.headers, record.proof);
            async move {
                let decided = surface.one_of_several(record.submission, &shown, from).await;
                if let Err(problem) = &decided {
                    surface.metrics.refusal(problem.code());
                }
                (nth, decided)
            }
            .boxed()
        });
        Ok(Lines::new(Arc::clone(&self.service), submissions))
    }

    async fn one_of_several(
        &self,
        submission: Submission,
        shown: &Shown,
        from: IpAddr,
    ) -> Result<Receipt, Problem> {
        self.takes(&submission.surface, from).await?;
        // It is refused alone: the others are not too large.
        if submission.body.len() > self.limits.body {
            return Err(too_large(self.limits.body));
        }
        self.settled(submission, shown).await
    }

    /// Whether a command may be sent to a surface now.
    async fn takes(&self, surface: &str, from: IpAddr) -> Result<(), Problem> {
        self.rate(from)?;
        self.open_for_writes().await?;
        let names = self.service.surfaces().iter().filter(|s| s.submit).map(|s| s.name.as_str());
        if names.clone().any(|name| name == surface) {
            return Ok(());
        }
        Err(unknown_surface(surface, names.map(str::to_owned).collect()))
    }

    /// What becomes of a submission, under a quorum's cosignatures.
    async fn settled(&self, submission: Submission, shown: &Shown) -> Result<Receipt, Problem> {
        let Submission { client, nonce, surface, body } = &submission;
        self.gate.judge(shown, &self.service.group(), (client, *nonce), (&scope(surface), body))?;
        self.client_rate(*client)?;
        let _place = self.waiting.try_acquire().map_err(|_| {
            let why = "too many submissions wait for their quorum";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", why, "ask again, or another member")
                .retry_after(1)
        })?;
        let start = Instant::now();
        let bytes = body.len();
        // Whoever asked may go away before there is an answer.
        let waiting = self.metrics.wait();
        let submitted = tokio::time::timeout(self.limits.submit_time, self.service.submit(submission)).await;
        drop(waiting);
        let submitted = submitted.unwrap_or(Err(SubmitError::Unclear));
        let word = match &submitted {
            Ok(receipt) => match receipt.outcome {
                Outcome::Committed { .. } => "committed",
                Outcome::Rejected { .. } => "rejected",
                Outcome::Invalid { .. } => "invalid",
            },
            Err(SubmitError::Unclear) => "unclear",
            Err(_) => "refused",
        };
        self.metrics.submission(word, bytes, start.elapsed());
        match submitted {
            Ok(receipt) => Ok(receipt),
            Err(error) => Err(self.refusal(error).await),
        }
    }

    /// What became of a submission.
    pub(crate) async fn fate(&self, id: SubmissionId) -> Result<Vec<u8>, Problem> {
        self.known_epoch(id.epoch)?;
        let fate = self.service.fate(id.client, id.nonce).await;
        self.fate_json(id, fate).await
    }

    /// The same, and an end of it. Judged like a submission of no bytes under the scope `settle`.
    pub(crate) async fn settle(
        &self,
        id: SubmissionId,
        headers: &HeaderMap,
        from: IpAddr,
    ) -> Result<Vec<u8>, Problem> {
        self.rate(from)?;
        self.known_epoch(id.epoch)?;
        self.gate.judge(&Shown::by(headers), &self.service.group(), (&id.client, id.nonce), (SETTLE, b""))?;
        self.client_rate(id.client)?;
        let settled = self.service.settle(id.client, id.nonce);
        match tokio::time::timeout(self.limits.submit_time, settled)
            .await
            .unwrap_or(Err(SubmitError::Unclear))
        {
            Ok(fate) => self.fate_json(id, fate).await,
            Err(error) => Err(self.refusal(error).await),
        }
    }

    async fn fate_json(&self, id: SubmissionId, fate: Fate) -> Result<Vec<u8>, Problem> {
        match fate {
            Fate::Pending => serde_json::to_vec(&ReceiptDocument::pending())
                .map_err(|error| crate::service::ServiceError::Ledger { why: error.to_string() }.into()),
            Fate::Settled(receipt) => receipt::json(&self.service, receipt).await,
            Fate::TooOld { floor } => {
                Err(self.refusal(SubmitError::NonceTooOld { nonce: id.nonce, floor }).await)
            }
        }
    }

    fn known_epoch(&self, epoch: u64) -> Result<(), Problem> {
        let current = self.service.status().epoch;
        if epoch <= current {
            return Ok(());
        }
        let why = format!("epoch: {epoch} is later than {current}, the epoch of this member");
        Err(Problem::new(StatusCode::CONFLICT, "later-epoch", why, "ask a member of that epoch"))
    }

    /// Refuses writes once the committee has retired; reads go on.
    async fn open_for_writes(&self) -> Result<(), Problem> {
        match self.service.retired() {
            Some(index) => Err(self.retired(index).await),
            None => Ok(()),
        }
    }

    async fn retired(&self, index: u64) -> Problem {
        let why = "the committee has retired; its ledger can still be read";
        let problem = Problem::new(
            StatusCode::GONE,
            "retired",
            why,
            "go on with the replacement that the marker names",
        );
        match self.marker(index).await {
            Some(marker) => problem.retirement(marker),
            None => problem,
        }
    }

    pub(crate) async fn marker(&self, index: u64) -> Option<Retirement> {
        let service = std::sync::Arc::clone(&self.service);
        let leaf = tokio::task::spawn_blocking(move || service.entries(index, 1, 1)).await.ok()?.ok()?;
        crate::service::Retirement::of(index, leaf.first()?)
    }

    async fn refusal(&self, error: SubmitError) -> Problem {
        let why = error.to_string();
        let problem =
            |status: StatusCode, code: &str, hint: &str| Problem::new(status, code, why.clone(), hint);
        let again = "ask again under the same number, or another member";
        match error {
            SubmitError::UnknownSurface { surface, have } => unknown_surface(&surface, have),
            SubmitError::Malformed { why, .. } => Problem::malformed("body", why),
            SubmitError::TooLarge { .. } => {
                problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "submit less at once")
            }
            SubmitError::NonceTooOld { .. } => {
                problem(StatusCode::CONFLICT, "nonce-too-old", "count on from the largest number you used")
            }
            SubmitError::NonceUsed { .. } => problem(
                StatusCode::CONFLICT,
                "nonce-used",
                "a number names one command for ever; take another",
            ),
            SubmitError::NoLeader => {
                problem(StatusCode::SERVICE_UNAVAILABLE, "no-leader", again).retry_after(1)
            }
            SubmitError::Lost => problem(StatusCode::SERVICE_UNAVAILABLE, "lost", again).retry_after(1),
            SubmitError::Overloaded { .. } => {
                problem(StatusCode::SERVICE_UNAVAILABLE, "overloaded", again).retry_after(1)
            }
            SubmitError::Stalled { .. } => {
                problem(StatusCode::SERVICE_UNAVAILABLE, "stalled", again).retry_after(2)
            }
            SubmitError::Stopped { .. } => {
                problem(StatusCode::SERVICE_UNAVAILABLE, "stopped", "ask another member").retry_after(60)
            }
            SubmitError::Unclear => problem(
                StatusCode::GATEWAY_TIMEOUT,
                "outcome-unclear",
                "ask GET /fate/EPOCH/CLIENT/NONCE, submit the same again, or settle it with POST",
            ),
            SubmitError::Storage { .. } => problem(
                StatusCode::INSUFFICIENT_STORAGE,
                "no-space",
                "reads go on; ask another member to write",
            ),
            SubmitError::Retired { index } => self.retired(index).await,
            SubmitError::Refused { .. } => {
                problem(StatusCode::FORBIDDEN, "refused", "see which rule it names")
            }
        }
    }

    /// Reads a body within its size and time.
    pub(crate) async fn read<B>(&self, headers: &HeaderMap, body: B, most: usize) -> Result<Bytes, Problem>
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let too_large = || too_large(most).close();
        let length =
            headers.get(CONTENT_LENGTH).map(|value| value.to_str().unwrap_or_default().parse::<u64>());
        if length.is_some_and(|length| length.map_or(true, |length| length > most as u64)) {
            return Err(too_large());
        }
        match tokio::time::timeout(self.limits.body_time, Limited::new(body, most).collect()).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(error)) => Err(Problem::malformed("body", error).close()),
            Err(_) => {
                let why = format!("body: not here after {} s", self.limits.body_time.as_secs_f64());
                Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-body", why, "send it at once").close())
            }
        }
    }
}

fn too_large(most: usize) -> Problem {
    let why = format!("body: at most {most} bytes are taken");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", why, "submit less at once")
}

pub(crate) fn unknown_surface(surface: &str, names: Vec<String>) -> Problem {
    let why = format!("surface: there is no {}", printable(surface));
    let hint = "`surfaces` lists those that there are for this";
    Problem::new(StatusCode::NOT_FOUND, "unknown-surface", why, hint).surfaces(names)
}

fn client(headers: &HeaderMap) -> Result<ClientId, Problem> {
    let value = one(headers, CLIENT)?;
    value.parse().map_err(|error| Problem::malformed(CLIENT, error))
}

fn nonce(headers: &HeaderMap) -> Result<u64, Problem> {
    let value = one(headers, NONCE)?;
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse() {
        Ok(nonce) if digits => Ok(nonce),
        _ => Err(Problem::malformed(NONCE, format!("a decimal number below 2^64; got {}", printable(value)))),
    }
}

fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, Problem> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| Problem::malformed(name, "missing"))?;
    if values.next().is_some() {
        return Err(Problem::malformed(name, "given twice"));
    }
    value.to_str().map_err(|_| Problem::malformed(name, "not ASCII"))
}
