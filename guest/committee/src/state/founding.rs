//! The first proposal of an epoch.

use hallmark_coalition::UniqueId;
use hallmark_ledger::cosignature::{Keys, SignedCheckpoint};
use hallmark_ledger::hash::Hash;
use hallmark_ledger::note::Verifier;
use hallmark_ledger::system::{Admission, Genesis, Recovery, Roster, SystemEntry};
use hallmark_machine::Machine;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::publish::Leaves;
use super::snapshot::{SnapshotBytes, SnapshotError};
use super::{Core, State};
use crate::engine::{NodeId, Outcome};
use crate::raft::Batch;

/// Most bytes of an address.
pub(crate) const MAX_ADDRESS: usize = 256;

/// An admission with what the ledger publishes beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitting {
    /// The entry.
    pub admission: Admission,
    /// `evidence.json`; its SHA-256 is in the admission.
    pub evidence: Vec<u8>,
    /// The collateral it was judged with; its SHA-256 is in the admission.
    pub collateral: Option<Vec<u8>>,
    /// Where the machine listens for members. Signed by nobody.
    pub address: String,
}

/// The beginning of an epoch. Every member checks it against what it was configured with: the group's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Founding {
    /// A new ledger: `committee.genesis`, then the admissions of all slots.
    Genesis {
        /// The first entry.
        genesis: Genesis,
        /// One a slot, ascending.
        admissions: Vec<Admitting>,
    },
    /// A ledger goes on after its quorum was lost.
    Recovery {
        /// The order that q slot operators signed.
        recovery: Recovery,
        /// The chosen disk, which comes to the order's size and root.
        replay: Replay,
        /// Those of the order's members, slots ascending.
        admissions: Vec<Admitting>,
    },
}

/// A former epoch, as a disk kept it: a snapshot, and the Raft entries behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// The last snapshot; none where there never was one.
    pub snapshot: Option<SnapshotBytes>,
    /// Term and payload of the entries behind it.
    pub batches: Vec<(u64, Batch)>,
}

/// What a replay comes to.
#[derive(Debug)]
pub struct Replayed<M> {
    /// The state at its end.
    pub state: State<M>,
    /// Root of the tree below the leaves.
    pub below: Hash,
    /// All leaves from the snapshot's own entry on; from the first where there is no snapshot.
    pub leaves: Vec<Vec<u8>>,
}

/// Why an epoch does not begin so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FoundingError {
    /// There is a beginning already.
    #[error("the epoch has begun; its first entry is the only place for this")]
    Begun,
    /// Another group's.
    #[error("this is group {got}; this member belongs to {want}")]
    Group {
        /// The group of the founding.
        got: UniqueId,
        /// The configured one.
        want: UniqueId,
    },
    /// A field that is not what it must be.
    #[error("{field}: {why}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A machine that may not be admitted.
    #[error("admission to slot {slot}: {why}")]
    Admission {
        /// The slot.
        slot: u16,
        /// The rule.
        why: String,
    },
    /// The former epoch's snapshot.
    #[error("replay: {0}")]
    Snapshot(#[from] SnapshotError),
    /// The replay does not come to what the operators signed.
    #[error("replay: comes to size {size}, root {root}; the order says size {want_size}, root {want_root}")]
    Replay {
        /// Leaves replayed.
        size: u64,
        /// Their root.
        root: Hash,
        /// Size in the order.
        want_size: u64,
        /// Root in the order.
        want_root: Hash,
    },
}

fn field(field: &'static str, why: impl std::fmt::Display) -> FoundingError {
    FoundingError::Field { field, why: why.to_string() }
}

impl Replay {
    /// Runs the machine over what the disk kept, from an empty state.
    ///
    /// # Errors
    /// Where the snapshot is none of this group, or there is nothing to begin with.
    pub fn run<M: Machine>(&self, group: UniqueId) -> Result<Replayed<M>, FoundingError> {
        self.run_with(group, |_| {})
    }

