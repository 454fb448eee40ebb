//! A committee's ledger, made here: three slots, quorum 2, forged evidence. The files are written by code of this test's own, so
//! that what `hallmark-ledger` writes and reads is not only held against itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hallmark_coalition::{Acl, Recovery as HowToRecover, UniqueId};
use hallmark_forge::TdxCase;
use hallmark_ledger::checkpoint::{Checkpoint, origin};
use hallmark_ledger::cosignature::{CosignKey, SignedCheckpoint};
use hallmark_ledger::entry::{EntryDraft, Submission};
use hallmark_ledger::hash::{self, Hash};
use hallmark_ledger::note::Signer;
use hallmark_ledger::system::{
    Admission, Blob, Candidate, Endorsement, EndorsementSignature, Genesis, Member, Recovery, Release,
    ReleaseAction, Retirement, Roster, SlotSignature, SnapshotDigest, SystemEntry, endorsement_message,
    slot_message,
};
use serde::Serialize;

/// When everything happens: the forge's instant.
pub(crate) const NOW: u64 = 1_780_315_200;

/// A ledger under way.
#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) acl: Acl,
    pub(crate) group: UniqueId,
    pub(crate) epoch: u64,
    pub(crate) recoveries: u64,
    pub(crate) roster: Roster,
    pub(crate) leaves: Vec<Vec<u8>>,
    seqs: BTreeMap<String, u64>,
    /// Seeds of members' cosign keys, by slot.
    pub(crate) seeds: BTreeMap<u16, u8>,
    pub(crate) case: TdxCase,
}

/// The operator's key of a slot.
pub(crate) fn operator(slot: u16) -> CosignKey {
    CosignKey::from_seed(&[0xa0 + slot.to_le_bytes()[0]; 32])
}

/// A member's cosign key.
pub(crate) fn member_key(seed: u8) -> CosignKey {
    CosignKey::from_seed(&[seed; 32])
}

/// What can be changed in an admission before it is signed, and after.
pub(crate) struct Applicant {
    pub(crate) slot: u16,
    pub(crate) seed: u8,
    pub(crate) spki: Vec<u8>,
    pub(crate) case: TdxCase,
    /// The key that the quote speaks of, where it is another than the admission's.
    pub(crate) quoted_key: Option<[u8; 32]>,
    /// Whose statement the quote is bound to, where it is another machine's: its key and channel key.
    pub(crate) quoted_of: Option<(u8, Vec<u8>)>,
    /// Who signs for the slot, where it is another than its operator.
    pub(crate) signed_by: Option<CosignKey>,
    /// The tree that the statement names: the empty one, if nothing else is said.
    pub(crate) tree: (u64, Hash),
}

impl Ledger {
    /// Genesis and three admissions.
    pub(crate) fn found() -> Self {
        let mut ledger = Self::unfounded();
        ledger.genesis();
        for slot in 0..3 {
            ledger.admit(ledger.applicant(slot, 1 + slot.to_le_bytes()[0]));
        }
        ledger
    }

    /// No entry yet.
    pub(crate) fn unfounded() -> Self {
        let slots = (0..3).map(|slot| operator(slot).public()).collect();
        let tickets = UniqueId::of_name("nothing asked");
        let acl = Acl::new(slots, 2, HowToRecover::Operators, tickets).unwrap();
        let mut ledger = Self {
            acl,
            group: UniqueId::of_name("to be derived"),
            epoch: 0,
            recoveries: 0,
            roster: Roster::default(),
            leaves: Vec::new(),
            seqs: BTreeMap::new(),
            seeds: BTreeMap::new(),
            case: TdxCase::default(),
        };
        ledger.group = ledger.genesis_body().group();
        ledger
    }

    pub(crate) fn genesis_body(&self) -> Genesis {
        let made = self.case.make();
        let mut genesis = Genesis {
            root: UniqueId::of_name("SIMULATED coalition"),
            refs: Vec::new(),
            content: UniqueId::of_name("SIMULATED content"),
            acl: self.acl.clone(),
            epoch: 0,
            origin: String::new(),
            log_key: String::new(),
            releases: vec![Hash::of(&made.release)],
            policy: Hash::of(made.policy),
        };
        let group = genesis.group();
        genesis.origin = origin(group.as_bytes(), 0);
        genesis.log_key = log_key(&group, 0).verifier().to_string();
        genesis
    }

