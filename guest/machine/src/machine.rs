//! The trait.

use thiserror::Error;

use crate::{Context, Draft, Malformed, Rejection, Surface};

/// A replicated service, as one pure function.
///
/// Every member applies the same commands in the same order, and must come to the same entries and the same snapshot, byte for
/// byte: members cosign the ledger that this function wrote.
pub trait Machine: Send + Sync + Sized + 'static {
    /// A command, valid by construction.
    type Command: Send;

    /// The state before the first command.
    fn new() -> Self;

    /// What it publishes, and where it takes commands. Fixed for a machine.
    fn surfaces(&self) -> &'static [Surface];

    /// Reads a submission. Called before it is ordered, and again, with the same bytes, when it is applied.
    ///
    /// # Errors
    /// Where the bytes are no command of that surface. Must depend on the arguments alone.
    fn parse(surface: &str, body: &[u8]) -> Result<Self::Command, Malformed>;

    /// Applies a command: the entries it publishes, at least one, or the reason why not. On a rejection the state must be what it was.
    ///
    /// # Errors
    /// A rejection is an answer, recorded in the ledger like any other.
    fn apply(&mut self, context: &Context<'_>, command: Self::Command) -> Result<Vec<Draft>, Rejection>;

    /// The whole state. Equal states give equal bytes.
    fn snapshot(&self) -> Vec<u8>;

    /// The state that a snapshot describes.
    ///
    /// # Errors
    /// Where the bytes are no snapshot of this machine.
    fn restore(bytes: &[u8]) -> Result<Self, RestoreError>;
}

/// Bytes that are no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a snapshot of {machine}: {why}")]
pub struct RestoreError {
    /// The machine that was asked.
    pub machine: &'static str,
    /// What is wrong, and where.
    pub why: String,
}
