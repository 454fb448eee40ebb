//! Answers to other members, and to machines that want to be.

use hallmark_ledger::system::freshness_message;
use hallmark_machine::Machine;
use openraft::error::RaftError;

use super::shared::Shared;
use super::{
    Caller, Description, Engine, Freshness, Node, NodeId, PeerRequest, PeerResponse, SubmitError, Welcome,
};
use crate::state::Proposal;

/// Most bytes of leaves in one answer, but for a single one.
const ENTRIES_BYTES: usize = 1 << 20;
/// Most signatures in one message.
pub(crate) const MAX_SIGNATURES: usize = 1024;

/// What a caller's key says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// A node that Raft or the roster knows.
    Node(NodeId),
    /// Nobody that this member knows, but a member of its roster does, as a machine that was admitted behind this member's state.
    Named,
    /// Nobody that this member knows, and this member knows who is a member.
    Stranger,
    /// This member has just been admitted, and has not come to its own admission yet: whoever its transport let in. Its state may be a snapshot's, older than the
    /// admission of the machine that leads now.
    Unknown,
}

fn refused(why: impl Into<String>) -> PeerResponse {
    PeerResponse::Refused { why: why.into() }
}

impl<M: Machine> Shared<M> {
    fn standing(&self, caller: Caller) -> Standing {
        let inner = self.lock();
        let core = inner.state.core();
        if let Some(core) = core
            && let Some(member) =
                core.roster.members.values().find(|member| member.spki_sha256 == caller.spki_sha256)
        {
            return Standing::Node(member.node);
        }
        // A slot's former machine votes until the new one has caught up.
        let of_raft = inner.voters.nodes().find(|(_, node)| node.spki_sha256 == caller.spki_sha256);
        let founder = self.founders.iter().find(|voter| voter.reach.spki_sha256 == caller.spki_sha256);
        match of_raft.map(|(id, _)| *id).or(founder.map(|voter| voter.node)) {
            Some(node) => Standing::Node(node),
            None if self.founders.is_empty() && core.is_none_or(|core| self.node >= core.frontier.size()) => {
                Standing::Unknown
            }
            None if self.vouched().knows(&caller.spki_sha256, inner.state.size()) => Standing::Named,
            None => Standing::Stranger,
        }
    }

    fn entries(&self, from: u64, limit: u32) -> PeerResponse {
        let covered = self.lock().cosigning.size();
        let book = self.book();
        let end = covered.min(book.dir().size());
        let limit = u64::from(limit.min(self.limits.entries));
        let (mut bytes, mut leaves) = (0usize, Vec::new());
        for index in from..end.min(from.saturating_add(limit)) {
            match book.dir().entry(index) {
                Ok(leaf) => {
                    bytes = bytes.saturating_add(leaf.len());
                    if bytes > ENTRIES_BYTES && !leaves.is_empty() {
                        break;
                    }
                    leaves.push(leaf);
                }
                Err(error) => return refused(error.to_string()),
            }
        }
        PeerResponse::Entries(leaves)
    }

    pub(crate) fn description(&self) -> Description {
        let leader = self.leader();
        let inner = self.lock();
        let core = inner.state.core();
        Description {
            epoch: self.epoch,
            recoveries: core.map_or(0, |core| core.recoveries),
            checkpoint: inner.cosigning.cosigned.as_ref().map(|signed| signed.note().as_bytes().to_vec()),
            leader,
            members: core
                .map_or_else(|| self.founders.clone(), crate::state::Core::voters)
                .into_iter()
                .map(|voter| (voter.node, voter.reach))
                .collect(),
        }
    }

    pub(crate) fn fresh(&self, nonce: &[u8; 32]) -> Option<Freshness> {
        let (size, root, origin) = {
            let inner = self.lock();
            // Before it is cleared, a machine may know less than the one that had its slot had signed.
            if inner.fault.is_some() || !inner.cosigning.cleared || inner.cosigning.held.is_some() {
                return None;
            }
            let cosigned = inner.cosigning.cosigned.as_ref().map(|signed| signed.checkpoint());
            let cosigned = cosigned.map(|checkpoint| (checkpoint.size, checkpoint.root));
            let (size, root) =
                inner.last_signed().into_iter().chain(cosigned).max_by_key(|(size, _)| *size)?;
            (size, root, inner.state.core()?.checkpoint().origin)
        };
        let message = freshness_message(&origin, self.epoch, nonce, size, &root);
        Some(Freshness { node: self.node, size, root, signature: self.keys.cosign.sign(&message).to_vec() })
    }

    fn welcome(&self, caller: Caller) -> PeerResponse {
        let welcome = |node| {
            let welcome = Welcome { node, epoch: self.epoch, log_seed: *self.keys.log.seed() };
            PeerResponse::Join(Box::new(welcome))
        };
        // Those who begin an epoch are needed for its first checkpoint: their operators signed for them.
        if let Some(voter) = self.founders.iter().find(|v| v.reach.spki_sha256 == caller.spki_sha256) {
            return welcome(voter.node);
        }
        let inner = self.lock();
        let member = inner.state.core().and_then(|core| {
            core.roster.members.values().find(|member| member.spki_sha256 == caller.spki_sha256)
        });
        match member {
            // Under a quorum, so that no leader hands the key to a machine that only it has admitted.
            Some(member) if member.node < inner.cosigning.size() => welcome(member.node),
            Some(_) => refused("the admission is not under a cosigned checkpoint yet; ask again"),
            None => refused("no admission of this channel key"),
        }
    }
}