    pub(crate) fn genesis(&mut self) {
        let body = self.genesis_body();
        self.system(&SystemEntry::Genesis(body));
    }

    pub(crate) fn origin(&self) -> String {
        origin(self.group.as_bytes(), self.epoch)
    }

    pub(crate) fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    pub(crate) fn root(&self) -> Hash {
        root(&self.leaves)
    }

    /// Appends; the index.
    pub(crate) fn push(&mut self, draft: &EntryDraft) -> u64 {
        let seq = self.seqs.entry(draft.surface.clone()).or_default();
        self.leaves.push(draft.encode(*seq).unwrap());
        *seq += 1;
        self.size() - 1
    }

    pub(crate) fn system(&mut self, entry: &SystemEntry) -> u64 {
        self.push(&entry.draft().unwrap())
    }

    /// The parts of some bytes; their hash.
    pub(crate) fn blob(&mut self, bytes: &[u8]) -> Hash {
        for part in Blob::split(bytes).unwrap() {
            self.system(&SystemEntry::Blob(part));
        }
        Hash::of(bytes)
    }

    /// An entry of the machine's, by a client's command.
    pub(crate) fn pair(&mut self, client: u8, nonce: u64) -> u64 {
        #[derive(Serialize)]
        struct Pair {
            value: String,
        }
        let mut draft = EntryDraft::new("pairs", &Pair { value: format!("value {nonce}") }).unwrap();
        draft.key = Some(format!("key{}", nonce % 10));
        let command = Hash::of(format!("command {client} {nonce}"));
        draft.submission = Some(Submission { client: [client; 32], nonce, command });
        self.push(&draft)
    }

    pub(crate) fn applicant(&self, slot: u16, seed: u8) -> Applicant {
        Applicant {
            slot,
            seed,
            spki: format!("SIMULATED SPKI {seed}").into_bytes(),
            case: self.case.clone(),
            quoted_key: None,
            quoted_of: None,
            signed_by: None,
            tree: (0, hash::EMPTY),
        }
    }

    /// Admits, whatever is wrong with the applicant; the node.
    pub(crate) fn admit(&mut self, applicant: Applicant) -> u64 {
        let Applicant { slot, seed, spki, case, quoted_key, quoted_of, signed_by, tree } = applicant;
        let cosign_key = member_key(seed).public();
        let mut admission = Admission {
            slot,
            cosign_key,
            spki,
            hpke_key: None,
            checkpoint_size: tree.0,
            checkpoint_root: tree.1,
            evidence: hash::EMPTY,
            collateral: None,
            time: NOW,
            slot_signature: [0; 64],
            replaces: self.roster.members.get(&slot).map(|member| member.node),
        };
        let mut statement = admission.statement(self.group, self.epoch);
        statement.cosign_key = quoted_key.unwrap_or(cosign_key);
        if let Some((seed, spki)) = quoted_of {
            (statement.cosign_key, statement.spki_sha256) = (member_key(seed).public(), Hash::of(spki).0);
        }
        let (evidence, collateral) = evidence(case, statement.binding());
        admission.evidence = self.blob(&evidence);
        admission.collateral = Some(self.blob(&collateral));
        let spki_sha256 = admission.spki_sha256();
        let message =
            slot_message(&self.group, self.epoch, slot, &cosign_key, &spki_sha256, &admission.evidence);
        admission.slot_signature = signed_by.unwrap_or_else(|| operator(slot)).sign(&message);
        let node = self.system(&SystemEntry::Admission(admission));
        self.roster.members.insert(slot, Member { node, slot, cosign_key, spki_sha256 });
        self.seeds.insert(slot, seed);
        node
    }

    /// By the operators of these slots.
    pub(crate) fn by_operators(slots: &[u16], message: &[u8]) -> Vec<SlotSignature> {
        slots.iter().map(|&slot| SlotSignature { slot, signature: operator(slot).sign(message) }).collect()
    }

    pub(crate) fn endorse(&mut self, slots: &[u16]) -> u64 {
        self.endorse_as(slots, "simulated")
    }

