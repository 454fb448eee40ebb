//! The committee's rules, each of which a must-fail variant turns off.

/// Who decides the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// Raft does: members crash and disks roll back, nobody lies.
    Crashes,
    /// Whoever shows a history; the first so many slots sign whatever they like.
    Anyone { compromised: usize },
}

/// By what a recovery compares disks, after the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    /// What the member had applied (and so may have signed).
    Applied,
    /// Wrong: all that the Raft log holds, an uncommitted tail included.
    Stored,
    /// Wrong: the last checkpoint that the member had heard to be cosigned.
    Heard,
}

#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) world: World,
    /// Slots.
    pub(crate) n: usize,
    /// Cosignatures that make a checkpoint.
    pub(crate) q: usize,
    /// Every boot makes new keys. Off: a machine comes back from its disk with the key that it had.
    pub(crate) fresh_keys: bool,
    /// A member signs only what continues what it last signed.
    pub(crate) consistent: bool,
    /// A machine's cosignature counts from the entry *after* its admission on, once a quorum without it has signed the admission.
    /// Off: it counts for the checkpoint that admits it.
    pub(crate) counts_after_admission: bool,
    /// Nobody is told anything before q cosignatures. Off: the leader tells what it has only stored.
    pub(crate) acknowledge_cosigned: bool,
    /// "Invalid" is said only where a tombstone was ordered. Off: it is said of what a new leader does not know.
    pub(crate) invalid_by_order: bool,
    /// A recovery begins an epoch. Off: the group goes on under the epoch it had.
    pub(crate) recovery_epoch: bool,
    pub(crate) rank: Rank,
    /// Bounds of the search: length of a history, crashes, recoveries.
    pub(crate) length: usize,
    pub(crate) crashes: u32,
    pub(crate) recoveries: u32,
}

impl Rules {
    /// The rules as they are, in a world, for n slots and a quorum q.
    pub(crate) fn new(world: World, n: usize, q: usize) -> Self {
        Self {
            world,
            n,
            q,
            fresh_keys: true,
            consistent: true,
            counts_after_admission: true,
            acknowledge_cosigned: true,
            invalid_by_order: true,
            recovery_epoch: true,
            rank: Rank::Applied,
            length: 3,
            crashes: 2,
            recoveries: 1,
        }
    }

    pub(crate) fn compromised(&self, slot: usize) -> bool {
        matches!(self.world, World::Anyone { compromised } if slot < compromised)
    }
}
