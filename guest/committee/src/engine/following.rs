//! A follower's answer to its leader's entries: Raft's, and this member's signatures along with it.
//!
//! Where two members are a majority, a follower that has taken an entry of its leader's own term knows that it is committed, since the leader has it too (Ongaro
//! and Ousterhout, "In Search of an Understandable Consensus Algorithm", 5.3 and 5.4.2). It need not be told: it applies the entry at once, and the leader
//! saves itself the message that would have said so. Larger committees wait for that message.
//!
//! What is applied is signed as soon as this member's disk has it. The answer waits a little for that, and saves a message for the signatures.

use std::collections::BTreeSet;
use std::time::Duration;

use hallmark_machine::Machine;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse};
use openraft::{CommittedLeaderId, Vote};
use tokio::time::Instant;

use super::shared::{Inner, Shared};
use super::{Appended, NodeId, PeerResponse};
use crate::raft::{LogId, Raft, Types};

/// How long an answer waits for signatures.
const HOLD: Duration = Duration::from_millis(10);
/// How long signatures that went with an answer are taken to be on their way.
const ARRIVING: Duration = Duration::from_millis(100);

/// Signatures that go with answers, so that nothing else need carry them.
#[derive(Debug, Default)]
pub(crate) struct Carrying {
    /// Answers that wait for signatures.
    held: usize,
    /// The last that took some: to whom, up to which size, when.
    last: Option<(NodeId, u64, Instant)>,
}

/// An answer that waits for signatures, until it is dropped.
struct Held<'a, M: Machine> {
    shared: &'a Shared<M>,
    carried: bool,
}

impl<'a, M: Machine> Held<'a, M> {
    fn new(shared: &'a Shared<M>) -> Self {
        shared.carrying().held += 1;
        Self { shared, carried: false }
    }
}

impl<M: Machine> Drop for Held<'_, M> {
    fn drop(&mut self) {
        self.shared.carrying().held -= 1;
        if !self.carried {
            // The couriers left signatures to this answer.
            self.shared.bump();
        }
    }
}

impl<M: Machine> Shared<M> {
    /// Takes the entries of a leader.
    pub(crate) async fn follow(&self, raft: &Raft, request: AppendEntriesRequest<Types>) -> PeerResponse {
        let last = request.entries.last().map(|entry| entry.log_id);
        let (vote, told) = (request.vote, request.leader_commit.min(last.or(request.prev_log_id)));
        let answer = match raft.append_entries(request).await {
            Ok(answer) => answer,
            Err(error) => return PeerResponse::Refused { why: error.to_string() },
        };
        let mut appended = Appended { answer, committed: None, signed: Vec::new() };
        if appended.answer != AppendEntriesResponse::Success {
            return PeerResponse::Append(appended);
        }
        if let Some(last) = last.filter(|last| Some(*last) > told && self.is_majority(&vote, last)) {
            let commit = AppendEntriesRequest {
                vote,
                prev_log_id: Some(last),
                entries: vec![],
                leader_commit: Some(last),
            };
            if matches!(raft.append_entries(commit).await, Ok(AppendEntriesResponse::Success)) {
                appended.committed = Some(last);
            }
        }
        if let (Some(leader), Some(due)) = (vote.leader_id().voted_for(), appended.committed.or(told)) {
            let mut held = Held::new(self);
            let _ = tokio::time::timeout(HOLD, self.settled(due)).await;
            appended.signed = self.carry(leader);
            held.carried = !appended.signed.is_empty();
        }
        PeerResponse::Append(appended)
    }

    /// Whether the leader of this vote and this member, which both have the log up to here, are a majority by themselves.
    fn is_majority(&self, vote: &Vote<NodeId>, last: &LogId) -> bool {
        // Read behind the entries: whichever of them changes the configuration is counted.
        let configured = self.log.configured();
        let inner = self.lock();
        // Of a change that is not applied it is not known here whether it holds.
        let known = configured <= inner.applied.map(|id| id.index);
        known && are_majority(self.node, vote, last, inner.voters.membership().get_joint_config())
    }

