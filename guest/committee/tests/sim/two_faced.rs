//! A member that is compromised outright: it holds its real keys and runs twice, and each of the two shows another history to those it
//! talks with. Both run the real engine, which checks for each of them what a member checks, and for both together nothing.
//!
//! What the documents promise is that a fork takes 2q - n such members, and that one who signed two trees of one size is convicted by
//! whoever comes upon both. Time is tokio's, paused; the network is in memory, and a map says who is talked with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hallmark_committee::{
    Appended, Caller, Engine, EngineConfig, Fault, MemberKeys, Node, NodeId, PeerError, PeerRequest,
    PeerResponse, Peers, Receipt, Signed, Start, Submission, seed_thread,
};
use hallmark_ledger::cosignature::{Keys, SignedCheckpoint};
use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::Roster;
use hallmark_machine::ClientId;
use hallmark_machine::kv::{Command, Kv};
use openraft::raft::{AppendEntriesResponse, VoteResponse};
use tokio::time::{sleep, timeout};

use super::chance::Chance;
use super::disk::SlotDisk;
use super::group::{Boot, Group, host};
use super::machine::timing;
use super::run::memory;

/// A running engine: slot, and which of the two faces. Slot 0 has both, the others the first.
type Id = (u16, u8);

#[derive(Default)]
struct Wires {
    engines: Mutex<BTreeMap<Id, Engine<Kv>>>,
    spki: Mutex<BTreeMap<u16, [u8; 32]>>,
    /// With which face of slot 0 a member talks.
    side: Mutex<BTreeMap<u16, u8>>,
    /// Whether honest members of different sides hear each other.
    open: Mutex<bool>,
    /// Whether those whom a face does not talk with seem to it to follow: it is elected and commits with whoever listens.
    lies: bool,
    /// All signatures of honest members that left them.
    signed: Mutex<BTreeSet<(u16, u64, Hash)>>,
    seed: u64,
}

impl Wires {
    fn route(&self, from: Id, to: u16) -> Option<Id> {
        let side = self.side.lock().unwrap();
        let of = |slot: u16| side.get(&slot).copied().unwrap_or(0);
        match (from, to) {
            ((0, face), to) => (of(to) == face).then_some((to, 0)),
            ((slot, _), 0) => Some((0, of(slot))),
            ((slot, _), to) => (of(slot) == of(to) || *self.open.lock().unwrap()).then_some((to, 0)),
        }
    }

    /// Signatures that a request carries. A leader's own stand in its checkpoints.
    fn overhear(&self, from: Id, signatures: &[Signed]) {
        if from.0 > 0 {
            let mut signed = self.signed.lock().unwrap();
            signed.extend(signatures.iter().map(|Signed { size, root, .. }| (from.0, *size, *root)));
        }
    }

    /// What a face has itself believe of those it does not talk with.
    fn pretend(&self, from: Id, request: PeerRequest) -> Option<PeerResponse> {
        match request {
            PeerRequest::Vote(ask) if self.lies && from.0 == 0 => Some(PeerResponse::Vote(VoteResponse {
                vote: ask.vote,
                vote_granted: true,
                last_log_id: ask.last_log_id,
            })),
            PeerRequest::Append(_) if self.lies && from.0 == 0 => {
                let answer = AppendEntriesResponse::Success;
                Some(PeerResponse::Append(Appended { answer, committed: None, signed: Vec::new() }))
            }
            _ => None,
        }
    }

