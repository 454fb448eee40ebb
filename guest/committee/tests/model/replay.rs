//! A real run, replayed against the model: every step that members took must be one that the model allows.
//!
//! What members do between themselves (elections, replication) is not in the model; what they applied, what they signed and what
//! clients were told is. A step comes with the member's own ledger, so the model judges what it really signed.

use std::collections::BTreeMap;

use hallmark_committee::{Engine, Outcome};
use hallmark_ledger::entry::Entry as Leaf;
use hallmark_ledger::system::{Roster as Seats, SystemEntry};
use hallmark_machine::ClientId;
use hallmark_machine::kv::Kv;

use super::entry::fate;
use super::state::{Epoch, Member, Seat, State};
use super::{Entry, Fate, History, Rules, World};

/// Whether the engine counts a machine only behind its own admission.
const COUNTS_AFTER_ADMISSION: bool = false;

#[derive(Default)]
pub(crate) struct Replay {
    rules: Option<Rules>,
    state: Option<State>,
    /// (client, nonce) to the model's number of a write.
    writes: BTreeMap<([u8; 32], u64), u32>,
    /// Leaves by index, as far as the last epoch's members agree.
    leaves: History,
    /// Ledger epochs, in the model's order.
    epochs: Vec<u64>,
    pending: Option<(usize, bool)>,
}

impl Replay {
    /// An epoch begins.
    pub(crate) fn founded(&mut self, seats: &Seats) {
        let n = seats.members.keys().max().map_or(0, |slot| usize::from(*slot) + 1);
        let (survives, lossy) = self.pending.take().unwrap_or((0, false));
        self.leaves.truncate(survives);
        // Its founding entries are not read yet: they are the base once a member shows them.
        let epoch = Epoch {
            base: survives,
            roster: seats.members.iter().map(|(slot, m)| (usize::from(*slot), m.node as u32)).collect(),
            order: self.leaves.clone(),
            cosigned: Vec::new(),
            lossy,
        };
        match &mut self.state {
            Some(state) => state.epochs.push(epoch),
            None => {
                // The quorum is filled in by `recovered` or here: a majority is the least that an ACL allows.
                let rules = Rules {
                    counts_after_admission: COUNTS_AFTER_ADMISSION,
                    ..Rules::new(World::Crashes, n, n / 2 + 1)
                };
                let mut state = State::genesis(&rules);
                state.epochs = vec![epoch];
                self.state = Some(state);
                self.rules = Some(rules);
            }
        }
        if let Some(state) = &mut self.state {
            state.seats = vec![Seat::default(); n.max(state.seats.len())];
        }
        self.epochs.push(seats.epoch);
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

    /// A member shows how far it applied and signed.
    pub(crate) fn step(
        &mut self,
        slot: u16,
        node: u64,
        epoch: u64,
        (applied, signed): (u64, u64),
        engine: &Engine<Kv>,
    ) -> Result<(), String> {
        let Some(at) = self.epochs.iter().position(|known| *known == epoch) else {
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
        let (Some(state), Some(rules)) = (&mut self.state, &self.rules) else {
            return Err("not begun".into());
        };
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
            state.sign(rules, slot, signed as usize)?;
        }
        if state.broken != super::state::Broken::default() {
            return Err(format!("{:?}", state.broken));
        }
        Ok(())
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
        let at = self.epochs.iter().position(|known| *known == epoch).ok_or("an unknown epoch")?;
        // A checkpoint that covers it: any boundary from its end on.
        let covered =
            (end..=self.leaves.len()).any(|size| state.is_cosigned(rules, at, &self.leaves[..size]));
        if !covered && state.epochs[at].base < end {
            return Err("no quorum signed it".into());
        }
        Ok(())
    }
}
