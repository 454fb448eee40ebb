//! A real run, replayed against the model: every step that members took must be one that the model allows.
//!
//! What members do between themselves (elections, replication) is not in the model; what they applied, what they signed and what
//! clients were told is. A step comes with the member's own ledger, so the model judges what it really signed. An epoch's first entries
//! are judged too: its founding and the admissions of those who begin it, nothing else.

use std::collections::BTreeMap;

use hallmark_committee::{Engine, Outcome};
use hallmark_ledger::entry::Entry as Leaf;
use hallmark_ledger::system::{Roster as Seats, SystemEntry};
use hallmark_machine::ClientId;
use hallmark_machine::kv::Kv;

use super::entry::fate;
use super::state::{Epoch, Member, Seat, State};
use super::{Entry, Fate, History, Rules, World};

#[derive(Default)]
pub(crate) struct Replay {
    rules: Option<Rules>,
    state: Option<State>,
    /// (client, nonce) to the model's number of a write.
    writes: BTreeMap<([u8; 32], u64), u32>,
    /// Leaves by index, as far as the last epoch's members agree.
    leaves: History,
    /// Ledger epochs, in the model's order, with how much of the one before survives.
    epochs: Vec<(u64, usize)>,
    pending: Option<(usize, bool)>,
    /// Whether the last epoch's founding entries were read and judged.
    judged: bool,
    /// How far members say that they signed, as far as the model has not followed yet: slot, key, epoch, size.
    signing: Vec<(usize, u32, usize, usize)>,
}

impl Replay {
    /// An epoch begins, in a committee with this quorum.
    pub(crate) fn founded(&mut self, seats: &Seats, quorum: usize) {
        let n = seats.members.keys().max().map_or(0, |slot| usize::from(*slot) + 1);
        let (survives, lossy) = self.pending.take().unwrap_or((0, false));
        self.leaves.truncate(survives);
        self.judged = false;
        self.signing.clear();
        // The last of the founding's entries is the last of its admissions, whose index is the node's id.
        let base = seats.members.values().map(|member| member.node as usize + 1).max().unwrap_or(survives);
        let epoch = Epoch {
            base,
            roster: seats.members.iter().map(|(slot, m)| (usize::from(*slot), m.node as u32)).collect(),
            order: self.leaves.clone(),
            cosigned: Vec::new(),
            lossy,
        };
        match &mut self.state {
            Some(state) => state.epochs.push(epoch),
            None => {
                let rules = Rules::new(World::Crashes, n, quorum);
                let mut state = State::genesis(&rules);
                state.epochs = vec![epoch];
                self.state = Some(state);
                self.rules = Some(rules);
            }
        }
        if let Some(state) = &mut self.state {
            state.seats = vec![Seat::default(); n.max(state.seats.len())];
        }
        self.epochs.push((seats.epoch, survives));
    }

    /// A recovery keeps so many leaves.
    pub(crate) fn recovered(&mut self, size: u64, lossy: bool) {
        self.pending = Some((size as usize, lossy));
        if let Some(state) = &mut self.state {
            let kept = &self.leaves[..self.leaves.len().min(size as usize)];
            state.told.retain(|write, told| fate(kept, *write) == Some(*told));
        }
    }

    fn write(&mut self, client: &ClientId, nonce: u64) -> u32 {
        let next = self.writes.len() as u32;
        *self.writes.entry((*client.as_bytes(), nonce)).or_insert(next)
    }

    fn entry(&mut self, index: u64, bytes: Vec<u8>) -> Result<Entry, String> {
        let leaf = Leaf::of(bytes).map_err(|error| error.to_string())?;
        if let Some(by) = leaf.submission() {
            let client = ClientId::new(by.client);
            return Ok(Entry::Write(self.write(&client, by.nonce)));
        }
        Ok(match SystemEntry::of(&leaf).map_err(|error| error.to_string())? {
            Some(SystemEntry::Rejection(rejection)) => {
                let client = ClientId::new(*rejection.client.as_bytes());
                Entry::Settle(self.write(&client, rejection.nonce))
            }
            Some(SystemEntry::Admission(admission)) => {
                Entry::Admit { slot: usize::from(admission.slot), key: index as u32 }
            }
            Some(SystemEntry::Recovery(recovery)) => Entry::Recovery { epoch: recovery.new_epoch as u32 },
            _ => Entry::Other(index as u32),
        })
    }

    /// What an epoch begins with: its first entry, what that and the admissions name, an admission for each seat.
    fn judge_founding(&mut self) -> Result<(), String> {
        let (Some(state), Some((epoch, survives))) = (&self.state, self.epochs.last()) else { return Ok(()) };
        let first = &state.epochs[state.epoch()];
        if self.judged || self.leaves.len() < first.base {
            return Ok(());
        }
        self.judged = true;
        let mut admitted = super::state::Roster::new();
        let mut begins = *survives == 0;
        for entry in &self.leaves[*survives..first.base] {
            match entry {
                Entry::Other(_) => {}
                Entry::Recovery { epoch: named } if !begins && u64::from(*named) == *epoch => begins = true,
                Entry::Admit { slot, key } if begins && admitted.insert(*slot, *key).is_none() => {}
                other => return Err(format!("epoch {epoch} begins with {other:?}")),
            }
        }
        if !begins || admitted != first.roster {
            return Err(format!("epoch {epoch} is of {:?}, its founding admits {admitted:?}", first.roster));
        }
        Ok(())
    }

