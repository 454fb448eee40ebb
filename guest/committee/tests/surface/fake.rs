//! A committee of three whose order is one lock: real entries, tree, cosignatures; no Raft.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use hallmark_coalition::{Acl, Committee, Recovery, TicketValidator, UniqueId};
use hallmark_committee::http::{Gate, Limits, Surface};
use hallmark_committee::service::{Boxed, Freshness, Lookup, Service, ServiceError};
use hallmark_committee::{Counters, Fate, Outcome, Receipt, Role, Status, Submission, SubmitError};
use hallmark_ledger::checkpoint::{Checkpoint, origin};
use hallmark_ledger::cosignature::{CosignKey, SignedCheckpoint};
use hallmark_ledger::entry::{self, EntryDraft};
use hallmark_ledger::hash::{EMPTY, Hash};
use hallmark_ledger::note::Signer;
use hallmark_ledger::proof::{Consistency, Inclusion};
use hallmark_ledger::source::Source as _;
use hallmark_ledger::store::LogDir;
use hallmark_ledger::system::{
    self, Admission, Blob, Expulsion, Genesis, Member, Rejection, Retirement, Roster, SlotSignature,
    SystemEntry, freshness_message, slot_message,
};
use hallmark_ledger::tile::Coordinates;
use hallmark_machine::kv::Kv;
use hallmark_machine::{ClientId, Context, Machine as _, Surface as MachineSurface};
use hyper::body::Bytes;
use tokio::sync::watch;

pub(crate) const QUORUM: u16 = 2;

pub(crate) struct Fake {
    pub(crate) committee: Committee,
    pub(crate) slot: u16,
    state: Mutex<State>,
    newest: watch::Sender<Option<Arc<SignedCheckpoint>>>,
    /// What goes wrong.
    pub(crate) full_disk: AtomicBool,
    pub(crate) lose_answers: AtomicBool,
    pub(crate) no_leader: AtomicBool,
    _folder: tempfile::TempDir,
}

struct State {
    log: LogDir,
    signer: Signer,
    keys: Vec<CosignKey>,
    roster: Roster,
    kv: Kv,
    decided: BTreeMap<(ClientId, u64), (Hash, Outcome)>,
    seq: BTreeMap<String, u64>,
    retired: Option<u64>,
    boots: u8,
    recoveries: u64,
    /// Whether admissions bring their evidence along, as a real member's do.
    blobs: bool,
}

pub(crate) const COLLATERAL: &[u8] = b"{\"collateral\":1}";

/// What the machine of a slot was admitted with.
pub(crate) fn evidence_of(slot: u16) -> Vec<u8> {
    let pad = if slot == 1 { "x".repeat(100_000) } else { String::new() };
    format!("{{\"evidence\":{slot},\"pad\":\"{pad}\"}}").into_bytes()
}

/// The signatures of a quorum of slot operators.
fn signatures(message: &[u8]) -> Vec<SlotSignature> {
    (0..2).map(|slot| SlotSignature { slot, signature: operator(slot).sign_bytes(message) }).collect()
}

pub(crate) fn operator(slot: u16) -> Signer {
    Signer::from_seed("operator", &[40 + u8::try_from(slot).unwrap(); 32]).unwrap()
}

