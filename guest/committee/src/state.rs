//! The replicated state: a machine, and what the committee keeps beside it.
//!
//! [`State::apply`] is a pure function of Raft's entries. Every member runs it over the same entries and must come to the same leaves;
//! cosigning compares the roots.

mod apply;
mod core;
mod founding;
mod proposal;
mod publish;
mod receipts;
mod rules;
mod snapshot;

pub(crate) use apply::command_hash;
pub use apply::{Applied, Reply};
pub use founding::{Admitting, Founding, FoundingError, Replay, Replayed};
pub use proposal::{Proposal, ProposalId};
pub use receipts::Known;
pub use snapshot::{SnapshotBytes, SnapshotError};

use hallmark_coalition::UniqueId;
use hallmark_machine::Machine;

pub(crate) use self::core::{Core, Voter};

/// A machine with the committee's own state. Empty until a [`Founding`] has been applied.
#[derive(Debug)]
pub struct State<M> {
    /// The group that a founding must be of.
    group: UniqueId,
    machine: M,
    core: Option<Core>,
}

impl<M: Machine> State<M> {
    /// Nothing yet, of this group.
    #[must_use]
    pub fn new(group: UniqueId) -> Self {
        Self { group, machine: M::new(), core: None }
    }

    /// The machine, to be read.
    #[must_use]
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// What the committee keeps, once founded.
    pub(crate) const fn core(&self) -> Option<&Core> {
        self.core.as_ref()
    }

    /// Leaves so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.core.as_ref().map_or(0, |core| core.frontier.size())
    }

    /// Root over them.
    #[must_use]
    pub fn root(&self) -> hallmark_ledger::hash::Hash {
        self.core.as_ref().map_or(hallmark_ledger::hash::EMPTY, |core| core.frontier.root())
    }
}
