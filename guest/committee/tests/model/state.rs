//! The state of a committee and its steps. A step that the rules forbid is refused with the reason; exploration and the replay
//! of a real run use the same ones.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{comparable, fate};
use super::{Entry, Fate, History, Rank, Rules};

/// Slot to the key that holds it.
pub(crate) type Roster = BTreeMap<usize, u32>;

/// A running machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    pub(crate) key: u32,
    pub(crate) epoch: usize,
    /// Its Raft log, durable.
    pub(crate) stored: History,
    /// How much of it is applied.
    pub(crate) applied: usize,
    /// How much of it is signed.
    pub(crate) signed: usize,
    /// How much of it the member knows to be cosigned.
    pub(crate) heard: usize,
}

/// What a machine left behind, or an older state of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    pub(crate) was: Member,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seat {
    pub(crate) member: Option<Member>,
    pub(crate) disk: Option<Disk>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Epoch {
    /// Entries taken over from the epoch before, its own first entry included.
    pub(crate) base: usize,
    /// Who sat in the slots at the base.
    pub(crate) roster: Roster,
    /// Raft's order (in the world of crash faults).
    pub(crate) order: History,
    /// The longest cosigned history.
    pub(crate) cosigned: History,
    /// Began from fewer than n - q + 1 fresh disks: what was acknowledged before may be gone, and nobody promised otherwise.
    pub(crate) lossy: bool,
}

/// What must never happen, once it has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Broken {
    /// Two histories of one epoch cosigned, neither a continuation of the other.
    pub(crate) forked: bool,
    /// What was told of a submission turned out otherwise.
    pub(crate) changed: bool,
    /// A recovery from n - q + 1 fresh disks lost what was acknowledged.
    pub(crate) lost: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) seats: Vec<Seat>,
    /// (epoch, key, slot, history): that key, in that slot, signed every boundary of that history.
    pub(crate) signatures: BTreeSet<(usize, u32, usize, History)>,
    pub(crate) next_key: u32,
    pub(crate) told: BTreeMap<u32, Fate>,
    pub(crate) crashes: u32,
    pub(crate) recoveries: u32,
    pub(crate) broken: Broken,
}

/// Why a step is not allowed.
pub(crate) type Refused = &'static str;
pub(crate) type Step = Result<(), Refused>;

impl State {
    /// n machines at genesis, keys 0 to n - 1.
    pub(crate) fn genesis(rules: &Rules) -> Self {
        let keys = 0..u32::try_from(rules.n).unwrap();
        let seat = |key| Seat { member: Some(Member::new(key, 0, Vec::new())), disk: None };
        let roster = keys.clone().enumerate().collect();
        Self {
            epochs: vec![Epoch { base: 0, roster, order: Vec::new(), cosigned: Vec::new(), lossy: false }],
            seats: keys.clone().map(seat).collect(),
            signatures: BTreeSet::new(),
            next_key: keys.end,
            told: BTreeMap::new(),
            crashes: 0,
            recoveries: 0,
            broken: Broken::default(),
        }
    }

    pub(crate) fn epoch(&self) -> usize {
        self.epochs.len() - 1
    }

    pub(crate) fn member(&self, slot: usize) -> Result<&Member, Refused> {
        self.seats[slot].member.as_ref().ok_or("no machine runs in this slot")
    }

    fn member_mut(&mut self, slot: usize) -> Result<&mut Member, Refused> {
        self.seats[slot].member.as_mut().ok_or("no machine runs in this slot")
    }

    /// Who sits in the slots after `history`.
    pub(crate) fn roster(&self, epoch: usize, history: &[Entry]) -> Roster {
        let base = &self.epochs[epoch];
        let mut roster = base.roster.clone();
        for entry in history.iter().skip(base.base) {
            if let Entry::Admit { slot, key } = entry {
                roster.insert(*slot, *key);
            }
        }
        roster
    }

