//! Cosigning: who signed which tree, and when that is a quorum.
//!
//! A member signs the tree after a Raft entry when it has applied the entry itself, has the entry on disk, and the tree is larger than the one it signed
//! last. Trees of one member extend each other because its state only appends; the check is there all the same.
//!
//! A change of the roster is the last entry of its batch, and so has a boundary of its own. Two rules guard it. The machine that it admits does not sign that boundary.
//! And nobody signs a later one before holding q signatures on it. Otherwise a compromised leader could admit a machine that has just rebooted, and remembers
//! nothing of what it signed before, in a side history in which the new key makes up the quorum: each reboot would be worth a compromised member. The price: q members
//! have to be live without the newcomer; where q is all n slots, a lost machine means a recovery.
//!
//! A state that came by a snapshot signs nothing before a quorum was found to have signed the snapshot's own entry: see `audit`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hallmark_ledger::checkpoint::Checkpoint;
use hallmark_ledger::cosignature::{CheckedCosignature, Cosignature, SignedCheckpoint};
use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::{Equivocation, Roster};
use serde::{Deserialize, Serialize};

use super::NodeId;
use super::audit::Claim;

/// A member's cosignature, and the tree it signs; nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Leaves.
    pub size: u64,
    /// Their root.
    pub root: Hash,
    /// The signature over the checkpoint of that tree.
    pub cosignature: Cosignature,
}

/// The tree after a Raft entry.
#[derive(Debug, Clone)]
pub(crate) struct Boundary {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) roster: Arc<Roster>,
    /// Number of the disk command that this member's signature waits for.
    pub(crate) command: u64,
    /// Whether its last entry changed the roster.
    pub(crate) changes: bool,
}

/// Boundaries kept at most: a member that is further ahead of the quorum than this has the oldest forgotten, and waits for a later one.
const BOUNDARIES: usize = 8192;
/// Boundaries kept below the last checkpoint, for signatures that come late and contradict.
const LATE: usize = 64;
/// Signatures kept of one peer for trees that this member has not come to.
const EARLY: usize = 64;

/// What this member knows of signatures.
#[derive(Debug, Default)]
pub(crate) struct Cosigning {
    pub(crate) boundaries: BTreeMap<u64, Boundary>,
    /// Verified, by size and slot.
    pub(crate) collected: BTreeMap<u64, BTreeMap<u16, CheckedCosignature>>,
    /// Not verified, of trees to come, by node.
    pub(crate) early: BTreeMap<NodeId, BTreeMap<u64, Signed>>,
    /// The last tree that this member signed.
    pub(crate) signed: Option<(u64, Hash)>,
    /// This member's signatures that the leader may still need.
    pub(crate) own: BTreeMap<u64, Signed>,
    /// The last checkpoint under a quorum.
    pub(crate) cosigned: Option<Arc<SignedCheckpoint>>,
    /// Those before it, as many as there are boundaries below it: a member that signed one of them and another tree as large is convicted.
    pub(crate) past: BTreeMap<u64, Arc<SignedCheckpoint>>,
    /// Whether this member has seen the quorum that admitted it (see [`Cosigning::clear`]).
    pub(crate) cleared: bool,
    /// The snapshot that the state came from, while nobody has vouched for it: nothing is signed, and no checkpoint believed.
    pub(crate) held: Option<Claim>,
    /// A checkpoint of a tree to come: the note.
    pub(crate) note: Option<(u64, Vec<u8>)>,
    pub(crate) equivocations: BTreeMap<NodeId, Equivocation>,
}

impl Cosigning {
    /// Size under the last quorum checkpoint.
    pub(crate) fn size(&self) -> u64 {
        self.cosigned.as_ref().map_or(0, |signed| signed.checkpoint().size)
    }

    /// The checkpoint of this size, where it is one of the last under a quorum.
    pub(crate) fn of_size(&self, size: u64) -> Option<&Arc<SignedCheckpoint>> {
        self.cosigned.iter().chain(self.past.values()).find(|signed| signed.checkpoint().size == size)
    }

    /// Boundaries that no quorum has signed yet.
    pub(crate) fn unsigned(&self) -> usize {
        self.boundaries.range(self.size().saturating_add(1)..).count()
    }

