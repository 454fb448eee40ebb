//! What a snapshot is worth, found before its state signs anything.
//!
//! A snapshot comes from the leader alone, and a leader may run other code. Its bytes are bound by the `committee.snapshot` entry, which has their SHA-256: whoever
//! applied the log wrote that entry from a state of its own. So the bytes are the committee's where a quorum has signed a tree with that very entry in it; and
//! who counts in a quorum must not come from the snapshot either. The member therefore reads the ledger of one peer from its first entry, which the group's id
//! binds, up to a checkpoint of that peer behind the snapshot's entry, and holds the checkpoint against the roster that those entries yield. If it counts, so
//! does every difference between that history and the snapshot. If it does not, the peer has proved nothing, and another one is asked.
//!
//! The machine's state is not computed anew: the ledger has what commands came to, not the commands. Its digest is what a quorum signed.

use std::collections::BTreeSet;
use std::sync::Arc;

use hallmark_ledger::checkpoint::Checkpoint;
use hallmark_ledger::entry::Entry;
use hallmark_ledger::hash::{self, Hash};
use hallmark_ledger::note::Note;
use hallmark_ledger::replay::Replay;
use hallmark_ledger::system::Roster;
use hallmark_machine::Machine;

use super::shared::Shared;
use super::{Fault, PeerRequest, PeerResponse};
use crate::state::{Core, Voter};

/// Leaves between two pauses for others.
const STRIDE: u64 = 64;
/// Most bytes of a peer's note.
const MAX_NOTE: usize = 64 << 10;

/// What a snapshot says, until a quorum's signatures have been found to say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Index of the `committee.snapshot` entry.
    pub(crate) index: u64,
    /// Root of the tree below it.
    pub(crate) below: Hash,
    /// Leaf hash of the entry as this member wrote it, with the digest of the bytes that it was given.
    pub(crate) leaf: Hash,
    roster: Roster,
    recoveries: u64,
    log_key: String,
    releases: BTreeSet<Hash>,
    /// What this member had signed before.
    signed: Option<(u64, Hash)>,
}

impl Claim {
    /// Of a state behind the entry that vouches for it.
    pub(crate) fn new(core: &Core, below: Hash, marker: &[u8], signed: Option<(u64, Hash)>) -> Self {
        Self {
            index: core.frontier.size().saturating_sub(1),
            below,
            leaf: hash::leaf(marker),
            roster: core.roster.clone(),
            recoveries: core.recoveries,
            log_key: core.log_key.clone(),
            releases: core.releases.clone(),
            signed,
        }
    }

    /// What the snapshot says otherwise than the entries below its own.
    fn differs(&self, replay: &Replay) -> Option<&'static str> {
        let releases: BTreeSet<Hash> = replay.releases().copied().collect();
        [
            ("tree", replay.root() == self.below),
            ("roster", replay.roster() == Some(&self.roster)),
            ("recoveries", replay.recoveries() == self.recoveries),
            ("log key", replay.log_key().is_some_and(|key| key.to_string() == self.log_key)),
            ("releases", releases == self.releases),
        ]
        .into_iter()
        .find(|(_, same)| !same)
        .map(|(what, _)| what)
    }
}

/// What came of one peer's ledger.
enum Found {
    /// A quorum signed what the snapshot says. The note.
    Same(Vec<u8>),
    /// A quorum signed something else.
    Other(Fault),
    /// Nothing that counts; or nothing yet.
    Nothing(String),
}

/// Runs until the engine stops.
pub(crate) async fn run<M: Machine>(shared: Arc<Shared<M>>) {
    let mut turn = 0usize;
    loop {
        if shared.is_stopped() {
            return;
        }
        let Some(claim) = shared.lock().cosigning.held.clone() else {
            shared.held.notified().await;
            continue;
        };
        if shared.lock().fault.is_some() {
            return;
        }
        // The files may be on their way, and then serve as the peer's.
        let (own, wait) = {
            let book = shared.book();
            let missing = book.gap().is_some();
            (!missing && book.dir().size() > claim.index, missing && !book.doubtful())
        };
        if wait {
            tokio::time::sleep(shared.timing.retry).await;
            continue;
        }
        let peers = shared.known_peers();
        turn = turn.wrapping_add(1);
        let Some(peer) = turn.checked_rem(peers.len()).and_then(|at| peers.get(at)) else {
            tokio::time::sleep(shared.timing.retry).await;
            continue;
        };
        let mut found = shared.hold_against(&claim, peer, own).await;
        if own && matches!(found, Found::Nothing(_)) {
            found = shared.hold_against(&claim, peer, false).await;
        }
        match found {
            Found::Nothing(why) => {
                tracing::info!(why, node = peer.node, index = claim.index, "snapshot: not vouched for yet");
                tokio::time::sleep(shared.timing.retry).await;
            }
            Found::Same(note) => shared.vouch(&claim, &note),
            Found::Other(fault) => {
                let mut inner = shared.lock();
                if inner.cosigning.held.as_ref() == Some(&claim) {
                    shared.fault(&mut inner, fault);
                }
            }
        }
    }
}

