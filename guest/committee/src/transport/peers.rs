//! The engine's way to other members.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{CallError, Pool, Target, Topic};
use crate::{Node, NodeId, PeerError, PeerRequest, PeerResponse, Peers};

/// [`Peers`] over a pool of connections.
pub struct PooledPeers(Arc<Pool>);

impl PooledPeers {
    /// Through this pool.
    #[must_use]
    pub const fn new(pool: Arc<Pool>) -> Self {
        Self(pool)
    }
}

impl Peers for PooledPeers {
    fn call<'a>(
        &'a self,
        _: NodeId,
        node: &'a Node,
        request: PeerRequest,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<PeerResponse, PeerError>> {
        Box::pin(async move {
            let malformed = |error: postcard::Error| PeerError::Malformed(error.to_string());
            let body = postcard::to_stdvec(&request).map_err(malformed)?;
            drop(request);
            let target = Target {
                address: node.address.clone(),
                spki_sha256: Some(node.spki_sha256),
                slot: Some(node.slot),
            };
            let answer =
                self.0.call(&target, Topic::Core, body, timeout).await.map_err(|error| match error {
                    CallError::TimedOut(within) => PeerError::Timeout(within),
                    // What was asked may have been done; to the engine that is what a timeout is.
                    CallError::Lost => PeerError::Timeout(timeout),
                    CallError::Codec(error) => malformed(error),
                    other => PeerError::Unreachable(other.to_string()),
                })?;
            postcard::from_bytes(&answer).map_err(malformed)
        })
    }
}
