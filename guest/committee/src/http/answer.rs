//! What each question is answered with.

use std::net::IpAddr;
use std::sync::Arc;

use hallmark_ledger::cosignature::SignedCheckpoint;
use hallmark_ledger::tile::Coordinates;
use hyper::body::{Body as HttpBody, Bytes};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::body::Body;
use super::evidence;
use super::problem::Problem;
use super::route::Route;
use super::server::Surface;
use super::stream::{self, Wanted};
use super::write::unknown_surface;
use crate::service::{Lookup, Retirement, Service, ServiceError};

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let why = error.to_string();
        match error {
            ServiceError::NotReady { retry_after, .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", why, "ask again, or another member")
                    .retry_after(retry_after)
            }
            ServiceError::Ledger { .. } => {
                let hint = "the files of this member are being mended from its peers; ask another member";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "ledger-unreadable", why, hint).retry_after(5)
            }
        }
    }
}

/// A collection's entry.
#[derive(Serialize)]
struct Found<'a> {
    index: u64,
    leaf: &'a RawValue,
    proof: &'a [hallmark_ledger::hash::Hash],
    checkpoint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    word: Option<Lookup>,
}

/// That there is none, as a member signed it.
#[derive(Serialize)]
struct Denied<'a> {
    index: Option<u64>,
    checkpoint: &'a str,
    word: Lookup,
}

/// A status.
#[derive(Serialize)]
struct Standing {
    group: hallmark_coalition::UniqueId,
    #[serde(flatten)]
    status: crate::Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    retirement: Option<Retirement>,
}

/// A checkpoint and a member's word on it.
#[derive(Serialize)]
struct Challenged<'a> {
    checkpoint: &'a str,
    freshness: crate::service::Freshness,
}

