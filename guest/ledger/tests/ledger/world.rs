//! A committee that writes a ledger: operators, members and log keys from fixed seeds.

use std::collections::BTreeMap;

use hallmark_coalition::{self as coalition, Acl, UniqueId};
use hallmark_ledger::{
    checkpoint::{self, Checkpoint},
    cosignature::{CheckedCosignature, CosignKey, SignedCheckpoint},
    entry::{Entry, EntryDraft, Submission},
    hash::{EMPTY, Hash},
    note::Signer,
    replay::{Fault, Obligation, Replay},
    system::*,
};

pub(crate) const ROOT: UniqueId = UniqueId::new([1; 32]);

pub(crate) struct World {
    pub(crate) operators: Vec<Signer>,
    pub(crate) log: Signer,
    pub(crate) genesis: Genesis,
    pub(crate) replay: Replay,
    pub(crate) leaves: Vec<Vec<u8>>,
    pub(crate) keys: BTreeMap<u16, CosignKey>,
    pub(crate) obligations: Vec<Obligation>,
    seqs: BTreeMap<String, u64>,
    boots: u8,
    pub(crate) time: u64,
}

pub(crate) fn seed(kind: u8, number: u8) -> [u8; 32] {
    let mut seed = [kind; 32];
    seed[31] = number;
    seed
}

fn acl(operators: &[Signer], quorum: u16, recovery: coalition::Recovery) -> Acl {
    let slots = operators.iter().map(|operator| operator.verifier().public()).collect();
    Acl::new(slots, quorum, recovery, UniqueId::ZERO).unwrap()
}

impl World {
    pub(crate) fn new(slots: u8, quorum: u16) -> Self {
        Self::with(slots, quorum, coalition::Recovery::Operators)
    }

    pub(crate) fn with(slots: u8, quorum: u16, recovery: coalition::Recovery) -> Self {
        let mut world = Self::empty(slots, quorum, recovery);
        let genesis = SystemEntry::Genesis(world.genesis.clone());
        world.system(&genesis);
        (0..u16::from(slots)).for_each(|slot| world.admit(slot));
        world
    }

    /// Before the genesis.
    pub(crate) fn empty(slots: u8, quorum: u16, recovery: coalition::Recovery) -> Self {
        let operators: Vec<_> =
            (0..slots).map(|slot| Signer::from_seed("operator", &seed(1, slot)).unwrap()).collect();
        let mut genesis = Genesis {
            root: ROOT,
            refs: vec![UniqueId::new([2; 32])],
            content: UniqueId::new([3; 32]),
            acl: acl(&operators, quorum, recovery),
            epoch: 0,
            origin: String::new(),
            log_key: String::new(),
            releases: vec![Hash::of("release")],
            policy: Hash::of("policy"),
        };
        genesis.origin = checkpoint::origin(genesis.group().as_bytes(), 0);
        let log = Signer::from_seed(&genesis.origin, &seed(2, 0)).unwrap();
        genesis.log_key = log.verifier().to_string();
        Self {
            operators,
            log,
            genesis,
            replay: Replay::new(),
            leaves: Vec::new(),
            keys: BTreeMap::new(),
            obligations: Vec::new(),
            seqs: BTreeMap::new(),
            boots: 0,
            time: 1_700_000_000,
        }
    }

    pub(crate) fn group(&self) -> UniqueId {
        self.genesis.group()
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.replay.roster().unwrap().epoch
    }

    pub(crate) fn next(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// The bytes that a draft would have next, without taking them.
    pub(crate) fn encode(&self, draft: &EntryDraft) -> Vec<u8> {
        draft.encode(self.seqs.get(&draft.surface).copied().unwrap_or(0)).unwrap()
    }

    /// What the replay says of an entry, the world left as it is.
    pub(crate) fn judge(&self, draft: &EntryDraft) -> Result<Vec<Obligation>, Fault> {
        let entry = Entry::parse(&self.encode(draft)).unwrap();
        self.replay.clone().push(self.next(), &entry).map_err(|error| error.fault)
    }

    pub(crate) fn refuses(&self, body: &SystemEntry) -> &'static str {
        self.judge(&body.draft().unwrap()).unwrap_err().slug()
    }