    /// Whose cosignatures count at the boundary after `history`.
    fn signers(&self, rules: &Rules, epoch: usize, history: &[Entry]) -> Roster {
        match history.split_last() {
            Some((Entry::Admit { .. }, before)) if rules.counts_after_admission => self.roster(epoch, before),
            _ => self.roster(epoch, history),
        }
    }

    /// Whether q of those who count have signed the boundary after `history`.
    pub(crate) fn is_cosigned(&self, rules: &Rules, epoch: usize, history: &[Entry]) -> bool {
        let signers = self.signers(rules, epoch, history);
        let signed = |key: u32| {
            let of_key = (epoch, key, 0, Vec::new())..(epoch, key + 1, 0, Vec::new());
            self.signatures.range(of_key).any(|(_, _, _, signed)| signed.starts_with(history))
        };
        signers.iter().filter(|(slot, key)| rules.compromised(**slot) || signed(**key)).count() >= rules.q
    }

    /// Whether a member may sign the boundary after `history`, whatever it signed before.
    fn may_sign(&self, rules: &Rules, epoch: usize, key: u32, history: &[Entry]) -> Step {
        if !self.roster(epoch, history).values().any(|held| *held == key) {
            return Err("this key holds no slot in that history");
        }
        if !rules.counts_after_admission {
            return Ok(());
        }
        let base = self.epochs[epoch].base;
        let last = history.len().saturating_sub(1);
        for at in base..last {
            if matches!(history[at], Entry::Admit { .. }) && !self.is_cosigned(rules, epoch, &history[..=at])
            {
                return Err("an admission in that history is not cosigned by the members before it");
            }
        }
        match history.last() {
            // Those who begin an epoch sign what it begins with: operators say who they are.
            Some(Entry::Admit { key: new, .. }) if *new == key && history.len() > base => {
                Err("a machine does not sign its own admission")
            }
            _ => Ok(()),
        }
    }

    /// A member signs what it applied up to `size`.
    pub(crate) fn sign(&mut self, rules: &Rules, slot: usize, size: usize) -> Step {
        let member = self.member(slot)?;
        if size > member.applied {
            return Err("a member signs only what it applied");
        }
        if size <= member.signed {
            return Err("signed already");
        }
        let (epoch, key, history) = (member.epoch, member.key, member.stored[..size].to_vec());
        self.may_sign(rules, epoch, key, &history)?;
        self.member_mut(slot)?.signed = size;
        // Only the longest of a chain is kept: it stands for every boundary before it.
        self.signatures
            .retain(|(e, k, _, signed)| !(*e == epoch && *k == key && history.starts_with(signed)));
        self.signatures.insert((epoch, key, slot, history.clone()));
        self.cosign(rules, epoch, &history);
        Ok(())
    }

    /// Takes note of what has become cosigned, and tells what then may be told.
    fn cosign(&mut self, rules: &Rules, epoch: usize, history: &[Entry]) {
        let base = self.epochs[epoch].base;
        let size =
            (base.max(1)..=history.len()).rev().find(|s| self.is_cosigned(rules, epoch, &history[..*s]));
        let Some(size) = size else { return };
        let (new, old) = (&history[..size], &self.epochs[epoch].cosigned);
        if !comparable(new, old) {
            self.broken.forked = true;
        } else if new.len() > old.len() {
            self.epochs[epoch].cosigned = new.to_vec();
        }
        if let Some(next) = self.epochs.get(epoch + 1) {
            // A machine of the old epoch that no operator stopped completes a quorum late. What it tells must have survived.
            self.broken.lost |= !next.lossy && !next.order.starts_with(new);
            return;
        }
        for entry in new {
            if let Entry::Write(write) | Entry::Settle(write) = entry {
                let said = fate(new, *write);
                self.tell(*write, said);
            }
        }
        self.broken.changed |= self.told.iter().any(|(write, told)| match told {
            Fate::Committed(at) => new.get(*at).is_some_and(|entry| *entry != Entry::Write(*write)),
            Fate::Invalid => matches!(fate(new, *write), Some(Fate::Committed(_))),
        });
    }

