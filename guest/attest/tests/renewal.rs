//! Evidence on channels that stay open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hallmark_attest::binding::{self, Role};
use hallmark_attest::{Channel, Endpoint, Hello, Judge as _, Prover, ProverError, Renewal, failure_of};
use hallmark_forge::TdxCase;
use hallmark_verifier::time::UnixSeconds;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::rascal::*;
use crate::world::*;

const CLAIM: Hello = Hello::member(GROUP, 1, 11);
const EITHER: [Role; 2] = [Role::Client, Role::Server];
const HOUR: Duration = Duration::from_secs(3600);

fn rules() -> Renewal {
    Renewal { tick: Duration::from_millis(5), ..Renewal::default() }
}

/// Proves itself as long as it is told to, and counts.
struct Switch {
    prover: Arc<dyn Prover>,
    off: AtomicBool,
    made: std::sync::atomic::AtomicUsize,
}

/// Proves itself once for each unit it is given, and waits for the next.
struct Rationed(Arc<dyn Prover>, std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

impl Prover for Rationed {
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Vec<u8>, ProverError> {
        self.1.lock().unwrap().recv().map_err(|error| ProverError::Other(error.to_string()))?;
        self.0.evidence(report_data)
    }
}

impl Switch {
    fn new() -> Arc<Self> {
        Arc::new(Self { prover: honest_td(), off: AtomicBool::new(false), made: Default::default() })
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

impl Prover for Switch {
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Vec<u8>, ProverError> {
        if self.off.load(Ordering::SeqCst) {
            return Err(ProverError::Other("off".into()));
        }
        self.made.fetch_add(1, Ordering::SeqCst);
        self.prover.evidence(report_data)
    }
}

struct Open {
    world: World,
    client: Arc<Switch>,
    near: (JoinHandle<std::io::Result<usize>>, WriteHalf<Channel<DuplexStream>>),
    far: (JoinHandle<std::io::Result<usize>>, WriteHalf<Channel<DuplexStream>>),
}

/// Reads to the end, and counts.
fn reading(mut read: ReadHalf<Channel<DuplexStream>>) -> JoinHandle<std::io::Result<usize>> {
    tokio::spawn(async move {
        let mut count = 0;
        let mut buffer = [0; 4096];
        loop {
            match read.read(&mut buffer).await? {
                0 => return Ok(count),
                more => count += more,
            }
        }
    })
}

/// A member in slot 1 that can stop proving itself (`near`), on this side of the connection, and one in slot 0 (`far`); both
/// read all the time.
async fn open(role: Role) -> Open {
    let world = World::new();
    let client = Switch::new();
    let renewing = |endpoint: Endpoint| endpoint.with_renewal(rules());
    let (one, other) = (renewing(world.member(CLAIM, client.clone())), renewing(world.server()));
    let (near, far) = match role {
        Role::Client => met(&one, &other).await,
        Role::Server => {
            let (far, near) = met(&other, &one).await;
            (near, far)
        }
    };
    let ((near_read, near), (far_read, far)) = (split(near), split(far));
    Open { world, client, near: (reading(near_read), near), far: (reading(far_read), far) }
}

async fn until(what: impl Fn() -> bool) {
    timeout(Duration::from_secs(20), async {
        while !what() {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("in time");
}

async fn ended(reader: JoinHandle<std::io::Result<usize>>) -> String {
    let error = timeout(Duration::from_secs(20), reader).await.expect("in time").unwrap().unwrap_err();
    match failure_of(&error).unwrap() {
        hallmark_attest::AttestError::RefusedByPeer { slug } => format!("told {slug}"),
        error => error.slug().to_owned(),
    }
}

#[tokio::test]
async fn every_interval_without_stopping_the_traffic() {
    for role in EITHER {
        let mut it = open(role).await;
        for round in 1..=3 {
            assert_eq!(it.client.made(), round);
            // Before three quarters of the interval nobody asks.
            it.world.clock.advance(HOUR * 7 / 10);
            sleep(Duration::from_millis(30)).await;
            assert_eq!(it.client.made(), round);
            it.world.clock.advance(HOUR * 3 / 10 + Duration::from_secs(1));
            for _ in 0..50 {
                it.near.1.write_all(&[1; 1000]).await.unwrap();
                it.far.1.write_all(&[2; 1000]).await.unwrap();
                tokio::task::yield_now().await;
            }
            until(|| it.client.made() == round + 1).await;
            sleep(Duration::from_millis(100)).await;
        }
        it.near.1.shutdown().await.unwrap();
        it.far.1.shutdown().await.unwrap();
        assert_eq!(it.far.0.await.unwrap().unwrap(), 150_000);
        assert_eq!(it.near.0.await.unwrap().unwrap(), 150_000);
    }
}

#[tokio::test]
async fn evidence_over_age_ends_the_channel() {
    for role in EITHER {
        let mut it = open(role).await;
        it.client.off.store(true, Ordering::SeqCst);
        it.world.clock.advance(HOUR * 23);
        // It cannot prove itself, and may still speak.
        sleep(Duration::from_millis(100)).await;
        it.near.1.write_all(b"still here").await.unwrap();
        it.near.1.flush().await.unwrap();
        sleep(Duration::from_millis(50)).await;
        assert!(!it.far.0.is_finished());
        it.world.clock.advance(HOUR * 2);
        assert_eq!(ended(it.far.0).await, "evidence-too-old");
        // The other side hears of it, unless it found the same at the same moment.
        let near = ended(it.near.0).await;
        assert!(["told evidence-too-old", "evidence-too-old"].contains(&&*near), "{near}");
        assert!(it.far.1.write_all(b"x").await.is_err(), "nothing can be sent any more");
    }
}

#[tokio::test]
async fn who_proves_itself_again_after_a_failure_stays() {
    for role in EITHER {
        let it = open(role).await;
        it.client.off.store(true, Ordering::SeqCst);
        it.world.clock.advance(HOUR * 2);
        sleep(Duration::from_millis(100)).await;
        it.client.off.store(false, Ordering::SeqCst);
        it.world.clock.advance(HOUR / 8);
        until(|| it.client.made() == 2).await;
        sleep(Duration::from_millis(100)).await;
        it.world.clock.advance(HOUR * 23);
        sleep(Duration::from_millis(100)).await;
        assert!(!it.far.0.is_finished(), "its age counts from the second proof");
    }
}

#[tokio::test]
async fn an_expelled_member_is_refused_at_its_next_proof() {
    for role in EITHER {
        let it = open(role).await;
        it.world.gate.expelled.lock().unwrap().push(11);
        it.world.clock.advance(HOUR + Duration::from_secs(1));
        assert_eq!(ended(it.far.0).await, "not-in-roster");
        assert_eq!(ended(it.near.0).await, "told not-in-roster");
    }
}

fn other_release() -> Vec<u8> {
    TdxCase { released_mr_td: Some([0x66; 48]), ..TdxCase::default() }.make().release
}

#[tokio::test]
async fn a_change_of_pins_is_asked_about_within_the_grace_date() {
    for role in EITHER {
        let it = open(role).await;
        let both = [other_release(), TdxCase::default().make().release];
        it.world.clock.advance(Duration::from_secs(60));
        let grace = UnixSeconds(hallmark_forge::NOW + 60 + 600);
        it.world.judge.set_releases(&both, grace).unwrap();
        assert_eq!(it.world.judge.grace(0), Some(grace));
        assert_eq!(it.world.judge.grace(1), None);
        // In the first half of what is left of it.
        // Each side sees the change and picks its moment.
        sleep(Duration::from_millis(100)).await;
        it.world.clock.advance(Duration::from_secs(301));
        until(|| it.client.made() == 2).await;
        sleep(Duration::from_millis(100)).await;
        it.world.clock.advance(Duration::from_secs(600));
        sleep(Duration::from_millis(50)).await;
        assert!(!it.far.0.is_finished() && !it.near.0.is_finished(), "judged by the new rules, it lives on");
    }
}

#[tokio::test]
async fn a_machine_that_is_no_longer_pinned_goes() {
    for role in EITHER {
        let it = open(role).await;
        it.world.clock.advance(Duration::from_secs(60));
        let grace = UnixSeconds(hallmark_forge::NOW + 60 + 600);
        it.world.judge.set_releases(&[other_release()], grace).unwrap();
        // Each side sees the change and picks its moment.
        sleep(Duration::from_millis(100)).await;
        it.world.clock.advance(Duration::from_secs(301));
        let ends = [ended(it.far.0).await, ended(it.near.0).await];
        assert!(ends.iter().all(|end| end.ends_with("image-mismatch")), "{ends:?}");
    }
}

#[tokio::test]
async fn a_peer_that_does_not_prove_itself_before_the_grace_date_goes() {
    for role in EITHER {
        let it = open(role).await;
        it.client.off.store(true, Ordering::SeqCst);
        let grace = UnixSeconds(hallmark_forge::NOW + 600);
        it.world.judge.set_releases(&[TdxCase::default().make().release], grace).unwrap();
        it.world.clock.advance(Duration::from_secs(601));
        assert_eq!(ended(it.far.0).await, "grace-passed");
    }
}

#[tokio::test]
async fn a_caller_can_ask_at_once() {
    let world = World::new();
    let client = Switch::new();
    let renewing = |endpoint: Endpoint| endpoint.with_renewal(rules());
    let (near, mut far) =
        met(&renewing(world.member(CLAIM, client.clone())), &renewing(world.server())).await;
    far.renew();
    world.clock.advance(Duration::from_secs(30));
    let (near_read, _near) = split(near);
    let (near, far_task) = (
        reading(near_read),
        tokio::spawn(async move {
            let _ = timeout(Duration::from_millis(400), far.read_u8()).await;
            far.evidence_age()
        }),
    );
    until(|| client.made() == 2).await;
    assert_eq!(far_task.await.unwrap(), Duration::ZERO, "its evidence was asked for now");
    near.abort();
}

/// A member by hand on this side of an open channel, and the endpoint that reads it.
async fn by_hand(role: Role) -> (World, Rascal<DuplexStream>, Greeted, JoinHandle<std::io::Result<usize>>) {
    by_hand_with(role, honest_td()).await
}

/// The same, where this is what the channel proves itself with.
async fn by_hand_with(
    role: Role,
    prover: Arc<dyn Prover>,
) -> (World, Rascal<DuplexStream>, Greeted, JoinHandle<std::io::Result<usize>>) {
    let world = World::new();
    let endpoint = world.member(Hello::member(GROUP, 0, 10), prover).with_renewal(rules());
    let (near, far) = duplex(1 << 20);
    let opening = tokio::spawn(async move {
        match role {
            Role::Client => endpoint.accept(far).await.unwrap(),
            Role::Server => endpoint.connect(far, &hallmark_attest::Expect::ANYONE).await.unwrap(),
        }
    });
    let mut rascal = match role {
        Role::Client => Rascal::dial(near).await,
        Role::Server => Rascal::answer(near).await,
    };
    let greeted = rascal.join(&CLAIM, &*honest_td()).await;
    let (read, write) = split(opening.await.unwrap());
    let reader = reading(read);
    // Both halves must live for the channel to.
    tokio::spawn(async move {
        let _write = write;
        sleep(Duration::from_secs(60)).await;
    });
    (world, rascal, greeted, reader)
}

/// What an answer in this round is bound to, under its own nonce and the challenge's.
fn round_binding(
    rascal: &Rascal<DuplexStream>,
    greeted: &Greeted,
    [own, theirs]: [&[u8; 32]; 2],
    round: u64,
) -> [u8; 64] {
    let (context, _) = rascal.context(greeted);
    let [client, server] = rascal.in_order(own, theirs);
    let exporter = rascal.exporter(rascal.role(), client, server, Some(round));
    binding::binding(rascal.role(), &context, &rascal.spki_sha256, &exporter)
}

#[tokio::test]
async fn an_answer_is_bound_to_its_round_and_nonce() {
    for (role, case) in EITHER.into_iter().flat_map(|role| (0..6).map(move |case| (role, case))) {
        let (world, mut rascal, greeted, reader) = by_hand(role).await;
        world.clock.advance(HOUR + Duration::from_secs(1));
        let challenge = rascal.due(CHALLENGE).await;
        assert_eq!(challenge[..8], 1u64.to_le_bytes());
        let theirs: [u8; 32] = challenge[8..].try_into().unwrap();
        let own = [0x11; 32];
        let bound = match case {
            // The evidence of the handshake again; another round; an old nonce.
            1 => rascal.binding(&greeted, None),
            2 => round_binding(&rascal, &greeted, [&own, &theirs], 2),
            3 => round_binding(&rascal, &greeted, [&own, &greeted.their_nonce], 1),
            _ => round_binding(&rascal, &greeted, [&own, &theirs], 1),
        };
        // The machine is no longer what it was.
        let change = |it: &mut TdxCase| it.quote.body.td_attributes |= u64::from(case == 4);
        let evidence = td(change).evidence(&bound).unwrap();
        let round = if case == 5 { 2u64 } else { 1 };
        rascal.send(ANSWER, &[&round.to_le_bytes()[..], &own, &evidence].concat()).await;
        rascal.send(DATA, b"x").await;
        let due = match case {
            0 => {
                sleep(Duration::from_millis(200)).await;
                assert!(!reader.is_finished());
                continue;
            }
            1 => "evidence-replayed",
            4 => "td-debug",
            5 => "frame-malformed",
            _ => "binding-mismatch",
        };
        assert_eq!(ended(reader).await, due, "{} {case}", role.word());
        assert_eq!(rascal.due(REFUSE).await, due.as_bytes());
    }
}

/// Bytes that keep coming are no evidence: what never ends is too old one day.
#[tokio::test]
async fn an_answer_that_drips_does_not_hold_the_channel_open() {
    for role in EITHER {
        let (world, mut rascal, _, reader) = by_hand(role).await;
        world.clock.advance(HOUR + Duration::from_secs(1));
        let challenge = rascal.due(CHALLENGE).await;
        rascal.raw(&[&[ANSWER, 0, 0x40, 0][..], &challenge[..8]].concat()).await;
        for _ in 0..20 {
            rascal.raw(b"{").await;
            sleep(Duration::from_millis(5)).await;
        }
        assert!(!reader.is_finished());
        world.clock.advance(HOUR * 24);
        rascal.raw(b"{").await;
        assert_eq!(ended(reader).await, "evidence-too-old", "{}", role.word());
    }
}

/// An answer has the handshake's limit on evidence, to the byte: what is longer is refused by its header.
#[tokio::test]
async fn an_answer_is_bounded() {
    for role in EITHER {
        let (world, mut rascal, _, reader) = by_hand(role).await;
        world.clock.advance(HOUR + Duration::from_secs(1));
        rascal.due(CHALLENGE).await;
        let [_, a, b, c] = ((1u32 << 20) + 40 + 1).to_be_bytes();
        rascal.raw(&[ANSWER, a, b, c]).await;
        assert_eq!(ended(reader).await, "frame-too-large", "{}", role.word());
    }
}

#[tokio::test]
async fn challenges_out_of_turn_are_refused() {
    let challenge = |round: u64| [&round.to_le_bytes()[..], &[5; 32]].concat();
    // Another round than the next.
    let (_world, mut rascal, _, reader) = by_hand(Role::Client).await;
    rascal.send(CHALLENGE, &challenge(2)).await;
    assert_eq!(ended(reader).await, "frame-malformed");
    // One before the last is answered: its proof takes as long as this test does.
    let (ration, rations) = std::sync::mpsc::channel();
    ration.send(()).unwrap();
    let slow = Arc::new(Rationed(honest_td(), rations.into()));
    let (_world, mut rascal, _, reader) = by_hand_with(Role::Client, slow).await;
    rascal
        .raw(&[&[CHALLENGE, 0, 0, 40][..], &challenge(1), &[CHALLENGE, 0, 0, 40], &challenge(2)].concat())
        .await;
    assert_eq!(ended(reader).await, "frame-out-of-order");
    drop(ration);
    // Too soon after the last: quotes are not to be had for the asking.
    let (world, mut rascal, _, reader) = by_hand(Role::Client).await;
    rascal.send(CHALLENGE, &challenge(1)).await;
    let answer = rascal.due(ANSWER).await;
    assert_eq!(answer[..8], 1u64.to_le_bytes());
    world.clock.advance(Duration::from_secs(1));
    rascal.send(CHALLENGE, &challenge(2)).await;
    assert_eq!(ended(reader).await, "challenge-too-soon");
    // What nobody asked for.
    let (_world, mut rascal, _, reader) = by_hand(Role::Client).await;
    rascal.send(ANSWER, &[&challenge(1)[..], b"x"].concat()).await;
    assert_eq!(ended(reader).await, "frame-out-of-order");
    let (_world, mut rascal, _, reader) = by_hand(Role::Client).await;
    rascal.send(UNABLE, &1u64.to_le_bytes()).await;
    assert_eq!(ended(reader).await, "frame-out-of-order");
    for kind in [HELLO, ACCEPT, PROOF] {
        let (_world, mut rascal, _, reader) = by_hand(Role::Client).await;
        rascal.send(kind, if kind == ACCEPT { &[] } else { b"x" }).await;
        assert_eq!(ended(reader).await, "frame-out-of-order", "{kind}");
    }
}