impl Surface {
    /// Answers one request.
    pub(crate) async fn answer<B>(self: &Arc<Self>, request: Request<B>, from: IpAddr) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let route = Route::parse(request.method(), request.uri().path(), request.uri().query());
        self.metrics.request(route.as_ref().map_or("none", Route::name));
        let answered = match route {
            Ok(route) => self.route(route, request, from).await,
            Err(problem) => Err(problem),
        };
        answered.unwrap_or_else(|problem| {
            self.metrics.refusal(problem.code());
            problem.into_response()
        })
    }

    async fn route<B>(
        self: &Arc<Self>,
        route: Route,
        request: Request<B>,
        from: IpAddr,
    ) -> Result<Response<Body>, Problem>
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        match route {
            Route::Checkpoint { challenge, size } => self.checkpoint(challenge, size).await,
            Route::Tile(path) => self.tile(path).await,
            Route::Consistency { old, new } => {
                let newest = self.newest(None).await?.checkpoint().size;
                if old > new || new > newest {
                    let why = format!("at least `from`, at most {newest}, which is signed");
                    return Err(Problem::malformed("to", why));
                }
                let proof = self.blocking(move |service| service.consistency(old, new)).await?;
                json(&proof)
            }
            Route::Entries { from, limit } => self.lines(None, (from, limit), false, false),
            Route::Stream { name, from, limit, follow, proofs } => {
                self.known(&name)?;
                self.lines(Some(name), (from, limit), follow, proofs)
            }
            Route::Collection { name, key, challenge } => self.collection(&name, &key, challenge).await,
            Route::Roster => {
                let roster = self.service.roster().ok_or_else(not_ready)?;
                Ok(response(JSON, "no-cache", roster.json()))
            }
            Route::Evidence => json(&self.blocking(evidence::members).await?.ok_or_else(not_ready)?),
            Route::EvidenceOf { node, collateral } => {
                self.rate(from)?;
                let of = move |service: &dyn Service| evidence::of(service, node, collateral);
                let bytes = self.blocking(of).await?.ok_or_else(|| evidence::none(node, collateral))?;
                Ok(response(JSON, "public, max-age=31536000, immutable", bytes))
            }
            Route::Metrics => {
                let text = self.metrics.text(&self.service.status(), &self.service.counters());
                Ok(response("text/plain; version=0.0.4; charset=utf-8", "no-store", text))
            }
            Route::Status => {
                let status = self.service.status();
                let retirement = match status.retired {
                    Some(index) => self.marker(index).await,
                    None => None,
                };
                json(&Standing { group: self.service.group(), status, retirement })
            }
            Route::Submit { surface } => {
                self.submit(surface, request, from).await.map(|json| response(JSON, "no-store", json))
            }
            Route::SubmitTogether => {
                let lines = self.submit_together(request, from).await?;
                Ok(headed(LINES, "no-store", Body::Together(Box::new(lines))))
            }
            Route::Fate(id) => self.fate(id).await.map(|json| response(JSON, "no-store", json)),
            Route::Settle(id) => {
                self.settle(id, request.headers(), from).await.map(|json| response(JSON, "no-store", json))
            }
        }
    }

    /// The newest checkpoint; where a size is given, one that covers it, waited for within bounds.
    async fn newest(&self, size: Option<u64>) -> Result<Arc<SignedCheckpoint>, Problem> {
        let mut checkpoints: watch::Receiver<_> = self.service.checkpoint();
        let covers = |newest: &Option<Arc<SignedCheckpoint>>| {
            newest.as_ref().is_some_and(|newest| size.is_none_or(|size| newest.checkpoint().size >= size))
        };
        let Some(size) = size else {
            return checkpoints.borrow().clone().ok_or_else(not_ready);
        };
        match tokio::time::timeout(self.limits.submit_time, checkpoints.wait_for(covers)).await {
            Ok(Ok(newest)) => newest.clone().ok_or_else(not_ready),
            _ => {
                let why = format!("no checkpoint of {size} entries or more yet");
                Err(ServiceError::NotReady { why, retry_after: 1 }.into())
            }
        }
    }

    async fn checkpoint(
        &self,
        challenge: Option<[u8; 32]>,
        size: Option<u64>,
    ) -> Result<Response<Body>, Problem> {
        let Some(nonce) = challenge else {
            let newest = self.newest(size).await?;
            return Ok(response("text/plain; charset=utf-8", "no-cache", newest.note().to_owned()));
        };
        let freshness = self.service.freshness(nonce).await?;
        let newest = self.newest(size).await?;
        json(&Challenged { checkpoint: newest.note(), freshness })
    }

    async fn tile(&self, path: String) -> Result<Response<Body>, Problem> {
        let tile: Coordinates = path.parse().map_err(|error| Problem::malformed("path", error))?;
        let bytes = self.blocking(move |service| service.tile(&tile)).await?;
        let Some(bytes) = bytes else {
            let why = format!("path: no signed tree has {tile}");
            return Err(Problem::new(
                StatusCode::NOT_FOUND,
                "no-such-tile",
                why,
                "see /checkpoint for the size; a tile that is not full yet is asked for by its width: tile/0/000.p/11",
            ));
        };
        // A tile is final by its name: C2SP tlog-tiles. A partial one may go once the full one is there.
        Ok(response("application/octet-stream", "public, max-age=31536000, immutable", bytes))
    }

    fn known(&self, name: &str) -> Result<(), Problem> {
        let mut names: Vec<String> =
            self.service.surfaces().iter().map(|s| s.name.as_str().to_owned()).collect();
        names.extend(self.index.names().into_iter().filter(|name| name.starts_with("committee.")));
        let system = name.starts_with("committee.") && hallmark_ledger::entry::is_surface(name);
        if system || names.iter().any(|known| known == name) {
            Ok(())
        } else {
            Err(unknown_surface(name, names))
        }
    }

    fn lines(
        &self,
        surface: Option<String>,
        (from, limit): (u64, Option<usize>),
        follow: bool,
        proofs: bool,
    ) -> Result<Response<Body>, Problem> {
        if self.index.seen().borrow().is_none() {
            return Err(not_ready());
        }
        let place = if follow {
            let place = Arc::clone(&self.followers).try_acquire_owned().map_err(|_| {
                let why = "as many readers follow as this member serves";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-followers", why, "ask another member")
                    .retry_after(5)
            })?;
            Some(place)
        } else {
            None
        };
        let most = limit.unwrap_or(usize::MAX).min(self.limits.entries) as u64;
        let wanted = Wanted { surface, from, limit: (!follow).then_some(most), proofs };
        let body =
            stream::lines(Arc::clone(&self.service), Arc::clone(&self.index), &self.limits, wanted, place);
        Ok(headed(LINES, "no-store", body))
    }

    async fn collection(
        &self,
        name: &str,
        key: &str,
        challenge: Option<[u8; 32]>,
    ) -> Result<Response<Body>, Problem> {
        self.known(name)?;
        let (index, checkpoint) = self.index.last(name, key);
        let checkpoint = checkpoint.ok_or_else(not_ready)?;
        let word =
            challenge.map(|nonce| self.service.lookup(&nonce, checkpoint.checkpoint(), (name, key), index));
        let word = word.transpose()?;
        let Some(index) = index else {
            if let Some(word) = word {
                return json(&Denied { index: None, checkpoint: checkpoint.note(), word });
            }
            let why = format!("key: none of that name as of size {}", checkpoint.checkpoint().size);
            let hint = "that is this member's word: have it signed with ?challenge=, or follow the stream to see for yourself";
            return Err(Problem::new(StatusCode::NOT_FOUND, "no-such-key", why, hint));
        };
        let size = checkpoint.checkpoint().size;
        let read =
            move |service: &dyn Service| Ok((service.entries(index, 1, 1)?, service.inclusion(index, size)?));
        let (leaves, proof) = self.blocking(read).await?;
        let unreadable = |why: String| Problem::from(ServiceError::Ledger { why });
        let leaf = leaves.first().ok_or_else(|| unreadable(format!("no entry {index}")))?;
        let leaf = serde_json::from_slice(leaf).map_err(|error| unreadable(error.to_string()))?;
        json(&Found { index, leaf, proof: &proof.path, checkpoint: checkpoint.note(), word })
    }

    /// Reads off the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Service) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, Problem> {
        let service = Arc::clone(&self.service);
        match tokio::task::spawn_blocking(move || read(&*service)).await {
            Ok(read) => read.map_err(Problem::from),
            Err(error) => Err(ServiceError::Ledger { why: error.to_string() }.into()),
        }
    }
}

fn not_ready() -> Problem {
    let why = "no checkpoint under a quorum's cosignatures is here yet";
    ServiceError::NotReady { why: why.into(), retry_after: 1 }.into()
}

fn json(value: &impl Serialize) -> Result<Response<Body>, Problem> {
    let json = serde_json::to_vec(value)
        .map_err(|error| Problem::from(ServiceError::Ledger { why: error.to_string() }))?;
    Ok(response(JSON, "no-store", json))
}

fn response(kind: &'static str, cache: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    headed(kind, cache, Body::full(body))
}

fn headed(kind: &'static str, cache: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    set(&mut response, header::CONTENT_TYPE, kind);
    set(&mut response, header::CACHE_CONTROL, cache);
    response
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}
