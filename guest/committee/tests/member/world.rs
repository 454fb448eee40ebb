//! Machines of a committee in one process, each with its port, folder and forged TD.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark_attest::{Prover, SourceProver, SystemClock};
use hallmark_coalition::{Acl, Committee, Recovery, UniqueId};
use hallmark_committee::member::ceremony::{Phase, Standing};
use hallmark_committee::member::{
    Address, CommitteeFile, Dependencies, Member, MemberFile, Pace, Rules, SlotKey, TicketRule, Visitor,
};
use hallmark_committee::{Engine, Outcome, Receipt, Submission, SubmitError, Timing};
use hallmark_forge::TdxCase;
use hallmark_machine::ClientId;
use hallmark_machine::kv::Kv;
use hallmark_simulated::ForgedTd;
use tokio::net::TcpListener;

pub(crate) const LONG: Duration = Duration::from_secs(60);

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn td(change: impl FnOnce(&mut TdxCase)) -> Arc<dyn Prover> {
    let mut case = TdxCase::at(now());
    change(&mut case);
    Arc::new(SourceProver::new(Box::new(ForgedTd(case))))
}

/// A committee of Kv machines, none started.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) file: CommitteeFile,
    pub(crate) rules: Rules,
    /// Whether machines hold their slots' keys.
    pub(crate) keys_on_machines: bool,
    pub(crate) members: BTreeMap<u16, Member<Kv>>,
    nonce: u64,
}

impl World {
    pub(crate) fn new(recovery: Recovery, keys_on_machines: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let forged = TdxCase::at(now()).make();
        std::fs::write(path("policy.toml"), &forged.policy).unwrap();
        std::fs::write(path("release.json"), &forged.release).unwrap();
        std::fs::write(path("collateral.json"), forged.collateral.unwrap()).unwrap();
        let slots = (0..3).map(|slot| key(slot).public()).collect();
        let tickets = hallmark_coalition::TicketValidator::new().signature();
        let acl = Acl::new(slots, 2, recovery, tickets).unwrap();
        let (root, content) = (UniqueId::of_name("test"), UniqueId::of_name("kv"));
        // Each port is kept by a listener that nobody accepts on, until its member starts.
        let file = CommitteeFile {
            committee: Committee::new(root, vec![], content, acl),
            identity: (root, vec![], content),
            machine: "kv".into(),
            peers: BTreeMap::new(),
            policy: path("policy.toml"),
            releases: vec![path("release.json")],
            collateral: Some(path("collateral.json")),
            tickets: TicketRule::default(),
        };
        let rules = Rules::read(&file, Arc::new(SystemClock::new())).unwrap();
        Self { folder, file, rules, keys_on_machines, members: BTreeMap::new(), nonce: 0 }
    }