pub(crate) fn committee(tickets: &TicketValidator) -> Committee {
    let slots = (0..3).map(|slot| operator(slot).verifier().public()).collect();
    let acl = Acl::new(slots, QUORUM, Recovery::Operators, tickets.signature()).unwrap();
    Committee::new(UniqueId::new([1; 32]), Vec::new(), UniqueId::new([2; 32]), acl)
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        Self::with(committee(&TicketValidator::new()), 0)
    }

    /// The same seeds give the same keys: two fakes of one committee can show two histories.
    pub(crate) fn with(committee: Committee, slot: u16) -> Arc<Self> {
        Self::made(committee, slot, false)
    }

    /// A committee whose ledger has its members' evidence.
    pub(crate) fn with_evidence() -> Arc<Self> {
        Self::made(committee(&TicketValidator::new()), 0, true)
    }

    fn made(committee: Committee, slot: u16, blobs: bool) -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let log = LogDir::open(folder.path().join("ledger")).unwrap();
        let group = committee.id();
        let origin = origin(group.as_bytes(), 0);
        let signer = Signer::from_seed(&origin, &[9; 32]).unwrap();
        let genesis = Genesis {
            root: UniqueId::new([1; 32]),
            refs: Vec::new(),
            content: UniqueId::new([2; 32]),
            acl: committee.acl().clone(),
            epoch: 0,
            origin,
            log_key: signer.verifier().to_string(),
            releases: Vec::new(),
            policy: Hash([3; 32]),
        };
        let state = State {
            log,
            signer,
            keys: Vec::new(),
            roster: Roster::default(),
            kv: Kv::new(),
            decided: BTreeMap::new(),
            seq: BTreeMap::new(),
            retired: None,
            boots: 0,
            recoveries: 0,
            blobs,
        };
        let fake = Self {
            committee,
            slot,
            state: Mutex::new(state),
            newest: watch::Sender::new(None),
            full_disk: AtomicBool::new(false),
            lose_answers: AtomicBool::new(false),
            no_leader: AtomicBool::new(false),
            _folder: folder,
        };
        let mut state = fake.state();
        state.say(&SystemEntry::Genesis(genesis).draft().unwrap());
        for slot in 0..3 {
            state.admit(group, slot);
        }
        fake.sign(&mut state);
        drop(state);
        Arc::new(fake)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn sign(&self, state: &mut State) -> Arc<SignedCheckpoint> {
        let checkpoint = Checkpoint {
            origin: state.signer.verifier().name().to_owned(),
            size: state.log.size(),
            root: state.log.root(),
            epoch: state.roster.epoch,
            recoveries: state.recoveries,
            roster: state.roster.hash(),
        };
        let cosign = |member: &Member| {
            let key = &state.keys[usize::from(member.slot)];
            key.cosign(&checkpoint, member.slot, member.node, 1_800_000_000)
        };
        let cosignatures: Vec<_> = state.roster.members.values().take(2).map(cosign).collect();
        let signed = SignedCheckpoint::assemble(
            checkpoint.clone(),
            &state.signer,
            &cosignatures,
            &state.roster,
            usize::from(QUORUM),
        );
        let signed = Arc::new(signed.unwrap());
        state.log.set_checkpoint(&signed).unwrap();
        self.newest.send_replace(Some(Arc::clone(&signed)));
        signed
    }

    /// Applies a command as a member would; None where the answer was to be lost.
    pub(crate) fn apply(&self, submission: &Submission) -> Result<Receipt, SubmitError> {
        let mut state = self.state();
        let Submission { client, nonce, surface, body } = submission;
        let hash = hallmark_committee::command_hash(surface, body);
        let receipt = |outcome, checkpoint| Receipt { client: *client, nonce: *nonce, outcome, checkpoint };
        if let Some((known, outcome)) = state.decided.get(&(*client, *nonce)).cloned() {
            if known != hash && !matches!(outcome, Outcome::Invalid { .. }) {
                return Err(SubmitError::NonceUsed { nonce: *nonce, first: outcome.index() });
            }
            return Ok(receipt(outcome, self.newest.borrow().clone().unwrap()));
        }
        let command = Kv::parse(surface, body)
            .map_err(|e| SubmitError::Malformed { surface: surface.clone(), why: e.why })?;
        let index = state.log.size();
        let endorsed = BTreeMap::new();
        let context = Context { index, client: *client, nonce: *nonce, endorsed: &endorsed };
        let marked = entry::Submission { client: *client.as_bytes(), nonce: *nonce, command: hash };
        let outcome = match state.kv.apply(&context, command) {
            Ok(drafts) => {
                let entries = drafts.len() as u64;
                for draft in drafts {
                    state.say(&EntryDraft {
                        surface: draft.surface.as_str().to_owned(),
                        key: draft.key,
                        body: draft.body,
                        evidence: draft.evidence,
                        tick: draft.tick,
                        submission: Some(marked),
                    });
                }
                Outcome::Committed { first: index, entries }
            }
            Err(no) => {
                let code = no.code.as_str().to_owned();
                let body = Rejection {
                    client: UniqueId::new(*client.as_bytes()),
                    nonce: *nonce,
                    code: code.clone(),
                    why: no.why.clone(),
                };
                let mut draft = SystemEntry::Rejection(body).draft().unwrap();
                draft.submission = Some(marked);
                state.say(&draft);
                Outcome::Rejected { index, code, why: no.why }
            }
        };
        state.decided.insert((*client, *nonce), (hash, outcome.clone()));
        let signed = self.sign(&mut state);
        Ok(receipt(outcome, signed))
    }

    pub(crate) fn put(&self, nonce: u64, key: &str, value: &str) -> Receipt {
        let body = format!("{{\"op\":\"put\",\"key\":\"{key}\",\"value\":\"{value}\"}}").into_bytes();
        self.apply(&Submission { client: ClientId::new([7; 32]), nonce, surface: "pairs".into(), body })
            .unwrap()
    }

    /// A new machine takes a slot.
    pub(crate) fn replace(&self, slot: u16) {
        let mut state = self.state();
        state.admit(self.committee.id(), slot);
        self.sign(&mut state);
    }

    /// A machine is put out of its slot.
    pub(crate) fn expel(&self, slot: u16) {
        let mut state = self.state();
        let (group, epoch) = (self.committee.id(), state.roster.epoch);
        let node = state.roster.members.remove(&slot).unwrap().node;
        let mut body = Expulsion { node, why: "two histories".into(), signatures: Vec::new() };
        body.signatures = signatures(&body.message(&group, epoch));
        state.say(&SystemEntry::Expulsion(body).draft().unwrap());
        self.sign(&mut state);
    }

    /// All machines are lost; the committee goes on from all that is here, in the next epoch, with machines anew.
    pub(crate) fn recover(&self) {
        let mut state = self.state();
        let group = self.committee.id();
        let (old_epoch, old_log_key) = (state.roster.epoch, state.signer.verifier().to_string());
        let seed = [10 + u8::try_from(old_epoch).unwrap(); 32];
        state.signer = Signer::from_seed(&origin(group.as_bytes(), old_epoch + 1), &seed).unwrap();
        state.recoveries += 1;
        let mut body = system::Recovery {
            old_epoch,
            old_log_key,
            size: state.log.size(),
            root: state.log.root(),
            checkpoint: self.newest.borrow().as_ref().unwrap().note().to_owned(),
            new_epoch: old_epoch + 1,
            new_log_key: state.signer.verifier().to_string(),
            recoveries: state.recoveries,
            members: (0..3).map(|slot| state.candidate(slot)).collect(),
            signatures: Vec::new(),
        };
        body.signatures = signatures(&body.message(&group));
        state.say(&SystemEntry::Recovery(body).draft().unwrap());
        state.roster = Roster { epoch: old_epoch + 1, members: BTreeMap::new() };
        for slot in 0..3 {
            state.admit(group, slot);
        }
        self.sign(&mut state);
    }

    pub(crate) fn retire(&self, replacement: UniqueId) {
        let mut state = self.state();
        let mut body = Retirement {
            effective_at: 1_900_000_000_000,
            replacement: Some(replacement),
            signatures: Vec::new(),
        };
        body.signatures = signatures(&body.message(&self.committee.id(), state.roster.epoch));
        state.retired = Some(state.log.size());
        state.say(&SystemEntry::Retirement(body).draft().unwrap());
        self.sign(&mut state);
    }

    /// A slot's member's signed answer.
    fn word(
        &self,
        slot: u16,
        nonce: &[u8; 32],
        checkpoint: &Checkpoint,
        at: (&str, &str),
        index: Option<u64>,
    ) -> Lookup {
        let state = self.state();
        let Checkpoint { origin, epoch, size, root, .. } = checkpoint;
        let message = system::lookup_message(origin, *epoch, nonce, (*size, root), at, index);
        let signature = state.keys[usize::from(slot)].sign(&message);
        // Who was put out has its keys still.
        let node = state.roster.members.get(&slot).map_or(999, |member| member.node);
        Lookup { node, signature }
    }

    pub(crate) fn size(&self) -> u64 {
        self.state().log.size()
    }
}

