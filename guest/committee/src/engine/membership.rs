//! Has Raft's voters follow the roster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hallmark_machine::Machine;
use openraft::ChangeMembers;

use super::NodeId;
use super::shared::Shared;
use crate::raft::Raft;
use crate::state::{Proposal, Voter};

/// How far behind the leader's log a machine may be to become a voter.
const CAUGHT_UP: u64 = 128;

/// Runs until the engine stops.
pub(crate) async fn run<M: Machine>(shared: Arc<Shared<M>>) {
    let Some(raft) = shared.raft.get() else { return };
    loop {
        let busy = match step(&shared, raft).await {
            Ok(busy) => busy,
            Err(why) => {
                tracing::info!(why, "membership: not yet");
                true
            }
        };
        if shared.is_stopped() {
            return;
        }
        if busy {
            tokio::time::sleep(shared.timing.retry).await;
        } else {
            // A roster, an election, or a machine that caught up.
            shared.membership.notified().await;
        }
    }
}

/// Does the next thing that is missing. True where there is more to do.
async fn step<M: Machine>(shared: &Arc<Shared<M>>, raft: &Raft) -> Result<bool, String> {
    if shared.leads().is_none() {
        return Ok(false);
    }
    let (voters, removed) = {
        let inner = shared.lock();
        let Some(core) = inner.state.core() else {
            drop(inner);
            begin(shared);
            return Ok(true);
        };
        (core.voters(), core.removed.keys().copied().collect::<BTreeSet<_>>())
    };
    let metrics = raft.metrics().borrow().clone();
    let membership = metrics.membership_config.membership().clone();
    let now: BTreeSet<NodeId> = membership.voter_ids().collect();
    let learners: BTreeSet<NodeId> = membership.learner_ids().collect();
    // 1. Machines that were admitted and that Raft does not know become learners.
    for Voter { node, reach } in &voters {
        if membership.get_node(node).is_none() {
            tracing::info!(node, slot = reach.slot, "membership: a learner joins");
            raft.add_learner(*node, reach.clone(), false).await.map_err(|error| error.to_string())?;
            return Ok(true);
        }
    }
    // 2. Learners whose slot went to another machine are forgotten.
    let idle: BTreeSet<NodeId> = learners.intersection(&removed).copied().collect();
    if !idle.is_empty() {
        raft.change_membership(ChangeMembers::RemoveNodes(idle), false)
            .await
            .map_err(|error| error.to_string())?;
        return Ok(true);
    }
    // 3. Voters: each slot's machine, or, until that has caught up, the one it had.
    let last = metrics.last_log_index.unwrap_or_default();
    let matched = metrics.replication.unwrap_or_default();
    let caught_up = |node: &NodeId| {
        let at = matched.get(node).copied().flatten().map_or(0, |id| id.index);
        *node == shared.node || at.saturating_add(CAUGHT_UP) >= last
    };
    let slot_of: BTreeMap<NodeId, u16> = membership.nodes().map(|(id, node)| (*id, node.slot)).collect();
    let seated: BTreeMap<u16, NodeId> = voters.iter().map(|voter| (voter.reach.slot, voter.node)).collect();
    let ready = |node: &NodeId| now.contains(node) || caught_up(node);
    let mut target: BTreeSet<NodeId> = seated.values().copied().filter(ready).collect();
    for node in &now {
        // An expelled machine's slot has nobody: it goes at once.
        let waits = slot_of.get(node).and_then(|slot| seated.get(slot)).is_some_and(|next| !ready(next));
        if waits {
            target.insert(*node);
        }
    }
    let waiting = seated.values().any(|node| !ready(node));
    if target.is_empty() || target == now {
        return Ok(waiting);
    }
    tracing::info!(?now, ?target, "membership: voters change");
    let change = raft.change_membership(target, false);
    match tokio::time::timeout(Duration::max(shared.timing.submit, shared.timing.catch_up), change).await {
        Ok(Ok(_)) => Ok(waiting),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer to a change of voters".into()),
    }
}

/// Orders the founding where this member leads an epoch that has not begun.
fn begin<M: Machine>(shared: &Shared<M>) {
    let Some(founding) = shared.founding.clone() else { return };
    let mut inner = shared.lock();
    if !inner.asked {
        inner.asked = true;
        let _ = shared.queue.send(Proposal::Found(founding));
    }
}