    /// As [`Self::run`], and whether a note of the epoch counts on the way: it is of the tree after one of the entries, and a quorum of the roster there signed it.
    ///
    /// Where there is a snapshot, only such a note says that it is the committee's and not the disk's own making: its digest is in the tree.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) fn run_under<M: Machine>(
        &self,
        group: UniqueId,
        note: Option<&str>,
    ) -> Result<(Replayed<M>, bool), FoundingError> {
        let said = note.and_then(|note| {
            let note = hallmark_ledger::note::Note::parse(note.as_bytes()).ok()?;
            hallmark_ledger::checkpoint::Checkpoint::parse(note.text()).ok()
        });
        let mut counts = false;
        let replayed = self.run_with::<M>(group, |state| {
            let (Some(core), Some(said), Some(note)) = (state.core(), &said, note) else { return };
            if said.size != state.size() || *said != core.checkpoint() || counts {
                return;
            }
            let Ok(log) = Verifier::parse(&core.log_key) else { return };
            let keys = Keys { log: &log, roster: &core.roster, quorum: core.acl().quorum() };
            counts = SignedCheckpoint::verify(note.as_bytes(), &keys).is_ok();
        })?;
        Ok((replayed, counts))
    }

    /// As [`Self::run`]; `at` is called after each Raft entry.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) fn run_with<M: Machine>(
        &self,
        group: UniqueId,
        mut at: impl FnMut(&State<M>),
    ) -> Result<Replayed<M>, FoundingError> {
        let mut below = hallmark_ledger::hash::EMPTY;
        let mut state = State::new(group);
        let mut leaves = Vec::new();
        if let Some(snapshot) = &self.snapshot {
            let (restored, marker, root) = State::install(group, snapshot)?;
            (state, below) = (restored, root);
            leaves.push(marker);
        }
        at(&state);
        for (term, batch) in &self.batches {
            leaves.extend(state.apply(*term, batch).leaves);
            at(&state);
        }
        if state.core.is_none() {
            return Err(field("replay", "the epoch never began"));
        }
        Ok(Replayed { state, below, leaves })
    }
}

impl<M: Machine> State<M> {
    /// Begins. What was committed, and the root below the first of the leaves.
    pub(crate) fn found(
        &mut self,
        founding: &Founding,
        leaves: &mut Leaves,
    ) -> Result<(Outcome, Hash), FoundingError> {
        if self.core.is_some() {
            return Err(FoundingError::Begun);
        }
        let (begun, told, below) = match founding {
            Founding::Genesis { genesis, admissions } => self.genesis(genesis, admissions)?,
            Founding::Recovery { recovery, replay, admissions } => {
                self.recovered(recovery, replay, admissions)?
            }
        };
        let first = begun.size().saturating_sub(u64::try_from(told.0.len()).unwrap_or_default());
        let entries = begun.size().saturating_sub(first);
        *self = begun;
        leaves.0.extend(told.0);
        Ok((Outcome::Committed { first, entries }, below))
    }

    fn genesis(
        &self,
        genesis: &Genesis,
        admissions: &[Admitting],
    ) -> Result<(Self, Leaves, Hash), FoundingError> {
        let got = genesis.group();
        if got != self.group {
            return Err(FoundingError::Group { got, want: self.group });
        }
        if genesis.epoch != 0 {
            return Err(field("genesis.epoch", "the first epoch is 0"));
        }
        genesis.log_key().ok_or_else(|| field("genesis.log_key", "not a key under the group's origin"))?;
        let mut core = Core::before(genesis.clone());
        let mut leaves = Leaves::default();
        core.say(&SystemEntry::Genesis(genesis.clone()), &mut leaves).map_err(|e| field("genesis", e))?;
        core.seat_all(admissions, &mut leaves)?;
        if core.roster.members.len() != core.acl().slots().len() {
            return Err(field("admissions", "a genesis admits a machine to every slot"));
        }
        let state = Self { group: self.group, machine: M::new(), core: Some(core) };
        Ok((state, leaves, hallmark_ledger::hash::EMPTY))
    }

