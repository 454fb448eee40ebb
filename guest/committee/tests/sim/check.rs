//! What must hold, looked at after every step and at the end.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_committee::{DiskState, Engine, Outcome};
use hallmark_ledger::entry::Entry;
use hallmark_ledger::system::Roster;
use hallmark_machine::kv::Kv;

use super::clerk::client;
use super::run::{Roots, explained};
use crate::model::replay::Replay;

/// What a member showed last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Shown {
    node: u64,
    epoch: u64,
    role: String,
    term: u64,
    applied: u64,
    signed: u64,
    cosigned: u64,
    fault: Option<String>,
}

/// What a recovery dropped.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) told: Vec<((usize, u64), Outcome)>,
    /// Readers may have seen it even where its writer was told nothing.
    pub(crate) cosigned: Option<u64>,
}

#[derive(Default)]
pub(crate) struct Seen {
    shown: BTreeMap<u16, Shown>,
    faulty: BTreeSet<u16>,
    /// What honest members signed, and what quorums cosigned.
    signed: Roots,
    cosigned: Roots,
    /// Largest size signed by a machine of a slot in an epoch.
    signed_by: BTreeMap<(u16, u64), u64>,
    /// Final words to clients.
    told: BTreeMap<(usize, u64), Outcome>,
    epoch: u64,
    steps: usize,
    growth: u64,
    replay: Replay,
    whole: bool,
}

impl Seen {
    /// Reads a member; lines of the trace, or what is wrong.
    pub(crate) fn look(
        &mut self,
        slot: u16,
        node: u64,
        epoch: u64,
        engine: &Engine<Kv>,
    ) -> Vec<Result<String, String>> {
        let status = engine.status();
        let shown = Shown {
            node,
            epoch,
            role: format!("{:?}", status.role),
            term: status.term,
            applied: status.applied,
            signed: status.signed,
            cosigned: status.cosigned,
            fault: status.fault.as_ref().map(ToString::to_string),
        };
        self.whole = status.roster.len() == status.voters.len();
        let before = self.shown.insert(slot, shown.clone());
        if before.as_ref() == Some(&shown) {
            return Vec::new();
        }
        self.steps += 1;
        let Shown { ref role, term, applied, signed, cosigned, ref fault, .. } = shown;
        let mut lines = vec![Ok(format!(
            "slot {slot} node {node}/{epoch}: {role} term {term} applied {applied} signed {signed} cosigned {cosigned}{}",
            fault.as_ref().map(|fault| format!(" FAULT {fault}")).unwrap_or_default()
        ))];
        match &status.fault {
            Some(fault) if !explained(fault) => {
                lines.push(Err(format!("slot {slot} node {node}: fault {fault}")));
                self.faulty.insert(slot);
            }
            Some(_) => drop(self.faulty.insert(slot)),
            None => drop(self.faulty.remove(&slot)),
        }
        if let Some(before) = before.filter(|before| (before.node, before.epoch) == (node, epoch))
            && (before.applied > applied || before.signed > signed || before.cosigned > cosigned)
        {
            lines.push(Err(format!("slot {slot} node {node} went back: {before:?}, then {shown:?}")));
        }
        if let Err(why) = self.replay.step(slot, node, epoch, (applied, signed), engine) {
            lines.push(Err(format!(
                "the model refuses slot {slot} node {node}/{epoch} applied {applied} signed {signed}: {why}"
            )));
        }
        if signed > 0 {
            let most = self.signed_by.entry((slot, epoch)).or_default();
            *most = signed.max(*most);
            // Leaves that a snapshot brought are not all in the files at once.
            if let Some(Ok(root)) = engine.ledger(|log| (log.size() >= signed).then(|| log.root_at(signed))) {
                let first = *self.signed.entry((epoch, signed)).or_insert(root);
                if first != root {
                    lines
                        .push(Err(format!("epoch {epoch} size {signed}: members signed {first} and {root}")));
                }
            }
        }
        if let Some(checkpoint) =
            engine.checkpoint().borrow().as_ref().map(|signed| signed.checkpoint().clone())
        {
            self.epoch = self.epoch.max(checkpoint.epoch);
            let key = (checkpoint.epoch, checkpoint.size);
            if !self.cosigned.contains_key(&key) {
                self.growth += 1;
            }
            let first = *self.cosigned.entry(key).or_insert(checkpoint.root);
            if first != checkpoint.root {
                lines.push(Err(format!("FORK at {key:?}: {first} and {}", checkpoint.root)));
            }
        }
        lines
    }

