//! Who the members are at one size.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::hash::Hash;

/// The members at one size of the log, by slot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// The epoch.
    pub epoch: u64,
    /// One member a slot at most.
    pub members: BTreeMap<u16, Member>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Index of its admission entry.
    pub node: u64,
    /// Its slot.
    pub slot: u16,
    /// Its Ed25519 cosign key.
    #[serde(with = "crate::encoding::base64")]
    pub cosign_key: [u8; 32],
    /// SHA-256 of its channel key's SubjectPublicKeyInfo.
    #[serde(with = "crate::encoding::hex_array")]
    pub spki_sha256: [u8; 32],
}

impl Roster {
    /// Its JSON: `{"epoch":0,"members":{"0":{"node":..,"slot":0,"cosign_key":..,"spki_sha256":..},..}}`, slots ascending.
    #[must_use]
    pub fn json(&self) -> String {
        // A struct of numbers, strings and a map with number keys always has a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// SHA-256 of the JSON. Checkpoints carry it.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(self.json())
    }

    /// The member of this node id.
    #[must_use]
    pub fn node(&self, node: u64) -> Option<&Member> {
        self.members.values().find(|member| member.node == node)
    }
}