    /// A member shows how far it applied and signed. Whether it may have signed is for [`Self::settle`] to say.
    pub(crate) fn step(
        &mut self,
        slot: u16,
        node: u64,
        epoch: u64,
        (applied, signed): (u64, u64),
        engine: &Engine<Kv>,
    ) -> Result<(), String> {
        let Some(at) = self.epochs.iter().position(|(known, _)| *known == epoch) else {
            return Err("an epoch that nobody began".into());
        };
        for index in self.leaves.len() as u64..applied {
            // Leaves that a snapshot stands for may come later, or from another member.
            let Some(bytes) =
                engine.ledger(|log| (index < log.size()).then(|| log.entry(index).ok()).flatten())
            else {
                break;
            };
            let entry = self.entry(index, bytes)?;
            self.leaves.push(entry);
        }
        self.judge_founding()?;
        let Some(state) = &mut self.state else { return Err("not begun".into()) };
        let slot = usize::from(slot);
        let key = node as u32;
        let known = state.seats[slot].member.as_ref().is_some_and(|m| (m.key, m.epoch) == (key, at));
        if !known {
            state.seats[slot].member = Some(Member::new(key, at, Vec::new()));
        }
        let history = &self.leaves[..self.leaves.len().min(applied as usize)];
        if history.len() < signed as usize {
            return Ok(());
        }
        let Some(member) = &mut state.seats[slot].member else { return Ok(()) };
        if !history.starts_with(&member.stored[..member.signed]) {
            return Err("what it applied does not continue what it signed".into());
        }
        member.stored = history.to_vec();
        member.applied = history.len();
        if signed as usize > member.signed {
            self.signing.retain(|(of, ..)| *of != slot);
            self.signing.push((slot, key, at, signed as usize));
        }
        Ok(())
    }

    /// Has the model follow what members signed since it was last asked, in whichever order it allows: signatures of one instant
    /// build on each other. What it allows in no order is wrong.
    pub(crate) fn settle(&mut self) -> Vec<String> {
        let (Some(state), Some(rules)) = (&mut self.state, &self.rules) else { return Vec::new() };
        let mut left = std::mem::take(&mut self.signing);
        loop {
            let before = left.len();
            let mut refused = Vec::new();
            let mut moved = false;
            for (slot, key, epoch, size) in left {
                let seat = state.seats[slot].member.as_ref();
                let Some(member) = seat.filter(|m| (m.key, m.epoch) == (key, epoch) && m.applied >= size)
                else {
                    continue;
                };
                // It signed every boundary of a changed roster on the way, from its own admission on.
                let from = member.signed.max(state.epochs[epoch].base).max(key as usize + 1);
                let changes = (from..size).filter(|at| matches!(member.stored[*at], Entry::Admit { .. }));
                let mut why = None;
                for end in
                    changes.map(|at| at + 1).filter(|end| *end < size).chain([size]).collect::<Vec<_>>()
                {
                    if state.seats[slot].member.as_ref().is_some_and(|member| member.signed >= end) {
                        continue;
                    }
                    match state.sign(rules, slot, end) {
                        Ok(()) => moved = true,
                        Err(refusal) => {
                            why = Some(refusal);
                            break;
                        }
                    }
                }
                if let Some(why) = why {
                    refused.push(((slot, key, epoch, size), why));
                }
            }
            if refused.is_empty() || (refused.len() == before && !moved) {
                let mut wrong: Vec<_> = refused
                    .into_iter()
                    .map(|((slot, key, epoch, size), why)| {
                        format!("the model refuses that slot {slot} node {key} of epoch number {epoch} signs {size}: {why}")
                    })
                    .collect();
                if state.broken != super::state::Broken::default() {
                    wrong.push(format!("in the model: {:?}", state.broken));
                }
                return wrong;
            }
            left = refused.into_iter().map(|(step, _)| step).collect();
        }
    }

    /// A client is told.
    pub(crate) fn told(
        &mut self,
        client: &ClientId,
        nonce: u64,
        outcome: &Outcome,
        epoch: u64,
    ) -> Result<(), String> {
        let write = self.write(client, nonce);
        let (Some(state), Some(rules)) = (&mut self.state, &self.rules) else {
            return Err("not begun".into());
        };
        let end = outcome.end() as usize;
        if end > self.leaves.len() {
            return Ok(());
        }
        let said = match outcome {
            Outcome::Committed { first: index, .. } | Outcome::Rejected { index, .. } => {
                Fate::Committed(*index as usize)
            }
            _ => Fate::Invalid,
        };
        if fate(&self.leaves[..end], write) != Some(said) {
            return Err("the ledger says otherwise".into());
        }
        let at = self.epochs.iter().position(|(known, _)| *known == epoch).ok_or("an unknown epoch")?;
        // A checkpoint that covers it: any boundary from its end on.
        let covered =
            (end..=self.leaves.len()).any(|size| state.is_cosigned(rules, at, &self.leaves[..size]));
        if !covered && state.epochs[at].base < end {
            return Err("no quorum signed it".into());
        }
        Ok(())
    }
}
