//! `committee.release`: which releases' machines may be members.

use hallmark_coalition::{Acl, UniqueId};
use serde::{Deserialize, Serialize};

use super::{OperatorError, SlotSignature, operators};
use crate::{encoding::Message, hash::Hash};

/// A release comes in or goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// SHA-256 of the release document.
    pub sha256: Hash,
    /// In or out.
    pub action: ReleaseAction,
    /// A quorum of slot operators over [`Release::message`].
    pub signatures: Vec<SlotSignature>,
}

/// In or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseAction {
    /// Machines of this release may be admitted.
    Admit,
    /// They may no longer. Members already admitted stay.
    Retire,
}

impl Release {
    /// What slot operators sign.
    #[must_use]
    pub fn message(&self, group: &UniqueId, epoch: u64) -> Vec<u8> {
        let action = match self.action {
            ReleaseAction::Admit => "admit",
            ReleaseAction::Retire => "retire",
        };
        Message::new("hallmark/release/1").field(group).number(epoch).field(self.sha256).field(action).bytes()
    }

    /// Whether a quorum of slot operators signed it.
    ///
    /// # Errors
    /// Where it did not.
    pub fn verify(&self, acl: &Acl, group: &UniqueId, epoch: u64) -> Result<(), OperatorError> {
        operators::quorum(acl, &self.message(group, epoch), &self.signatures)
    }
}
