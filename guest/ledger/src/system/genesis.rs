//! `committee.genesis`: the first entry.

use hallmark_coalition::{Acl, Committee, UniqueId};
use serde::{Deserialize, Serialize};

use crate::{checkpoint, hash::Hash, note::Verifier};

/// The beginning of a ledger. The group's identity is derived from it, so that nobody can put other operators' keys under a known group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// What the committee belongs to.
    pub root: UniqueId,
    /// What it refers to.
    pub refs: Vec<UniqueId>,
    /// Fingerprint of what it does.
    pub content: UniqueId,
    /// Slots with their operators' keys, quorum, way of recovery, tickets.
    pub acl: Acl,
    /// Epoch, 0 at first.
    pub epoch: u64,
    /// Origin of the log in this epoch.
    pub origin: String,
    /// The log's key in this epoch: `NAME+ID+BASE64`, the name being the origin.
    pub log_key: String,
    /// SHA-256 of the release documents whose machines may be members.
    pub releases: Vec<Hash>,
    /// SHA-256 of the policy under which members judge evidence.
    pub policy: Hash,
}

impl Genesis {
    /// The group: identity of the committee.
    #[must_use]
    pub fn group(&self) -> UniqueId {
        Committee::new(self.root, self.refs.clone(), self.content, self.acl.clone()).id()
    }

    /// The log's key, if it is one and bears the origin's name, which is this group's and epoch's.
    #[must_use]
    pub fn log_key(&self) -> Option<Verifier> {
        let key = Verifier::parse(&self.log_key).ok()?;
        let origin = checkpoint::origin(self.group().as_bytes(), self.epoch);
        (key.name() == self.origin && self.origin == origin && key.to_string() == self.log_key).then_some(key)
    }
}