    /// A few milliseconds, as the message has it.
    async fn travel(&self, from: Id, bytes: &[u8]) {
        let sum = bytes.iter().fold(self.seed ^ u64::from(from.0) << 8, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        sleep(Duration::from_millis(1 + Chance::new(sum).below(9))).await;
    }

    fn engine(&self, id: Id) -> Engine<Kv> {
        self.engines.lock().unwrap()[&id].clone()
    }
}

struct Link {
    wires: Arc<Wires>,
    from: Id,
}

impl Peers for Link {
    fn call<'a>(
        &'a self,
        _: NodeId,
        node: &'a Node,
        request: PeerRequest,
        within: Duration,
    ) -> BoxFuture<'a, Result<PeerResponse, PeerError>> {
        Box::pin(async move {
            let nobody = || PeerError::Unreachable("nobody".into());
            let Some(to) = self.wires.route(self.from, node.slot) else {
                sleep(Duration::from_millis(2)).await;
                return self.wires.pretend(self.from, request).ok_or_else(nobody);
            };
            let engine = self.wires.engines.lock().unwrap().get(&to).cloned().ok_or_else(nobody)?;
            if let PeerRequest::Cosigned(signatures) = &request {
                self.wires.overhear(self.from, signatures);
            }
            let bytes = postcard::to_allocvec(&request).unwrap();
            let caller = Caller { spki_sha256: self.wires.spki.lock().unwrap()[&self.from.0] };
            let answer = timeout(within, async {
                self.wires.travel(self.from, &bytes).await;
                let answer = engine.handle(caller, postcard::from_bytes(&bytes).unwrap()).await;
                if let PeerResponse::Append(Appended { signed, .. }) = &answer {
                    self.wires.overhear(to, signed);
                }
                let bytes = postcard::to_allocvec(&answer).unwrap();
                self.wires.travel(to, &bytes).await;
                postcard::from_bytes(&bytes).unwrap()
            });
            answer.await.map_err(|_| PeerError::Timeout(within))
        })
    }
}

/// A committee whose slot 0 runs twice.
struct Scene {
    wires: Arc<Wires>,
    group: Group,
    roster: Roster,
    log_seed: [u8; 32],
    n: u16,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new(n: u16, q: usize, chance: &mut Chance, side: BTreeMap<u16, u8>) -> Self {
        let group = Group::new(usize::from(n), q, &mut chance.fork(2));
        let boots: Vec<_> = (0..n).map(|slot| Boot::new(slot, chance)).collect();
        let log_seed = chance.bytes();
        let founding = group.genesis(&boots, &log_seed);
        let roster = founding.roster::<Kv>(group.id()).unwrap();
        let folder = tempfile::Builder::new().prefix("hallmark-sim").tempdir_in(memory()).unwrap();
        let spki = boots.iter().map(|boot| (boot.slot, boot.spki_sha256())).collect();
        let wires = Arc::new(Wires {
            side: Mutex::new(side),
            spki: Mutex::new(spki),
            seed: chance.next(),
            lies: n > 3,
            ..Wires::default()
        });
        for boot in &boots {
            for face in 0..=u8::from(boot.slot == 0) {
                let keys = MemberKeys { cosign: boot.cosign(), log: group.log(0, &log_seed) };
                let start = Start::Found { founding: Box::new(founding.clone()), initialise: boot.slot == 0 };
                let path = folder.path().join(format!("{}-{face}", host(boot.slot)));
                let seat = (0, roster.members[&boot.slot].node, boot.slot);
                let mut config = EngineConfig::new(group.id(), seat, keys, start, path);
                config.storage = SlotDisk::default().storage();
                config.timing = timing();
                let from = (boot.slot, face);
                let link = Arc::new(Link { wires: Arc::clone(&wires), from });
                let engine = Engine::start(config, link).await.unwrap();
                wires.engines.lock().unwrap().insert(from, engine);
            }
        }
        Self { wires, group, roster, log_seed, n, _folder: folder }
    }

    /// Asks a member to order a command. Everybody uses the same client and nonces: two histories differ from the first on.
    async fn write(&self, at: Id, nonce: u64, value: &str) -> Option<Receipt> {
        let body = serde_json::to_vec(&Command::Put { key: "k".into(), value: value.into() }).unwrap();
        let client = ClientId::new([9; 32]);
        let submission = Submission { client, nonce, surface: "pairs".into(), body };
        let engine = self.wires.engine(at);
        timeout(Duration::from_secs(6), engine.submit(submission)).await.ok()?.ok()
    }