impl State {
    fn say(&mut self, draft: &EntryDraft) -> u64 {
        let seq = self.seq.entry(draft.surface.clone()).or_default();
        let bytes = draft.encode(*seq).unwrap();
        *seq += 1;
        self.log.append(&[bytes]).unwrap();
        self.log.size() - 1
    }

    /// The keys of the next machine that boots: its cosign key and its channel key.
    fn next_keys(&self, boot: u8) -> (CosignKey, Vec<u8>) {
        // Another epoch's machines have others, whatever was booted in this one.
        let boot = self.boots + boot + 50 * u8::try_from(self.recoveries).unwrap();
        (CosignKey::from_seed(&[100 + boot; 32]), vec![boot; 44])
    }

    /// What [`Self::admit`] will admit, of slots 0, 1, 2 in this order.
    fn candidate(&self, slot: u16) -> system::Candidate {
        let (key, spki) = self.next_keys(1 + u8::try_from(slot).unwrap());
        system::Candidate { slot, cosign_key: key.public(), spki_sha256: Hash::of(&spki).0 }
    }

    fn admit(&mut self, group: UniqueId, slot: u16) {
        let (key, spki) = self.next_keys(1);
        self.boots += 1;
        let (cosign_key, spki_sha256) = (key.public(), Hash::of(&spki).0);
        // Slot 1's needs three parts, slot 2's comes without collateral.
        let evidence = evidence_of(slot);
        let collateral = (slot != 2).then(|| COLLATERAL.to_vec());
        if self.blobs {
            for blob in Some(&evidence).into_iter().chain(&collateral).flat_map(|b| Blob::split(b).unwrap()) {
                self.say(&SystemEntry::Blob(blob).draft().unwrap());
            }
        }
        let (evidence, collateral) = (Hash::of(&evidence), collateral.as_ref().map(Hash::of));
        let message = slot_message(&group, self.roster.epoch, slot, &cosign_key, &spki_sha256, &evidence);
        let admission = Admission {
            slot,
            cosign_key,
            spki,
            hpke_key: None,
            checkpoint_size: 0,
            checkpoint_root: EMPTY,
            evidence,
            collateral,
            time: 1_800_000_000,
            slot_signature: operator(slot).sign_bytes(&message),
            replaces: self.roster.members.get(&slot).map(|member| member.node),
        };
        let node = self.say(&SystemEntry::Admission(admission).draft().unwrap());
        self.roster.members.insert(slot, Member { node, slot, cosign_key, spki_sha256 });
        let at = usize::from(slot);
        if at < self.keys.len() { self.keys[at] = key } else { self.keys.push(key) }
    }
}

