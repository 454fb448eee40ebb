//! Signs, verifies and counts.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hallmark_ledger::checkpoint::Checkpoint;
use hallmark_ledger::cosignature::{
    CheckedCosignature, Cosignature, CosignatureError, CosignerKey, Keys, SignedCheckpoint, cosigner_name,
};
use hallmark_ledger::note::Note;
use hallmark_ledger::system::{Equivocation, Member};
use hallmark_machine::Machine;

use super::cosigning::Boundary;
use super::shared::{Inner, Shared, count};
use super::{Fault, Signed};
use crate::store::StoreError;

impl<M: Machine> Shared<M> {
    /// Signs every boundary that may be signed now.
    pub(crate) fn sign(&self) {
        let mut inner = self.lock();
        if let Some(error) = &self.writer.progress().borrow().failed {
            let why = error.to_string();
            self.fault(&mut inner, Fault::Storage { why });
        }
        if !inner.may_sign() {
            return;
        }
        let Ok(member) = self.seated(&inner) else { return };
        for boundary in inner.cosigning.signable(|command| self.writer.has(command)) {
            self.sign_one(&mut inner, &boundary, &member);
        }
        self.assemble(&mut inner);
    }

    /// This member in the roster of its state.
    fn seated(&self, inner: &Inner<M>) -> Result<Member, ()> {
        let member = inner.state.core().and_then(|core| core.roster.node(self.node));
        member.filter(|member| member.cosign_key == self.keys.cosign.public()).cloned().ok_or(())
    }

    fn sign_one(&self, inner: &mut Inner<M>, boundary: &Boundary, member: &Member) {
        let Checkpoint { size, root, .. } = boundary.checkpoint;
        // What this member signed last must be a beginning of what it signs now. Its state only appends, so a larger size is one.
        let extends = inner.last_signed().is_none_or(|(signed, _)| signed < size);
        // At a boundary before its own admission this member was nobody, and it is no witness of its own admission.
        let own = boundary.changes && size == self.node.saturating_add(1);
        if !extends || own || boundary.roster.node(self.node).is_none() {
            return;
        }
        let time = (self.clock.unix_millis() / 1000).max(1);
        let checked = self.keys.cosign.cosign(&boundary.checkpoint, member.slot, self.node, time);
        count(&self.tally.signatures);
        let signed = Signed { size, root, cosignature: checked.cosignature().clone() };
        inner.cosigning.signed = Some((size, root));
        inner.cosigning.own.insert(size, signed);
        inner.cosigning.collect(size, checked);
        self.bump();
    }

    /// Takes signatures of peers.
    pub(crate) fn take_signatures(&self, signatures: Vec<Signed>) {
        for signed in signatures {
            let Signed { size, root, ref cosignature } = signed;
            let boundary = {
                let mut inner = self.lock();
                if size > inner.state.size() {
                    inner.cosigning.keep_early(signed);
                    continue;
                }
                let Some(boundary) = inner.cosigning.boundaries.get(&size) else { continue };
                let same = boundary.checkpoint.root == root;
                if same && !inner.cosigning.wants(size, cosignature.slot) {
                    continue;
                }
                boundary.clone()
            };
            if boundary.checkpoint.root != root {
                self.contradicted(&boundary, &signed);
                continue;
            }
            // Not under the lock: a verification takes longer than applying an entry.
            count(&self.tally.verified);
            match signed.cosignature.clone().check(&boundary.checkpoint, &boundary.roster) {
                Ok(checked) => {
                    let mut inner = self.lock();
                    if size > inner.cosigning.size() {
                        inner.cosigning.collect(size, checked);
                    }
                    self.assemble(&mut inner);
                    drop(inner);
                    // A quorum on a change of the roster lets this member sign what came after it.
                    self.sign();
                }
                Err(error) => tracing::warn!(%error, "a peer's cosignature is refused"),
            }
        }
    }

    fn clear(&self, inner: &mut Inner<M>, size: u64, others: usize) {
        let Some(quorum) = inner.state.core().map(|core| core.acl().quorum()) else { return };
        let before = inner.cosigning.cleared;
        inner.cosigning.clear(size, others, self.node, quorum);
        if inner.cosigning.cleared && !before {
            self.bump();
        }
    }

    /// Publishes the largest tree that a quorum of its roster has signed.
    fn assemble(&self, inner: &mut Inner<M>) {
        if inner.cosigning.held.is_some() {
            // Whose signatures count is the snapshot's word so far.
            return;
        }
        let Some(quorum) = inner.state.core().map(|core| core.acl().quorum()) else { return };
        let ready = inner.cosigning.collected.iter().rev().find(|(_, slots)| slots.len() >= quorum);
        let Some((size, slots)) = ready else { return };
        let Some(boundary) = inner.cosigning.boundaries.get(size) else { return };
        let signatures: Vec<_> = slots.values().cloned().collect();
        let checkpoint = boundary.checkpoint.clone();
        match SignedCheckpoint::assemble(checkpoint, &self.keys.log, &signatures, &boundary.roster, quorum) {
            Ok(signed) => self.publish(inner, Arc::new(signed)),
            Err(error) => tracing::warn!(%error, "no checkpoint from these cosignatures"),
        }
    }