    /// With this for the members' verdict.
    pub(crate) fn endorse_as(&mut self, slots: &[u16], verdict: &str) -> u64 {
        let binding = [7; 64];
        let (evidence, collateral) = evidence(self.case.clone(), binding);
        let (evidence, collateral) = (self.blob(&evidence), self.blob(&collateral));
        let mut endorsement = Endorsement {
            fact: Hash::of("SIMULATED provider"),
            policy: Hash::of(self.case.make().policy),
            evidence: Some(evidence),
            collateral: Some(collateral),
            binding: Some(binding),
            verdict: verdict.into(),
            signatures: Vec::new(),
        };
        for slot in slots {
            let node = self.roster.members[slot].node;
            let message = endorsement_message(&self.group, self.epoch, node, NOW, &endorsement);
            let signature = member_key(self.seeds[slot]).sign(&message);
            endorsement.signatures.push(EndorsementSignature { node, time: NOW, signature });
        }
        self.system(&SystemEntry::Endorsement(endorsement))
    }

    pub(crate) fn release(&mut self, sha256: Hash, action: ReleaseAction) -> u64 {
        let mut release = Release { sha256, action, signatures: Vec::new() };
        release.signatures = Self::by_operators(&[0, 2], &release.message(&self.group, self.epoch));
        self.system(&SystemEntry::Release(release))
    }

    pub(crate) fn snapshot(&mut self) -> u64 {
        let (size, sha256) = (self.size(), Hash::of("SIMULATED snapshot"));
        self.system(&SystemEntry::Snapshot(SnapshotDigest { size, sha256 }))
    }

    /// Quorum is lost and everything survives; three new machines.
    pub(crate) fn recover(&mut self, signers: &[u16], new_epoch: u64, seeds: [u8; 3]) -> u64 {
        self.recover_as(signers, new_epoch, seeds, |_| {})
    }

    /// The same, with this changed in the order before the operators sign it.
    pub(crate) fn recover_as(
        &mut self,
        signers: &[u16],
        new_epoch: u64,
        seeds: [u8; 3],
        change: impl FnOnce(&mut Recovery),
    ) -> u64 {
        let checkpoint = self.checkpoint(&[0, 1]);
        let applicants: Vec<_> = (0..).zip(seeds).map(|(slot, seed)| self.applicant(slot, seed)).collect();
        let candidate = |a: &Applicant| Candidate {
            slot: a.slot,
            cosign_key: member_key(a.seed).public(),
            spki_sha256: Hash::of(&a.spki).0,
        };
        let mut recovery = Recovery {
            old_epoch: self.epoch,
            old_log_key: log_key(&self.group, self.epoch).verifier().to_string(),
            size: self.size(),
            root: self.root(),
            checkpoint,
            new_epoch,
            new_log_key: log_key(&self.group, new_epoch).verifier().to_string(),
            recoveries: self.recoveries + 1,
            members: applicants.iter().map(candidate).collect(),
            signatures: Vec::new(),
        };
        change(&mut recovery);
        recovery.signatures = Self::by_operators(signers, &recovery.message(&self.group));
        let index = self.system(&SystemEntry::Recovery(recovery));
        (self.epoch, self.recoveries) = (new_epoch, self.recoveries + 1);
        self.roster = Roster { epoch: new_epoch, members: BTreeMap::new() };
        for applicant in applicants {
            self.admit(applicant);
        }
        index
    }

    pub(crate) fn retire(&mut self) -> u64 {
        let mut retirement = Retirement { effective_at: NOW, replacement: None, signatures: Vec::new() };
        retirement.signatures = Self::by_operators(&[1, 2], &retirement.message(&self.group, self.epoch));
        self.system(&SystemEntry::Retirement(retirement))
    }

    /// What is to be signed now.
    pub(crate) fn head(&self) -> Checkpoint {
        Checkpoint {
            origin: self.origin(),
            size: self.size(),
            root: self.root(),
            epoch: self.epoch,
            recoveries: self.recoveries,
            roster: self.roster.hash(),
        }
    }

    /// A note, cosigned by the members of these slots.
    pub(crate) fn checkpoint(&self, slots: &[u16]) -> String {
        self.sign(self.head(), slots, &self.roster)
    }

