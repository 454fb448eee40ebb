//! Peers in memory: every request and answer goes through its encoding; links can be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hallmark_committee::{Caller, Engine, Node, NodeId, PeerError, PeerRequest, PeerResponse, Peers};
use hallmark_machine::kv::Kv;

/// Changes what goes to a node.
type Meddle = Box<dyn Fn(NodeId, &mut PeerRequest) + Send + Sync>;
/// Changes what a node answers to whom.
type Lie = Box<dyn Fn(NodeId, &mut PeerResponse) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Router {
    engines: Mutex<BTreeMap<[u8; 32], Engine<Kv>>>,
    cut: Mutex<BTreeSet<NodeId>>,
    meddle: RwLock<Option<Meddle>>,
    lie: RwLock<Option<Lie>>,
}

impl Router {
    pub(crate) fn plug(&self, spki: [u8; 32], engine: Engine<Kv>) {
        self.engines.lock().unwrap().insert(spki, engine);
    }

    pub(crate) fn unplug(&self, spki: &[u8; 32]) {
        self.engines.lock().unwrap().remove(spki);
    }

    /// Nothing goes to these nodes or comes from them.
    pub(crate) fn cut(&self, nodes: impl IntoIterator<Item = NodeId>) {
        *self.cut.lock().unwrap() = nodes.into_iter().collect();
    }

    /// Requests are what this makes of them.
    pub(crate) fn meddle(&self, meddle: impl Fn(NodeId, &mut PeerRequest) + Send + Sync + 'static) {
        *self.meddle.write().unwrap() = Some(Box::new(meddle));
    }

    /// Answers are what this makes of them.
    pub(crate) fn lie(&self, lie: impl Fn(NodeId, &mut PeerResponse) + Send + Sync + 'static) {
        *self.lie.write().unwrap() = Some(Box::new(lie));
    }

    pub(crate) fn link(self: &Arc<Self>, node: NodeId, spki: [u8; 32]) -> Arc<dyn Peers> {
        Arc::new(Link { router: Arc::clone(self), node, spki })
    }
}

struct Link {
    router: Arc<Router>,
    node: NodeId,
    spki: [u8; 32],
}

impl Peers for Link {
    fn call<'a>(
        &'a self,
        to: NodeId,
        node: &'a Node,
        request: PeerRequest,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<PeerResponse, PeerError>> {
        Box::pin(async move {
            let cut = |at: NodeId| self.router.cut.lock().unwrap().contains(&at);
            if cut(self.node) || cut(to) {
                return Err(PeerError::Unreachable("cut".into()));
            }
            let engine = self.router.engines.lock().unwrap().get(&node.spki_sha256).cloned();
            let Some(engine) = engine else { return Err(PeerError::Unreachable("nobody there".into())) };
            let bytes = postcard::to_allocvec(&request).unwrap();
            let mut request = postcard::from_bytes(&bytes).unwrap();
            if let Some(meddle) = &*self.router.meddle.read().unwrap() {
                meddle(to, &mut request);
            }
            let caller = Caller { spki_sha256: self.spki };
            let answer = tokio::time::timeout(timeout, engine.handle(caller, request)).await;
            let mut answer = answer.map_err(|_| PeerError::Timeout(timeout))?;
            if let Some(lie) = &*self.router.lie.read().unwrap() {
                lie(to, &mut answer);
            }
            if cut(self.node) || cut(to) {
                return Err(PeerError::Unreachable("cut".into()));
            }
            Ok(postcard::from_bytes(&postcard::to_allocvec(&answer).unwrap()).unwrap())
        })
    }
}