    /// Whether a stranger with the committee's public papers takes the checkpoint for one that a quorum signed.
    fn convinces(&self, signed: &SignedCheckpoint) -> bool {
        let log = self.group.log(0, &self.log_seed).verifier();
        let keys = Keys { log: &log, roster: &self.roster, quorum: self.group.quorum };
        SignedCheckpoint::verify(signed.note().as_bytes(), &keys).is_ok()
    }

    /// What every engine published last.
    fn published(&self) -> Vec<Arc<SignedCheckpoint>> {
        let engines = self.wires.engines.lock().unwrap();
        engines.values().filter_map(|engine| engine.checkpoint().borrow().clone()).collect()
    }

    fn stop(self) {
        self.wires.engines.lock().unwrap().clear();
        seed_thread(None);
    }
}

fn virtually<F: Future>(seed: u64, run: impl FnOnce(Chance) -> F) -> F::Output {
    let mut chance = Chance::new(seed);
    seed_thread(Some(chance.next()));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(run(chance))
}

/// n = 3, q = 2: one compromised member is 2q - n, and forks. Both histories convince; the only one to have signed both is that member, and
/// whoever of the others comes upon the other history keeps the proof.
#[test]
fn one_of_three_forks_and_is_convicted() {
    for seed in 0..6 {
        virtually(seed, |mut chance| async move {
            let scene = Scene::new(3, 2, &mut chance, [(1, 0), (2, 1)].into()).await;
            let honest = [(1, 0), (2, 0)].map(|id| scene.wires.engine(id));
            let writes = 1 + chance.below(3);
            for nonce in 1..=writes {
                for (slot, value) in [(1, "left"), (2, "right")] {
                    let mut done = scene.write((slot, 0), nonce, value).await;
                    if done.is_none() {
                        done = scene.write((slot, 0), nonce, value).await;
                    }
                    let receipt = done.unwrap_or_else(|| panic!("seed {seed}: no receipt at {slot}"));
                    assert!(scene.convinces(&receipt.checkpoint));
                }
            }
            sleep(Duration::from_secs(2)).await;
            let [left, right] = honest.each_ref().map(|e| e.checkpoint().borrow().clone().unwrap());
            assert!(scene.convinces(&left) && scene.convinces(&right));
            assert_eq!(left.checkpoint().size, right.checkpoint().size, "as many entries on both sides");
            assert_ne!(left.checkpoint().root, right.checkpoint().root, "a fork");
            let signers = |signed: &SignedCheckpoint| -> BTreeSet<u16> {
                signed.cosignatures().iter().map(|cosignature| cosignature.slot).collect()
            };
            let both: Vec<_> = signers(&left).intersection(&signers(&right)).copied().collect();
            assert_eq!(both, [0], "2q - n signed both");

            // An older checkpoint convicts as well as the last one.
            if chance.one_in(2) {
                scene.write((1, 0), writes + 1, "more").await.unwrap();
            }
            let caller = Caller { spki_sha256: scene.wires.spki.lock().unwrap()[&2] };
            let note = right.note().as_bytes().to_vec();
            honest[0].handle(caller, PeerRequest::Checkpoint(note)).await;
            let liar = &scene.roster.members[&0];
            let proof = honest[0].equivocation(liar.node);
            let proof = proof.unwrap_or_else(|| panic!("seed {seed}: both were seen, nothing was kept"));
            proof.verify(liar).unwrap();
            for slot in [1, 2] {
                let member = &scene.roster.members[&slot];
                assert!(honest[0].equivocation(member.node).is_none(), "nobody else is accused");
                assert!(proof.verify(member).is_err());
            }
            // It signs no more: which history is the committee's is for people to say.
            assert!(matches!(honest[0].status().fault, Some(Fault::Diverged { .. })));
            scene.stop();
        });
    }
}

