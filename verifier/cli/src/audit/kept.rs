//! Checkpoints from elsewhere, held against the log: how a fork or a truncation is found.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_ledger::checkpoint::Checkpoint;
use hallmark_ledger::cosignature::cosignature_of;
use hallmark_ledger::hash::{self, Hash};
use hallmark_ledger::note::Note;
use hallmark_ledger::proof::Inclusion;
use hallmark_ledger::reader::{LogReader, ReaderError};
use hallmark_ledger::replay::Replay;
use hallmark_ledger::source::Source;
use hallmark_ledger::system::Member;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::findings::{self, Findings};

const FORK: &str = "kept-fork";
const TRUNCATED: &str = "kept-truncated";

/// A checkpoint that the auditor has from elsewhere.
pub(super) struct Kept {
    name: String,
    read: Result<(Note, Checkpoint), String>,
}

impl Kept {
    /// A note, or a receipt.
    pub(super) fn read(name: &str, bytes: &[u8]) -> Self {
        let read = match bytes.first() {
            Some(b'{') => receipt(bytes),
            _ => note(bytes),
        };
        Self { name: name.to_owned(), read }
    }
}

fn note(bytes: &[u8]) -> Result<(Note, Checkpoint), String> {
    let note = Note::parse(bytes).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|error| error.to_string())?;
    Ok((note, checkpoint))
}

/// What of a receipt (SPECIFICATION, section 17) bears on the log; the rest follows from the entry.
#[derive(Deserialize)]
struct Receipt<'a> {
    index: u64,
    #[serde(borrow)]
    leaf: &'a RawValue,
    proof: Vec<Hash>,
    checkpoint: String,
}

/// The checkpoint of a receipt whose entry is in the tree of it: then whoever has the tree has the entry.
fn receipt(bytes: &[u8]) -> Result<(Note, Checkpoint), String> {
    let receipt: Receipt<'_> =
        serde_json::from_slice(bytes).map_err(|error| format!("not a receipt with an entry: {error}"))?;
    let (note, checkpoint) = note(receipt.checkpoint.as_bytes())?;
    let leaf = hash::leaf(receipt.leaf.get().as_bytes());
    let proof = Inclusion { index: receipt.index, size: checkpoint.size, path: receipt.proof };
    proof.verify(&leaf, &checkpoint.root).map_err(|error| format!("the receipt's own: {error}"))?;
    Ok((note, checkpoint))
}

/// Holds them all against the log. `known` is everyone who was ever admitted.
pub(super) fn judge<S: Source>(
    kept: &[Kept],
    replay: &Replay,
    reader: &LogReader<S>,
    known: &BTreeMap<u64, Member>,
    findings: &mut Findings,
) -> Result<(), ReaderError> {
    if kept.is_empty() {
        for slug in [FORK, TRUNCATED] {
            findings.excuse(slug, "no checkpoint from elsewhere was given (--checkpoint)");
        }
        return Ok(());
    }
    let mut good: usize = 0;
    for Kept { name, read } in kept {
        match read {
            Ok((note, checkpoint)) => {
                let holds = one(name, note, checkpoint, replay, reader, known, findings)?;
                good = good.saturating_add(usize::from(holds));
            }
            Err(why) => findings.not_run(FORK, format!("{name}: {why}")),
        }
    }
    findings.pass(findings::KEPT, format!("{good} of {} from elsewhere are of this history", kept.len()));
    Ok(())
}

/// Holds one against the log. True where it is of this history.
fn one<S: Source>(
    name: &str,
    note: &Note,
    checkpoint: &Checkpoint,
    replay: &Replay,
    reader: &LogReader<S>,
    known: &BTreeMap<u64, Member>,
    findings: &mut Findings,
) -> Result<bool, ReaderError> {
    let Checkpoint { origin, size, root, epoch, .. } = checkpoint;
    let now = replay.log_key().map(|key| (key.name(), reader.size()));
    let ended = replay.epochs().iter().map(|epoch| (epoch.log_key.name(), epoch.size));
    let Some((_, covered)) = ended.chain(now).find(|(name, _)| name == origin) else {
        findings.not_run(FORK, format!("{name}: {origin}, epoch {epoch}: this log has no such epoch, so nobody in it vouches for that"));
        return Ok(false);
    };
    let (slots, signers) = match signers(note, checkpoint, known) {
        Ok((slots, signers)) if slots > 0 => (slots, format!("cosigned by {}", signers.join(", "))),
        Ok(_) => {
            findings.not_run(FORK, format!("{name}: no member that this log ever had cosigned it"));
            return Ok(false);
        }
        Err(why) => {
            findings.not_run(FORK, format!("{name}: {why}"));
            return Ok(false);
        }
    };
    if *size > covered {
        let detail = format!(
            "{name}: {size} entries in epoch {epoch}, {signers}; this log has {covered} of that epoch"
        );
        if replay.genesis().is_some_and(|genesis| slots >= genesis.acl.quorum()) {
            findings.fail(TRUNCATED, detail);
        } else {
            findings.not_run(TRUNCATED, format!("{detail}; fewer than a quorum, so it acknowledged nothing"));
        }
        return Ok(false);
    }
    let is = reader.root_at(*size)?;
    if is != *root {
        findings
            .fail(FORK, format!("{name}: root {root} at size {size}, {signers}; this log has {is} there"));
    }
    Ok(is == *root)
}

/// The members who cosigned it: how many slots, and in words.
fn signers(
    note: &Note,
    checkpoint: &Checkpoint,
    known: &BTreeMap<u64, Member>,
) -> Result<(usize, Vec<String>), String> {
    let (mut slots, mut signers) = (BTreeSet::new(), Vec::new());
    for member in known.values() {
        if cosignature_of(note, checkpoint, member).map_err(|error| error.to_string())?.is_some() {
            slots.insert(member.slot);
            signers.push(format!("slot {} (node {})", member.slot, member.node));
        }
    }
    Ok((slots.len(), signers))
}