    /// A tree is under a quorum: readers, followers and those who wait are told.
    fn publish(&self, inner: &mut Inner<M>, signed: Arc<SignedCheckpoint>) {
        if !inner.cosigning.advance(Arc::clone(&signed)) {
            return;
        }
        count(&self.tally.checkpoints);
        self.book_mut().checkpoint(&signed);
        self.writer.lazily(signed.note());
        let others = signed.cosignatures().iter().filter(|c| c.slot != self.slot).count();
        self.clear(inner, signed.checkpoint().size, others);
        self.offer(inner, signed.checkpoint().size);
        inner.waiting.signed(&signed);
        self.published.send_replace(Some(signed));
        self.bump();
    }

    /// Takes a checkpoint from a peer.
    pub(crate) fn take_checkpoint(&self, note: &[u8]) {
        let Some(checkpoint) = read(note) else {
            tracing::warn!("a peer's checkpoint is malformed");
            return;
        };
        let size = checkpoint.size;
        let (boundary, quorum) = {
            let mut inner = self.lock();
            if size <= inner.cosigning.size() && inner.cosigning.cosigned.is_some() {
                // Nothing new, unless it is of another history.
                let ours = inner.cosigning.boundaries.get(&size).map(|boundary| boundary.checkpoint.root);
                if ours.is_none_or(|root| root == checkpoint.root) {
                    return;
                }
            }
            if size > inner.state.size() || inner.cosigning.held.is_some() {
                inner.cosigning.keep_note(size, note);
                return;
            }
            let Some(boundary) = inner.cosigning.boundaries.get(&size) else { return };
            let Some(core) = inner.state.core() else { return };
            (boundary.clone(), core.acl().quorum())
        };
        count(&self.tally.verified);
        let keys = Keys { log: &self.log_key, roster: &boundary.roster, quorum };
        match SignedCheckpoint::verify(note, &keys) {
            Ok(signed) if *signed.checkpoint() == boundary.checkpoint => {
                let mut inner = self.lock();
                self.publish(&mut inner, Arc::new(signed));
                drop(inner);
                // It may be what this member waited for before signing itself.
                self.sign();
            }
            Ok(signed) => {
                let mut inner = self.lock();
                for cosignature in signed.cosignatures() {
                    self.compare(&mut inner, &boundary, signed.checkpoint(), cosignature);
                }
                self.fault(&mut inner, Fault::Diverged { size });
            }
            Err(CosignatureError::Roster { size, .. }) => {
                tracing::warn!(size, "a peer's checkpoint names another roster");
            }
            Err(error) => tracing::warn!(%error, "a peer's checkpoint is refused"),
        }
    }

    /// A peer signed another root than ours.
    fn contradicted(&self, boundary: &Boundary, signed: &Signed) {
        let other = Checkpoint { root: signed.root, ..boundary.checkpoint.clone() };
        count(&self.tally.verified);
        if signed.cosignature.clone().check(&other, &boundary.roster).is_ok() {
            tracing::error!(
                size = signed.size,
                node = signed.cosignature.node,
                "signed another root than this member's"
            );
            self.compare(&mut self.lock(), boundary, &other, &signed.cosignature);
        }
    }

    /// Where the peer signed our tree as well, it is convicted.
    fn compare(&self, inner: &mut Inner<M>, boundary: &Boundary, other: &Checkpoint, theirs: &Cosignature) {
        let size = boundary.checkpoint.size;
        let collected = inner.cosigning.collected.get(&size).and_then(|slots| slots.get(&theirs.slot));
        let published = inner.cosigning.of_size(size);
        let published =
            published.and_then(|signed| signed.cosignatures().iter().find(|c| c.node == theirs.node));
        let ours =
            collected.map(CheckedCosignature::cosignature).or(published).filter(|c| c.node == theirs.node);
        let Some(ours) = ours.cloned() else { return };
        let Some(member) = boundary.roster.node(theirs.node) else { return };
        let notes = (note_of(&boundary.checkpoint, &ours, member), note_of(other, theirs, member));
        if let (Some(first), Some(second)) = notes {
            self.convict(inner, Equivocation { node: theirs.node, first, second });
        }
    }

    /// The disk has come further, or failed.
    pub(crate) fn disk_moved(&self, failed: Option<StoreError>) {
        if let Some(error) = failed {
            let mut inner = self.lock();
            self.fault(&mut inner, Fault::Storage { why: error.to_string() });
        } else {
            self.sign();
        }
        self.moved.strike();
    }
}

fn read(note: &[u8]) -> Option<Checkpoint> {
    Checkpoint::parse(Note::parse(note).ok()?.text()).ok()
}

/// A note with one cosignature.
fn note_of(checkpoint: &Checkpoint, cosignature: &Cosignature, member: &Member) -> Option<String> {
    let name = cosigner_name(&checkpoint.origin, member.slot, member.node);
    let key = CosignerKey::new(&name, member.cosign_key).ok()?;
    let value = [&key.id()[..], &cosignature.time.to_be_bytes(), &cosignature.signature].concat();
    Some(format!("{}\n\u{2014} {name} {}\n", checkpoint.text(), STANDARD.encode(value)))
}
