//! Who the members are: replayed from the committee's own entries, each with its proof, and anchored in the slot operators' keys.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_coalition::{Committee, UniqueId};
use hallmark_ledger::checkpoint::Checkpoint;
use hallmark_ledger::cosignature::{Keys, SignedCheckpoint};
use hallmark_ledger::entry::Entry;
use hallmark_ledger::note::{Note, Verifier};
use hallmark_ledger::proof::Consistency;
use hallmark_ledger::system::{Member, Roster, SystemEntry};

use super::connection::{Ask, Endpoint};
use super::line::Line;
use super::{Client, ClientError};

/// The surfaces that say who may cosign.
const SURFACES: [&str; 4] =
    ["committee.genesis", "committee.admission", "committee.expulsion", "committee.recovery"];

/// Keys to verify checkpoints with.
#[derive(Debug, Clone)]
pub(super) struct Keyring {
    pub(super) log: Verifier,
    pub(super) roster: Roster,
    pub(super) quorum: usize,
    /// Of each epoch that was left behind, how many entries went on.
    recoveries: BTreeMap<u64, u64>,
}

impl Keyring {
    /// Entries of a former epoch's tree that are in the tree of now; none where no recovery left that epoch.
    pub(super) fn survives(&self, epoch: u64) -> Option<u64> {
        self.recoveries.get(&epoch)?;
        self.recoveries.range(epoch..).map(|(_, size)| *size).min()
    }

    pub(super) fn keys(&self) -> Keys<'_> {
        Keys { log: &self.log, roster: &self.roster, quorum: self.quorum }
    }
}

/// Replays the system entries. `entries` by index; they are proven to be in the tree, not yet that the tree is the committee's.
fn replay(committee: &Committee, entries: &BTreeMap<u64, Entry>) -> Result<Keyring, String> {
    let group = committee.id();
    let mut entries = entries.iter();
    let first = entries.next().ok_or("there is no genesis")?;
    let genesis = match (first.0, SystemEntry::of(first.1)) {
        (0, Ok(Some(SystemEntry::Genesis(genesis)))) => genesis,
        _ => return Err("entry 0 is no genesis".into()),
    };
    if genesis.group() != group {
        return Err(format!("genesis of committee {}, not {group}", genesis.group()));
    }
    let mut log = genesis.log_key().ok_or("genesis: the log key is not named by its origin")?;
    let mut roster = Roster { epoch: genesis.epoch, members: BTreeMap::new() };
    let mut used: BTreeSet<[u8; 32]> = BTreeSet::new();
    let mut recoveries = BTreeMap::new();
    for (index, entry) in entries {
        let wrong = |why: &dyn std::fmt::Display| format!("entry {index}: {why}");
        match SystemEntry::of(entry).map_err(|error| wrong(&error))? {
            Some(SystemEntry::Admission(admission)) => {
                let slot = committee.acl().slots().get(usize::from(admission.slot));
                let operator = slot.ok_or_else(|| wrong(&"there is no such slot"))?;
                if !admission.is_signed_by(operator, &group, roster.epoch) {
                    return Err(wrong(&"the slot operator's signature is wrong"));
                }
                let spki_sha256 = admission.spki_sha256();
                if !used.insert(admission.cosign_key) || !used.insert(spki_sha256) {
                    return Err(wrong(&"a key that was admitted before"));
                }
                let (slot, cosign_key) = (admission.slot, admission.cosign_key);
                roster.members.insert(slot, Member { node: *index, slot, cosign_key, spki_sha256 });
            }
            Some(SystemEntry::Expulsion(expulsion)) => {
                expulsion.verify(committee.acl(), &group, roster.epoch).map_err(|error| wrong(&error))?;
                roster.members.retain(|_, member| member.node != expulsion.node);
            }
            Some(SystemEntry::Recovery(recovery)) => {
                recovery.verify(committee.acl(), &group).map_err(|error| wrong(&error))?;
                if recovery.old_epoch != roster.epoch || recovery.new_epoch <= roster.epoch {
                    return Err(wrong(&"a recovery of another epoch"));
                }
                if recovery.size != *index {
                    return Err(wrong(&"it does not stand where it says that the tree goes on"));
                }
                recoveries.insert(recovery.old_epoch, recovery.size);
                log = recovery
                    .new_log_key(&group)
                    .ok_or_else(|| wrong(&"the log key is not named by its origin"))?;
                roster = Roster { epoch: recovery.new_epoch, members: BTreeMap::new() };
            }
            _ => return Err(wrong(&"not what its surface says")),
        }
    }
    Ok(Keyring { log, roster, quorum: committee.acl().quorum(), recoveries })
}

/// One response's lines, proven under the checkpoint that it names, which is not verified yet.
pub(super) struct Page {
    checkpoint: Checkpoint,
    pub(super) note: String,
    pub(super) entries: Vec<(u64, Entry)>,
}

