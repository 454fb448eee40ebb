//! How a connection is made.

use std::future::Future;
use std::io;
use std::pin::Pin;

use super::{BoxStream, Caller};

/// Where a peer is, and who must answer there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// `host:port`.
    pub address: String,
    /// SHA-256 of the key that it must prove to hold; `None` where any machine of the group will do.
    pub spki_sha256: Option<[u8; 32]>,
    /// The slot that it must be in; `None` where any will do.
    pub slot: Option<u16>,
}

/// A future of a connection.
pub type Dialling<'a> = Pin<Box<dyn Future<Output = io::Result<(BoxStream, Caller)>> + Send + 'a>>;

/// Makes connections, and proves to both ends who the other is.
pub trait Dialer: Send + Sync + 'static {
    /// Connects. Must fail where the other end is not who `target` says.
    fn dial<'a>(&'a self, target: &'a Target) -> Dialling<'a>;
}

/// A future of an accepted connection.
pub type Accepting<'a> = Pin<Box<dyn Future<Output = io::Result<(BoxStream, Caller)>> + Send + 'a>>;

/// Makes a raw stream that came in into a connection with a known caller.
pub trait Acceptor<S>: Send + Sync + 'static {
    /// Runs the accepting side of the handshake.
    fn accept<'a>(&'a self, stream: S) -> Accepting<'a>;
}

impl Target {
    /// Whether `found` is who was asked for.
    pub(crate) fn check(&self, found: &Caller) -> io::Result<()> {
        let wrong =
            |what: &str| Err(io::Error::other(format!("{}: another {what} answers there", self.address)));
        if self.spki_sha256.is_some_and(|due| due != found.spki_sha256) {
            return wrong("machine");
        }
        if self.slot.is_some_and(|due| found.slot() != Some(due)) {
            return wrong("slot");
        }
        Ok(())
    }
}
