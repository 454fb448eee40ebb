//! What can be ordered.

use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::{Admission, Endorsement, Equivocation, Expulsion, Release, Retirement};
use hallmark_machine::ClientId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Admitting, Founding};
use crate::engine::Submission;

/// One thing to be ordered. Whatever is in it, [`super::State::apply`] checks it again: a leader may run other code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Proposal {
    /// The beginning of an epoch; the first thing in it and only there.
    Found(Box<Founding>),
    /// A client's command.
    Submission(Submission),
    /// Makes the fate of `(client, nonce)` final: where nothing was applied under it, nothing will be.
    Settle {
        /// The client.
        client: ClientId,
        /// The client's number.
        nonce: u64,
    },
    /// A machine takes a slot.
    Admit(Box<Admitting>),
    /// Members judged a fact from outside.
    Endorse {
        /// Who judged what.
        endorsement: Box<Endorsement>,
        /// Bytes that it names by hash: evidence, collateral.
        blobs: Vec<Vec<u8>>,
    },
    /// A release comes in or goes out.
    Release(Release),
    /// A member signed two histories.
    Equivocation(Equivocation),
    /// A member is put out.
    Expel(Expulsion),
    /// The end.
    Retire(Retirement),
    /// Writes the state's digest into the ledger, and makes the state the snapshot. The last of its batch.
    Snapshot,
}

/// By what a proposal is known to those who wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProposalId {
    /// A submission, or its settlement.
    Command(ClientId, u64),
    /// Any other, by the SHA-256 of its bytes.
    Committee(Hash),
}

impl Proposal {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> ProposalId {
        match self {
            Self::Submission(Submission { client, nonce, .. }) | Self::Settle { client, nonce } => {
                ProposalId::Command(*client, *nonce)
            }
            other => {
                let bytes = postcard::to_allocvec(other).unwrap_or_default();
                ProposalId::Committee(Hash(Sha256::digest(&bytes).into()))
            }
        }
    }

    /// Roughly how many bytes it takes in a batch.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Submission(submission) => submission.body.len() + submission.surface.len() + 96,
            Self::Settle { .. } | Self::Snapshot => 96,
            other => postcard::to_allocvec(other).map_or(0, |bytes| bytes.len()),
        }
    }

    /// The surface of the committee on which it is published, if it is not a client's.
    #[must_use]
    pub const fn surface(&self) -> &'static str {
        match self {
            Self::Found(_) => "committee.genesis",
            Self::Submission(_) => "",
            Self::Settle { .. } => "committee.rejection",
            Self::Admit(_) => "committee.admission",
            Self::Endorse { .. } => "committee.endorsement",
            Self::Release(_) => "committee.release",
            Self::Equivocation(_) => "committee.equivocation",
            Self::Expel(_) => "committee.expulsion",
            Self::Retire(_) => "committee.retirement",
            Self::Snapshot => "committee.snapshot",
        }
    }
}

impl From<Admission> for Admitting {
    fn from(admission: Admission) -> Self {
        Self { admission, evidence: Vec::new(), collateral: None, address: String::new() }
    }
}
