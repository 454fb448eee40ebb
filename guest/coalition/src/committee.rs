//! Which committee.

use crate::preimage::Preimage;
use crate::{Acl, UniqueId};

/// What a committee is: where it belongs, what it refers to, what it does, and who may be in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committee {
    root: UniqueId,
    refs: Vec<UniqueId>,
    content: UniqueId,
    acl: Acl,
}

impl Committee {
    /// A committee under `root`, which reads from `refs` (in order; empty for none), does what `content` fingerprints, and
    /// lets in whom `acl` says.
    #[must_use]
    pub fn new(root: UniqueId, refs: Vec<UniqueId>, content: UniqueId, acl: Acl) -> Self {
        Self { root, refs, content, acl }
    }

    /// `blake3(root || refs || content || acl).derive("committee")`. No machine that sits in it is part of that.
    #[must_use]
    pub fn id(&self) -> UniqueId {
        committee_id(&self.root, &self.refs, &self.content, &self.acl.fingerprint())
    }

    /// Its access rules.
    #[must_use]
    pub fn acl(&self) -> &Acl {
        &self.acl
    }
}

/// The id of a committee whose access rules have the fingerprint `acl`.
pub(crate) fn committee_id(
    root: &UniqueId,
    refs: &[UniqueId],
    content: &UniqueId,
    acl: &UniqueId,
) -> UniqueId {
    Preimage::new("").bare(root).ids(refs).bare(content).bare(acl).finish().derive("committee")
}
