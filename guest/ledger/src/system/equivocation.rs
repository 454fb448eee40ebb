//! `committee.equivocation` and `committee.expulsion`: a member that signed two histories.

use hallmark_coalition::{Acl, UniqueId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Member, OperatorError, SlotSignature, operators};
use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    cosignature::{CosignatureError, cosignature_of},
    encoding::Message,
    note::{Note, NoteError},
};

/// Two checkpoints of one size and two roots, both cosigned by one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivocation {
    /// The member.
    pub node: u64,
    /// One note.
    pub first: String,
    /// The other.
    pub second: String,
}

/// Why two notes convict nobody.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EquivocationError {
    /// Not a note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A wrong signature.
    #[error(transparent)]
    Cosignature(#[from] CosignatureError),
    /// The member did not sign both.
    #[error("node {0} did not sign both checkpoints")]
    Unsigned(u64),
    /// They go together.
    #[error(
        "the checkpoints ({first_size}, {second_size}) do not contradict each other: same origin, same size, two roots are needed"
    )]
    Consistent {
        /// Size of one.
        first_size: u64,
        /// Size of the other.
        second_size: u64,
    },
}

impl Equivocation {
    /// Whether it convicts this member.
    ///
    /// # Errors
    /// Where it does not.
    pub fn verify(&self, member: &Member) -> Result<(), EquivocationError> {
        let read = |text: &str| -> Result<Checkpoint, EquivocationError> {
            let note = Note::parse(text.as_bytes())?;
            let checkpoint = Checkpoint::parse(note.text())?;
            match cosignature_of(&note, &checkpoint, member)? {
                Some(_) if member.node == self.node => Ok(checkpoint),
                _ => Err(EquivocationError::Unsigned(self.node)),
            }
        };
        let (first, second) = (read(&self.first)?, read(&self.second)?);
        if first.origin == second.origin && first.size == second.size && first.root != second.root {
            Ok(())
        } else {
            Err(EquivocationError::Consistent { first_size: first.size, second_size: second.size })
        }
    }
}

/// A member is put out of its slot. What it signs afterwards does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expulsion {
    /// The member.
    pub node: u64,
    /// Why, for people.
    pub why: String,
    /// A quorum of slot operators over [`Expulsion::message`].
    pub signatures: Vec<SlotSignature>,
}

impl Expulsion {
    /// What slot operators sign.
    #[must_use]
    pub fn message(&self, group: &UniqueId, epoch: u64) -> Vec<u8> {
        Message::new("hallmark/expulsion/1")
            .field(group)
            .number(epoch)
            .number(self.node)
            .field(&self.why)
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