    /// What a client was given for its entry: under these slots' signatures.
    pub(crate) fn receipt(&self, index: u64, slots: &[u16]) -> String {
        let at = usize::try_from(index).unwrap();
        let leaf = std::str::from_utf8(&self.leaves[at]).unwrap();
        let proof = serde_json::to_string(&path(at, &self.leaves)).unwrap();
        let note = serde_json::to_string(&self.checkpoint(slots)).unwrap();
        format!(
            r#"{{"outcome":"committed","index":{index},"entries":1,"leaf":{leaf},"proof":{proof},"checkpoint":{note}}}"#
        )
    }

    /// A note over another head, or by another roster; a quorum or not.
    pub(crate) fn sign(&self, head: Checkpoint, slots: &[u16], roster: &Roster) -> String {
        let cosign = |slot: &u16| {
            let node = roster.members[slot].node;
            member_key(self.seeds[slot]).cosign(&head, *slot, node, NOW)
        };
        let cosignatures: Vec<_> = slots.iter().map(cosign).collect();
        let log = log_key(&self.group, self.epoch);
        SignedCheckpoint::assemble(head, &log, &cosignatures, roster, slots.len()).unwrap().note().to_owned()
    }

    /// The published files.
    pub(crate) fn write(&self, folder: &Path, checkpoint: &str) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("checkpoint"), checkpoint).unwrap();
        for (path, bytes) in files(&self.leaves) {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

/// The log's key in an epoch.
pub(crate) fn log_key(group: &UniqueId, epoch: u64) -> Signer {
    Signer::from_seed(&origin(group.as_bytes(), epoch), &[0xe0 + epoch.to_le_bytes()[0]; 32]).unwrap()
}

/// Evidence with this report data, and its collateral.
fn evidence(mut case: TdxCase, binding: [u8; 64]) -> (Vec<u8>, Vec<u8>) {
    case.quote.body.report_data = Some(binding);
    case.evidence.binding = Some(binding.to_vec());
    case.evidence.extra.insert("nonce".into(), serde_json::Value::Null);
    let made = case.make();
    (made.evidence, made.collateral.unwrap())
}

/// RFC 6962, 2.1, as it stands there.
pub(crate) fn root(leaves: &[Vec<u8>]) -> Hash {
    fn fold(hashes: &[Hash]) -> Hash {
        match hashes {
            [] => hash::EMPTY,
            [one] => *one,
            many => {
                let split = many.len().next_power_of_two() / 2;
                hash::node(&fold(&many[..split]), &fold(&many[split..]))
            }
        }
    }
    fold(&leaves.iter().map(|leaf| hash::leaf(leaf)).collect::<Vec<_>>())
}

/// RFC 6962, 2.1.1, as it stands there.
pub(crate) fn path(index: usize, leaves: &[Vec<u8>]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let split = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(split);
    let (mut siblings, other) =
        if index < split { (path(index, left), right) } else { (path(index - split, right), left) };
    siblings.push(root(other));
    siblings
}

/// C2SP tlog-tiles of a log of fewer than 65536 entries: bundles, and the tiles of levels 0 and 1.
pub(crate) fn files(leaves: &[Vec<u8>]) -> BTreeMap<String, Vec<u8>> {
    assert!(leaves.len() < 65536);
    let path = |kind: &str, index: usize, width: usize| {
        let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
        format!("tile/{kind}/{index:03}{partial}")
    };
    let mut files = BTreeMap::new();
    let mut level1 = Vec::new();
    for (index, chunk) in leaves.chunks(256).enumerate() {
        let bundle: Vec<u8> = chunk
            .iter()
            .flat_map(|leaf| [&u16::try_from(leaf.len()).unwrap().to_be_bytes()[..], leaf].concat())
            .collect();
        files.insert(path("entries", index, chunk.len()), bundle);
        let hashes: Vec<u8> = chunk.iter().flat_map(|leaf| hash::leaf(leaf).0).collect();
        files.insert(path("0", index, chunk.len()), hashes);
        if chunk.len() == 256 {
            level1.extend(root(chunk).0);
        }
    }
    if !level1.is_empty() {
        files.insert(path("1", 0, level1.len() / 32), level1);
    }
    files
}
