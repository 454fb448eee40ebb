//! What breaks when.

use super::chance::Chance;
use super::disk::Faults;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Cuts a slot off from some others, in both directions or one; mends it.
    Cut {
        a: u16,
        b: u16,
        oneway: bool,
    },
    Mend {
        a: u16,
        b: u16,
    },
    /// Holds what one host sends another, and then lets it go at once.
    Hold {
        a: u16,
        b: u16,
    },
    Release {
        a: u16,
        b: u16,
    },
    /// Messages take up to so many milliseconds, each its own: they overtake each other.
    Slow {
        most: u64,
    },
    Disk {
        slot: u16,
        faults: Faults,
    },
    /// A slot's clock jumps: so many milliseconds ahead of true time from now on.
    Clock {
        slot: u16,
        ahead: u64,
    },
    /// Remembers the slot's disk as it is, to be rolled back to.
    Keep {
        slot: u16,
    },
    Crash {
        slot: u16,
        roll_back: bool,
    },
    Boot {
        slot: u16,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) n: usize,
    pub(crate) q: usize,
    pub(crate) clerks: usize,
    pub(crate) ops: u64,
    pub(crate) skews: Vec<u64>,
    pub(crate) snapshot_entries: u64,
    /// Milliseconds of virtual time, ascending.
    pub(crate) acts: Vec<(u64, Act)>,
    /// From here on nothing more breaks.
    pub(crate) calm: u64,
}

/// When the committee has had time to begin.
const QUIET: u64 = 1_500;

impl Plan {
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let (n, q) = [(3, 2), (3, 2), (3, 2), (3, 3), (4, 3), (5, 3)][chance.below(6) as usize];
        let calm = chance.between(5_000, 12_000);
        let skews = (0..n).map(|_| if chance.one_in(3) { chance.below(3_600_000) } else { 0 }).collect();
        let mut plan = Self {
            n,
            q,
            clerks: 3,
            ops: chance.between(4, 9),
            skews,
            snapshot_entries: if chance.one_in(3) { chance.between(8, 30) } else { 8192 },
            acts: Vec::new(),
            calm,
        };
        for _ in 0..chance.between(2, 9) {
            plan.one(chance);
        }
        // Rarely everything goes down together: only a recovery helps.
        if chance.one_in(6) {
            let at = chance.between(QUIET, calm);
            for slot in 0..n as u16 {
                let roll_back = chance.one_in(5);
                plan.acts.push((at + chance.below(30), Act::Crash { slot, roll_back }));
                plan.acts.push((at + chance.between(500, 2_000), Act::Boot { slot }));
            }
        }
        plan.acts.sort_by_key(|(at, _)| *at);
        plan
    }

    fn one(&mut self, chance: &mut Chance) {
        let n = self.n as u64;
        let at = chance.between(QUIET, self.calm);
        let until = at + chance.between(200, 3_000);
        let a = chance.below(n) as u16;
        let b = (u64::from(a) + chance.between(1, n)) as u16 % n as u16;
        let mut push = |at, act| self.acts.push((at, act));
        match chance.below(11) {
            0 => {
                // One slot alone.
                for other in (0..n as u16).filter(|other| *other != a) {
                    push(at, Act::Cut { a, b: other, oneway: false });
                    push(until, Act::Mend { a, b: other });
                }
            }
            1 => {
                push(at, Act::Cut { a, b, oneway: chance.one_in(2) });
                push(until, Act::Mend { a, b });
            }
            2 => {
                push(at, Act::Hold { a, b });
                push(until, Act::Release { a, b });
            }
            3 => {
                push(at, Act::Slow { most: chance.between(20, 250) });
                push(until, Act::Slow { most: 15 });
            }
            4 => {
                let faults = Faults { full: true, ..Faults::default() };
                push(at, Act::Disk { slot: a, faults });
                push(until, Act::Disk { slot: a, faults: Faults::default() });
            }
            5 => {
                // Rarely all disks at once: machines on one host that share one.
                let faults = Faults { slow: chance.between(10, 900), ..Faults::default() };
                let all = chance.one_in(4);
                for slot in (0..n as u16).filter(|slot| all || *slot == a) {
                    push(at, Act::Disk { slot, faults });
                    push(until, Act::Disk { slot, faults: Faults::default() });
                }
            }
            6 => push(at, Act::Clock { slot: a, ahead: chance.below(7_200_000) }),
            kind => {
                let slow = if chance.one_in(3) { chance.between(10, 500) } else { 0 };
                let faults =
                    Faults { lost_flush: chance.one_in(3), torn: chance.one_in(2), full: false, slow };
                push(at.saturating_sub(chance.below(400)), Act::Disk { slot: a, faults });
                let roll_back = kind <= 8;
                if roll_back {
                    push(QUIET + chance.below(at - QUIET + 1), Act::Keep { slot: a });
                }
                push(at, Act::Crash { slot: a, roll_back });
                push(at + chance.between(100, 2_500), Act::Boot { slot: a });
            }
        }
    }
}