impl<M: Machine> Engine<M> {
    /// Answers another member, or a machine that wants to be one, whose channel proved `caller`.
    pub async fn handle(&self, caller: Caller, request: PeerRequest) -> PeerResponse {
        let shared = &self.0;
        if shared.is_stopped() {
            return refused("this member has stopped");
        }
        let standing = shared.standing(caller);
        let of_raft =
            matches!(request, PeerRequest::Append(_) | PeerRequest::Vote(_) | PeerRequest::Snapshot(_));
        let open = request.open_to_candidates() || matches!(request, PeerRequest::Join);
        let may = match standing {
            Standing::Node(_) => true,
            // Nobody here knows yet what they may sign or order: Raft's requests lead up to that, and nothing else is taken.
            Standing::Named | Standing::Unknown => of_raft || open,
            Standing::Stranger => open,
        };
        if !may {
            if of_raft {
                shared.inquire();
            }
            return refused("not a member of this epoch");
        }
        match request {
            PeerRequest::Append(_) | PeerRequest::Vote(_) | PeerRequest::Snapshot(_) => {
                self.raft_request(caller, standing, request).await
            }
            PeerRequest::Cosigned(signatures) if signatures.len() <= MAX_SIGNATURES => {
                shared.take_signatures(signatures);
                PeerResponse::Done
            }
            PeerRequest::Cosigned(_) => refused("too many signatures at once"),
            PeerRequest::Checkpoint(note) => {
                shared.take_checkpoint(&note);
                PeerResponse::Done
            }
            PeerRequest::Propose(proposals) => self.take_proposals(standing, proposals),
            PeerRequest::Entries { from, limit } => shared.entries(from, limit),
            PeerRequest::Describe => PeerResponse::Description(Box::new(shared.description())),
            PeerRequest::Admit(admitting) => match self.admit(*admitting).await {
                Ok(admission) => PeerResponse::Admitted { node: admission.node },
                Err(error) => PeerResponse::NotTaken(error),
            },
            PeerRequest::Join => shared.welcome(caller),
            PeerRequest::Freshness { nonce } => match shared.fresh(&nonce) {
                Some(fresh) => PeerResponse::Freshness(fresh),
                None => refused("nothing cosigned here"),
            },
        }
    }

    /// Raft's own. A node speaks for itself alone: votes and entries name the one who sends them.
    async fn raft_request(&self, caller: Caller, standing: Standing, request: PeerRequest) -> PeerResponse {
        let Some(raft) = self.0.raft.get() else { return refused("starting") };
        let speaks = |vote: &openraft::Vote<NodeId>| match standing {
            Standing::Node(node) => vote.leader_id().voted_for() == Some(node),
            Standing::Named => {
                let node = vote.leader_id().voted_for();
                node.is_some_and(|node| self.0.vouched().names(&caller.spki_sha256, node))
            }
            Standing::Unknown => true,
            Standing::Stranger => false,
        };
        let other = || refused("speaks for another node");
        match request {
            PeerRequest::Append(request) if speaks(&request.vote) => self.0.follow(raft, request).await,
            PeerRequest::Vote(request) if speaks(&request.vote) => {
                raft.vote(request).await.map_or_else(|e| refused(e.to_string()), PeerResponse::Vote)
            }
            PeerRequest::Snapshot(request) if speaks(&request.vote) => {
                match raft.install_snapshot(request).await {
                    Ok(answer) => PeerResponse::Snapshot(Ok(answer)),
                    Err(RaftError::APIError(error)) => PeerResponse::Snapshot(Err(error)),
                    Err(RaftError::Fatal(error)) => refused(error.to_string()),
                }
            }
            _ => other(),
        }
    }

    /// Another member's proposals. What is in them is checked where they are applied.
    fn take_proposals(&self, standing: Standing, proposals: Vec<Proposal>) -> PeerResponse {
        let shared = &self.0;
        let Standing::Node(node) = standing else { return refused("not a member of this epoch") };
        let Some(term) = shared.leads() else {
            let leader = shared.leader();
            let leader = leader.and_then(|id| shared.reach(id).map(|node: Node| (id, node)));
            return PeerResponse::NotLeader { leader };
        };
        if let Err(error) = shared.may_take(proposals.len()) {
            return PeerResponse::NotTaken(error);
        }
        for proposal in proposals {
            if matches!(proposal, Proposal::Found(_) | Proposal::Snapshot) {
                return PeerResponse::NotTaken(SubmitError::Refused {
                    surface: proposal.surface().to_owned(),
                    why: "only the leader itself orders these".into(),
                });
            }
            let _ = shared.queue.send(proposal);
        }
        shared.hurry(node);
        PeerResponse::Queued { term }
    }
}
