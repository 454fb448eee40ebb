//! Which disk a committee goes on from when its quorum is lost, and what that may cost.
//!
//! A receipt leaves the leader under q cosignatures, and a member cosigns only what its own Raft log holds. So an acknowledged
//! write is on q disks, and any n - q + 1 disks hold one of these, *if each shows what its machine wrote last*. Among disks, the one whose
//! Raft log ends in the greatest (term, index) of the greatest epoch has every such write: that is Raft's own rule for a leader.
//! The host of a machine can show an older disk; a count of disks does not notice that, and no signature can.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How far a disk goes. Later epochs first, then the end of the Raft log. What has the greater order has all that was
/// acknowledged on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Extent {
    /// The epoch.
    pub epoch: u64,
    /// Raft term of the last entry.
    pub term: u64,
    /// Raft index of the last entry.
    pub index: u64,
}

/// A disk of a former epoch, as the member that holds it read and checked it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The member's slot.
    pub slot: u16,
    /// How far it goes.
    pub extent: Extent,
    /// Leaves under the last checkpoint on it that a quorum cosigned.
    pub cosigned: u64,
    /// Leaves once everything on it is applied. At least `cosigned`.
    pub size: u64,
}

/// The disk to go on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its member's slot.
    pub slot: u16,
    /// Leaves that survive.
    pub size: u64,
    /// Whether enough disks were seen: n - q + 1. If each was fresh, every acknowledged write survives.
    pub enough: bool,
    /// How many disks were seen, and how many are enough.
    pub seen: (usize, usize),
    /// Disks that a quorum cosigned further than what survives, and how far: acknowledged writes that are lost for certain.
    pub lost: Vec<(u16, u64)>,
}

/// No disk to go on from.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// All disks are fresh, or none was seen.
    #[error("no member has a disk of a former epoch: nothing is there to be recovered")]
    Nothing,
    /// The operator asked for one that is not there.
    #[error("slot {0} shows no disk of a former epoch")]
    NotThere(u16),
}

impl Choice {
    /// The best of these disks, or the one in slot `wanted`, in a committee of `n` slots with this quorum.
    ///
    /// # Errors
    /// Where there is none.
    pub fn of(found: &[Found], n: usize, quorum: usize, wanted: Option<u16>) -> Result<Self, ChoiceError> {
        let chosen = match wanted {
            Some(slot) => found.iter().find(|disk| disk.slot == slot).ok_or(ChoiceError::NotThere(slot))?,
            // Of equal disks the lowest slot's: whoever asks comes to the same one.
            None => found
                .iter()
                .max_by_key(|disk| (disk.extent, std::cmp::Reverse(disk.slot)))
                .ok_or(ChoiceError::Nothing)?,
        };
        let enough = n.saturating_sub(quorum).saturating_add(1);
        // Compared within an epoch alone: a later epoch says itself how much of the earlier it took over.
        let further = |disk: &&Found| {
            (disk.extent.epoch, disk.cosigned) > (chosen.extent.epoch, chosen.size)
                && disk.slot != chosen.slot
        };
        let lost = found.iter().filter(further).map(|disk| (disk.slot, disk.cosigned)).collect();
        Ok(Self {
            slot: chosen.slot,
            size: chosen.size,
            enough: found.len() >= enough,
            seen: (found.len(), enough),
            lost,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn disk(slot: u16, extent: (u64, u64, u64), cosigned: u64, size: u64) -> Found {
        let (epoch, term, index) = extent;
        Found { slot, extent: Extent { epoch, term, index }, cosigned, size }
    }

    fn of(found: &[Found]) -> Choice {
        Choice::of(found, 3, 2, None).unwrap()
    }

    // Three members, q = 2. "Fresh" is a disk with all that was acknowledged; the write at size 10 was.
    const FRESH: (u64, u64, u64) = (1, 2, 9);
    const STALE: (u64, u64, u64) = (1, 1, 5);

    #[test]
    fn three_fresh_disks_lose_nothing() {
        let choice = of(&[disk(2, FRESH, 10, 10), disk(0, FRESH, 9, 10), disk(1, FRESH, 10, 10)]);
        assert_eq!((choice.slot, choice.size, choice.enough, choice.lost.len()), (0, 10, true, 0));
    }

    #[test]
    fn one_stale_disk_loses_nothing() {
        for stale in 0..3 {
            let disks: Vec<_> = (0..3)
                .map(|slot| if slot == stale { disk(slot, STALE, 6, 6) } else { disk(slot, FRESH, 10, 10) })
                .collect();
            let choice = of(&disks);
            assert_eq!((choice.size, choice.enough), (10, true));
            assert_ne!(choice.slot, stale);
        }
    }

    #[test]
    fn the_tail_behind_the_last_checkpoint_counts() {
        // The leader, whose disk is gone, alone had the checkpoint of 10: the follower has the entry, not the signatures.
        let choice = of(&[disk(1, FRESH, 6, 10), disk(2, STALE, 6, 6)]);
        assert_eq!((choice.slot, choice.size, choice.enough), (1, 10, true));
    }

    #[test]
    fn two_stale_disks_and_the_fresh_one_shown_lose_nothing_and_without_it_the_loss_is_not_seen() {
        let shown = of(&[disk(0, STALE, 6, 6), disk(1, FRESH, 10, 10), disk(2, STALE, 5, 5)]);
        assert_eq!((shown.slot, shown.size), (1, 10));
        // The bound of the design: two disks are enough only if both are fresh.
        let hidden = of(&[disk(0, STALE, 6, 6), disk(2, STALE, 5, 5)]);
        assert_eq!((hidden.slot, hidden.size, hidden.enough), (0, 6, true));
    }

    #[test]
    fn a_single_disk_is_not_enough_and_all_lost_is_nothing() {
        let one = of(&[disk(0, FRESH, 10, 10)]);
        assert_eq!((one.enough, one.seen), (false, (1, 2)));
        assert_eq!(Choice::of(&[], 3, 2, None), Err(ChoiceError::Nothing));
    }

    #[test]
    fn what_an_operator_gives_up_by_another_choice_is_told() {
        let disks = [disk(0, STALE, 6, 6), disk(1, FRESH, 10, 10)];
        let choice = Choice::of(&disks, 3, 2, Some(0)).unwrap();
        assert_eq!((choice.slot, choice.lost), (0, vec![(1, 10)]));
        assert_eq!(Choice::of(&disks, 3, 2, Some(2)), Err(ChoiceError::NotThere(2)));
    }

    #[test]
    fn a_later_epoch_comes_before_a_longer_log() {
        let choice = of(&[disk(0, (1, 9, 99), 50, 50), disk(1, (2, 1, 3), 12, 12)]);
        assert_eq!((choice.slot, choice.size, choice.lost.len()), (1, 12, 0));
    }
}
