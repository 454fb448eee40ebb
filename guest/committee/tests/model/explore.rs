//! Every step from every state, for the checker.

use std::collections::BTreeSet;

use stateright::{Model, Property};

use super::state::{State, Step};
use super::{Entry, Fate, History, Rank, Rules, World};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Show {
        slot: usize,
        history: History,
    },
    Propose {
        slot: usize,
        entry: Entry,
    },
    Commit {
        set: BTreeSet<usize>,
        entry: Entry,
    },
    /// Applies what was ordered, and signs at once as much of it as may be signed.
    Follow {
        slot: usize,
    },
    Hear {
        slot: usize,
    },
    Crash {
        slot: usize,
        keeps: Option<usize>,
    },
    Boot {
        slot: usize,
    },
    Recover {
        set: BTreeSet<usize>,
        best: usize,
    },
    Guess {
        write: u32,
    },
}

/// The submissions that the clients of the bounded world make.
const WRITES: [u32; 2] = [0, 1];

impl Rules {
    fn take(&self, state: &mut State, action: &Action) -> Step {
        match action {
            Action::Show { slot, history } => state.show(self, *slot, history),
            Action::Propose { slot, entry } => state.propose(self, *slot, *entry),
            Action::Commit { set, entry } => state.commit(self, set, *entry),
            Action::Follow { slot } => {
                let applied = state.apply(*slot);
                let last = state.member(*slot)?.applied;
                (0..=last).rev().find_map(|size| state.sign(self, *slot, size).ok()).map_or(applied, Ok)
            }
            Action::Hear { slot } => state.hear(*slot),
            Action::Crash { slot, keeps } => state.crash(self, *slot, *keeps),
            Action::Boot { slot } => state.boot(self, *slot),
            Action::Recover { set, best } => state.recover(self, set, *best),
            Action::Guess { write } => {
                state.tell(*write, Some(Fate::Invalid));
                Ok(())
            }
        }
    }

    /// All histories within the bound that a member could be shown: writes, and admissions of machines that did boot.
    fn histories(&self, state: &State) -> Vec<History> {
        let booted = state.seats.iter().enumerate().filter_map(|(slot, seat)| {
            let key = seat.member.as_ref()?.key;
            (key as usize >= self.n).then_some(Entry::Admit { slot, key })
        });
        let entries: Vec<Entry> = WRITES.into_iter().map(Entry::Write).chain(booted).collect();
        let mut all: Vec<History> = vec![Vec::new()];
        let mut from = 0;
        for _ in 0..self.length {
            let until = all.len();
            for at in from..until {
                for entry in &entries {
                    if !all[at].contains(entry) {
                        let mut longer = all[at].clone();
                        longer.push(*entry);
                        all.push(longer);
                    }
                }
            }
            from = until;
        }
        all.remove(0);
        all
    }

    fn under_anyone(&self, state: &State, actions: &mut Vec<Action>) {
        let histories = self.histories(state);
        for slot in (0..self.n).filter(|slot| !self.compromised(*slot)) {
            if state.seats[slot].disk.is_some() {
                actions.push(Action::Boot { slot });
                continue;
            }
            actions.extend(histories.iter().map(|h| Action::Show { slot, history: h.clone() }));
            let size = state.member(slot).map_or(0, |m| m.stored.len());
            let rolled = (0..size).map(Some).filter(|_| !self.fresh_keys);
            actions.extend(rolled.chain([None]).map(|keeps| Action::Crash { slot, keeps }));
        }
    }

    fn under_raft(&self, state: &State, actions: &mut Vec<Action>) {
        let writes = if self.two_writes() { &WRITES[..] } else { &WRITES[..1] };
        let entries = writes.iter().copied().map(Entry::Write).chain([Entry::Settle(0)]);
        // The smallest majorities are enough: whoever else stores an entry learns it by `Follow`.
        let untouched = *state == State::genesis(self);
        let sets = |sizes: &'static [usize]| {
            (1..1usize << self.n)
                .map(|bits| (0..self.n).filter(|slot| bits >> slot & 1 == 1).collect::<BTreeSet<_>>())
                .filter(|set| sizes.contains(&set.len()))
                // At genesis all slots are alike.
                .take(if untouched { 1 } else { usize::MAX })
        };
        for slot in 0..self.n {
            if let Ok(member) = state.member(slot) {
                if self.rank == Rank::Stored || !self.acknowledge_cosigned {
                    actions.extend(entries.clone().map(|entry| Action::Propose { slot, entry }));
                }
                actions.push(Action::Follow { slot });
                if self.rank == Rank::Heard {
                    actions.push(Action::Hear { slot });
                }
                let keeps = (0..member.stored.len()).rev().take(1).map(Some).chain([None]);
                actions.extend(keeps.map(|keeps| Action::Crash { slot, keeps }));
            } else {
                let entry = Entry::Admit { slot, key: state.next_key };
                actions.extend(sets(&[2]).map(|set| Action::Commit { set, entry }));
            }
        }
        for entry in entries {
            actions.extend(sets(&[2]).map(|set| Action::Commit { set, entry }));
        }
        for set in sets(&[2, 3]) {
            actions.extend((0..self.n).map(|best| Action::Recover { set: set.clone(), best }));
        }
        if !self.invalid_by_order {
            actions.push(Action::Guess { write: 0 });
        }
    }
}

impl Model for Rules {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::genesis(self)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        match self.world {
            World::Anyone { .. } => self.under_anyone(state, actions),
            World::Crashes => self.under_raft(state, actions),
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.take(&mut next, &action).ok()?;
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE_HISTORY, |_, state: &State| !state.broken.forked),
            Property::always(FATE_FINAL, |_, state: &State| !state.broken.changed),
            Property::always(NOTHING_LOST, |_, state: &State| !state.broken.lost),
            // That the bounded world is not empty: what the rules are for does happen in it.
            Property::sometimes(ACKNOWLEDGED, |_, state: &State| !state.told.is_empty()),
            Property::sometimes(REJOINED, |rules: &Rules, state: &State| {
                let old = u32::try_from(rules.n).unwrap_or(u32::MAX);
                state.signatures.iter().any(|(epoch, key, ..)| *epoch == 0 && *key >= old)
                    || rules.rejoins_not()
            }),
            Property::sometimes(RECOVERED, |rules: &Rules, state: &State| {
                state.epochs.len() > 1 && !state.epochs[1].cosigned.is_empty() || rules.recovers_not()
            }),
        ]
    }
}

pub(crate) const ONE_HISTORY: &str = "one cosigned history an epoch";
pub(crate) const FATE_FINAL: &str = "what was told of a submission stays so";
pub(crate) const NOTHING_LOST: &str = "n - q + 1 fresh disks lose nothing acknowledged";
const ACKNOWLEDGED: &str = "something is acknowledged";
const REJOINED: &str = "a new machine in an old slot signs";
const RECOVERED: &str = "a recovered epoch cosigns";

impl Rules {
    /// Two submissions are told apart where a rule about their order is taken away.
    fn two_writes(&self) -> bool {
        self.rank == Rank::Stored || !self.acknowledge_cosigned
    }

    fn rejoins_not(&self) -> bool {
        // With q = n nobody can sign the admission of a lost machine's successor: only a recovery helps. And a newcomer signs the entry after its own.
        self.crashes == 0 || !self.fresh_keys || self.q == self.n || self.length < 2
    }

    fn recovers_not(&self) -> bool {
        self.world != World::Crashes || self.recoveries == 0 || !self.recovery_epoch
    }
}
