//! The engine as a [`Service`].

use std::sync::{Arc, Mutex, PoisonError};

use hallmark_coalition::UniqueId;
use hallmark_ledger::checkpoint::Checkpoint;
use hallmark_ledger::cosignature::SignedCheckpoint;
use hallmark_ledger::proof::{Consistency, Inclusion};
use hallmark_ledger::source::Source as _;
use hallmark_ledger::system::{Roster, lookup_message};
use hallmark_ledger::tile::Coordinates;
use hallmark_machine::{ClientId, Machine, Surface};
use hyper::body::Bytes;
use tokio::sync::watch;

use crate::service::{Boxed, Freshness, Lookup, Service, ServiceError};
use crate::{Counters, Engine, Fate, Receipt, Status, Submission, SubmitError};

fn ledger(error: impl std::fmt::Display) -> ServiceError {
    ServiceError::Ledger { why: error.to_string() }
}

/// A running member of a committee, for its surface.
pub struct EngineService<M> {
    engine: Engine<M>,
    group: UniqueId,
    surfaces: &'static [Surface],
    /// The last roster that a quorum's checkpoint named.
    roster: Mutex<Option<Roster>>,
}

impl<M: Machine> EngineService<M> {
    /// The member of committee `group`.
    #[must_use]
    pub fn new(engine: Engine<M>, group: UniqueId) -> Self {
        Self { engine, group, surfaces: M::new().surfaces(), roster: Mutex::default() }
    }
}

impl<M: Machine> Service for EngineService<M> {
    fn group(&self) -> UniqueId {
        self.group
    }

    fn surfaces(&self) -> &'static [Surface] {
        self.surfaces
    }

    fn checkpoint(&self) -> watch::Receiver<Option<Arc<SignedCheckpoint>>> {
        self.engine.checkpoint()
    }

    fn roster(&self) -> Option<Roster> {
        let due = self.engine.checkpoint().borrow().as_ref()?.checkpoint().roster;
        // The engine's is that of the last entry applied, which no quorum may have signed yet.
        let mut known = self.roster.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|known| known.hash() != due) {
            *known = Some(self.engine.roster()).filter(|roster| roster.hash() == due);
        }
        known.clone()
    }

    fn entries(&self, from: u64, count: usize, bytes: usize) -> Result<Vec<Bytes>, ServiceError> {
        let newest = self.engine.checkpoint();
        let signed = newest.borrow().as_ref().map_or(0, |signed| signed.checkpoint().size);
        let end = signed.min(from.saturating_add(count as u64));
        self.engine.ledger(|log| {
            let (mut leaves, mut total) = (Vec::new(), 0);
            for leaf in log.entries(from..end) {
                let leaf = leaf.map_err(ledger)?;
                total += leaf.len();
                if total > bytes && !leaves.is_empty() {
                    break;
                }
                leaves.push(leaf.into());
            }
            Ok(leaves)
        })
    }

    fn tile(&self, tile: &Coordinates) -> Result<Option<Bytes>, ServiceError> {
        let bytes = self.engine.ledger(|log| log.read(&tile.to_string(), tile.limit())).map_err(ledger)?;
        Ok(bytes.map(Bytes::from))
    }

    fn inclusion(&self, index: u64, size: u64) -> Result<Inclusion, ServiceError> {
        self.engine.ledger(|log| log.inclusion(index, size)).map_err(ledger)
    }

    fn consistency(&self, old: u64, new: u64) -> Result<Consistency, ServiceError> {
        self.engine.ledger(|log| log.consistency(old, new)).map_err(ledger)
    }

    fn status(&self) -> Status {
        self.engine.status()
    }

    fn retired(&self) -> Option<u64> {
        self.engine.retired()
    }

    fn counters(&self) -> Counters {
        self.engine.counters()
    }

    fn submit(&self, submission: Submission) -> Boxed<'_, Result<Receipt, SubmitError>> {
        Box::pin(self.engine.submit(submission))
    }

    fn fate(&self, client: ClientId, nonce: u64) -> Boxed<'_, Fate> {
        Box::pin(std::future::ready(self.engine.fate(client, nonce)))
    }

    fn settle(&self, client: ClientId, nonce: u64) -> Boxed<'_, Result<Fate, SubmitError>> {
        Box::pin(self.engine.settle(client, nonce))
    }

    fn freshness(&self, nonce: [u8; 32]) -> Boxed<'_, Result<Freshness, ServiceError>> {
        let fresh = self.engine.freshness(&nonce).and_then(|fresh| {
            let signature = fresh.signature.try_into().ok()?;
            Some(Freshness { node: fresh.node, size: fresh.size, root: fresh.root, signature })
        });
        Box::pin(std::future::ready(fresh.ok_or_else(silent)))
    }

    fn lookup(
        &self,
        nonce: &[u8; 32],
        checkpoint: &Checkpoint,
        at: (&str, &str),
        index: Option<u64>,
    ) -> Result<Lookup, ServiceError> {
        // Whoever may not answer a challenge, since its cosignature counts for nothing, may not answer this.
        let fit = self.engine.freshness(nonce).ok_or_else(silent)?;
        let Checkpoint { origin, epoch, size, root, .. } = checkpoint;
        let message = lookup_message(origin, *epoch, nonce, (*size, root), at, index);
        Ok(Lookup { node: fit.node, signature: self.engine.sign(&message) })
    }
}

fn silent() -> ServiceError {
    ServiceError::NotReady {
        why: "this member has cosigned nothing, or cosigns no more".into(),
        retry_after: 2,
    }
}