    /// A client hears the fate of a submission.
    pub(crate) fn tell(&mut self, write: u32, said: Option<Fate>) {
        let Some(said) = said else { return };
        let before = *self.told.entry(write).or_insert(said);
        self.broken.changed |= before != said;
    }

    /// Anyone shows a member a history, which it applies and signs.
    pub(crate) fn show(&mut self, rules: &Rules, slot: usize, history: &[Entry]) -> Step {
        let member = self.member_mut(slot)?;
        if rules.consistent && !history.starts_with(&member.stored[..member.signed]) {
            return Err("that history does not continue what this member signed");
        }
        if !rules.consistent {
            member.signed = 0;
        }
        member.stored = history.to_vec();
        member.applied = history.len();
        self.sign(rules, slot, history.len())
    }

    /// A leader stores an entry that may or may not be committed.
    pub(crate) fn propose(&mut self, rules: &Rules, slot: usize, entry: Entry) -> Step {
        let epoch = self.member(slot)?.epoch;
        let order = &self.epochs[epoch].order;
        let at = order.len();
        if self.member(slot)?.stored != *order || at >= rules.length + self.recoveries as usize {
            return Err("a leader has the whole order, and room in the bound");
        }
        self.member_mut(slot)?.stored.push(entry);
        if let Entry::Write(write) = entry
            && !rules.acknowledge_cosigned
        {
            let told = Some(fate(&self.member(slot)?.stored, write).unwrap_or(Fate::Committed(at)));
            self.tell(write, told);
        }
        Ok(())
    }

    /// Raft commits an entry that the members of `set` store. An admission needs a majority before and after it.
    pub(crate) fn commit(&mut self, rules: &Rules, set: &BTreeSet<usize>, entry: Entry) -> Step {
        let epoch = self.epoch();
        let mut order = self.epochs[epoch].order.clone();
        if order.len() >= rules.length + self.recoveries as usize {
            return Err("no room in the bound");
        }
        let roster = self.roster(epoch, &order);
        let sits = |slot: &usize| {
            let member = self.seats[*slot].member.as_ref();
            member.is_some_and(|m| m.epoch == epoch && roster.get(slot) == Some(&m.key))
        };
        if !set.iter().all(sits) || set.len() * 2 <= roster.len() {
            return Err("no majority of the roster stores this");
        }
        order.push(entry);
        if let Entry::Admit { slot, key } = entry {
            if key != self.next_key {
                return Err("an admitted key was never admitted before");
            }
            let after = self.roster(epoch, &order);
            if (set.iter().filter(|held| **held != slot).count() + 1) * 2 <= after.len() {
                return Err("no majority of the roster to be stores this");
            }
            self.next_key += 1;
            let mut member = Member::new(key, epoch, order.clone());
            member.signed = order.len();
            self.seats[slot].member = Some(member);
        }
        for slot in set {
            self.member_mut(*slot)?.stored = order.clone();
        }
        self.epochs[epoch].order = order;
        Ok(())
    }

    /// A member learns the order from its leader and applies it; what it had stored beside it is gone.
    pub(crate) fn apply(&mut self, slot: usize) -> Step {
        let epoch = self.member(slot)?.epoch;
        let order = self.epochs[epoch].order.clone();
        let member = self.member_mut(slot)?;
        if !order.starts_with(&member.stored[..member.applied]) || member.applied == order.len() {
            return Err("nothing to apply");
        }
        member.applied = order.len();
        member.stored = order;
        Ok(())
    }

    /// A member hears the last cosigned checkpoint.
    pub(crate) fn hear(&mut self, slot: usize) -> Step {
        let epoch = self.member(slot)?.epoch;
        let size = self.epochs[epoch].cosigned.len();
        let member = self.member_mut(slot)?;
        if member.heard >= size || member.applied < size {
            return Err("nothing to hear");
        }
        member.heard = size;
        Ok(())
    }

