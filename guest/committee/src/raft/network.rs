//! Raft's network over [`Peers`].

use std::sync::Arc;

use openraft::error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};

use super::Types;
use crate::engine::{Node, NodeId, PeerError, PeerRequest, PeerResponse, Peers};

type RpcError<E = RaftError<NodeId>> = RPCError<NodeId, Node, E>;

/// Makes a connection to each node that Raft asks for.
pub(crate) struct Network {
    peers: Arc<dyn Peers>,
    retry: std::time::Duration,
}

impl Network {
    /// `retry`: how long Raft leaves a node alone that could not be reached.
    pub(crate) fn new(peers: Arc<dyn Peers>, retry: std::time::Duration) -> Self {
        Self { peers, retry }
    }
}

/// One node.
pub(crate) struct Link {
    peers: Arc<dyn Peers>,
    retry: std::time::Duration,
    to: NodeId,
    node: Node,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Link;

    async fn new_client(&mut self, to: NodeId, node: &Node) -> Link {
        Link { peers: Arc::clone(&self.peers), retry: self.retry, to, node: node.clone() }
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
        match self.call(PeerRequest::Append(rpc), &option).await? {
            PeerResponse::Append(answer) => Ok(answer),
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
