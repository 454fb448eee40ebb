//! Who waits for an answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hallmark_ledger::cosignature::SignedCheckpoint;
use tokio::sync::oneshot;

use super::{Outcome, SubmitError};
use crate::state::ProposalId;

/// An answer: what became of it, under which checkpoint.
pub(crate) type Answer = Result<(Outcome, Arc<SignedCheckpoint>), SubmitError>;

/// A place in the queue.
pub(crate) struct Waiter {
    number: u64,
    /// The term in which it was queued, once known.
    term: Option<u64>,
    answer: oneshot::Sender<Answer>,
}

/// Who waits for a checkpoint, and what it will be told.
type Due = (Waiter, Result<Outcome, SubmitError>);

/// Those who wait for their proposal to be applied, then for a quorum to sign that.
#[derive(Default)]
pub(crate) struct Waiting {
    next: u64,
    unordered: HashMap<ProposalId, Vec<Waiter>>,
    /// By the size that a checkpoint must have.
    unsigned: BTreeMap<u64, Vec<Due>>,
    count: usize,
}

impl Waiting {
    /// How many wait.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Begins to wait. The number is for [`Self::queued`] and [`Self::leave`].
    pub(crate) fn enter(&mut self, id: ProposalId) -> (u64, oneshot::Receiver<Answer>) {
        let (answer, receiver) = oneshot::channel();
        self.next += 1;
        self.count += 1;
        let waiter = Waiter { number: self.next, term: None, answer };
        self.unordered.entry(id).or_default().push(waiter);
        (self.next, receiver)
    }

    /// Notes the term in which a proposal was queued; `seen` is the term of the last entry applied. Where that is a later one, the proposal is lost.
    pub(crate) fn queued(&mut self, id: ProposalId, number: u64, term: u64, seen: u64) {
        if let Some(waiters) = self.unordered.get_mut(&id) {
            waiters
                .iter_mut()
                .filter(|waiter| waiter.number == number)
                .for_each(|waiter| waiter.term = Some(term));
        }
        if term < seen {
            self.lose(seen);
        }
    }

    /// Notes the term for all who wait for this proposal and do not know theirs: the queue here has just put it into a batch.
    pub(crate) fn batched(&mut self, id: ProposalId, term: u64) {
        let waiters = self.unordered.get_mut(&id).into_iter().flatten();
        waiters.filter(|waiter| waiter.term.is_none()).for_each(|waiter| waiter.term = Some(term));
    }

    /// Stops waiting.
    pub(crate) fn leave(&mut self, id: ProposalId, number: u64) {
        if let Some(waiters) = self.unordered.get_mut(&id) {
            let before = waiters.len();
            waiters.retain(|waiter| waiter.number != number);
            self.count -= before - waiters.len();
            if waiters.is_empty() {
                self.unordered.remove(&id);
            }
        }
    }

    /// A proposal was applied; the answer is due once a quorum has signed `size` leaves.
    pub(crate) fn applied(&mut self, id: &ProposalId, size: u64, result: &Result<Outcome, SubmitError>) {
        if let Some(waiters) = self.unordered.remove(id) {
            let due = self.unsigned.entry(size).or_default();
            due.extend(waiters.into_iter().map(|waiter| (waiter, result.clone())));
        }
    }

    /// An entry of term `seen` was applied: what was queued in an earlier one and is not in the log before it never will be, since
    /// Raft's terms only grow along the log and a batch of another term is passed over.
    pub(crate) fn lose(&mut self, seen: u64) -> u64 {
        let mut lost = Vec::new();
        self.unordered.retain(|_, waiters| {
            lost.extend(waiters.extract_if(.., |waiter| waiter.term.is_some_and(|term| term < seen)));
            !waiters.is_empty()
        });
        // Told in the order in which they came, not in the table's: those who try again do so in the order of their waking.
        lost.sort_unstable_by_key(|waiter| waiter.number);
        self.count = self.count.saturating_sub(lost.len());
        let count = u64::try_from(lost.len()).unwrap_or(u64::MAX);
        for waiter in lost {
            let _ = waiter.answer.send(Err(SubmitError::Lost));
        }
        count
    }

    /// Tells those who wait for one proposal that it failed before it was ordered.
    pub(crate) fn fail(&mut self, id: &ProposalId, error: &SubmitError) {
        for waiter in self.unordered.remove(id).unwrap_or_default() {
            self.count = self.count.saturating_sub(1);
            let _ = waiter.answer.send(Err(error.clone()));
        }
    }

    /// A quorum signed: answers all up to its size.
    pub(crate) fn signed(&mut self, checkpoint: &Arc<SignedCheckpoint>) {
        let later = self.unsigned.split_off(&checkpoint.checkpoint().size.saturating_add(1));
        for (waiter, result) in std::mem::replace(&mut self.unsigned, later).into_values().flatten() {
            self.count = self.count.saturating_sub(1);
            let _ = waiter.answer.send(result.map(|outcome| (outcome, Arc::clone(checkpoint))));
        }
    }

    /// The ids that nothing was applied for yet, ascending.
    pub(crate) fn unordered(&self) -> Vec<ProposalId> {
        let mut ids: Vec<_> = self.unordered.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Ends it for all.
    pub(crate) fn stop(&mut self, why: &str) {
        let stopped = || SubmitError::Stopped { why: why.to_owned() };
        for waiter in self.unordered.drain().flat_map(|(_, waiters)| waiters) {
            let _ = waiter.answer.send(Err(stopped()));
        }
        for (waiter, _) in std::mem::take(&mut self.unsigned).into_values().flatten() {
            // Applied but not under a checkpoint: not ours to tell.
            let _ = waiter.answer.send(Err(SubmitError::Unclear));
        }
        self.count = 0;
    }
}
