//! `committee.recovery`: quorum was lost, and the log goes on under another key.

use hallmark_coalition::{self as coalition, Acl, UniqueId};
use serde::{Deserialize, Serialize};

use super::{OperatorError, SlotSignature, operators};
use crate::{checkpoint, encoding::Message, hash::Hash, note::Verifier};

/// The log goes on from `size` in a new epoch. It is the entry at that index; entries that others may have seen behind it are gone, and a
/// receipt for one of them proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    /// The epoch that ended.
    pub old_epoch: u64,
    /// Its log key.
    pub old_log_key: String,
    /// Entries that survive.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// The old epoch's cosigned checkpoint of that size: the note.
    pub checkpoint: String,
    /// The new epoch: one more.
    pub new_epoch: u64,
    /// Its log key; the name is the new origin.
    pub new_log_key: String,
    /// Recoveries so far, this one included.
    pub recoveries: u64,
    /// Who starts the new epoch, slots ascending. Their admissions follow before any checkpoint.
    pub members: Vec<Candidate>,
    /// A quorum of slot operators over [`Recovery::message`]; may be empty where the ACL says `automatic`.
    pub signatures: Vec<SlotSignature>,
}

/// A machine that is about to be admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// Its slot.
    pub slot: u16,
    /// Its Ed25519 cosign key.
    #[serde(with = "crate::encoding::base64")]
    pub cosign_key: [u8; 32],
    /// SHA-256 of its channel key's SubjectPublicKeyInfo.
    #[serde(with = "crate::encoding::hex_array")]
    pub spki_sha256: [u8; 32],
}

impl Recovery {
    /// What slot operators sign.
    #[must_use]
    pub fn message(&self, group: &UniqueId) -> Vec<u8> {
        let members = self.members.iter().fold(Message::new(""), |message, member| {
            message.number(member.slot).field(member.cosign_key).field(member.spki_sha256)
        });
        Message::new("hallmark/recovery/1")
            .field(group)
            .number(self.old_epoch)
            .field(&self.old_log_key)
            .number(self.size)
            .field(self.root)
            .field(Hash::of(&self.checkpoint))
            .number(self.new_epoch)
            .field(&self.new_log_key)
            .number(self.recoveries)
            .field(members.bytes())
            .bytes()
    }

    /// The new log key, if it is one and bears the new origin's name.
    #[must_use]
    pub fn new_log_key(&self, group: &UniqueId) -> Option<Verifier> {
        let key = Verifier::parse(&self.new_log_key).ok()?;
        let named = key.name() == checkpoint::origin(group.as_bytes(), self.new_epoch);
        (named && key.to_string() == self.new_log_key).then_some(key)
    }

    /// Whether a quorum of slot operators signed it, or the ACL lets members recover by themselves and nobody did.
    ///
    /// # Errors
    /// Where neither is so.
    pub fn verify(&self, acl: &Acl, group: &UniqueId) -> Result<(), OperatorError> {
        if acl.recovery() == coalition::Recovery::Automatic && self.signatures.is_empty() {
            return Ok(());
        }
        operators::quorum(acl, &self.message(group), &self.signatures)
    }
}