/// n = 4, q = 3: 2q - n = 2, so one such member has no two histories cosigned, however it moves the others between its faces, whatever it
/// tells them is committed and whatever it would sign itself. What it can do is stop them: where two logs contradict each other, Raft gives up.
#[test]
fn one_of_four_never_has_two_histories_cosigned() {
    let (mut cosigned, mut torn) = (0, 0);
    for seed in 0..24 {
        let (sizes, split) = virtually(1000 + seed, |mut chance| async move {
            let draw = |chance: &mut Chance| (1..4).map(|slot| (slot, chance.below(2) as u8)).collect();
            let side = draw(&mut chance);
            let scene = Scene::new(4, 3, &mut chance, side).await;
            let mut roots: BTreeMap<u64, BTreeSet<Hash>> = BTreeMap::new();
            for phase in 0..6_u64 {
                if phase > 0 {
                    *scene.wires.side.lock().unwrap() = draw(&mut chance);
                    *scene.wires.open.lock().unwrap() = chance.one_in(3);
                }
                let nonce = phase + 1;
                let writes = (1..scene.n).map(|slot| {
                    let (scene, value) = (&scene, format!("{slot} of phase {phase}"));
                    async move { scene.write((slot, 0), nonce, &value).await }
                });
                let done = futures_util::future::join_all(writes);
                let watch =
                    async {
                        for _ in 0..60 {
                            sleep(Duration::from_millis(50)).await;
                            for signed in scene.published() {
                                assert!(scene.convinces(&signed));
                                roots
                                    .entry(signed.checkpoint().size)
                                    .or_default()
                                    .insert(signed.checkpoint().root);
                                let mut heard = scene.wires.signed.lock().unwrap();
                                heard.extend(
                                    signed.cosignatures().iter().filter(|c| c.slot != 0).map(|c| {
                                        (c.slot, signed.checkpoint().size, signed.checkpoint().root)
                                    }),
                                );
                            }
                        }
                    };
                tokio::join!(done, watch);
            }
            for (size, roots) in &roots {
                assert_eq!(roots.len(), 1, "seed {seed}: size {size} is cosigned with {roots:?}");
            }
            // Not only what it had assembled: what it could have.
            let mut signers: BTreeMap<u64, BTreeMap<Hash, BTreeSet<u16>>> = BTreeMap::new();
            for (slot, size, root) in scene.wires.signed.lock().unwrap().iter() {
                signers.entry(*size).or_default().entry(*root).or_default().insert(*slot);
            }
            let mut split = 0;
            for (size, by_root) in &signers {
                let signed: usize = by_root.values().map(BTreeSet::len).sum();
                let slots: BTreeSet<_> = by_root.values().flatten().collect();
                assert_eq!(signed, slots.len(), "seed {seed}: an honest member signed two trees of {size}");
                let could = by_root.values().filter(|slots| slots.len() + 1 >= 3).count();
                assert!(could <= 1, "seed {seed}: size {size} could be cosigned twice: {by_root:?}");
                split += usize::from(by_root.len() > 1);
            }
            // Each honest member's signatures are of one history, the one that it keeps.
            for slot in 1..scene.n {
                let engine = scene.wires.engine((slot, 0));
                for (_, size, root) in scene.wires.signed.lock().unwrap().iter().filter(|s| s.0 == slot) {
                    let kept = engine.ledger(|log| (log.size() >= *size).then(|| log.root_at(*size)));
                    if let Some(Ok(kept)) = kept {
                        assert_eq!(kept, *root, "seed {seed}: slot {slot} keeps another tree of {size}");
                    }
                    assert!(engine.equivocation(scene.roster.members[&slot].node).is_none());
                }
                for other in 1..scene.n {
                    let node = scene.roster.members[&other].node;
                    assert!(engine.equivocation(node).is_none(), "seed {seed}: {slot} accuses {other}");
                }
            }
            scene.stop();
            (roots.len(), split)
        });
        cosigned += sizes;
        torn += split;
    }
    println!("{cosigned} sizes cosigned; at {torn} honest members signed different trees, no quorum any two");
    assert!(cosigned > 24, "the committee works while it is lied to");
    assert!(torn > 0, "the lies had an effect");
}
