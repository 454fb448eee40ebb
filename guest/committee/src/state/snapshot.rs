//! The state as bytes, and the entry that vouches for them.

use hallmark_coalition::UniqueId;
use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::{SnapshotDigest, SystemEntry};
use hallmark_machine::Machine;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::publish::Leaves;
use super::{Core, State};
use crate::engine::{Outcome, SubmitError};

/// A state before the `committee.snapshot` entry that has its digest.
///
/// Who installs it writes that entry itself, from the digest of the bytes it was given. Other bytes than the members' give another entry and
/// another root, which no quorum has signed: such a member never cosigns.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotBytes(pub std::sync::Arc<Vec<u8>>);

impl std::fmt::Debug for SnapshotBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SnapshotBytes({})", self.0.len())
    }
}

/// Bytes that are no snapshot of this committee.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("snapshot: {0}")]
pub struct SnapshotError(pub(crate) String);

impl SnapshotError {
    pub(crate) fn behind(size: u64, ours: u64) -> Self {
        Self(format!("ends at size {size}, this member is at {ours} or has signed more"))
    }
}

impl<M: Machine> State<M> {
    /// Writes the digest of the state into the ledger.
    pub(crate) fn mark(&mut self, leaves: &mut Leaves) -> Result<(Outcome, SnapshotBytes), SubmitError> {
        let refused = |why: String| SubmitError::Refused { surface: "committee.snapshot".to_owned(), why };
        let machine = &self.machine;
        let Some(core) = &mut self.core else {
            return Err(refused("the committee is not founded yet".into()));
        };
        if let Some(index) = core.retired {
            return Err(SubmitError::Retired { index });
        }
        let bytes =
            postcard::to_allocvec(&(&*core, machine.snapshot())).map_err(|e| refused(e.to_string()))?;
        let index = core.vouch(&bytes, leaves).map_err(refused)?;
        Ok((Outcome::Committed { first: index, entries: 1 }, SnapshotBytes(bytes.into())))
    }

    /// The state behind the entry that vouches for a snapshot, that entry, and the root below it.
    ///
    /// # Errors
    /// Where the bytes are not exactly a state of this group and machine.
    pub fn install(
        group: UniqueId,
        snapshot: &SnapshotBytes,
    ) -> Result<(Self, Vec<u8>, Hash), SnapshotError> {
        let fail = |why: String| SnapshotError(why);
        let ((mut core, machine), rest) = postcard::take_from_bytes::<(Core, Vec<u8>)>(&snapshot.0)
            .map_err(|error| fail(error.to_string()))?;
        if !rest.is_empty() {
            return Err(fail(format!("{} bytes follow", rest.len())));
        }
        if core.group != group || core.genesis.group() != group {
            return Err(fail(format!("of group {}, not {group}", core.group)));
        }
        let machine = M::restore(&machine).map_err(|error| fail(error.to_string()))?;
        let below = core.frontier.root();
        let mut leaves = Leaves::default();
        core.vouch(&snapshot.0, &mut leaves).map_err(fail)?;
        let marker = leaves.0.pop().unwrap_or_default();
        Ok((Self { group, machine, core: Some(core) }, marker, below))
    }
}

impl Core {
    fn vouch(&mut self, bytes: &[u8], leaves: &mut Leaves) -> Result<u64, String> {
        let digest = SnapshotDigest { size: self.frontier.size(), sha256: Hash::of(bytes) };
        self.say(&SystemEntry::Snapshot(digest), leaves).map_err(|error| error.to_string())
    }
}