fn ledger(error: impl std::fmt::Display) -> ServiceError {
    ServiceError::Ledger { why: error.to_string() }
}

impl Service for Fake {
    fn group(&self) -> UniqueId {
        self.committee.id()
    }

    fn surfaces(&self) -> &'static [MachineSurface] {
        Kv::new().surfaces()
    }

    fn checkpoint(&self) -> watch::Receiver<Option<Arc<SignedCheckpoint>>> {
        self.newest.subscribe()
    }

    fn roster(&self) -> Option<Roster> {
        Some(self.state().roster.clone())
    }

    fn entries(&self, from: u64, count: usize, bytes: usize) -> Result<Vec<Bytes>, ServiceError> {
        let state = self.state();
        let end = state.log.size().min(from.saturating_add(count as u64));
        let (mut leaves, mut total) = (Vec::new(), 0);
        for index in from..end {
            let leaf = state.log.entry(index).map_err(ledger)?;
            total += leaf.len();
            if !leaves.is_empty() && total > bytes {
                break;
            }
            leaves.push(leaf.into());
        }
        Ok(leaves)
    }

    fn tile(&self, tile: &Coordinates) -> Result<Option<Bytes>, ServiceError> {
        let bytes = self.state().log.read(&tile.to_string(), tile.limit()).map_err(ledger)?;
        Ok(bytes.map(Bytes::from))
    }

    fn inclusion(&self, index: u64, size: u64) -> Result<Inclusion, ServiceError> {
        self.state().log.inclusion(index, size).map_err(ledger)
    }

    fn consistency(&self, old: u64, new: u64) -> Result<Consistency, ServiceError> {
        self.state().log.consistency(old, new).map_err(ledger)
    }

    fn status(&self) -> Status {
        let state = self.state();
        let size = state.log.size();
        Status {
            epoch: state.roster.epoch,
            recoveries: state.recoveries,
            node: state.roster.members[&self.slot].node,
            slot: self.slot,
            role: Role::Leader,
            term: 1,
            leader: None,
            applied: size,
            signed: size,
            cosigned: size,
            stored: size,
            ledger: None,
            full: None,
            roster: state.roster.members.iter().map(|(slot, member)| (*slot, member.node)).collect(),
            voters: Vec::new(),
            retired: state.retired,
            unvouched: None,
            lacks: None,
            fault: None,
            equivocations: Vec::new(),
        }
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }

    fn submit(&self, submission: Submission) -> Boxed<'_, Result<Receipt, SubmitError>> {
        Box::pin(async move {
            if self.full_disk.load(Relaxed) {
                return Err(SubmitError::Storage { why: "no space left on device".into() });
            }
            if self.no_leader.load(Relaxed) {
                return Err(SubmitError::NoLeader);
            }
            let receipt = self.apply(&submission);
            if self.lose_answers.load(Relaxed) { Err(SubmitError::Unclear) } else { receipt }
        })
    }

    fn fate(&self, client: ClientId, nonce: u64) -> Boxed<'_, Fate> {
        Box::pin(async move {
            let checkpoint = self.newest.borrow().clone().unwrap();
            match self.state().decided.get(&(client, nonce)).cloned() {
                None => Fate::Pending,
                Some((_, outcome)) => Fate::Settled(Receipt { client, nonce, outcome, checkpoint }),
            }
        })
    }

    fn settle(&self, client: ClientId, nonce: u64) -> Boxed<'_, Result<Fate, SubmitError>> {
        Box::pin(async move {
            {
                let mut state = self.state();
                if !state.decided.contains_key(&(client, nonce)) {
                    let body = Rejection {
                        client: UniqueId::new(*client.as_bytes()),
                        nonce,
                        code: "invalid".into(),
                        why: "settled".into(),
                    };
                    let index = state.say(&SystemEntry::Rejection(body).draft().unwrap());
                    state.decided.insert((client, nonce), (Hash([0; 32]), Outcome::Invalid { index }));
                    self.sign(&mut state);
                }
            }
            Ok(self.fate(client, nonce).await)
        })
    }

    fn lookup(
        &self,
        nonce: &[u8; 32],
        checkpoint: &Checkpoint,
        at: (&str, &str),
        index: Option<u64>,
    ) -> Result<Lookup, ServiceError> {
        Ok(self.word(self.slot, nonce, checkpoint, at, index))
    }

    fn freshness(&self, nonce: [u8; 32]) -> Boxed<'_, Result<Freshness, ServiceError>> {
        Box::pin(async move {
            let state = self.state();
            let (size, root) = (state.log.size(), state.log.root());
            let name = state.signer.verifier().name().to_owned();
            let message = freshness_message(&name, state.roster.epoch, &nonce, size, &root);
            let signature = state.keys[usize::from(self.slot)].sign(&message);
            let node = state.roster.members[&self.slot].node;
            Ok(Freshness { node, size, root, signature })
        })
    }
}

