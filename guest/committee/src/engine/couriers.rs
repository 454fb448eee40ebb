//! Carries signatures to the leader as soon as there are any, and checkpoints from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use hallmark_machine::Machine;
use tokio::task::JoinHandle;

use super::beat::Listener;
use super::shared::Shared;
use super::{Node, NodeId, PeerRequest, PeerResponse};

/// Sends this member's signatures to the leader. One request at a time: what is signed meanwhile goes together in the next.
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
    let answer = shared.peers.call(to, &node, request, shared.timing.call).await;
    matches!(answer, Ok(PeerResponse::Done))
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

async fn follower<M: Machine>(shared: Arc<Shared<M>>, mut beat: Listener, to: NodeId, reach: Node) {
    // Under another leader the follower may have missed what this one sent before.
    let mut sent: (u64, u64) = (0, 0);
    loop {
        beat.look();
        let term = shared.leads();
        let signed = shared.published.borrow().clone();
        if let (Some(term), Some(signed)) = (term, signed) {
            let due = (term, signed.checkpoint().size);
            if due != sent {
                let request = PeerRequest::Checkpoint(signed.note().as_bytes().to_vec());
                let ok = matches!(
                    shared.peers.call(to, &reach, request, shared.timing.call).await,
                    Ok(PeerResponse::Done)
                );
                if ok {
                    sent = due;
                } else {
                    tokio::time::sleep(shared.timing.retry).await;
                }
                if shared.is_stopped() {
                    return;
                }
                continue;
            }
        }
        beat.changed().await;
        if shared.is_stopped() {
            return;
        }
    }
}
