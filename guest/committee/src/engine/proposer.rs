//! Turns a queue of proposals into Raft entries.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hallmark_machine::Machine;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::shared::{Shared, count};
use super::{Limits, SubmitError};
use crate::raft::Batch;
use crate::state::{Proposal, ProposalId};

/// How long a proposal waits for others at most.
const LINGER: Duration = Duration::from_millis(5);

/// Runs until the engine stops. An entry costs every member a flush, signatures and messages, whatever is in it: so what comes while one is under way gathers for
/// the next; and since those who were just answered are likely to ask again at once, it also waits for as many as were there when the last one came back. A lone
/// client waits for nobody.
pub(crate) async fn run<M: Machine>(shared: Arc<Shared<M>>, mut queue: mpsc::UnboundedReceiver<Proposal>) {
    let most = u32::try_from(shared.limits.in_flight).unwrap_or(u32::MAX).clamp(1, 1024);
    let slots = Arc::new(Semaphore::new(most as usize));
    let crowd = Arc::new(Crowd::default());
    let mut held = None;
    loop {
        let first = match held.take() {
            Some(proposal) => proposal,
            None => match queue.recv().await {
                Some(proposal) => proposal,
                None => return,
            },
        };
        let mut gathering = Gathering::new(first, &shared.limits);
        let linger = tokio::time::sleep(LINGER);
        tokio::pin!(linger);
        while !gathering.full {
            if let Ok(next) = queue.try_recv() {
                held = gathering.add(next);
                continue;
            }
            crowd.gathered.store(gathering.batch.len(), Ordering::Release);
            let idle = slots.available_permits() == most as usize;
            if idle && gathering.batch.len() >= crowd.expected.load(Ordering::Acquire) {
                break;
            }
            tokio::select! {
                biased;
                // Nothing is under way any more.
                all = slots.acquire_many(most), if !idle => drop(all),
                () = &mut linger => break,
                next = queue.recv() => match next {
                    Some(next) => held = gathering.add(next),
                    None => return,
                },
            }
        }
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        if shared.is_stopped() {
            return;
        }
        let flight = Flight::begin(&crowd, gathering.batch.len(), slot);
        propose(&shared, &gathering.batch, flight).await;
    }
}

/// How many proposals there are at a time.
#[derive(Default)]
struct Crowd {
    flying: AtomicUsize,
    gathered: AtomicUsize,
    /// How many there were when the last entry came back.
    expected: AtomicUsize,
}

/// An entry under way.
struct Flight {
    crowd: Arc<Crowd>,
    proposals: usize,
    _slot: OwnedSemaphorePermit,
}

impl Flight {
    fn begin(crowd: &Arc<Crowd>, proposals: usize, slot: OwnedSemaphorePermit) -> Self {
        crowd.gathered.store(0, Ordering::Release);
        crowd.flying.fetch_add(proposals, Ordering::AcqRel);
        Self { crowd: Arc::clone(crowd), proposals, _slot: slot }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let flying = self.crowd.flying.fetch_sub(self.proposals, Ordering::AcqRel);
        let there = flying.saturating_add(self.crowd.gathered.load(Ordering::Acquire));
        self.crowd.expected.store(there, Ordering::Release);
    }
}

/// Proposals that will be one entry.
struct Gathering {
    batch: Vec<Proposal>,
    bytes: usize,
    full: bool,
    most: (usize, usize),
}

impl Gathering {
    fn new(first: Proposal, limits: &Limits) -> Self {
        let most = (limits.batch, limits.batch_bytes);
        let mut gathering = Self { batch: Vec::new(), bytes: 0, full: false, most };
        gathering.take(first);
        gathering
    }

    fn take(&mut self, proposal: Proposal) {
        self.bytes += proposal.weight();
        self.batch.push(proposal);
        let (most, most_bytes) = self.most;
        self.full |= last_of_batch(self.batch.last()) || self.batch.len() >= most || self.bytes >= most_bytes;
    }