    /// Waits until all that there is to sign up to here is signed.
    async fn settled(&self, due: LogId) {
        let command = self.log.command_of(due.index);
        let mut moved = self.moved.listen();
        loop {
            moved.look();
            {
                let inner = self.lock();
                let applied = inner.applied >= Some(due);
                if !inner.may_sign() || applied && self.writer.has(command) || self.is_stopped() {
                    break;
                }
            }
            moved.changed().await;
        }
        // Who wrote it to the disk may not have come to sign it.
        self.sign();
    }

    /// The signatures that this leader has not been sent.
    fn carry(&self, leader: NodeId) -> Vec<super::Signed> {
        let cosigned = self.lock().cosigning.size();
        let sent = self.carrying().last.filter(|(to, ..)| *to == leader).map_or(0, |(_, size, _)| size);
        let signed = self.own_signatures(cosigned.max(sent));
        if let Some(last) = signed.last() {
            self.carrying().last = Some((leader, last.size, Instant::now()));
        }
        signed
    }

    /// How long the courier may leave the signature of this size to an answer; None where it must go by itself.
    pub(crate) fn leaves_to_answer(&self, leader: NodeId, size: u64) -> Option<Duration> {
        let carrying = self.carrying();
        if carrying.held > 0 {
            return Some(HOLD);
        }
        let (_, _, at) = carrying.last.filter(|(to, sent, _)| *to == leader && *sent >= size)?;
        ARRIVING.checked_sub(at.elapsed()).filter(|rest| !rest.is_zero())
    }

    fn carrying(&self) -> std::sync::MutexGuard<'_, Carrying> {
        self.carrying.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether an entry that `me` and the leader of this vote have is committed, in this configuration.
fn are_majority(me: NodeId, vote: &Vote<NodeId>, entry: &LogId, config: &[BTreeSet<NodeId>]) -> bool {
    let Some(leader) = vote.leader_id().voted_for() else { return false };
    // What an earlier leader left is not committed by being copied.
    let own = vote.is_committed() && entry.leader_id == CommittedLeaderId::new(vote.leader_id().term, leader);
    let pair = BTreeSet::from([me, leader]);
    let majority = |voters: &BTreeSet<NodeId>| voters.intersection(&pair).count() > voters.len() / 2;
    own && !config.is_empty() && config.iter().all(majority)
}

impl<M: Machine> Inner<M> {
    /// Whether this member signs at all.
    pub(crate) fn may_sign(&self) -> bool {
        self.fault.is_none() && self.cosigning.cleared && self.cosigning.held.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(term: u64, leader: NodeId) -> LogId {
        LogId::new(CommittedLeaderId::new(term, leader), 7)
    }

    fn config(voters: &[NodeId]) -> Vec<BTreeSet<NodeId>> {
        vec![voters.iter().copied().collect()]
    }

    #[test]
    fn two_of_three_commit_what_their_leader_ordered() {
        let vote = Vote::new_committed(3, 1);
        for voters in [&[1, 2, 5][..], &[1, 2]] {
            assert!(are_majority(2, &vote, &entry(3, 1), &config(voters)), "{voters:?}");
        }
    }

    #[test]
    fn two_commit_nothing_else() {
        let (vote, entry3) = (Vote::new_committed(3, 1), entry(3, 1));
        let three = config(&[1, 2, 5]);
        assert!(!are_majority(2, &vote, &entry3, &config(&[1, 2, 5, 6])), "two of four");
        assert!(!are_majority(2, &vote, &entry3, &config(&[1, 2, 3, 4, 5])), "two of five");
        assert!(!are_majority(9, &vote, &entry3, &three), "a learner");
        assert!(!are_majority(2, &vote, &entry3, &config(&[2, 5, 6])), "a leader that has no vote");
        assert!(!are_majority(1, &vote, &entry3, &three), "a leader alone");
        assert!(!are_majority(2, &vote, &entry(2, 1), &three), "what it ordered in an earlier term");
        assert!(!are_majority(2, &vote, &entry(3, 5), &three), "what another leader ordered in this term");
        assert!(!are_majority(2, &Vote::new(3, 1), &entry3, &three), "a candidate");
        assert!(!are_majority(2, &vote, &entry3, &[]), "no configuration");
        let joint = [config(&[1, 2, 5]), config(&[1, 5, 6])].concat();
        assert!(!are_majority(2, &vote, &entry3, &joint), "half of a joint configuration");
    }
}
