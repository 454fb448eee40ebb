//! What Raft has ordered: applied to the state, written to the ledger, told to those who wait.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hallmark_ledger::system::Equivocation;
use hallmark_machine::Machine;
use openraft::{EntryPayload, SnapshotMeta, StoredMembership};

use super::audit::Claim;
use super::shared::{Inner, Shared, count};
use super::{Fault, Node, NodeId, Signed};
use crate::raft::{Batch, Entry};
use crate::state::{Applied, Proposal, ProposalId, Reply, SnapshotBytes, SnapshotError, State};
use crate::store::{Command, StoredSnapshot};

impl<M: Machine> Shared<M> {
    /// Applies entries, in order.
    pub(crate) fn apply(&self, entries: impl IntoIterator<Item = Entry>) {
        {
            let mut inner = self.lock();
            for entry in entries {
                self.apply_one(&mut inner, entry);
            }
            if let Some(cosigned) = inner.cosigning.cosigned.clone() {
                // A retry of what was signed long ago is answered at once.
                inner.waiting.signed(&cosigned);
            }
        }
        self.after_boundary();
    }

    fn apply_one(&self, inner: &mut Inner<M>, entry: Entry) {
        let (id, term) = (entry.log_id, entry.log_id.leader_id.term);
        match entry.payload {
            EntryPayload::Blank => {}
            EntryPayload::Membership(membership) => {
                inner.voters = StoredMembership::new(Some(id), membership);
                self.check_voters(inner);
                self.membership.notify_one();
            }
            EntryPayload::Normal(batch) => self.apply_batch(inner, id, term, &batch),
        }
        inner.applied = Some(id);
        let lost = inner.waiting.lose(term);
        self.tally.lost.fetch_add(lost, Ordering::Relaxed);
    }

    fn apply_batch(&self, inner: &mut Inner<M>, id: crate::raft::LogId, term: u64, batch: &Batch) {
        count(&self.tally.applied_batches);
        let size = inner.state.size();
        let begun = inner.state.core().is_some();
        let Applied { first, below, leaves, replies, roster_changed, snapshot, passed_over } =
            inner.state.apply(term, batch);
        if let Some(why) = passed_over {
            tracing::warn!(index = id.index, why, "raft entry passed over");
        }
        if !begun {
            inner.asked = false;
            self.check_beginning(inner, &replies);
        }
        // A recovery's founding begins in the middle: the tree below it is a former epoch's.
        self.book_mut().append(first, || below.unwrap_or(hallmark_ledger::hash::EMPTY), leaves);
        if first > size {
            self.lacking.notify_one();
        }
        let end = inner.state.size();
        if end > size {
            // The first boundary of an epoch is the ceremony's: operators said who begins.
            inner.note_boundary(self.log.command_of(id.index), roster_changed && begun);
        }
        for Reply { id, result } in &replies {
            inner.waiting.applied(id, end, result);
        }
        if roster_changed {
            self.roster_changed(inner);
        }
        inner.since.0 += 1;
        inner.since.1 += u64::try_from(batch.len()).unwrap_or(u64::MAX);
        if let Some(SnapshotBytes(bytes)) = snapshot {
            (inner.since, inner.asked) = ((0, 0), false);
            let meta = SnapshotMeta {
                last_log_id: Some(id),
                last_membership: inner.voters.clone(),
                snapshot_id: format!("{}-{}-{end}", self.epoch, id.index),
            };
            self.take(inner, end, StoredSnapshot { meta, bytes });
            return;
        }
        let full =
            inner.since.0 >= self.limits.snapshot_entries || inner.since.1 >= self.limits.snapshot_bytes;
        // The first snapshot of a recovered epoch comes at once: its founding carries a former epoch along.
        let heavy = !begun && first > 0;
        if (full || heavy) && !inner.asked && self.leads().is_some() {
            inner.asked = true;
            let _ = self.queue.send(Proposal::Snapshot);
        }
    }

    /// The founding must be the one that this member was given.
    fn check_beginning(&self, inner: &mut Inner<M>, replies: &[Reply]) {
        if let Some(Reply { result: Err(error), .. }) = replies.first() {
            tracing::error!(%error, "the first proposal of the epoch was refused");
        }
        if let Some(founding) = &self.founding
            && inner.state.core().is_some()
        {
            let id = Proposal::Found(founding.clone()).id();
            if !replies.iter().any(|reply| reply.id == id) {
                let why = "the epoch began with another founding than the one this member was given".into();
                self.fault(inner, Fault::State { why });
            }
        }
        // Whom the ceremony names begins with the founding, however it came here.
        let founds =
            self.founds && inner.state.core().is_some_and(|core| core.roster.node(self.node).is_some());
        inner.cosigning.cleared |= founds;
        self.check_voters(inner);
    }

    /// Raft may count only nodes that the ledger admitted.
    fn check_voters(&self, inner: &mut Inner<M>) {
        let Some(core) = inner.state.core() else { return };
        let mut voters = inner.voters.membership().voter_ids();
        let stranger = voters
            .find(|node| core.roster.node(*node).is_none() && !core.removed.contains_key(node))
            .filter(|_| inner.voters.log_id().is_some());
        if let Some(node) = stranger {
            self.fault(inner, Fault::UnadmittedVoter { node });
        }
    }

