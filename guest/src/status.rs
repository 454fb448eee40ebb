//! `GET /status`: what anyone may know of a running guest. Unauthenticated, like everything that is not evidence.

use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::evidence::Kind;
use crate::journal::{self, Journal};
use crate::kernel_modules::Report;
use crate::version::GUEST_VERSION;

/// Lines of the journal shown.
const TAIL: usize = 64;

/// What the parts of the guest know, gathered for `/status`.
#[derive(Debug)]
pub struct Status {
    /// What the guest said.
    pub journal: Journal,
    evidence: Option<Kind>,
    modules: Report,
    addresses: Mutex<Vec<Ipv4Addr>>,
}

/// The document.
#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    uptime_seconds: f64,
    evidence: Option<Kind>,
    addresses: &'a [Ipv4Addr],
    modules: &'a Report,
    log: Vec<String>,
}

impl Status {
    /// What is known before the network is up.
    #[must_use]
    pub const fn new(journal: Journal, evidence: Option<Kind>, modules: Report) -> Self {
        Self { journal, evidence, modules, addresses: Mutex::new(Vec::new()) }
    }

    /// Replaces the addresses.
    pub fn set_addresses(&self, addresses: Vec<Ipv4Addr>) {
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    /// The document as JSON.
    ///
    /// # Errors
    /// serde_json's, which these types do not give.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::to_vec(&Document {
            version: GUEST_VERSION,
            uptime_seconds: (journal::seconds_since_boot() * 100.0).round() / 100.0,
            evidence: self.evidence,
            addresses: &addresses,
            modules: &self.modules,
            log: self.journal.tail(TAIL),
        })
    }
}
