//! Machines that this member's state does not know yet, and that a member of its roster names.
//!
//! A member that was cut off while a machine was admitted has neither the admission nor Raft's membership with it. Where that machine leads now, refusing its
//! entries would keep the member behind for good, and so it asks those whom its roster does name. Believing one of them gives it nothing new: it could
//! lead itself and order whatever it likes. A name opens Raft's requests and nothing else; whose signatures count is decided by the rosters in the ledger.
//!
//! Each member's names stand beside the others', so that a liar can add names but take none away: what it says of a key does not shut out what another
//! says of the same key. A member names no more machines than there are slots, and its last answer is all that is kept of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use futures_util::future::join_all;
use hallmark_machine::Machine;

use super::shared::Shared;
use super::{NodeId, PeerRequest, PeerResponse};

/// A machine as a member names it: the SHA-256 of its channel key, and its node id.
type Name = ([u8; 32], NodeId);

/// Names given by members.
#[derive(Debug, Default)]
pub(crate) struct Vouched {
    /// By who gave them.
    names: BTreeMap<NodeId, BTreeSet<Name>>,
    asking: bool,
}

impl Vouched {
    /// Whether a member names this key at all, as a machine whose admission is ahead of a state of `size` leaves: up to there, the state's own roster decides.
    pub(crate) fn knows(&self, spki_sha256: &[u8; 32], size: u64) -> bool {
        let after = (*spki_sha256, size)..=(*spki_sha256, NodeId::MAX);
        self.names.values().any(|names| names.range(after.clone()).next().is_some())
    }

    /// Whether a member names this key as this node.
    pub(crate) fn names(&self, spki_sha256: &[u8; 32], node: NodeId) -> bool {
        self.names.values().any(|names| names.contains(&(*spki_sha256, node)))
    }

    /// Keeps what a member answered, in the place of what it answered before.
    fn told(&mut self, by: NodeId, members: impl IntoIterator<Item = Name>, size: u64, slots: usize) {
        let news = members.into_iter().take(slots).filter(|(_, node)| *node >= size);
        self.names.insert(by, news.collect());
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
            let known = shared.known_peers();
            let asked = known.iter().map(|voter| {
                shared.peers.call(voter.node, &voter.reach, PeerRequest::Describe, shared.timing.call)
            });
            let answers = join_all(asked).await;
            let (size, slots) = {
                let inner = shared.lock();
                (inner.state.size(), inner.state.core().map_or(0, |core| core.acl().slots().len()))
            };
            {
                let mut vouched = shared.vouched();
                // Who is no member here any more has no say.
                vouched.names.retain(|by, _| known.iter().any(|voter| voter.node == *by));
                for (voter, answer) in known.iter().zip(answers) {
                    let Ok(PeerResponse::Description(found)) = answer else { continue };
                    if found.epoch == shared.epoch {
                        let members =
                            found.members.into_iter().map(|(node, reach)| (reach.spki_sha256, node));
                        vouched.told(voter.node, members, size, slots);
                    }
                }
            }
            tokio::time::sleep(shared.timing.retry).await;
            shared.vouched().asking = false;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_liar_adds_names_and_takes_none_away() {
        let (key, stranger) = ([1; 32], [2; 32]);
        let mut vouched = Vouched::default();
        // It pins the new machine's key to another node, and fills its list.
        let lies = std::iter::once((key, NodeId::MAX)).chain((50..500).map(|node| (stranger, node)));
        vouched.told(7, lies, 40, 3);
        vouched.told(8, [(key, 41), ([3; 32], 12)], 40, 3);
        assert!(vouched.names(&key, 41) && vouched.names(&key, NodeId::MAX));
        assert!(!vouched.names(&key, 42));
        // No more names than slots; none whose admission this member has come to.
        assert!(vouched.names(&stranger, 51) && !vouched.names(&stranger, 52));
        assert!(!vouched.knows(&[3; 32], 0));
        // Once the state has the admission, its roster decides.
        assert!(vouched.knows(&key, 41) && !vouched.knows(&stranger, 60));
        // Its next answer stands for its last one.
        vouched.told(7, [], 40, 3);
        assert!(
            !vouched.names(&stranger, 51) && vouched.names(&key, 41) && !vouched.names(&key, NodeId::MAX)
        );
        assert!(!vouched.knows(&key, 42));
    }
}