    fn roster_changed(&self, inner: &mut Inner<M>) {
        self.membership.notify_one();
        let Some(core) = inner.state.core() else { return };
        if core.epoch != self.epoch {
            let why = format!("the state is of epoch {}, this member of {}", core.epoch, self.epoch);
            self.fault(inner, Fault::State { why });
            return;
        }
        if core.log_key != self.log_key.to_string() {
            let why = "the epoch's log key is not the one this member was given".into();
            self.fault(inner, Fault::State { why });
            return;
        }
        if let Some(index) = core.removed.get(&self.node).copied() {
            self.fault(inner, Fault::NotInRoster { index });
        }
    }

    /// Takes a snapshot, which is of use once a quorum has signed its entry, at `end` leaves: a member that is given it signs nothing before, and until then the
    /// log must be there for those who lag.
    fn take(&self, inner: &mut Inner<M>, end: u64, snapshot: StoredSnapshot) {
        if inner.taken.len() > 1 {
            inner.taken.pop_last();
        }
        inner.taken.insert(end, snapshot);
        self.offer(inner, inner.cosigning.size());
    }

    /// Offers the last snapshot whose entry is below `size` leaves that a quorum signed.
    pub(crate) fn offer(&self, inner: &mut Inner<M>, size: u64) {
        let later = inner.taken.split_off(&size.saturating_add(1));
        if let Some((_, snapshot)) = std::mem::replace(&mut inner.taken, later).pop_last() {
            self.keep(inner, snapshot);
            self.offered.notify_one();
        }
    }

    /// Keeps a snapshot: in memory for followers, on disk for recovery.
    fn keep(&self, inner: &mut Inner<M>, snapshot: StoredSnapshot) -> u64 {
        let command = self.writer.send(Command::Snapshot(Box::new(snapshot.clone())));
        inner.snapshot = Some(Arc::new(snapshot));
        command
    }

    /// Replaces the state by a snapshot that the leader sent.
    pub(crate) fn install(
        &self,
        meta: &SnapshotMeta<NodeId, Node>,
        bytes: Option<Arc<Vec<u8>>>,
    ) -> Result<(), SnapshotError> {
        {
            let mut inner = self.lock();
            if let Some(bytes) = bytes {
                let snapshot = SnapshotBytes(bytes);
                let (state, marker, root) = State::install(self.group, &snapshot)?;
                let size = state.size().saturating_sub(1);
                // Members sign what extends what they signed: a snapshot that goes back, or elsewhere, is none of this history.
                let signed = inner.last_signed();
                let back = signed.is_some_and(|(signed, _)| signed > state.size());
                if back || state.size() < inner.state.size() {
                    return Err(SnapshotError::behind(state.size(), inner.state.size()));
                }
                inner.cosigning.held = state.core().map(|core| Claim::new(core, root, &marker, signed));
                inner.taken.clear();
                inner.state = state;
                self.held.notify_one();
                {
                    let mut book = self.book_mut();
                    book.anchor(size, root);
                    book.append(size, || root, vec![marker]);
                }
                self.lacking.notify_one();
                inner.voters = meta.last_membership.clone();
                let command = self.keep(&mut inner, StoredSnapshot { meta: meta.clone(), bytes: snapshot.0 });
                inner.note_boundary(command, false);
                self.roster_changed(&mut inner);
                self.check_voters(&mut inner);
                self.tell_known(&mut inner);
            } else {
                let snapshot = StoredSnapshot { meta: meta.clone(), bytes: Arc::default() };
                inner.snapshot = Some(Arc::new(snapshot));
            }
            inner.voters = meta.last_membership.clone();
            inner.applied = meta.last_log_id;
            (inner.since, inner.asked) = ((0, 0), false);
        }
        self.after_boundary();
        Ok(())
    }

    /// Answers those whose commands a snapshot brought along.
    fn tell_known(&self, inner: &mut Inner<M>) {
        for id in inner.waiting.unordered() {
            if let ProposalId::Command(client, nonce) = id
                && let Some(known) = inner.state.known(&client, nonce)
            {
                let size = inner.state.size();
                inner.waiting.applied(&id, size, &Ok(known.outcome));
            }
        }
    }

    /// After the tree grew: signs, and looks at what came early.
    pub(crate) fn after_boundary(&self) {
        self.sign();
        self.moved.strike();
        let (early, note) = {
            let mut inner = self.lock();
            let size = inner.state.size();
            let early = inner.cosigning.take_early(size);
            let note = match &inner.cosigning.note {
                Some((noted, _)) if *noted <= size && inner.cosigning.held.is_none() => {
                    inner.cosigning.note.take().map(|(_, note)| note)
                }
                _ => None,
            };
            (early, note)
        };
        if let Some(note) = note {
            self.take_checkpoint(&note);
        }
        if !early.is_empty() {
            self.take_signatures(early);
        }
    }

    /// Keeps the proof that a member signed two trees of one size. `charges` has it ordered.
    pub(crate) fn convict(&self, inner: &mut Inner<M>, equivocation: Equivocation) {
        let node = equivocation.node;
        if inner.cosigning.equivocations.insert(node, equivocation).is_none() {
            tracing::error!(node, "signed two histories");
        }
    }

    /// This member's signatures that the leader may need.
    pub(crate) fn own_signatures(&self, after: u64) -> Vec<Signed> {
        self.lock().cosigning.own.range(after.saturating_add(1)..).map(|(_, signed)| signed.clone()).collect()
    }
}
