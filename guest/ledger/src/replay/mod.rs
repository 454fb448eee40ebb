//! The structural audit: every entry against all before it, every checkpoint against the entries.
//!
//! Checked: genesis first; the group's identity from it; each admission's slot signature, fresh keys and replacement; releases, expulsions,
//! recoveries and retirement by a quorum of slot operators; endorsements by a quorum of the roster; numbers of surfaces without gaps; each
//! submission answered once; blobs by hash; checkpoints by log key, quorum of the roster at their size, epoch, recoveries, root. What it
//! takes a verifier to judge comes out as an [`Obligation`].
//!
//! Not checked: what machines wrote on their own surfaces. Entries of one submission that stand side by side count as one answer.

mod blobs;
mod committee;
mod fault;
mod obligation;
mod recovery;
mod submissions;

use self::committee::State;
pub use self::{
    fault::{Fault, ReplayError},
    obligation::Obligation,
    recovery::Epoch,
};
use crate::{
    cosignature::SignedCheckpoint,
    entry::Entry,
    hash::{self, Hash},
    note::Verifier,
    system::{Genesis, Roster, SystemEntry},
    tree::Frontier,
};

/// A replay, from the first entry on. Memory grows with members, clients and surfaces, not with entries.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    frontier: Frontier,
    state: Option<State>,
}

impl Replay {
    /// Before the first entry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next entry, and says what it leaves to check.
    ///
    /// # Errors
    /// Where the entry cannot follow what was before; the replay is spent then.
    pub fn push(&mut self, index: u64, entry: &Entry) -> Result<Vec<Obligation>, ReplayError> {
        self.step(index, entry).map_err(|fault| ReplayError { index, fault })
    }

    fn step(&mut self, index: u64, entry: &Entry) -> Result<Vec<Obligation>, Fault> {
        if index != self.size() {
            return Err(Fault::Order { want: self.size() });
        }
        let body = SystemEntry::of(entry)?;
        let obligations = match (&mut self.state, body) {
            (None, Some(SystemEntry::Genesis(genesis))) => {
                self.state.insert(State::begin(genesis)?).count(entry, None)?;
                Vec::new()
            }
            (None, _) | (Some(_), Some(SystemEntry::Genesis(_))) => return Err(Fault::Genesis),
            (Some(state), body) => state.step(index, entry, body, &self.frontier)?,
        };
        self.frontier.push(hash::leaf(entry.bytes()));
        Ok(obligations)
    }

    /// Holds a checkpoint against the entries so far: it must be of exactly this size.
    ///
    /// # Errors
    /// Where it says otherwise, or a quorum of the members at this size did not sign it.
    pub fn checkpoint(&self, bytes: &[u8]) -> Result<SignedCheckpoint, ReplayError> {
        let wrong = |fault| ReplayError { index: self.size(), fault };
        let state = self.state.as_ref().ok_or(Fault::TooEarly).map_err(wrong)?;
        state.checkpoint(bytes, &self.frontier).map_err(wrong)
    }

    /// Entries so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Root over them.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The first entry.
    #[must_use]
    pub fn genesis(&self) -> Option<&Genesis> {
        self.state.as_ref().map(|state| &state.genesis)
    }

    /// The members now.
    #[must_use]
    pub fn roster(&self) -> Option<&Roster> {
        self.state.as_ref().map(|state| &state.roster)
    }

    /// The log's key now. Its name is the origin.
    #[must_use]
    pub fn log_key(&self) -> Option<&Verifier> {
        self.state.as_ref().map(|state| &state.log_key)
    }

    /// Recoveries so far.
    #[must_use]
    pub fn recoveries(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.recoveries)
    }

    /// Releases whose machines may be members now, by the hash of their documents.
    pub fn releases(&self) -> impl Iterator<Item = &Hash> {
        self.state.iter().flat_map(|state| &state.releases)
    }

    /// Epochs that ended in a recovery: with their keys an old receipt can be held against what survived.
    #[must_use]
    pub fn epochs(&self) -> &[Epoch] {
        self.state.as_ref().map_or(&[], |state| &state.epochs)
    }

    /// Whether the committee has retired.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.retired)
    }
}
