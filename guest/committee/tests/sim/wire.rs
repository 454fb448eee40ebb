//! What goes over the simulated network: one question and one answer a connection.

use hallmark_committee::{Admitting, Outcome, PeerRequest, PeerResponse, Submission, SubmitError};
use hallmark_machine::ClientId;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    Peer(PeerRequest),
    Admit(Box<Admitting>),
    Submit(Submission),
    Settle {
        client: ClientId,
        nonce: u64,
    },
    /// A freshness challenge.
    Challenge([u8; 32]),
    /// The value of a key under a checkpoint of at least so many leaves.
    Read {
        key: String,
        size: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Peer(PeerResponse),
    Admitted(Result<u64, String>),
    /// The outcome, with the epoch and the size of the checkpoint that covers it.
    Receipt(Result<(Outcome, u64, u64), SubmitError>),
    /// Of a settlement: as [`Answer::Receipt`], or nothing where the nonce is too old to tell.
    Settled(Result<Option<(Outcome, u64, u64)>, SubmitError>),
    Fresh(Option<u64>),
    Value {
        value: Option<String>,
        size: u64,
        epoch: u64,
    },
    NotReady,
}