    fn recovered(
        &self,
        recovery: &Recovery,
        replay: &Replay,
        admissions: &[Admitting],
    ) -> Result<(Self, Leaves, Hash), FoundingError> {
        let note = Some(recovery.checkpoint.as_str()).filter(|note| !note.is_empty());
        let (Replayed { mut state, below, leaves: mut told }, counts) =
            replay.run_under::<M>(self.group, note)?;
        let (size, root) = (state.size(), state.root());
        if (size, root) != (recovery.size, recovery.root) {
            let (want_size, want_root) = (recovery.size, recovery.root);
            return Err(FoundingError::Replay { size, root, want_size, want_root });
        }
        // Where the last cosigned note ends, the replay must have its tree, and the members of then must have signed it.
        if note.is_some() && !counts {
            let why = "no quorum of the replayed members signed it, or the replay has no such tree";
            return Err(field("recovery.checkpoint", why));
        }
        if note.is_none() && replay.snapshot.is_some() {
            return Err(field("recovery.checkpoint", "nothing vouches for the disk's snapshot"));
        }
        let Some(core) = &mut state.core else { return Err(field("replay", "the epoch never began")) };
        core.renew(recovery)?;
        let mut leaves = Leaves::default();
        core.say(&SystemEntry::Recovery(recovery.clone()), &mut leaves).map_err(|e| field("recovery", e))?;
        core.seat_all(admissions, &mut leaves)?;
        for (candidate, member) in recovery.members.iter().zip(core.roster.members.values()) {
            let same = (candidate.slot, candidate.cosign_key, candidate.spki_sha256)
                == (member.slot, member.cosign_key, member.spki_sha256);
            if !same {
                return Err(field("admissions", "not the machines that the order names"));
            }
        }
        if recovery.members.len() != core.roster.members.len()
            || core.roster.members.len() < core.acl().quorum()
        {
            return Err(field("admissions", "as many as the order names, and a quorum"));
        }
        told.extend(leaves.0);
        Ok((state, Leaves(told), below))
    }
}

impl Core {
    /// Ends the old epoch and begins the new one.
    fn renew(&mut self, recovery: &Recovery) -> Result<(), FoundingError> {
        if recovery.old_epoch != self.epoch || recovery.new_epoch <= self.epoch {
            let why = format!("the disk is of epoch {}, and the new one is later", self.epoch);
            return Err(field("recovery.old_epoch, new_epoch", why));
        }
        if recovery.old_log_key != self.log_key {
            return Err(field("recovery.old_log_key", "not the key of that epoch"));
        }
        if recovery.recoveries != self.recoveries.saturating_add(1) {
            return Err(field("recovery.recoveries", format!("there were {} before", self.recoveries)));
        }
        recovery
            .new_log_key(&self.group)
            .filter(|_| recovery.new_log_key != recovery.old_log_key)
            .ok_or_else(|| field("recovery.new_log_key", "not a fresh key under the new origin"))?;
        recovery.verify(self.acl(), &self.group).map_err(|e| field("recovery.signatures", e))?;
        if let Some(index) = self.retired {
            return Err(field("recovery", format!("the committee retired at entry {index}")));
        }
        let index = self.frontier.size();
        let former: Vec<NodeId> = self.roster.members.values().map(|member| member.node).collect();
        self.removed.extend(former.into_iter().map(|node| (node, index)));
        self.epoch = recovery.new_epoch;
        self.recoveries = recovery.recoveries;
        self.log_key.clone_from(&recovery.new_log_key);
        self.roster = Roster { epoch: self.epoch, ..Roster::default() };
        self.addresses.clear();
        Ok(())
    }

    fn seat_all(&mut self, admissions: &[Admitting], leaves: &mut Leaves) -> Result<(), FoundingError> {
        let mut last = None;
        for admitting in admissions {
            let slot = admitting.admission.slot;
            let refused = |why| FoundingError::Admission { slot, why };
            if last.is_some_and(|last| last >= slot) {
                return Err(refused("slots must ascend".into()));
            }
            last = Some(slot);
            self.admit(admitting, leaves).map_err(refused)?;
        }
        Ok(())
    }
}

/// A beginning, checked: what it makes of the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    pub(crate) roster: Roster,
    pub(crate) log_key: Option<Verifier>,
    pub(crate) voters: Vec<super::Voter>,
}

impl Founding {
    /// Checks it, and says who the members are: by slot, with node ids.
    ///
    /// # Errors
    /// Every reason for which members would not begin with it.
    pub fn roster<M: Machine>(&self, group: UniqueId) -> Result<Roster, FoundingError> {
        Ok(self.begin::<M>(group)?.roster)
    }

    pub(crate) fn begin<M: Machine>(&self, group: UniqueId) -> Result<Begun, FoundingError> {
        let mut state = State::<M>::new(group);
        state.found(self, &mut Leaves::default())?;
        let core = state.core.as_ref().ok_or_else(|| field("founding", "nothing begun"))?;
        let log_key = Verifier::parse(&core.log_key).ok();
        Ok(Begun { roster: core.roster.clone(), log_key, voters: core.voters() })
    }
}