    pub(crate) fn draft(&mut self, draft: &EntryDraft) {
        let bytes = self.encode(draft);
        *self.seqs.entry(draft.surface.clone()).or_default() += 1;
        let entry = Entry::parse(&bytes).unwrap();
        self.obligations.extend(self.replay.push(self.next(), &entry).unwrap());
        self.leaves.push(bytes);
    }

    pub(crate) fn system(&mut self, body: &SystemEntry) {
        self.draft(&body.draft().unwrap());
    }

    pub(crate) fn blob(&mut self, bytes: &[u8]) -> Hash {
        for blob in Blob::split(bytes).unwrap() {
            self.system(&SystemEntry::Blob(blob));
        }
        Hash::of(bytes)
    }

    /// An admission of a machine that has just booted, signed, its evidence in blobs already.
    pub(crate) fn admission(&mut self, slot: u16) -> (Admission, CosignKey) {
        self.boots += 1;
        let evidence = self.blob(format!("evidence {}", self.boots).as_bytes());
        let key = CosignKey::from_seed(&seed(3, self.boots));
        let roster = self.replay.roster().unwrap();
        let mut admission = Admission {
            slot,
            cosign_key: key.public(),
            spki: vec![self.boots; 44],
            hpke_key: None,
            checkpoint_size: 0,
            checkpoint_root: EMPTY,
            evidence,
            collateral: None,
            time: self.time,
            slot_signature: [0; 64],
            replaces: roster.members.get(&slot).map(|member| member.node),
        };
        self.sign(&mut admission);
        (admission, key)
    }

    pub(crate) fn sign(&self, admission: &mut Admission) {
        let message = slot_message(
            &self.group(),
            self.epoch(),
            admission.slot,
            &admission.cosign_key,
            &admission.spki_sha256(),
            &admission.evidence,
        );
        admission.slot_signature = self.operators[usize::from(admission.slot)].sign_bytes(&message);
    }

    pub(crate) fn admit(&mut self, slot: u16) {
        let (admission, key) = self.admission(slot);
        self.system(&SystemEntry::Admission(admission));
        self.keys.insert(slot, key);
    }

    pub(crate) fn user(&mut self, count: u64) {
        self.user_named("values", count);
    }

    pub(crate) fn user_named(&mut self, surface: &str, count: u64) {
        for _ in 0..count {
            let nonce = self.next();
            let submission = Submission { client: [9; 32], nonce, command: Hash::of(nonce.to_le_bytes()) };
            let draft = EntryDraft::new(surface, &format!("value {nonce}")).unwrap();
            self.draft(&EntryDraft { submission: Some(submission), ..draft });
        }
    }

    pub(crate) fn head(&self) -> Checkpoint {
        let roster = self.replay.roster().unwrap();
        Checkpoint {
            origin: self.log.verifier().name().to_owned(),
            size: self.next(),
            root: self.replay.root(),
            epoch: roster.epoch,
            recoveries: self.replay.recoveries(),
            roster: roster.hash(),
        }
    }

    pub(crate) fn cosignatures(&self, head: &Checkpoint) -> Vec<CheckedCosignature> {
        let members = &self.replay.roster().unwrap().members;
        members.values().map(|m| self.keys[&m.slot].cosign(head, m.slot, m.node, self.time)).collect()
    }

    pub(crate) fn checkpoint(&self) -> SignedCheckpoint {
        let head = self.head();
        let all = self.cosignatures(&head);
        let (roster, quorum) = (self.replay.roster().unwrap(), self.genesis.acl.quorum());
        SignedCheckpoint::assemble(head, &self.log, &all, roster, quorum).unwrap()
    }

    pub(crate) fn operators_sign(&self, message: &[u8], slots: &[u16]) -> Vec<SlotSignature> {
        let sign = |slot: &u16| SlotSignature {
            slot: *slot,
            signature: self.operators[usize::from(*slot)].sign_bytes(message),
        };
        slots.iter().map(sign).collect()
    }
}
