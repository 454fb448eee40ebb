//! `committee.admission`: a machine takes a slot.

use hallmark_coalition::UniqueId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};

use crate::{cosignature, encoding::Message, hash::Hash};

/// A machine takes a slot. Its node id is the index of this entry. The evidence and collateral are [`super::Blob`]s before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// The slot.
    pub slot: u16,
    /// Ed25519 key that the member cosigns with. Never admitted before.
    #[serde(with = "crate::encoding::base64")]
    pub cosign_key: [u8; 32],
    /// SubjectPublicKeyInfo of the member's channel key, DER. Never admitted before.
    #[serde(with = "crate::encoding::base64")]
    pub spki: Vec<u8>,
    /// X25519 key for what is sealed to this member, where it takes any.
    #[serde(default, with = "crate::encoding::base64_option")]
    pub hpke_key: Option<[u8; 32]>,
    /// Size of the tree whose root the statement is bound to.
    pub checkpoint_size: u64,
    /// That root: the statement is not older than it. The empty tree's before the first checkpoint.
    pub checkpoint_root: Hash,
    /// SHA-256 of the evidence (`evidence.json`) whose report data is the statement's binding.
    pub evidence: Hash,
    /// SHA-256 of the collateral it was judged with, where there was any.
    pub collateral: Option<Hash>,
    /// When the member that ordered it judged the evidence, Unix seconds by its own clock.
    pub time: u64,
    /// The slot's operator over [`slot_message`].
    #[serde(with = "crate::encoding::base64")]
    pub slot_signature: [u8; 64],
    /// The node that had the slot, if it was taken.
    pub replaces: Option<u64>,
}

/// What a machine says of itself in a quote that convinces others later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The committee.
    pub group: UniqueId,
    /// Its epoch.
    pub epoch: u64,
    /// The slot that the machine wants.
    pub slot: u16,
    /// Its cosign key.
    #[serde(with = "crate::encoding::base64")]
    pub cosign_key: [u8; 32],
    /// SHA-256 of its channel key's SubjectPublicKeyInfo.
    #[serde(with = "crate::encoding::hex_array")]
    pub spki_sha256: [u8; 32],
    /// Its X25519 key, where it takes sealed messages.
    #[serde(default, with = "crate::encoding::base64_option")]
    pub hpke_key: Option<[u8; 32]>,
    /// Size of a recent tree.
    pub checkpoint_size: u64,
    /// Its root.
    pub checkpoint_root: Hash,
}

impl Statement {
    /// What goes into the quote: `SHA-512("hallmark/statement/1" || group || epoch || slot || cosign key || SHA-256(SPKI) || HPKE key or
    /// nothing || size || root)`, each field behind its u32 LE length.
    #[must_use]
    pub fn binding(&self) -> [u8; 64] {
        let message = Message::new("hallmark/statement/1")
            .field(self.group)
            .number(self.epoch)
            .number(self.slot)
            .field(self.cosign_key)
            .field(self.spki_sha256)
            .field(self.hpke_key.as_ref().map_or(&[][..], |key| key))
            .number(self.checkpoint_size)
            .field(self.checkpoint_root);
        Sha512::digest(message.bytes()).into()
    }
}

/// What a slot's operator signs to admit a machine. The node id is not known yet: the fresh keys stand for it.
#[must_use]
pub fn slot_message(
    group: &UniqueId,
    epoch: u64,
    slot: u16,
    cosign_key: &[u8; 32],
    spki_sha256: &[u8; 32],
    evidence_sha256: &Hash,
) -> Vec<u8> {
    Message::new("hallmark/slot/1")
        .field(group)
        .number(epoch)
        .number(slot)
        .field(cosign_key)
        .field(spki_sha256)
        .field(evidence_sha256)
        .bytes()
}

impl Admission {
    /// SHA-256 of the channel key.
    #[must_use]
    pub fn spki_sha256(&self) -> [u8; 32] {
        Hash::of(&self.spki).0
    }

    /// The statement that the evidence must be bound to.
    #[must_use]
    pub fn statement(&self, group: UniqueId, epoch: u64) -> Statement {
        Statement {
            group,
            epoch,
            slot: self.slot,
            cosign_key: self.cosign_key,
            spki_sha256: self.spki_sha256(),
            hpke_key: self.hpke_key,
            checkpoint_size: self.checkpoint_size,
            checkpoint_root: self.checkpoint_root,
        }
    }

    /// Whether the slot's operator signed it.
    #[must_use]
    pub fn is_signed_by(&self, operator: &[u8; 32], group: &UniqueId, epoch: u64) -> bool {
        let Self { slot, cosign_key, evidence, slot_signature, .. } = self;
        let message = slot_message(group, epoch, *slot, cosign_key, &self.spki_sha256(), evidence);
        cosignature::signed(operator, &message, slot_signature)
    }
}
