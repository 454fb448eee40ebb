//! `committee.retirement`: the last entry.

use hallmark_coalition::{Acl, UniqueId};
use serde::{Deserialize, Serialize};

use super::{OperatorError, SlotSignature, operators};
use crate::encoding::Message;

/// The committee has ended; the log takes no further entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retirement {
    /// From when readers follow the replacement, Unix seconds.
    pub effective_at: u64,
    /// Group of the committee that takes over.
    pub replacement: Option<UniqueId>,
    /// A quorum of slot operators over [`Retirement::message`].
    pub signatures: Vec<SlotSignature>,
}

impl Retirement {
    /// What slot operators sign.
    #[must_use]
    pub fn message(&self, group: &UniqueId, epoch: u64) -> Vec<u8> {
        Message::new("hallmark/retirement/1")
            .field(group)
            .number(epoch)
            .number(self.effective_at)
            .field(self.replacement.map(|group| group.as_bytes().to_vec()).unwrap_or_default())
            .bytes()
    }

    /// Whether a quorum of slot operators signed it.
    ///
    /// # Errors
    /// Where it did not.
    pub fn verify(&self, acl: &Acl, group: &UniqueId, epoch: u64) -> Result<(), OperatorError> {
        operators::quorum(acl, &self.message(group, epoch), &self.signatures)
    }
}
