//! What each question is answered with.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, Response, StatusCode, header};
use tokio::sync::Semaphore;

use super::query::Query;
use crate::evidence::{NOTHING_BOUND, Source, evidence_json};
use crate::refusal::Refusal;
use crate::status::Status;

/// How long a question for evidence waits for its turn before it is told to come back.
const TURN: Duration = Duration::from_secs(5);

/// Answers questions. Evidence is made one at a time: a TPM or a quoting enclave takes no more.
pub struct Answerer {
    status: Arc<Status>,
    source: Option<Arc<Mutex<Box<dyn Source>>>>,
    turn: Arc<Semaphore>,
}

impl Answerer {
    /// Answers with this status, and with evidence from this source if there is one.
    #[must_use]
    pub fn new(status: Arc<Status>, source: Option<Box<dyn Source>>) -> Self {
        let source = source.map(|source| Arc::new(Mutex::new(source)));
        Self { status, source, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Answers one request. Its body is never read.
    pub async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let outcome = match request.uri().path() {
            _ if request.method() != Method::GET => Err(method_not_allowed(request.method())),
            "/status" => self.status(),
            "/evidence" => self.evidence(request.uri().query()).await,
            path => Err(not_found(path)),
        };
        match outcome {
            Ok(json) => response(StatusCode::OK, "application/json", json),
            Err(refusal) => {
                let status =
                    StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut response =
                    response(status, "text/plain; charset=utf-8", refusal.to_string().into_bytes());
                match status {
                    StatusCode::SERVICE_UNAVAILABLE => insert(&mut response, header::RETRY_AFTER, "2"),
                    StatusCode::METHOD_NOT_ALLOWED => insert(&mut response, header::ALLOW, "GET"),
                    _ => {}
                }
                response
            }
        }
    }

    fn status(&self) -> Result<Vec<u8>, Refusal> {
        self.status.to_json().map_err(|error| failed("status-failed", error.to_string()))
    }

    async fn evidence(&self, query: Option<&str>) -> Result<Vec<u8>, Refusal> {
        let Query { nonce } = Query::parse(query).map_err(|error| Refusal {
            status: 400,
            slug: "bad-nonce",
            what: "the question is not one for evidence".into(),
            why: error.to_string(),
            hint: "ask GET /evidence?nonce= with 64 hex digits (32 fresh random bytes), and nothing else",
        })?;
        let source = Arc::clone(self.source.as_ref().ok_or_else(no_platform)?);
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.turn).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(busy()) };
        let made = tokio::task::spawn_blocking(move || {
            // The turn is kept until the platform is done, even if the asker has gone away.
            let _turn = turn;
            let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
            evidence_json(source.as_mut(), &nonce, &NOTHING_BOUND)
        });
        match made.await {
            Ok(Ok(json)) => Ok(json),
            Ok(Err(error)) => {
                self.status.journal.line(&format!("evidence: {error}"));
                Err(failed("evidence-failed", error.to_string()))
            }
            Err(error) => Err(failed("evidence-failed", error.to_string())),
        }
    }
}

fn response(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    insert(&mut response, header::CONTENT_TYPE, kind);
    // Evidence answers one nonce; a cached one is of no use to anybody.
    insert(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

fn insert(response: &mut Response<Full<Bytes>>, name: header::HeaderName, value: &'static str) {
    response.headers_mut().insert(name, header::HeaderValue::from_static(value));
}

fn method_not_allowed(method: &Method) -> Refusal {
    Refusal {
        status: 405,
        slug: "bad-method",
        what: format!("{} is not answered", printable(method.as_str())),
        why: "nothing here can be changed from outside".into(),
        hint: "ask with GET",
    }
}

fn not_found(path: &str) -> Refusal {
    Refusal {
        status: 404,
        slug: "not-found",
        what: format!("there is no {}", printable(path)),
        why: "this guest answers /status and /evidence".into(),
        hint: "ask GET /status, or GET /evidence?nonce= with 64 hex digits",
    }
}

fn no_platform() -> Refusal {
    Refusal {
        status: 501,
        slug: "no-platform",
        what: "this machine has nothing to give evidence with".into(),
        why: "neither TDX, nor SEV-SNP, nor a TPM was found at boot".into(),
        hint: "boot the image as a confidential machine or with a TPM (mint boot --tpm)",
    }
}

fn busy() -> Refusal {
    Refusal {
        status: 503,
        slug: "busy",
        what: "other questions are before this one".into(),
        why: format!("evidence is made one at a time, and the turn did not come in {} s", TURN.as_secs()),
        hint: "ask again after Retry-After seconds",
    }
}

fn failed(slug: &'static str, why: String) -> Refusal {
    let hint =
        "look at the console, or at the log in /status; the fault is the machine's, not the question's";
    Refusal { status: 500, slug, what: "the machine could not answer".into(), why, hint }
}

/// What the asker sent, fit to be sent back.
fn printable(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}
