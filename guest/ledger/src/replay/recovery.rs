//! A recovery against what was before it.

use super::{Fault, Obligation, committee::State};
use crate::{
    checkpoint::Checkpoint,
    cosignature::{CosignatureError, Keys, SignedCheckpoint},
    note::{Note, Verifier},
    system::{Recovery, Roster},
    tree::Frontier,
};

/// An epoch that ended in a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// Its log key; the name is its origin.
    pub log_key: Verifier,
    /// Its members when it ended, as far as the surviving entries say.
    pub roster: Roster,
    /// Recoveries before it.
    pub recoveries: u64,
    /// Entries that survived it. A checkpoint of this epoch with more is proof of truncation.
    pub size: u64,
}

impl State {
    pub(super) fn recover(
        &mut self,
        index: u64,
        recovery: &Recovery,
        before: &Frontier,
    ) -> Result<Vec<Obligation>, Fault> {
        let mut obligations = Vec::new();
        let wrong = |holds: bool, why| if holds { Ok(()) } else { Err(Fault::Recovery(why)) };
        wrong(recovery.old_epoch == self.roster.epoch, "old_epoch is not the epoch that ends")?;
        wrong(
            recovery.old_log_key == self.log_key.to_string(),
            "old_log_key is not the key of the epoch that ends",
        )?;
        wrong(recovery.size == index, "size is not the index of this entry")?;
        wrong(recovery.root == before.root(), "root is not that of the entries before it")?;
        // Members cosign once their disks have an entry, and the note of all signatures exists only afterwards: what survives may go on behind the last note.
        if recovery.checkpoint.is_empty() {
            wrong(self.candidates.is_empty(), "machines that the recovery before named are missing")?;
        } else {
            obligations.extend(self.former_note(index, &recovery.checkpoint, before)?);
        }
        // Members promise an epoch to one order: an order that came to nothing has burnt its epoch.
        wrong(recovery.new_epoch > recovery.old_epoch, "new_epoch is not a later one")?;
        wrong(Some(recovery.recoveries) == self.recoveries.checked_add(1), "recoveries is not one more")?;
        let key = recovery.new_log_key(&self.group);
        let key =
            key.ok_or(Fault::Recovery("new_log_key is no key, or not named for this group and epoch"))?;
        let used = self.epochs.iter().map(|epoch| &epoch.log_key).chain([&self.log_key]);
        wrong(used.into_iter().all(|old| old.public() != key.public()), "new_log_key was used before")?;
        recovery
            .verify(&self.genesis.acl, &self.group)
            .map_err(|source| Fault::Operators { what: "recovery", source })?;

        let slots = self.genesis.acl.slots().len();
        wrong(
            recovery.members.is_sorted_by(|a, b| a.slot < b.slot),
            "members are not one a slot, slots ascending",
        )?;
        wrong(recovery.members.len() >= self.genesis.acl.quorum(), "fewer members than a quorum")?;
        for member in &recovery.members {
            if usize::from(member.slot) >= slots {
                return Err(Fault::Slot { slot: member.slot, slots });
            }
            self.fresh(member.slot, &member.cosign_key, &member.spki_sha256)?;
        }

        let roster = Roster { epoch: recovery.new_epoch, ..Roster::default() };
        self.epochs.push(Epoch {
            log_key: std::mem::replace(&mut self.log_key, key),
            roster: std::mem::replace(&mut self.roster, roster),
            recoveries: self.recoveries,
            size: recovery.size,
        });
        self.recoveries = recovery.recoveries;
        self.candidates.clone_from(&recovery.members);
        self.rosters.clear();
        obligations.extend(recovery.signatures.is_empty().then_some(Obligation::AutomaticRecovery { index }));
        Ok(obligations)
    }

    /// Holds the last note of the epoch that ends against the members at its size; its root against the entries, at once or by an obligation.
    fn former_note(&self, index: u64, note: &str, before: &Frontier) -> Result<Option<Obligation>, Fault> {
        let said = Note::parse(note.as_bytes()).map_err(CosignatureError::from)?;
        let size = Checkpoint::parse(said.text()).map_err(CosignatureError::from)?.size;
        if size >= index {
            return self.checkpoint(note.as_bytes(), before).map(|_| None);
        }
        let roster = self.rosters.range(..=size).next_back().map(|(_, roster)| roster);
        let roster = roster.ok_or(Fault::Recovery("checkpoint is of no members of the epoch that ends"))?;
        let keys = Keys { log: &self.log_key, roster, quorum: self.genesis.acl.quorum() };
        let signed = SignedCheckpoint::verify(note.as_bytes(), &keys)?;
        let Checkpoint { recoveries, root, .. } = *signed.checkpoint();
        if recoveries != self.recoveries {
            let (got, want) = (recoveries.to_string(), self.recoveries.to_string());
            return Err(Fault::CheckpointField { what: "recoveries", got, want });
        }
        Ok(Some(Obligation::Root { index, size, root }))
    }
}
