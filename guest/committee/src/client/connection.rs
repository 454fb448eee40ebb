//! Requests to one member, over connections that are kept.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::ClientError;
use super::together::Crowd;
use crate::http::Document;

/// Most bytes of an answer that is read in full.
const MAX_ANSWER: usize = 32 << 20;
/// Connections that are kept.
const KEPT: usize = 512;

/// One member's address.
pub(super) struct Endpoint {
    pub(super) address: String,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    /// Submissions that wait for company.
    pub(super) crowd: Crowd,
}

/// A connection while its answer is read.
pub(super) type Busy = SendRequest<Full<Bytes>>;

/// What is asked.
pub(super) struct Ask<'a> {
    pub(super) method: &'static str,
    pub(super) target: &'a str,
    pub(super) headers: &'a [(&'static str, String)],
    pub(super) body: Bytes,
}

impl<'a> Ask<'a> {
    pub(super) fn get(target: &'a str) -> Self {
        Self { method: "GET", target, headers: &[], body: Bytes::new() }
    }
}

impl Endpoint {
    pub(super) fn new(address: String) -> Self {
        Self { address, idle: Mutex::default(), crowd: Crowd::default() }
    }

    /// Asks, and reads the whole answer. A refusal is an error with its document.
    pub(super) async fn ask(&self, ask: &Ask<'_>, limit: Duration) -> Result<Bytes, ClientError> {
        let failed = |error: &dyn std::fmt::Display| ClientError::connection(&self.address, error);
        let exchange = async {
            let (sender, response) = self.send(ask).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await
                .map_err(|e| failed(&e))?
                .to_bytes();
            self.keep(sender).await;
            if status.is_success() { Ok(body) } else { Err(self.refusal(status.as_u16(), &body)) }
        };
        match tokio::time::timeout(limit, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(failed(&format_args!("no answer in {} s", limit.as_secs_f64()))),
        }
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) async fn keep(&self, mut sender: Busy) {
        if sender.ready().await.is_ok() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < KEPT {
                idle.push(sender);
            }
        }
    }

    /// Asks for what is read as it comes.
    pub(super) async fn open(&self, ask: &Ask<'_>, limit: Duration) -> Result<(Busy, Incoming), ClientError> {
        let opened = async {
            let (sender, response) = self.send(ask).await?;
            let status = response.status();
            if status.is_success() {
                return Ok((sender, response.into_body()));
            }
            let body = Limited::new(response.into_body(), 1 << 16).collect().await;
            let body = body.map_err(|error| ClientError::connection(&self.address, error))?.to_bytes();
            Err(self.refusal(status.as_u16(), &body))
        };
        match tokio::time::timeout(limit, opened).await {
            Ok(opened) => opened,
            Err(_) => Err(ClientError::connection(&self.address, "no answer in time")),
        }
    }

    async fn send(&self, ask: &Ask<'_>) -> Result<(Busy, Response<Incoming>), ClientError> {
        let failed = |error: &dyn std::fmt::Display| ClientError::connection(&self.address, error);
        let request = || {
            let builder = Request::builder().method(ask.method).uri(ask.target).header("host", &self.address);
            let builder =
                ask.headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, value));
            builder.body(Full::new(ask.body.clone())).map_err(|error| failed(&error))
        };
        // A kept connection may have been closed meanwhile; then a new one is made. All that is asked can be asked twice.
        loop {
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut sender) = kept else { break };
            if sender.is_closed() {
                continue;
            }
            if let Ok(response) = sender.send_request(request()?).await {
                return Ok((sender, response));
            }
        }
        let stream = TcpStream::connect(&self.address).await.map_err(|error| failed(&error))?;
        let _ = stream.set_nodelay(true);
        let (mut sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        tokio::spawn(connection);
        let response = sender.send_request(request()?).await.map_err(|error| failed(&error))?;
        Ok((sender, response))
    }

    fn refusal(&self, status: u16, body: &[u8]) -> ClientError {
        match serde_json::from_slice::<Document>(body) {
            Ok(document) => ClientError::refused(status, document),
            Err(_) => {
                ClientError::connection(&self.address, format_args!("status {status} without a reason"))
            }
        }
    }
}
