//! Carries signatures to the leader as soon as there are any, and checkpoints from it: at once where somebody waits for them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hallmark_ledger::hash::Hash;
use hallmark_machine::Machine;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::beat::Listener;
use super::shared::Shared;
use super::{Node, NodeId, PeerRequest, PeerResponse};

/// Sends this member's signatures to the leader, but for those that go with its answers. One request at a time: what is signed meanwhile goes together in the next.
pub(crate) async fn signatures<M: Machine>(shared: Arc<Shared<M>>, mut beat: Listener) {
    let mut sent: (Option<NodeId>, u64) = (None, 0);
    loop {
        beat.look();
        let leader = shared.leader().filter(|leader| *leader != shared.node);
        if leader != sent.0 {
            let known = shared.published.borrow().clone();
            // A new leader may have missed what a quorum signed under its predecessor, and its followers have no more signatures to give then.
            if let (Some(leader), Some(known)) = (leader, known)
                && !call(&shared, leader, PeerRequest::Checkpoint(known.note().as_bytes().to_vec())).await
            {
                tokio::time::sleep(shared.timing.retry).await;
                if shared.is_stopped() {
                    return;
                }
                continue;
            }
            sent = (leader, 0);
        }
        let after = sent.1.max(shared.lock().cosigning.size());
        let signed = shared.own_signatures(after);
        if let (Some(leader), Some(last)) = (leader, signed.last().map(|signed| signed.size)) {
            if let Some(rest) = shared.leaves_to_answer(leader, last) {
                let _ = tokio::time::timeout(rest, beat.changed()).await;
                if shared.is_stopped() {
                    return;
                }
                continue;
            }
            if call(&shared, leader, PeerRequest::Cosigned(signed)).await {
                sent.1 = last;
            } else {
                tokio::time::sleep(shared.timing.retry).await;
            }
            if shared.is_stopped() {
                return;
            }
            continue;
        }
        beat.changed().await;
        if shared.is_stopped() {
            return;
        }
    }
}

async fn call<M: Machine>(shared: &Shared<M>, to: NodeId, request: PeerRequest) -> bool {
    let Some(node) = shared.reach(to) else { return false };
    deliver(shared, to, &node, request).await
}

async fn deliver<M: Machine>(shared: &Shared<M>, to: NodeId, node: &Node, request: PeerRequest) -> bool {
    matches!(shared.peers.call(to, node, request, shared.timing.call).await, Ok(PeerResponse::Done))
}

/// Keeps one task a follower that sends it the last checkpoint while this member leads.
pub(crate) async fn checkpoints<M: Machine>(shared: Arc<Shared<M>>, mut beat: Listener) {
    let mut tasks: BTreeMap<NodeId, JoinHandle<()>> = BTreeMap::new();
    loop {
        beat.look();
        let voters = shared.lock().state.core().map(super::super::state::Core::voters).unwrap_or_default();
        let here = |node: &NodeId| voters.iter().any(|voter| voter.node == *node);
        tasks.retain(|node, task| {
            let stays = here(node);
            if !stays {
                task.abort();
            }
            stays
        });
        for voter in voters.into_iter().filter(|voter| voter.node != shared.node) {
            tasks.entry(voter.node).or_insert_with(|| {
                let (shared, beat) = (Arc::clone(&shared), beat.clone());
                tokio::spawn(follower(shared, beat, voter.node, voter.reach))
            });
        }
        beat.changed().await;
        if shared.is_stopped() {
            break;
        }
    }
    tasks.into_values().for_each(|task| task.abort());
}

/// Between checkpoints for a follower that waits for none: each costs it as many verifications as there are signatures.
const UNHURRIED: Duration = Duration::from_millis(20);
/// How long a follower that passed a proposal on is taken to wait for what comes of it.
const HURRIED: Duration = Duration::from_secs(2);

impl<M: Machine> Shared<M> {
    /// A follower's client waits for a checkpoint.
    pub(crate) fn hurry(&self, to: NodeId) {
        let mut hurried = self.hurried.lock().unwrap_or_else(PoisonError::into_inner);
        hurried.retain(|_, at| at.elapsed() < HURRIED);
        hurried.insert(to, Instant::now());
    }

    fn is_hurried(&self, to: NodeId) -> bool {
        let hurried = self.hurried.lock().unwrap_or_else(PoisonError::into_inner);
        hurried.get(&to).is_some_and(|at| at.elapsed() < HURRIED)
    }
}

/// What a follower was sent last.
struct Sent {
    /// Under another leader it may have missed what this one sent before.
    term: u64,
    size: u64,
    roster: Hash,
    at: Instant,
}

impl Sent {
    /// How long this one may wait yet, if it is not for a later one to take its place at once.
    fn rest(&self, term: u64, roster: &Hash) -> Option<Duration> {
        // Nobody signs beyond a change of the roster without the quorum's checkpoint on it.
        let same = self.term == term && self.roster == *roster;
        // Nothing left is no rest: where time stands still, waiting for no time would go on for ever.
        UNHURRIED.checked_sub(self.at.elapsed()).filter(|rest| same && !rest.is_zero())
    }
}

async fn follower<M: Machine>(shared: Arc<Shared<M>>, mut beat: Listener, to: NodeId, reach: Node) {
    let mut last: Option<Sent> = None;
    while !shared.is_stopped() {
        beat.look();
        let (term, signed) = (shared.leads(), shared.published.borrow().clone());
        let due = term.zip(signed).filter(|(term, signed)| {
            last.as_ref().is_none_or(|last| (last.term, last.size) != (*term, signed.checkpoint().size))
        });
        let Some((term, signed)) = due else {
            beat.changed().await;
            continue;
        };
        let rest = last.as_ref().and_then(|last| last.rest(term, &signed.checkpoint().roster));
        if let Some(rest) = rest.filter(|_| !shared.is_hurried(to)) {
            let _ = tokio::time::timeout(rest, beat.changed()).await;
            continue;
        }
        let at = Instant::now();
        let request = PeerRequest::Checkpoint(signed.note().as_bytes().to_vec());
        if deliver(&shared, to, &reach, request).await {
            let checkpoint = signed.checkpoint();
            last = Some(Sent { term, size: checkpoint.size, roster: checkpoint.roster, at });
        } else {
            tokio::time::sleep(shared.timing.retry).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_checkpoint_rests_unless_it_changes_something() {
        let roster = Hash([1; 32]);
        let sent = Sent { term: 2, size: 9, roster, at: Instant::now() };
        assert_eq!(sent.rest(2, &roster), Some(UNHURRIED));
        assert_eq!(sent.rest(3, &roster), None, "another leader's");
        assert_eq!(sent.rest(2, &Hash([2; 32])), None, "another roster");
        tokio::time::advance(UNHURRIED / 2).await;
        assert_eq!(sent.rest(2, &roster), Some(UNHURRIED / 2));
        tokio::time::advance(UNHURRIED / 2).await;
        assert_eq!(sent.rest(2, &roster), None, "a rest of no time would never end where time stands still");
    }
}