    /// Adds one, or gives back one that has to be the first of its entry.
    fn add(&mut self, proposal: Proposal) -> Option<Proposal> {
        if matches!(proposal, Proposal::Found(_)) {
            self.full = true;
            return Some(proposal);
        }
        self.take(proposal);
        None
    }
}

/// A founding is alone, so that nothing rides on it; a snapshot is of the state at its batch's end; a change of the roster is a boundary of its own.
fn last_of_batch(proposal: Option<&Proposal>) -> bool {
    matches!(
        proposal,
        Some(Proposal::Found(_) | Proposal::Snapshot | Proposal::Admit(_) | Proposal::Expel(_))
    )
}

async fn propose<M: Machine>(shared: &Arc<Shared<M>>, proposals: &[Proposal], flight: Flight) {
    let ids: Vec<ProposalId> = proposals.iter().map(Proposal::id).collect();
    let fail = |error: &SubmitError| {
        let mut inner = shared.lock();
        ids.iter().for_each(|id| inner.waiting.fail(id, error));
        if asks(proposals) {
            inner.asked = false;
        }
    };
    let (Some(raft), Some(term)) = (shared.raft.get(), shared.leads()) else {
        return fail(&SubmitError::NoLeader);
    };
    let batch = match Batch::new(term, proposals) {
        Ok(batch) => batch,
        Err(error) => {
            return fail(&SubmitError::Refused { surface: String::new(), why: error.to_string() });
        }
    };
    {
        let mut inner = shared.lock();
        ids.iter().for_each(|id| inner.waiting.batched(*id, term));
    }
    shared.tally.proposed.fetch_add(u64::try_from(ids.len()).unwrap_or_default(), Ordering::Relaxed);
    count(&shared.tally.batches);
    let Ok(applied) = raft.client_write_ff(batch).await else {
        return fail(&SubmitError::Stopped { why: "raft has stopped".into() });
    };
    let shared = Arc::clone(shared);
    let asks = asks(proposals);
    tokio::spawn(async move {
        let result = applied.await;
        if matches!(result, Ok(Ok(_))) {
            shared.signed_as_applied().await;
        }
        drop(flight);
        if !matches!(result, Ok(Ok(_))) {
            // Not led any more, or cut off: whether it was ordered is not known here. Those who wait learn it from the entries that follow.
            if asks {
                shared.lock().asked = false;
            }
            tracing::info!(term, "a batch was not ordered by this leader");
        }
    });
}

impl<M: Machine> Shared<M> {
    /// Waits until a quorum has signed what is applied here now, or for a while.
    async fn signed_as_applied(&self) {
        let size = self.lock().state.size();
        let mut published = self.published.subscribe();
        let there = published
            .wait_for(|signed| signed.as_ref().is_some_and(|signed| signed.checkpoint().size >= size));
        let _ = tokio::time::timeout(4 * LINGER, there).await;
    }
}

/// Whether one of them is ordered by the leader on its own account, and again where it was lost.
fn asks(proposals: &[Proposal]) -> bool {
    proposals.iter().any(|proposal| matches!(proposal, Proposal::Snapshot | Proposal::Found(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn as_many_are_expected_as_were_there_when_an_entry_came_back() {
        let (crowd, slots) = (Arc::new(Crowd::default()), Arc::new(Semaphore::new(8)));
        let begin = async |proposals| {
            let slot = Arc::clone(&slots).acquire_owned().await.unwrap_or_else(|_| unreachable!());
            Flight::begin(&crowd, proposals, slot)
        };
        let expected = || crowd.expected.load(Ordering::Acquire);
        assert_eq!(expected(), 0, "the first waits for nobody");
        drop(begin(1).await);
        assert_eq!(expected(), 1, "nor does a lone client");

        let flight = begin(8).await;
        crowd.gathered.store(7, Ordering::Release);
        drop(flight);
        assert_eq!(expected(), 15);

        let (first, second) = (begin(8).await, begin(4).await);
        drop(second);
        assert_eq!(expected(), 12);
        crowd.gathered.store(3, Ordering::Release);
        drop(first);
        assert_eq!(expected(), 11);
        assert_eq!((slots.available_permits(), crowd.flying.load(Ordering::Acquire)), (8, 0));
    }
}