    /// After all members were read: whether the model allows what they signed.
    pub(crate) fn settle(&mut self) -> Vec<String> {
        self.replay.settle()
    }

    /// A client was told.
    pub(crate) fn told(
        &mut self,
        clerk: usize,
        nonce: u64,
        outcome: &Outcome,
        epoch: u64,
    ) -> Result<(), String> {
        self.replay.told(&client(clerk), nonce, outcome, epoch).map_err(|why| {
            format!("the model refuses that clerk {clerk} nonce {nonce} is told {outcome:?}: {why}")
        })?;
        let first = self.told.entry((clerk, nonce)).or_insert_with(|| outcome.clone());
        if first == outcome {
            return Ok(());
        }
        Err(format!("clerk {clerk} nonce {nonce} was told {first:?}, then {outcome:?}"))
    }

    pub(crate) fn grown(&self) -> u64 {
        self.growth
    }

    pub(crate) fn whole(&self) -> bool {
        self.whole && self.faulty.is_empty()
    }

    pub(crate) fn faulty(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.faulty).into_iter().collect()
    }

    pub(crate) fn told_count(&self) -> usize {
        self.told.len()
    }

    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    pub(crate) fn size(&self) -> u64 {
        self.cosigned.last_key_value().map_or(0, |((_, size), _)| *size)
    }

    /// Whether a disk holds all that the slot's machines of the last epoch signed.
    pub(crate) fn is_fresh(&self, slot: u16, disk: Option<&DiskState>) -> bool {
        let signed = self.signed_by.get(&(slot, self.epoch)).copied().unwrap_or(0);
        match disk {
            Some(disk) => disk.last.epoch == self.epoch && disk.size >= signed || signed == 0,
            None => signed == 0,
        }
    }

    /// An epoch begins with these members.
    pub(crate) fn founded(&mut self, roster: &Roster, quorum: usize) {
        self.replay.founded(roster, quorum);
    }

    /// A recovery goes on from a disk: which final words are not in it, and up to which size a quorum had signed more. They count no more.
    pub(crate) fn recovered(&mut self, best: &DiskState, lossy: bool) -> Lost {
        let lost = |outcome: &Outcome| outcome.end() > best.size;
        let all = self.told.iter().filter(|(_, outcome)| lost(outcome));
        let all: Vec<_> = all.map(|(id, outcome)| (*id, outcome.clone())).collect();
        self.told.retain(|_, outcome| !lost(outcome));
        self.replay.recovered(best.size, lossy);
        self.shown.clear();
        self.faulty.clear();
        let of_epoch = self.cosigned.range((best.last.epoch, best.size + 1)..);
        let cosigned = of_epoch.map(|((_, size), _)| *size).max();
        Lost { told: all, cosigned }
    }

    /// At the end, everybody calm: the ledgers bear out every word, and every command stands in them once.
    pub(crate) fn last(&self, engines: &[&Engine<Kv>]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut sizes = BTreeSet::new();
        let mut longest: Vec<Entry> = Vec::new();
        for engine in engines {
            let size = engine.status().cosigned;
            sizes.insert(size);
            let entries: Result<Vec<_>, String> = engine.ledger(|log| {
                (0..size.min(log.size()))
                    .map(|at| Entry::of(log.entry(at).map_err(|e| e.to_string())?).map_err(|e| e.to_string()))
                    .collect()
            });
            match entries {
                Ok(entries) if entries.len() > longest.len() => longest = entries,
                Ok(_) => {}
                Err(error) => wrong.push(format!("a ledger cannot be read: {error}")),
            }
        }
        if sizes.len() > 1 {
            wrong.push(format!("members that are at peace know different checkpoints: {sizes:?}"));
        }
        let mut applied: BTreeMap<([u8; 32], u64), u64> = BTreeMap::new();
        for (at, entry) in longest.iter().enumerate() {
            if let (Some(by), "pairs") = (entry.submission(), entry.surface())
                && let Some(first) = applied.insert((by.client, by.nonce), at as u64)
            {
                wrong.push(format!(
                    "client {:?} nonce {} stands at {first} and at {at}",
                    by.client[0], by.nonce
                ));
            }
        }
        for ((clerk, nonce), outcome) in &self.told {
            let found = applied.get(&(*client(*clerk).as_bytes(), *nonce)).copied();
            let due = match outcome {
                Outcome::Committed { first, .. } => Some(*first),
                _ => None,
            };
            if found != due {
                wrong.push(format!(
                    "clerk {clerk} nonce {nonce} was told {outcome:?}; the ledger has {found:?}"
                ));
            }
        }
        wrong
    }
}
