//! A recovery against what was before it.

use super::{Fault, Obligation, committee::State};
use crate::{
    note::Verifier,
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
    ) -> Result<Option<Obligation>, Fault> {
        let wrong = |holds: bool, why| if holds { Ok(()) } else { Err(Fault::Recovery(why)) };
        wrong(recovery.old_epoch == self.roster.epoch, "old_epoch is not the epoch that ends")?;
        wrong(
            recovery.old_log_key == self.log_key.to_string(),
            "old_log_key is not the key of the epoch that ends",
        )?;
        wrong(recovery.size == index, "size is not the index of this entry")?;
        wrong(recovery.root == before.root(), "root is not that of the entries before it")?;
        // Its size, root and recoveries are held against the entries there; the members are those of the old epoch.
        self.checkpoint(recovery.checkpoint.as_bytes(), before)?;
        wrong(
            Some(recovery.new_epoch) == recovery.old_epoch.checked_add(1),
            "new_epoch is not the next one",
        )?;
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
        Ok(recovery.signatures.is_empty().then_some(Obligation::AutomaticRecovery { index }))
    }
}