    /// A machine stops. Its disk keeps all (`None`), or is an older one that holds so many entries.
    pub(crate) fn crash(&mut self, rules: &Rules, slot: usize, keeps: Option<usize>) -> Step {
        if self.crashes >= rules.crashes {
            return Err("no more crashes within the bound");
        }
        let mut was = self.seats[slot].member.take().ok_or("no machine runs in this slot")?;
        self.crashes += 1;
        if let Some(keeps) = keeps {
            was.stored.truncate(keeps);
            was.applied = was.applied.min(keeps);
            was.signed = was.signed.min(keeps);
            was.heard = was.heard.min(keeps);
        }
        self.seats[slot].disk = Some(Disk { was });
        Ok(())
    }

    /// A machine of the same slot boots. With fresh keys it has signed nothing; else it is who its disk says.
    pub(crate) fn boot(&mut self, rules: &Rules, slot: usize) -> Step {
        let disk = self.seats[slot].disk.take().ok_or("nothing crashed here")?;
        let member = if rules.fresh_keys {
            self.next_key += 1;
            Member::new(self.next_key - 1, disk.was.epoch, Vec::new())
        } else {
            disk.was
        };
        self.seats[slot].member = Some(member);
        Ok(())
    }

    /// The operators of `set` stop their machines, compare the disks, and begin an epoch from the best one, `best`.
    pub(crate) fn recover(&mut self, rules: &Rules, set: &BTreeSet<usize>, best: usize) -> Step {
        if set.len() < rules.q || !set.contains(&best) || self.recoveries >= rules.recoveries {
            return Err("a recovery takes q slot operators");
        }
        let disks: BTreeMap<usize, Disk> = set
            .iter()
            .filter_map(|slot| {
                let seat = &self.seats[*slot];
                let live = seat.member.clone().map(|was| Disk { was });
                Some((*slot, live.or_else(|| seat.disk.clone())?))
            })
            .collect();
        let held = |disk: &Disk| match rules.rank {
            Rank::Applied => disk.was.applied,
            Rank::Stored => disk.was.stored.len(),
            Rank::Heard => disk.was.heard,
        };
        let rank = |disk: &Disk| (disk.was.epoch, held(disk));
        let chosen = disks.get(&best).ok_or("the chosen slot has no disk")?;
        if disks.values().any(|disk| rank(disk) > rank(chosen)) {
            return Err("a better disk is there");
        }
        let mut order = chosen.was.stored[..held(chosen)].to_vec();
        // A disk is fresh if it holds all that the slot's machines of its epoch ever signed: one that is just admitted has to catch up first.
        let fresh = |slot: usize, disk: &Disk| {
            let of_slot =
                |(epoch, _, by, _): &&(usize, u32, usize, History)| *epoch == disk.was.epoch && *by == slot;
            self.signatures
                .iter()
                .filter(of_slot)
                .all(|(.., signed)| disk.was.stored[..disk.was.applied].starts_with(signed))
        };
        let excused = disks.iter().filter(|(slot, disk)| fresh(**slot, disk)).count() < rules.n - rules.q + 1;
        self.told.retain(|write, told| {
            let kept = fate(&order, *write) == Some(*told);
            self.broken.lost |= !kept && !excused;
            kept
        });
        let before = self.epochs[self.epoch()].cosigned.clone();
        order.push(Entry::Recovery { epoch: self.recoveries + 1 });
        let mut roster = Roster::new();
        let epoch = if rules.recovery_epoch { self.epochs.len() } else { self.epoch() };
        for slot in set {
            roster.insert(*slot, self.next_key);
            let mut member = Member::new(self.next_key, epoch, order.clone());
            member.applied = order.len();
            self.seats[*slot] = Seat { member: Some(member), disk: None };
            self.next_key += 1;
        }
        let base = order.len();
        let cosigned = if rules.recovery_epoch { Vec::new() } else { before };
        let next = Epoch { base, roster, order, cosigned, lossy: excused };
        if rules.recovery_epoch {
            self.epochs.push(next);
        } else {
            self.epochs[epoch] = next;
        }
        self.recoveries += 1;
        Ok(())
    }
}

impl Member {
    pub(crate) fn new(key: u32, epoch: usize, stored: History) -> Self {
        Self { key, epoch, stored, applied: 0, signed: 0, heard: 0 }
    }
}