impl<M: Machine> Shared<M> {
    /// Whom this member can ask: the roster's machines, and those that Raft counts.
    pub(crate) fn known_peers(&self) -> Vec<Voter> {
        let inner = self.lock();
        let mut peers = inner.state.core().map(Core::voters).unwrap_or_default();
        for (node, reach) in inner.voters.nodes() {
            if peers.iter().all(|peer| peer.node != *node) {
                peers.push(Voter { node: *node, reach: reach.clone() });
            }
        }
        peers.retain(|peer| peer.node != self.node);
        peers
    }

    async fn ask(&self, peer: &Voter, request: PeerRequest) -> Option<PeerResponse> {
        self.peers.call(peer.node, &peer.reach, request, self.timing.call).await.ok()
    }

    /// Holds a snapshot against the ledger that a peer serves, up to that peer's checkpoint.
    async fn hold_against(&self, claim: &Claim, peer: &Voter, own: bool) -> Found {
        let nothing = |why: &str| Found::Nothing(why.to_owned());
        let Some(PeerResponse::Description(described)) = self.ask(peer, PeerRequest::Describe).await else {
            return nothing("the peer does not answer");
        };
        let Some(note) = described.checkpoint.filter(|note| note.len() <= MAX_NOTE) else {
            return nothing("the peer has no checkpoint");
        };
        let Some(end) = size_of(&note).filter(|size| *size > claim.index) else {
            return nothing("the peer's checkpoint does not reach the snapshot's entry");
        };
        let mut replay = Replay::new();
        let mut differs = None;
        while replay.size() < end {
            let leaves = match self.some_leaves(replay.size(), end, peer, own).await {
                Some(leaves) if !leaves.is_empty() => leaves,
                _ => return nothing("the peer does not give all entries below its checkpoint"),
            };
            for leaf in leaves {
                let at = replay.size();
                if at >= end {
                    break;
                }
                if at.is_multiple_of(STRIDE) {
                    tokio::task::yield_now().await;
                }
                differs = differs.or_else(|| self.differs_here(claim, &replay, &leaf));
                let pushed = Entry::parse(&leaf).map_err(|error| error.to_string());
                let pushed =
                    pushed.and_then(|entry| replay.push(at, &entry).map_err(|error| error.to_string()));
                if let Err(why) = pushed {
                    return Found::Nothing(format!("entry {at} of the peer's ledger: {why}"));
                }
                if at == 0 && replay.genesis().is_none_or(|genesis| genesis.group() != self.group) {
                    return nothing("the peer's ledger is another group's");
                }
            }
        }
        if replay.log_key() != Some(&self.log_key) {
            return nothing("the peer's ledger ends in another epoch");
        }
        match (replay.checkpoint(&note), differs) {
            (Err(error), _) => Found::Nothing(format!("the peer's checkpoint: {error}")),
            (Ok(_), Some(fault)) => Found::Other(fault),
            (Ok(_), None) => Found::Same(note),
        }
    }

    /// What this member holds otherwise than a ledger whose next leaf is `leaf`.
    fn differs_here(&self, claim: &Claim, replay: &Replay, leaf: &[u8]) -> Option<Fault> {
        let at = replay.size();
        if let Some((size, root)) = claim.signed
            && size == at
            && root != replay.root()
        {
            return Some(Fault::Diverged { size });
        }
        if at != claim.index {
            return None;
        }
        let other = claim.differs(replay).or((hash::leaf(leaf) != claim.leaf).then_some("digest"));
        other.map(|what| Fault::Snapshot { index: at, what: what.to_owned() })
    }

    async fn some_leaves(&self, from: u64, end: u64, peer: &Voter, own: bool) -> Option<Vec<Vec<u8>>> {
        if own {
            let book = self.book();
            let to = end.min(book.dir().size()).min(from.saturating_add(STRIDE));
            if from < to {
                return (from..to).map(|index| book.dir().entry(index).ok()).collect();
            }
        }
        let limit = u32::try_from(end.saturating_sub(from)).unwrap_or(u32::MAX).min(self.limits.entries);
        match self.ask(peer, PeerRequest::Entries { from, limit }).await? {
            PeerResponse::Entries(leaves) => Some(leaves),
            _ => None,
        }
    }

    /// A quorum signed what the snapshot says: its state may sign from here on.
    fn vouch(&self, claim: &Claim, note: &[u8]) {
        {
            let mut inner = self.lock();
            if inner.cosigning.held.as_ref() != Some(claim) {
                // Another snapshot has come since.
                return;
            }
            inner.cosigning.held = None;
            // A recovery from this disk goes on from the snapshot only under this note: it is written before anything is signed.
            if let Ok(note) = std::str::from_utf8(note) {
                self.writer.lazily(note);
            }
            let written = self.writer.send(crate::store::Command::Nudge);
            for boundary in inner.cosigning.boundaries.values_mut() {
                boundary.command = boundary.command.max(written);
            }
            tracing::info!(index = claim.index, "snapshot: a quorum signed the same");
        }
        self.take_checkpoint(note);
        self.after_boundary();
    }
}

fn size_of(note: &[u8]) -> Option<u64> {
    Some(Checkpoint::parse(Note::parse(note).ok()?.text()).ok()?.size)
}
