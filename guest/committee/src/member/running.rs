//! What the rest of a member needs of its engine, whatever machine that replicates.

use std::future::Future;
use std::pin::Pin;

use hallmark_ledger::hash::Hash;

use crate::state::{Admitting, Proposal};
use crate::{PeerRequest, PeerResponse};

/// A future that a trait object returns.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A live engine.
pub(crate) trait Running: Send + Sync + 'static {
    /// Answers another member or a candidate.
    fn handle(&self, spki_sha256: [u8; 32], request: PeerRequest) -> Boxed<'_, PeerResponse>;

    /// Admits a machine whose evidence and signature were found good.
    fn admit(&self, admitting: Admitting) -> Boxed<'_, PeerResponse>;

    /// Orders a change that operators signed; the entry's index, or the refusal as a word and a reason.
    fn change(&self, proposal: Proposal) -> Boxed<'_, Result<u64, (&'static str, String)>>;

    /// The node that has a slot now.
    fn seated(&self, slot: u16) -> Option<u64>;

    /// How it stands.
    fn report(&self) -> Report;

    /// Ends it.
    fn stop(&self) -> Boxed<'_, ()>;
}

/// How an engine stands.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) epoch: u64,
    pub(crate) recoveries: u64,
    pub(crate) node: u64,
    pub(crate) role: &'static str,
    pub(crate) leader: Option<u64>,
    pub(crate) applied: u64,
    /// Leaves that it cosigned itself: they are on its disk.
    pub(crate) signed: u64,
    pub(crate) cosigned: u64,
    pub(crate) cosigned_root: Option<Hash>,
    /// What it lacks to count.
    pub(crate) lacks: Option<&'static str>,
    /// Why it cosigns no more.
    pub(crate) fault: Option<String>,
    /// Its slot has another machine, or operators expelled it: for good.
    pub(crate) is_out: bool,
}