impl Client {
    /// Learns the roster from a member, and the checkpoint that shows it.
    pub(super) async fn learn(
        &self,
        endpoint: &Endpoint,
    ) -> Result<(Keyring, SignedCheckpoint), ClientError> {
        let unproven =
            |what, why: &dyn std::fmt::Display| ClientError::unproven(&endpoint.address, what, why);
        let mut entries = BTreeMap::new();
        let mut newest: Option<(Checkpoint, String)> = None;
        for surface in SURFACES {
            let mut from = 0;
            while let Some(page) = self.page(endpoint, surface, from, "").await? {
                for (index, entry) in page.entries {
                    if entry.seq() != from {
                        return Err(unproven("roster", &format_args!("{surface}: {from} is left out")));
                    }
                    from += 1;
                    entries.insert(index, entry);
                }
                newest = Some(match newest {
                    None => (page.checkpoint, page.note),
                    Some(known) => self.larger(endpoint, known, (page.checkpoint, page.note)).await?,
                });
            }
        }
        let (_, note) = newest.ok_or_else(|| unproven("roster", &"there is no genesis"))?;
        let keyring = replay(&self.inner.committee, &entries).map_err(|why| unproven("roster", &why))?;
        let signed = SignedCheckpoint::verify(note.as_bytes(), &keyring.keys());
        Ok((keyring, signed.map_err(|error| unproven("checkpoint", &error))?))
    }

    /// Entries of a surface from a number on, proven under a checkpoint that is not verified yet; `more` is further query. None where there are none.
    pub(super) async fn page(
        &self,
        endpoint: &Endpoint,
        surface: &str,
        from: u64,
        more: &str,
    ) -> Result<Option<Page>, ClientError> {
        let unproven =
            |what, why: &dyn std::fmt::Display| ClientError::unproven(&endpoint.address, what, why);
        let target = format!("/streams/{surface}?from={from}&proofs=1{more}");
        let text = endpoint.ask(&Ask::get(&target), self.inner.options.request).await?;
        let mut page: Option<Page> = None;
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Line = serde_json::from_slice(line).map_err(|error| unproven("line", &error))?;
            if let Some(note) = line.checkpoint {
                if page.is_some() {
                    // What another checkpoint covers is asked for again.
                    break;
                }
                let parsed = Note::parse(note.as_bytes()).map_err(|error| unproven("checkpoint", &error))?;
                let checkpoint =
                    Checkpoint::parse(parsed.text()).map_err(|error| unproven("checkpoint", &error))?;
                page = Some(Page { checkpoint, note, entries: Vec::new() });
                continue;
            }
            let (Some(leaf), Some(page)) = (line.leaf(), &mut page) else { continue };
            leaf.verify(page.checkpoint.size, &page.checkpoint.root)
                .map_err(|error| unproven("proof", &error))?;
            let entry = Entry::of(leaf.bytes).map_err(|error| unproven("leaf", &error))?;
            if entry.surface() != surface {
                return Err(unproven("leaf", &format_args!("of surface {}", entry.surface())));
            }
            page.entries.push((leaf.index, entry));
        }
        Ok(page.filter(|page| !page.entries.is_empty()))
    }

    /// The larger of two, once it is shown to extend the other.
    async fn larger(
        &self,
        endpoint: &Endpoint,
        a: (Checkpoint, String),
        b: (Checkpoint, String),
    ) -> Result<(Checkpoint, String), ClientError> {
        let (old, new) = if a.0.size <= b.0.size { (a, b) } else { (b, a) };
        self.extends(endpoint, &old.0, &new.0).await?;
        Ok(new)
    }

    /// Asks for the proof that `new` extends `old`, and checks it.
    pub(super) async fn extends(
        &self,
        endpoint: &Endpoint,
        old: &Checkpoint,
        new: &Checkpoint,
    ) -> Result<(), ClientError> {
        if old.size == new.size && old.root == new.root {
            return Ok(());
        }
        let unproven =
            |why: &dyn std::fmt::Display| ClientError::unproven(&endpoint.address, "consistency", why);
        let target = format!("/consistency?from={}&to={}", old.size, new.size);
        let proof = endpoint.ask(&Ask::get(&target), self.inner.options.request).await?;
        let proof: Consistency = serde_json::from_slice(&proof).map_err(|error| unproven(&error))?;
        if (proof.old, proof.new) != (old.size, new.size) {
            return Err(unproven(&"a proof of other sizes"));
        }
        proof.verify(&old.root, &new.root).map_err(|error| unproven(&error))
    }

    /// The committee's id.
    #[must_use]
    pub fn group(&self) -> UniqueId {
        self.inner.group
    }
}
