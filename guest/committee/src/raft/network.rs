//! Raft's network over [`Peers`].

use std::sync::Arc;
use std::time::Duration;

use openraft::Vote;
use openraft::error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use tokio::time::Instant;

use super::{LogId, Types};
use crate::engine::{
    Appended, MAX_SIGNATURES, Node, NodeId, PeerError, PeerRequest, PeerResponse, Peers, Signed, Timing,
};

type RpcError<E = RaftError<NodeId>> = RPCError<NodeId, Node, E>;

/// Takes the signatures that come with answers.
type Taker = Arc<dyn Fn(Vec<Signed>) + Send + Sync>;

/// Makes a connection to each node that Raft asks for.
pub(crate) struct Network {
    peers: Arc<dyn Peers>,
    /// How long Raft leaves a node alone that could not be reached.
    retry: Duration,
    /// How long a node may go without a message that tells it nothing new.
    quiet: Duration,
    taker: Taker,
}

impl Network {
    pub(crate) fn new(
        peers: Arc<dyn Peers>,
        timing: &Timing,
        taker: impl Fn(Vec<Signed>) + Send + Sync + 'static,
    ) -> Self {
        Self { peers, retry: timing.retry, quiet: timing.heartbeat / 2, taker: Arc::new(taker) }
    }
}

/// One node.
pub(crate) struct Link {
    peers: Arc<dyn Peers>,
    retry: Duration,
    quiet: Duration,
    taker: Taker,
    to: NodeId,
    node: Node,
    known: Option<Known>,
}

/// What a node said last.
struct Known {
    /// To the leader of this vote.
    vote: Vote<NodeId>,
    /// Up to where it knows that the log is committed: it has the log up to there.
    committed: LogId,
    at: Instant,
}

impl Known {
    /// Whether the node would learn nothing from this message, and has had another so lately that it does not miss the leader. Then its answer is known too.
    fn spares(&self, rpc: &AppendEntriesRequest<Types>, quiet: Duration) -> bool {
        let committed = Some(self.committed);
        rpc.entries.is_empty()
            && rpc.vote == self.vote
            && rpc.prev_log_id <= committed
            && rpc.leader_commit <= committed
            && self.at.elapsed() < quiet
    }
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Link;

    async fn new_client(&mut self, to: NodeId, node: &Node) -> Link {
        Link {
            peers: Arc::clone(&self.peers),
            retry: self.retry,
            quiet: self.quiet,
            taker: Arc::clone(&self.taker),
            to,
            node: node.clone(),
            known: None,
        }
    }
}

impl Link {
    async fn call<E: std::error::Error>(
        &self,
        request: PeerRequest,
        option: &RPCOption,
    ) -> Result<PeerResponse, RpcError<E>> {
        self.peers.call(self.to, &self.node, request, option.hard_ttl()).await.map_err(|error| match error {
            PeerError::Unreachable(_) => RPCError::Unreachable(Unreachable::new(&error)),
            PeerError::Timeout(_) | PeerError::Malformed(_) => RPCError::Network(NetworkError::new(&error)),
        })
    }
}

/// An answer of another kind than the question: the peer refused, or runs other code.
fn unexpected<E: std::error::Error>(answer: &PeerResponse) -> RpcError<E> {
    let why = match answer {
        PeerResponse::Refused { why } => format!("refused: {why}"),
        _ => "the answer is to another question".to_owned(),
    };
    // Unreachable rather than Network: it makes Raft wait before it asks again.
    RPCError::Unreachable(Unreachable::new(&PeerError::Malformed(why)))
}

impl RaftNetwork<Types> for Link {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<NodeId>, RpcError> {
        if self.known.as_ref().is_some_and(|known| known.spares(&rpc, self.quiet)) {
            return Ok(AppendEntriesResponse::Success);
        }
        let (vote, at) = (rpc.vote, Instant::now());
        let before = self.known.take().filter(|known| known.vote == vote).map(|known| known.committed);
        match self.call(PeerRequest::Append(rpc), &option).await? {
            PeerResponse::Append(Appended { answer, committed, signed })
                if signed.len() <= MAX_SIGNATURES =>
            {
                if answer == AppendEntriesResponse::Success {
                    self.known = committed.max(before).map(|committed| Known { vote, committed, at });
                }
                if !signed.is_empty() {
                    (self.taker)(signed);
                }
                Ok(answer)
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<Types>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<NodeId>, RpcError<RaftError<NodeId, InstallSnapshotError>>> {
        match self.call(PeerRequest::Snapshot(rpc), &option).await? {
            PeerResponse::Snapshot(answer) => answer.map_err(|error| {
                // The peer wants another chunk: Raft begins again from the one it names.
                let error = RaftError::APIError(error);
                RPCError::RemoteError(RemoteError::new_with_node(self.to, self.node.clone(), error))
            }),
            other => Err(unexpected(&other)),
        }
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<NodeId>,
        option: RPCOption,
    ) -> Result<VoteResponse<NodeId>, RpcError> {
        match self.call(PeerRequest::Vote(rpc), &option).await? {
            PeerResponse::Vote(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(self.retry))
    }
}

#[cfg(test)]
mod tests {
    use openraft::CommittedLeaderId;

    use super::*;

    const QUIET: Duration = Duration::from_millis(100);

    fn id(index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(3, 1), index)
    }

    fn told(prev: u64, commit: u64) -> AppendEntriesRequest<Types> {
        AppendEntriesRequest {
            vote: Vote::new_committed(3, 1),
            prev_log_id: Some(id(prev)),
            entries: Vec::new(),
            leader_commit: Some(id(commit)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_spared_while_it_says_nothing_new() {
        let known = Known { vote: Vote::new_committed(3, 1), committed: id(7), at: Instant::now() };
        assert!(known.spares(&told(7, 7), QUIET));
        assert!(known.spares(&told(6, 5), QUIET));
        assert!(!known.spares(&told(8, 7), QUIET), "whether it has 8 is not known");
        assert!(!known.spares(&told(7, 8), QUIET), "that 8 is committed is news");
        let entry = openraft::Entry { log_id: id(8), payload: openraft::EntryPayload::Blank };
        assert!(!known.spares(&AppendEntriesRequest { entries: vec![entry], ..told(7, 7) }, QUIET));
        let vote = Vote::new_committed(4, 1);
        assert!(!known.spares(&AppendEntriesRequest { vote, ..told(7, 7) }, QUIET), "another term");
        tokio::time::advance(QUIET).await;
        assert!(!known.spares(&told(7, 7), QUIET), "a heartbeat is due");
    }
}