    /// With a port for each slot, and every machine started.
    pub(crate) async fn started(recovery: Recovery, keys_on_machines: bool) -> Self {
        let mut world = Self::new(recovery, keys_on_machines);
        let mut listeners = Vec::new();
        for slot in 0..3 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = Address::parse(&listener.local_addr().unwrap().to_string()).unwrap();
            world.file.peers.insert(slot, address);
            listeners.push(listener);
        }
        for (slot, listener) in (0..).zip(listeners) {
            let member = world.member(slot, td(|_| {}), Some(listener)).await;
            world.members.insert(slot, member);
        }
        world
    }

    /// With all of them members.
    pub(crate) async fn formed(recovery: Recovery, keys_on_machines: bool) -> Self {
        let world = Self::started(recovery, keys_on_machines).await;
        let visitor = world.visitor();
        let mut order = visitor.genesis().await.unwrap();
        for slot in 0..3 {
            assert_eq!(visitor.sign_genesis(&mut order, &key(slot)).unwrap(), slot);
        }
        visitor.begin(&order).await.unwrap();
        world.all_live().await;
        // Raft elects before the genesis is ordered; until that is on a disk, the disk is nobody's.
        world
            .until("a genesis under a checkpoint", |world| {
                (0..3).all(|slot| world.standing(slot).is_some_and(|standing| standing.cosigned > 0))
            })
            .await;
        world
    }

    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::open(&self.file).unwrap()
    }

    pub(crate) fn data(&self, slot: u16) -> PathBuf {
        self.folder.path().join(format!("data{slot}"))
    }

    pub(crate) fn member_file(&self, slot: u16) -> MemberFile {
        let slot_key = self.keys_on_machines.then(|| {
            let path = self.folder.path().join(format!("slot{slot}.key"));
            if !path.exists() {
                key(slot).write(&path).unwrap();
            }
            path
        });
        MemberFile {
            shared: self.file.clone(),
            slot,
            listen: self.file.peers[&slot].clone(),
            http: Address::parse("127.0.0.1:0").unwrap(),
            data: self.data(slot),
            slot_key,
        }
    }

    pub(crate) async fn member(
        &self,
        slot: u16,
        prover: Arc<dyn Prover>,
        listener: Option<TcpListener>,
    ) -> Member<Kv> {
        let mut dependencies = Dependencies::new(prover, self.rules.clone(), Arc::new(SystemClock::new()));
        dependencies.listener = listener;
        dependencies.pace = Pace {
            look: Duration::from_millis(300),
            request: Duration::from_secs(15),
            standing: Duration::from_secs(5),
            patience: Duration::from_millis(1500),
            leaderless: Duration::from_secs(4),
        };
        dependencies.timing = Timing {
            heartbeat: Duration::from_millis(150),
            election_min: Duration::from_millis(800),
            election_max: Duration::from_millis(1600),
            ..Timing::default()
        };
        Member::start(self.member_file(slot), dependencies).await.unwrap()
    }

    pub(crate) async fn start(&mut self, slot: u16) {
        let member = self.member(slot, td(|_| {}), None).await;
        self.members.insert(slot, member);
    }

    pub(crate) async fn stop(&mut self, slot: u16) {
        self.members.remove(&slot).unwrap().stop().await;
    }

    pub(crate) fn standing(&self, slot: u16) -> Option<Standing> {
        self.members.get(&slot)?.standing()
    }

    pub(crate) fn engine(&self, slot: u16) -> Option<Engine<Kv>> {
        self.members[&slot].engine().borrow().clone()
    }

    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + LONG;
        while !holds(self) {
            if Instant::now() > deadline {
                let all: Vec<_> = (0..3).map(|slot| self.standing(slot)).collect();
                panic!("not in time: {what}: {all:#?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn all_live(&self) {
        // A machine that was admitted has no vote before it has caught up; until then its predecessor's counts, which nobody casts any more.
        let seated = |world: &Self, slot| {
            let status = world.engine(slot).map(|engine| engine.status());
            status.is_some_and(|status| {
                let voters: std::collections::BTreeSet<_> = status.voters.into_iter().collect();
                voters == status.roster.into_values().collect() && voters.len() == world.members.len()
            })
        };
        self.until("all members live", |world| {
            world.members.keys().all(|slot| {
                world.standing(*slot).is_some_and(|standing| standing.is_live()) && seated(world, *slot)
            })
        })
        .await;
    }

    pub(crate) async fn in_phase(&self, slot: u16, phase: Phase) {
        let what = format!("slot {slot} is {phase:?}");
        self.until(&what, |world| world.standing(slot).is_some_and(|s| s.phase == phase)).await;
    }

    /// Puts a pair through a member; tries again while the outcome is open.
    pub(crate) async fn put(&mut self, slot: u16, pair: &str, value: &str) -> Receipt {
        self.nonce += 1;
        let submission = Submission {
            client: ClientId::new([9; 32]),
            nonce: self.nonce,
            surface: "pairs".into(),
            body: format!(r#"{{"op":"put","key":"{pair}","value":"{value}"}}"#).into_bytes(),
        };
        let deadline = Instant::now() + LONG;
        loop {
            let engine = self.engine(slot).expect("a member");
            match engine.submit(submission.clone()).await {
                Ok(receipt) => {
                    assert!(matches!(receipt.outcome, Outcome::Committed { .. }), "{receipt:?}");
                    return receipt;
                }
                Err(
                    SubmitError::NoLeader
                    | SubmitError::Lost
                    | SubmitError::Unclear
                    | SubmitError::Stalled { .. }
                    | SubmitError::Overloaded { .. },
                ) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(error) => {
                    let all: Vec<_> = (0..3)
                        .filter(|slot| self.members.contains_key(slot))
                        .map(|slot| (slot, self.engine(slot).map(|engine| engine.status())))
                        .collect();
                    panic!("{pair} through slot {slot}: {error}: {all:#?}")
                }
            }
        }
    }

    pub(crate) async fn has(&self, slot: u16, pair: &str, value: &str) {
        self.until(&format!("slot {slot} has {pair}"), |world| {
            let engine = world.engine(slot);
            engine.is_some_and(|engine| {
                engine.machine(|kv| kv.get(pair).map(str::to_owned)).as_deref() == Some(value)
            })
        })
        .await;
    }
}

/// The key of a slot's operator.
pub(crate) fn key(slot: u16) -> SlotKey {
    SlotKey::from_seed(&[u8::try_from(slot).unwrap() + 1; 32])
}
