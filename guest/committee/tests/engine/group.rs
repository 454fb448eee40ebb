//! A committee for tests: operators, genesis, machines.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use hallmark_coalition::{Acl, Committee, Recovery as Way, UniqueId};
use hallmark_committee::{
    Admitting, Engine, EngineConfig, Founding, Limits, MemberKeys, NodeId, PeerRequest, PeerResponse,
    Receipt, Role, Start, Storage, Submission, SubmitError, Timing,
};
use hallmark_ledger::checkpoint;
use hallmark_ledger::cosignature::CosignKey;
use hallmark_ledger::entry::Entry;
use hallmark_ledger::hash::{EMPTY, Hash};
use hallmark_ledger::note::Signer;
use hallmark_ledger::replay::{Obligation, Replay};
use hallmark_ledger::store::LogDir;
use hallmark_ledger::system::{Admission, Genesis, SlotSignature, SystemEntry, slot_message};
use hallmark_machine::ClientId;
use hallmark_machine::kv::Kv;
use tempfile::TempDir;

use super::router::Router;

pub(crate) struct Group {
    pub(crate) operators: Vec<SigningKey>,
    pub(crate) id: UniqueId,
    pub(crate) genesis: Genesis,
    pub(crate) router: Arc<Router>,
    pub(crate) epoch: u64,
    pub(crate) log_seed: [u8; 32],
    pub(crate) limits: Limits,
    pub(crate) storage: Storage,
    folders: Vec<TempDir>,
    made: u8,
}

/// A machine: keys and disk, before it is anybody.
pub(crate) struct Machine {
    pub(crate) slot: u16,
    pub(crate) seed: [u8; 32],
    pub(crate) spki: Vec<u8>,
    pub(crate) folder: PathBuf,
}

/// A running member.
pub(crate) struct Member {
    pub(crate) node: NodeId,
    pub(crate) slot: u16,
    pub(crate) spki: [u8; 32],
    pub(crate) folder: PathBuf,
    pub(crate) engine: Engine<Kv>,
}

pub(crate) fn timing() -> Timing {
    Timing {
        heartbeat: Duration::from_millis(60),
        election_min: Duration::from_millis(250),
        election_max: Duration::from_millis(500),
        call: Duration::from_millis(500),
        submit: Duration::from_secs(8),
        retry: Duration::from_millis(30),
        catch_up: Duration::from_secs(5),
    }
}

impl Group {
    pub(crate) fn new(slots: u8, quorum: u16) -> Self {
        let operators: Vec<_> = (0..slots).map(|slot| SigningKey::from_bytes(&[slot + 100; 32])).collect();
        let keys = operators.iter().map(|key| key.verifying_key().to_bytes()).collect();
        let acl = Acl::new(keys, quorum, Way::Operators, UniqueId::of_name("tickets")).unwrap();
        let (root, content) = (UniqueId::of_name("root"), UniqueId::of_name("content"));
        let id = Committee::new(root, Vec::new(), content, acl.clone()).id();
        let log_seed = [77; 32];
        let origin = checkpoint::origin(id.as_bytes(), 0);
        let log_key = Signer::from_seed(&origin, &log_seed).unwrap().verifier().to_string();
        let genesis = Genesis {
            root,
            refs: Vec::new(),
            content,
            acl,
            epoch: 0,
            origin,
            log_key,
            releases: vec![Hash::of("release")],
            policy: Hash::of("policy"),
        };
        Self {
            operators,
            id,
            genesis,
            router: Arc::default(),
            epoch: 0,
            log_seed,
            limits: Limits::default(),
            storage: Storage::files(),
            folders: Vec::new(),
            made: 0,
        }
    }

    /// A machine that boots for a slot: fresh keys, an empty disk.
    pub(crate) fn machine(&mut self, slot: u16) -> Machine {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        self.folders.push(folder);
        self.machine_on(slot, path)
    }

    /// A machine that boots on a disk.
    pub(crate) fn machine_on(&mut self, slot: u16, folder: PathBuf) -> Machine {
        self.made += 1;
        Machine { slot, seed: [self.made; 32], spki: vec![self.made; 44], folder }
    }

    pub(crate) fn admitting(&self, machine: &Machine, replaces: Option<NodeId>) -> Admitting {
        let evidence = format!("evidence of {}", machine.spki[0]).into_bytes();
        let cosign_key = CosignKey::from_seed(&machine.seed).public();
        let operator = &self.operators[usize::from(machine.slot)];
        let spki = Hash::of(&machine.spki).0;
        let message =
            slot_message(&self.id, self.epoch, machine.slot, &cosign_key, &spki, &Hash::of(&evidence));
        Admitting {
            admission: Admission {
                slot: machine.slot,
                cosign_key,
                spki: machine.spki.clone(),
                hpke_key: None,
                time: 1_760_000_000,
                checkpoint_size: 0,
                checkpoint_root: EMPTY,
                evidence: Hash::of(&evidence),
                collateral: None,
                slot_signature: operator.sign(&message).to_bytes(),
                replaces,
            },
            evidence,
            collateral: None,
            address: format!("slot-{}", machine.slot),
        }
    }

    pub(crate) fn sign(&self, message: &[u8], slots: &[u16]) -> Vec<SlotSignature> {
        let sign = |slot: &u16| SlotSignature {
            slot: *slot,
            signature: self.operators[usize::from(*slot)].sign(message).to_bytes(),
        };
        slots.iter().map(sign).collect()
    }

