//! Refusals, as the wire has them: `{"code","why","hint"}` and a status that a program without our words understands.

use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::body::Body;

/// One refusal. `code` is what programs compare; `why` names the field or the rule; `hint` says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    retry_after: Option<u64>,
    allow: Option<&'static str>,
    close: bool,
    document: Box<Document>,
}

/// The JSON of a refusal. Read by the client library too, hence not strict about fields it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// A word in kebab case.
    pub code: String,
    /// What was wrong, at which field.
    pub why: String,
    /// What to do.
    pub hint: String,
    /// The surfaces that there are, where an unknown one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surfaces: Option<Vec<String>>,
    /// Where the committee has retired: the marker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retirement: Option<crate::service::Retirement>,
}

impl Problem {
    /// A refusal.
    #[must_use]
    pub fn new(status: StatusCode, code: impl Into<String>, why: impl Into<String>, hint: &str) -> Self {
        let document = Box::new(Document {
            code: code.into(),
            why: why.into(),
            hint: hint.into(),
            surfaces: None,
            retirement: None,
        });
        Self { status, retry_after: None, allow: None, close: false, document }
    }

    /// A field that is malformed: 400.
    #[must_use]
    pub fn malformed(field: &str, why: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            format!("{field}: {why}"),
            "see docs/requesters/committee.md for the form of each request",
        )
    }

    /// With `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// With `Allow`.
    #[must_use]
    pub(crate) fn allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    /// Closing the connection: the request's body was not read to its end.
    #[must_use]
    pub(crate) fn close(mut self) -> Self {
        self.close = true;
        self
    }

    /// With the names of the surfaces that there are.
    #[must_use]
    pub(crate) fn surfaces(mut self, names: Vec<String>) -> Self {
        self.document.surfaces = Some(names);
        self
    }

    /// With the marker of a retired committee.
    #[must_use]
    pub(crate) fn retirement(mut self, marker: crate::service::Retirement) -> Self {
        self.document.retirement = Some(marker);
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its JSON.
    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// What programs compare.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.document.code
    }

    /// The answer.
    pub(crate) fn into_response(self) -> Response<Body> {
        let json = serde_json::to_vec(&self.document).unwrap_or_default();
        let mut response = Response::new(Body::full(json));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// What an asker sent, fit to be sent back: at most 64 characters, graphic ASCII.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}