/// The same committee's state, served by another slot's member.
pub(crate) struct Other(pub(crate) Arc<Fake>, pub(crate) u16);

impl Service for Other {
    fn group(&self) -> UniqueId {
        self.0.group()
    }
    fn surfaces(&self) -> &'static [MachineSurface] {
        self.0.surfaces()
    }
    fn checkpoint(&self) -> watch::Receiver<Option<Arc<SignedCheckpoint>>> {
        self.0.checkpoint()
    }
    fn roster(&self) -> Option<Roster> {
        self.0.roster()
    }
    fn entries(&self, from: u64, count: usize, bytes: usize) -> Result<Vec<Bytes>, ServiceError> {
        self.0.entries(from, count, bytes)
    }
    fn tile(&self, tile: &Coordinates) -> Result<Option<Bytes>, ServiceError> {
        self.0.tile(tile)
    }
    fn inclusion(&self, index: u64, size: u64) -> Result<Inclusion, ServiceError> {
        self.0.inclusion(index, size)
    }
    fn consistency(&self, old: u64, new: u64) -> Result<Consistency, ServiceError> {
        self.0.consistency(old, new)
    }
    fn status(&self) -> Status {
        self.0.status()
    }
    fn counters(&self) -> Counters {
        self.0.counters()
    }
    fn submit(&self, submission: Submission) -> Boxed<'_, Result<Receipt, SubmitError>> {
        Box::pin(async move { self.0.apply(&submission) })
    }
    fn fate(&self, client: ClientId, nonce: u64) -> Boxed<'_, Fate> {
        self.0.fate(client, nonce)
    }
    fn settle(&self, client: ClientId, nonce: u64) -> Boxed<'_, Result<Fate, SubmitError>> {
        self.0.settle(client, nonce)
    }
    fn lookup(
        &self,
        nonce: &[u8; 32],
        checkpoint: &Checkpoint,
        at: (&str, &str),
        index: Option<u64>,
    ) -> Result<Lookup, ServiceError> {
        Ok(self.0.word(self.1, nonce, checkpoint, at, index))
    }
    fn freshness(&self, nonce: [u8; 32]) -> Boxed<'_, Result<Freshness, ServiceError>> {
        Box::pin(async move {
            let state = self.0.state();
            let (size, root) = (state.log.size(), state.log.root());
            let name = state.signer.verifier().name().to_owned();
            let message = freshness_message(&name, state.roster.epoch, &nonce, size, &root);
            let signature = state.keys[usize::from(self.1)].sign(&message);
            let node = state.roster.members.get(&self.1).map_or(999, |member| member.node);
            Ok(Freshness { node, size, root, signature })
        })
    }
}

/// Serves until the test ends.
pub(crate) async fn serve(service: Arc<dyn Service>, gate: Gate, limits: Limits) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let surface = Surface::new(service, Arc::new(gate), limits);
    tokio::spawn(async move { surface.serve(&listener).await });
    address
}

pub(crate) async fn start(fake: &Arc<Fake>) -> SocketAddr {
    start_with(fake, Limits::default()).await
}

pub(crate) async fn start_with(fake: &Arc<Fake>, limits: Limits) -> SocketAddr {
    let gate = Gate::open(fake.committee.acl()).unwrap();
    serve(Arc::clone(fake) as Arc<dyn Service>, gate, limits).await
}
