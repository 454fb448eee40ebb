//! Turns a queue of proposals into Raft entries.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hallmark_machine::Machine;
use tokio::sync::{Semaphore, mpsc};

use super::SubmitError;
use super::shared::{Shared, count};
use crate::raft::Batch;
use crate::state::{Proposal, ProposalId};

/// Runs until the engine stops: what waits while an entry is under way goes into the next.
pub(crate) async fn run<M: Machine>(shared: Arc<Shared<M>>, mut queue: mpsc::UnboundedReceiver<Proposal>) {
    let slots = Arc::new(Semaphore::new(shared.limits.in_flight.max(1)));
    let mut held = None;
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let first = match held.take() {
            Some(proposal) => proposal,
            None => match queue.recv().await {
                Some(proposal) => proposal,
                None => return,
            },
        };
        if shared.is_stopped() {
            return;
        }
        let mut batch = vec![first];
        let mut bytes = batch.first().map_or(0, Proposal::weight);
        while !last_of_batch(batch.last())
            && batch.len() < shared.limits.batch
            && bytes < shared.limits.batch_bytes
            && let Ok(next) = queue.try_recv()
        {
            if matches!(next, Proposal::Found(_)) {
                held = Some(next);
                break;
            }
            bytes += next.weight();
            batch.push(next);
        }
        propose(&shared, &batch, slot).await;
    }
}

/// A founding is alone, so that nothing rides on it; a snapshot is of the state at its batch's end; a change of the roster is a boundary of its own.
fn last_of_batch(proposal: Option<&Proposal>) -> bool {
    matches!(
        proposal,
        Some(Proposal::Found(_) | Proposal::Snapshot | Proposal::Admit(_) | Proposal::Expel(_))
    )
}

async fn propose<M: Machine>(
    shared: &Arc<Shared<M>>,
    proposals: &[Proposal],
    slot: tokio::sync::OwnedSemaphorePermit,
) {
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
        drop(slot);
        if !matches!(result, Ok(Ok(_))) {
            // Not led any more, or cut off: whether it was ordered is not known here. Those who wait learn it from the entries that follow.
            if asks {
                shared.lock().asked = false;
            }
            tracing::info!(term, "a batch was not ordered by this leader");
        }
    });
}

/// Whether one of them is ordered by the leader on its own account, and again where it was lost.
fn asks(proposals: &[Proposal]) -> bool {
    proposals.iter().any(|proposal| matches!(proposal, Proposal::Snapshot | Proposal::Found(_)))
}
