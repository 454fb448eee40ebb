//! A log behind a plain HTTP address: the C2SP paths below it.
//!
//! No TLS: every byte is checked against the cosigned root, so it would add privacy and no integrity. What a server can do is to answer
//! slowly, not at all, or with an old checkpoint; times and sizes are bounded, and what was seen elsewhere is held against it with
//! `--checkpoint`.

use std::time::Duration;

use hallmark_ledger::source::{Source, SourceError};

/// A committee's or a mirror's address.
pub(super) struct Web {
    base: String,
    agent: ureq::Agent,
}

impl Web {
    /// `base` begins with `http://`.
    pub(super) fn new(base: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .timeout_global(Some(Duration::from_secs(300)))
            // What one host was asked is not for another to answer.
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent("assay")
            .build()
            .into();
        Self { base: base.trim_end_matches('/').to_owned(), agent }
    }
}

impl Source for Web {
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, SourceError> {
        let address = format!("{}/{path}", self.base);
        let failed = |why: String| SourceError { path: address.clone(), why };
        let mut answer = self.agent.get(&address).call().map_err(|e| failed(e.to_string()))?;
        match answer.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            other => return Err(failed(format!("answered with status {other}"))),
        }
        let limit64 = u64::try_from(limit).unwrap_or(u64::MAX);
        let bytes = answer.body_mut().with_config().limit(limit64.saturating_add(1)).read_to_vec();
        let bytes = bytes.map_err(|e| failed(e.to_string()))?;
        if bytes.len() > limit { Err(failed(format!("more than {limit} bytes"))) } else { Ok(Some(bytes)) }
    }
}
