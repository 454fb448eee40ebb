//! The client library: submits, reads and follows, and believes nothing that a quorum of the committee's machines did not sign.
//!
//! A client is given a [`Committee`](hallmark_coalition::Committee) and addresses. The committee's id folds the slot operators' keys; the genesis must have that id, and each
//! admission must be signed by its slot's operator. So the members' keys follow from the identity, whoever answers at the addresses.
//!
//! # What it does not check or promise
//!
//! - **It judges no quote.** That an admitted machine runs the release is what the committee checked and `assay audit` checks again; a client trusts the slot operators'
//!   signatures and q of n machines.
//! - **That a key's entry is the last one, or that there is none, is the word of whoever answers at the address**; [`Collection::get_fresh`] has members of q slots sign
//!   what they say, one of which is honest where fewer than q lie.
//! - **A recovery may have dropped what was acknowledged.** The client follows a recovery that q operators signed, keeps the proof where the new tree lacks what it
//!   had seen signed ([`Client::truncation`]), and can ask whether a receipt still holds ([`Client::confirm`]).
//! - **It does not see a fork that it is not shown.** Two histories that it meets are kept as a [`Fork`]; comparing with others is theirs to do.
//! - **Consistency is proven once every [`Options::prove_every`]** by whoever submits then (by somebody else a while later where no proof came), and before each read, not for each receipt.
//! - **Former members' keys** live in RAM and die with the machine; a client that is started anew long after trusts that q of them were not stolen.

mod confirm;
mod connection;
mod error;
mod fresh;
mod line;
mod options;
mod read;
mod roster;
mod submit;
mod ticket_key;
mod together;
mod track;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hallmark_coalition::{Committee, UniqueId};

pub use error::{ClientError, Fork, Truncation};
pub use options::{Credential, Options};
pub use read::{Collection, Item, Stream, collection, stream};
pub use submit::{Decided, Receipt};
pub use ticket_key::TicketKey;
pub use track::Verified;

use connection::Endpoint;

/// A client of one committee. Cheap to clone; clones share connections and what was verified.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    committee: Committee,
    group: UniqueId,
    endpoints: Vec<Arc<Endpoint>>,
    options: Options,
    track: Mutex<track::Track>,
}

impl Client {
    /// A client of a committee whose members answer at these addresses (`HOST:PORT`). Nothing is asked yet.
    #[must_use]
    pub fn new(committee: Committee, addresses: impl IntoIterator<Item = String>, options: Options) -> Self {
        let endpoints = addresses.into_iter().map(|address| Arc::new(Endpoint::new(address))).collect();
        let group = committee.id();
        Self { inner: Arc::new(Inner { group, committee, endpoints, options, track: Mutex::default() }) }
    }

    fn track(&self) -> MutexGuard<'_, track::Track> {
        self.inner.track.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The two histories that it was shown, if it was.
    #[must_use]
    pub fn fork(&self) -> Option<Fork> {
        self.track().fork.clone()
    }

    /// Proof that a recovery dropped entries which this client had seen under a quorum's cosignatures, if one did.
    #[must_use]
    pub fn truncation(&self) -> Option<Truncation> {
        self.track().truncation.clone()
    }
}
