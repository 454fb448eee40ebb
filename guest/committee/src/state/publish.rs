//! Leaves: what is appended to the ledger while proposals are applied.

use hallmark_ledger::entry::{self, EntryDraft, EntryError};
use hallmark_ledger::hash;
use hallmark_ledger::system::{Blob, SystemEntry};
use hallmark_machine::Draft;

use super::Core;

/// Leaves of one Raft entry, in order.
#[derive(Debug, Default)]
pub(crate) struct Leaves(pub(crate) Vec<Vec<u8>>);

impl Core {
    /// Appends a draft; its index.
    pub(crate) fn publish(&mut self, draft: &EntryDraft, leaves: &mut Leaves) -> Result<u64, EntryError> {
        let seq = self.seqs.get(&draft.surface).copied().unwrap_or_default();
        let bytes = draft.encode(seq)?;
        self.push(&draft.surface, seq, bytes, leaves)
    }

    /// Appends all of some drafts or none; the index of the first.
    pub(crate) fn publish_all(
        &mut self,
        drafts: &[EntryDraft],
        leaves: &mut Leaves,
    ) -> Result<u64, EntryError> {
        let mut seqs = std::collections::BTreeMap::new();
        let mut encoded = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let base = self.seqs.get(&draft.surface).copied().unwrap_or_default();
            let more = seqs.entry(draft.surface.as_str()).or_insert(0u64);
            let seq = base.saturating_add(*more);
            encoded.push((seq, draft.encode(seq)?));
            *more += 1;
        }
        let first = self.frontier.size();
        for (draft, (seq, bytes)) in drafts.iter().zip(encoded) {
            self.push(&draft.surface, seq, bytes, leaves)?;
        }
        Ok(first)
    }

    fn push(
        &mut self,
        surface: &str,
        seq: u64,
        bytes: Vec<u8>,
        leaves: &mut Leaves,
    ) -> Result<u64, EntryError> {
        let index = self.frontier.size();
        self.frontier.push(hash::leaf(&bytes));
        match self.seqs.get_mut(surface) {
            Some(next) => *next = seq.saturating_add(1),
            None => drop(self.seqs.insert(surface.to_owned(), seq.saturating_add(1))),
        }
        leaves.0.push(bytes);
        Ok(index)
    }

    /// Appends a body of the committee's own; its index.
    pub(crate) fn say(&mut self, body: &SystemEntry, leaves: &mut Leaves) -> Result<u64, EntryError> {
        self.publish(&body.draft()?, leaves)
    }

    /// Appends bytes that the next entry names by hash. False where they are too many. What the ledger has from before is appended
    /// again: whoever reads an entry has what it names right before it.
    pub(crate) fn carry(&mut self, bytes: &[u8], leaves: &mut Leaves) -> Result<bool, EntryError> {
        let Some(parts) = Blob::split(bytes) else { return Ok(false) };
        for part in parts {
            self.say(&SystemEntry::Blob(part), leaves)?;
        }
        Ok(true)
    }
}

/// A machine's draft as the ledger's, with whose command it answers.
pub(crate) fn draft(draft: Draft, submission: entry::Submission) -> EntryDraft {
    let Draft { surface, key, body, evidence, tick } = draft;
    EntryDraft {
        surface: surface.as_str().to_owned(),
        key,
        body,
        evidence,
        tick,
        submission: Some(submission),
    }
}