    pub(crate) async fn start(&self, machine: &Machine, node: NodeId, start: Start) -> Member {
        let origin = checkpoint::origin(self.id.as_bytes(), self.epoch);
        let keys = MemberKeys {
            cosign: CosignKey::from_seed(&machine.seed),
            log: Signer::from_seed(&origin, &self.log_seed).unwrap(),
        };
        let place = (self.epoch, node, machine.slot);
        let mut config = EngineConfig::new(self.id, place, keys, start, machine.folder.clone());
        (config.timing, config.limits, config.storage) = (timing(), self.limits, self.storage.clone());
        let spki = Hash::of(&machine.spki).0;
        let engine = Engine::start(config, self.router.link(node, spki)).await.unwrap();
        self.router.plug(spki, engine.clone());
        Member { node, slot: machine.slot, spki, folder: machine.folder.clone(), engine }
    }

    /// The members of a founding, running.
    pub(crate) async fn found(&self, founding: Founding, machines: &[Machine]) -> Vec<Member> {
        let roster = founding.roster::<Kv>(self.id).unwrap();
        let mut members = Vec::new();
        // The initialiser last, so that the others are there when it asks.
        for machine in machines.iter().rev() {
            let node = roster.members[&machine.slot].node;
            let initialise = machine.slot == machines[0].slot;
            let start = Start::Found { founding: Box::new(founding.clone()), initialise };
            members.insert(0, self.start(machine, node, start).await);
        }
        members
    }

    pub(crate) async fn genesis(&mut self) -> Vec<Member> {
        let slots = u16::try_from(self.operators.len()).unwrap();
        let machines: Vec<_> = (0..slots).map(|slot| self.machine(slot)).collect();
        let admissions = machines.iter().map(|machine| self.admitting(machine, None)).collect();
        let founding = Founding::Genesis { genesis: self.genesis.clone(), admissions };
        self.found(founding, &machines).await
    }

    /// Admits a machine through a member, lets it fetch what it needs, and starts it.
    pub(crate) async fn join(&self, machine: &Machine, by: &Member) -> Result<Member, SubmitError> {
        let replaces = by.engine.roster().members.get(&machine.slot).map(|member| member.node);
        let admitted = by.engine.admit(self.admitting(machine, replaces)).await?;
        let caller = hallmark_committee::Caller { spki_sha256: Hash::of(&machine.spki).0 };
        let PeerResponse::Join(welcome) = by.engine.handle(caller, PeerRequest::Join).await else {
            panic!("no welcome")
        };
        assert_eq!((welcome.node, welcome.log_seed), (admitted.node, self.log_seed));
        Ok(self.start(machine, admitted.node, Start::Join).await)
    }
}

impl Member {
    pub(crate) async fn put(&self, client: u8, nonce: u64, value: &str) -> Result<Receipt, SubmitError> {
        self.engine.submit(put(client, nonce, value)).await
    }
}

pub(crate) fn put(client: u8, nonce: u64, value: &str) -> Submission {
    let body = format!(r#"{{"op":"put","key":"k{client}","value":"{value}"}}"#).into_bytes();
    Submission { client: ClientId::new([client; 32]), nonce, surface: "pairs".into(), body }
}

/// Waits for something; fails the test after ten seconds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

/// The leader among these, once they agree on one.
pub(crate) async fn leader(members: &[Member]) -> usize {
    let mut at = None;
    eventually("one leader", || {
        let leads: Vec<_> = (0..members.len())
            .filter(|i| {
                let status = members[*i].engine.status();
                status.role == Role::Leader && status.cosigned > 0
            })
            .collect();
        at = leads.first().copied();
        leads.len() == 1
    })
    .await;
    at.unwrap()
}

/// Takes a member that does not lead out for good.
pub(crate) async fn lose(group: &Group, members: &mut Vec<Member>) -> Member {
    let at = leader(members).await;
    let gone = members.remove((at + 1) % members.len());
    group.router.unplug(&gone.spki);
    gone.engine.shutdown().await;
    gone
}

/// Writes until a member's signature was among those that came first: who comes late has nothing left to sign.
pub(crate) async fn until_it_signs(by: &Member, member: &Member) {
    for nonce in 0..200 {
        if member.engine.status().signed > 0 {
            return;
        }
        by.put(250, nonce, "to be signed").await.unwrap();
    }
    panic!("never signed: {:?}", member.engine.status());
}

/// The member's ledger as an auditor reads it, up to its checkpoint.
pub(crate) fn replayed(member: &Member) -> (Replay, Vec<Obligation>) {
    let signed = member.engine.checkpoint().borrow().clone().expect("a checkpoint");
    let (mut replay, mut left) = (Replay::new(), Vec::new());
    member.engine.ledger(|dir| {
        for index in 0..signed.checkpoint().size {
            let entry = Entry::parse(&dir.entry(index).unwrap()).unwrap();
            left.extend(replay.push(index, &entry).unwrap());
        }
    });
    replay.checkpoint(signed.note().as_bytes()).unwrap();
    (replay, left)
}

/// The committee's own entries in a member's ledger, as far as a quorum signed it.
pub(crate) fn entries(member: &Member) -> Vec<SystemEntry> {
    let size = member.engine.status().cosigned;
    let entry = |dir: &LogDir, index| Entry::parse(&dir.entry(index).unwrap()).unwrap();
    member.engine.ledger(|dir| {
        let all = (0..size.min(dir.size())).filter_map(|index| SystemEntry::of(&entry(dir, index)).unwrap());
        all.collect()
    })
}

pub(crate) fn describe(members: &[Member]) -> BTreeMap<NodeId, String> {
    members.iter().map(|member| (member.node, format!("{:?}", member.engine.status()))).collect()
}
