//! Machines that this member's state does not know yet, and that a member of its roster names.
//!
//! A member that was cut off while a machine was admitted has neither the admission nor Raft's membership with it. Where that machine leads now, refusing its
//! entries would keep the member behind for good, and so it asks those whom its roster does name. Believing one of them gives it nothing new: it could
//! lead itself and order whatever it likes. A name opens Raft's requests and proposals; whose signatures count is decided by the rosters in the ledger.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use futures_util::future::join_all;
use hallmark_machine::Machine;

use super::shared::Shared;
use super::{NodeId, PeerRequest, PeerResponse};

/// Names kept at most; more than any committee has slots.
const NAMES: usize = 1024;

/// Names given by members.
#[derive(Debug, Default)]
pub(crate) struct Vouched {
    nodes: BTreeMap<[u8; 32], NodeId>,
    asking: bool,
}

impl Vouched {
    /// The node with this key, if its admission is ahead of a state of `size` leaves: up to there, the state's own roster decides.
    pub(crate) fn node(&self, spki_sha256: &[u8; 32], size: u64) -> Option<NodeId> {
        self.nodes.get(spki_sha256).copied().filter(|node| *node >= size)
    }
}

impl<M: Machine> Shared<M> {
    pub(crate) fn vouched(&self) -> MutexGuard<'_, Vouched> {
        self.vouched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stranger speaks Raft: asks the roster who is a member now, once in a while. The stranger will call again.
    pub(crate) fn inquire(self: &Arc<Self>) {
        if std::mem::replace(&mut self.vouched().asking, true) {
            return;
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let known = shared.lock().state.core().map(crate::state::Core::voters).unwrap_or_default();
            let known: Vec<_> = known.into_iter().filter(|voter| voter.node != shared.node).collect();
            let asked = known.iter().map(|voter| {
                shared.peers.call(voter.node, &voter.reach, PeerRequest::Describe, shared.timing.call)
            });
            let answers = join_all(asked).await;
            let size = shared.lock().state.size();
            {
                let mut vouched = shared.vouched();
                vouched.nodes.retain(|_, node| *node >= size);
                for answer in answers {
                    let Ok(PeerResponse::Description(found)) = answer else { continue };
                    if found.epoch != shared.epoch {
                        continue;
                    }
                    let news = found.members.into_iter().filter(|(node, _)| *node >= size);
                    for (node, reach) in news {
                        if vouched.nodes.len() < NAMES {
                            vouched.nodes.entry(reach.spki_sha256).or_insert(node);
                        }
                    }
                }
            }
            tokio::time::sleep(shared.timing.retry).await;
            shared.vouched().asking = false;
        });
    }
}
