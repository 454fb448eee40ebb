//! What a quorum of slot operators orders of a committee that lives: a member is put out, a release comes in or goes out, the committee ends.
//!
//! An order is a document that operators sign in turn; whoever has the last signature hands it to any member. It names the epoch, so that it dies with it.

use hallmark_coalition::{Acl, UniqueId};
use hallmark_ledger::system::{Expulsion, OperatorError, Release, Retirement, SlotSignature};
use serde::{Deserialize, Serialize};

use super::ceremony::{Answer, Request, Standing};
use super::{SlotKey, VisitError, Visitor};
use crate::state::Proposal;

/// A change, and the epoch that it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeOrder {
    /// The epoch. Signatures are over it too.
    pub epoch: u64,
    /// What is to happen.
    pub change: Change,
}

/// What operators can order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Change {
    /// A member is put out of its slot. Its slot has nobody until another machine is admitted.
    Expel(Expulsion),
    /// Machines of a release may be admitted from now on, or may not any more.
    Release(Release),
    /// The last entry.
    Retire(Retirement),
}

impl ChangeOrder {
    /// What operators sign.
    #[must_use]
    pub fn message(&self, group: &UniqueId) -> Vec<u8> {
        match &self.change {
            Change::Expel(expulsion) => expulsion.message(group, self.epoch),
            Change::Release(release) => release.message(group, self.epoch),
            Change::Retire(retirement) => retirement.message(group, self.epoch),
        }
    }

    /// The signatures so far, slots ascending.
    #[must_use]
    pub fn signatures(&self) -> &[SlotSignature] {
        match &self.change {
            Change::Expel(Expulsion { signatures, .. })
            | Change::Release(Release { signatures, .. })
            | Change::Retire(Retirement { signatures, .. }) => signatures,
        }
    }

    fn signatures_mut(&mut self) -> &mut Vec<SlotSignature> {
        match &mut self.change {
            Change::Expel(Expulsion { signatures, .. })
            | Change::Release(Release { signatures, .. })
            | Change::Retire(Retirement { signatures, .. }) => signatures,
        }
    }

    /// Adds a slot's signature, or puts it in the place of the one that the slot gave before.
    fn sign(&mut self, group: &UniqueId, slot: u16, key: &SlotKey) {
        let signature = key.sign(&self.message(group));
        let signatures = self.signatures_mut();
        signatures.retain(|signature| signature.slot != slot);
        let at = signatures.partition_point(|signature| signature.slot < slot);
        signatures.insert(at, SlotSignature { slot, signature });
    }

    /// Whether a quorum of slot operators signed it.
    ///
    /// # Errors
    /// Where too few did, or one of them wrongly.
    pub fn verify(&self, acl: &Acl, group: &UniqueId) -> Result<(), OperatorError> {
        match &self.change {
            Change::Expel(expulsion) => expulsion.verify(acl, group, self.epoch),
            Change::Release(release) => release.verify(acl, group, self.epoch),
            Change::Retire(retirement) => retirement.verify(acl, group, self.epoch),
        }
    }

    pub(super) fn proposal(self) -> Proposal {
        match self.change {
            Change::Expel(expulsion) => Proposal::Expel(expulsion),
            Change::Release(release) => Proposal::Release(release),
            Change::Retire(retirement) => Proposal::Retire(retirement),
        }
    }
}

impl Visitor {
    /// An order for the epoch that the committee is in now, unsigned.
    ///
    /// # Errors
    /// Where no member answers that knows a leader.
    pub async fn change(&self, change: Change) -> Result<ChangeOrder, VisitError> {
        let standings = self.standings().await;
        let live = standings.values().filter_map(|standing| standing.as_ref().ok()).filter(|s| s.is_live());
        let epoch = live.filter_map(|standing| standing.epoch).max().ok_or(VisitError::NotLive)?;
        Ok(ChangeOrder { epoch, change })
    }

    /// Puts an operator's signature on an order; the slot.
    ///
    /// # Errors
    /// Where the key is no slot's.
    pub fn sign_change(&self, order: &mut ChangeOrder, key: &SlotKey) -> Result<u16, VisitError> {
        let slot = self.slot_of(key)?;
        order.sign(&self.committee().id(), slot, key);
        Ok(slot)
    }

    /// Hands a signed order to a member, whichever takes it; the index of the entry that it became.
    ///
    /// # Errors
    /// Where a quorum has not signed it, or no member takes it.
    pub async fn order_change(&self, order: &ChangeOrder) -> Result<u64, VisitError> {
        let committee = self.committee();
        order.verify(committee.acl(), &committee.id()).map_err(super::CheckError::Operators)?;
        let standings = self.standings().await;
        let live = standings.iter().filter(|(_, standing)| standing.as_ref().is_ok_and(Standing::is_live));
        let mut last = VisitError::NotLive;
        for (slot, _) in live {
            match self.request(*slot, &Request::Change(Box::new(order.clone()))).await {
                Ok(Answer::Ordered(index)) => return Ok(index),
                Ok(_) => {}
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