    /// Notes the tree after a Raft entry. An entry without leaves leaves the tree, and so the boundary, as it was.
    pub(crate) fn boundary(&mut self, boundary: Boundary) {
        self.boundaries.entry(boundary.checkpoint.size).or_insert(boundary);
        if self.boundaries.len() > BOUNDARIES {
            self.boundaries.pop_first();
        }
    }

    /// Boundaries that may be signed now: on disk, larger than the last. All of them where they are few; else the last, since
    /// a member that catches up would sign what nobody waits for.
    pub(crate) fn signable(&self, has: impl Fn(u64) -> bool) -> Vec<Boundary> {
        const ALL: usize = 8;
        let after = self.signed.map_or(0, |(size, _)| size).max(self.size());
        let cosigned = self.size();
        if self
            .boundaries
            .range(cosigned.saturating_add(1)..=after.max(cosigned.saturating_add(1)))
            .any(|(size, boundary)| boundary.changes && *size <= after)
        {
            return Vec::new();
        }
        let mut ready = Vec::new();
        for (_, boundary) in self.boundaries.range(after.saturating_add(1)..) {
            if !has(boundary.command) {
                break;
            }
            ready.push(boundary);
            if boundary.changes {
                break;
            }
        }
        let skip = if ready.len() > ALL { ready.len() - 1 } else { 0 };
        ready.into_iter().skip(skip).cloned().collect()
    }

    /// Keeps a signature of a tree to come.
    pub(crate) fn keep_early(&mut self, signed: Signed) {
        let of_node = self.early.entry(signed.cosignature.node).or_default();
        of_node.insert(signed.size, signed);
        if of_node.len() > EARLY {
            // The latest are worth most.
            of_node.pop_first();
        }
        if self.early.len() > EARLY {
            self.early.pop_first();
        }
    }

    /// Signatures that came before their tree, up to `size`.
    pub(crate) fn take_early(&mut self, size: u64) -> Vec<Signed> {
        let mut ready = Vec::new();
        for of_node in self.early.values_mut() {
            let later = of_node.split_off(&size.saturating_add(1));
            ready.extend(std::mem::replace(of_node, later).into_values());
        }
        self.early.retain(|_, of_node| !of_node.is_empty());
        ready
    }

    /// Whether signatures at `size` would still be of use.
    pub(crate) fn wants(&self, size: u64, slot: u16) -> bool {
        size > self.size() && !self.collected.get(&size).is_some_and(|slots| slots.contains_key(&slot))
    }

    /// Keeps a checkpoint of a tree to come, or one that cannot be judged yet: the largest.
    pub(crate) fn keep_note(&mut self, size: u64, note: &[u8]) {
        if self.note.as_ref().is_none_or(|(noted, _)| *noted < size) {
            self.note = Some((size, note.to_vec()));
        }
    }

    /// Adds a verified signature.
    pub(crate) fn collect(&mut self, size: u64, checked: CheckedCosignature) {
        self.collected.entry(size).or_default().insert(checked.cosignature().slot, checked);
    }

    /// Takes a checkpoint that a quorum signed, and drops what it makes idle. False where it is not ahead of the last.
    pub(crate) fn advance(&mut self, signed: Arc<SignedCheckpoint>) -> bool {
        let size = signed.checkpoint().size;
        if size <= self.size() && self.cosigned.is_some() {
            return false;
        }
        if let Some(before) = self.cosigned.replace(signed) {
            self.past.insert(before.checkpoint().size, before);
            if self.past.len() > LATE {
                self.past.pop_first();
            }
        }
        self.collected = self.collected.split_off(&size.saturating_add(1));
        self.own = self.own.split_off(&size.saturating_add(1));
        while self.boundaries.len() > LATE
            && let Some(first) = self.boundaries.first_entry()
            && *first.key() < size
        {
            first.remove();
        }
        if self.note.as_ref().is_some_and(|(noted, _)| *noted <= size) {
            self.note = None;
        }
        true
    }

    /// Whether `others` signatures of other slots over a tree of `size` leaves let the member `node` begin to sign: a quorum of others, over a tree with its own
    /// admission in it.
    pub(crate) fn clear(&mut self, size: u64, others: usize, node: NodeId, quorum: usize) {
        self.cleared |= size > node && others >= quorum;
    }
}
