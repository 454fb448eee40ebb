//! Who gets a channel, and what goes through it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hallmark_attest::{
    AttestError, Endpoint, Expect, Hello, Identity, Limits, PeerKey, PolicyJudge, SeedHolder, SourceProver,
};
use hallmark_simulated::{Measured, SimulatedTd};
use hallmark_verifier::{Policy, Word};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::*;

#[tokio::test]
async fn two_members_accept_each_other_and_speak() {
    let world = World::new();
    let (client, server) = (world.client(), world.server());
    let (mut near, mut far) = met(&client, &server).await;
    assert_eq!(near.peer().hello(), &Hello::member(GROUP, 0, 10));
    assert_eq!(far.peer().hello(), &Hello::member(GROUP, 1, 11));
    for channel in [&near, &far] {
        let peer = channel.peer();
        assert_eq!(peer.word(), Some(Word::Simulated));
        assert!(peer.platform().is_some());
        assert_eq!(peer.judgement().unwrap().trust, ["simulated-root"]);
        assert!(peer.key().spki_sha256().is_some());
    }
    carry(&mut near, &mut far, b"ping").await;
    carry(&mut far, &mut near, b"pong").await;
    let many: Vec<u8> = (0..1_000_000u32).map(|i| (i * 7 / 3) as u8).collect();
    carry(&mut near, &mut far, &many).await;
    carry(&mut far, &mut near, &many).await;
    near.shutdown().await.unwrap();
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"");
    assert_eq!(world.gate.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn both_directions_at_once_in_halves_with_little_room() {
    let world = World::new();
    let (client, server) = (world.client(), world.server());
    let (near, far) = tokio::io::duplex(777);
    let connecting = tokio::spawn(async move { client.connect(near, &Expect::ANYONE).await.unwrap() });
    let far = server.accept(far).await.unwrap();
    let near = connecting.await.unwrap();
    let bytes: Arc<Vec<u8>> = Arc::new((0..400_000u32).map(|i| (i % 251) as u8).collect());
    let mut tasks = Vec::new();
    for channel in [near, far] {
        let (mut read, mut write) = tokio::io::split(channel);
        let (sent, due) = (bytes.clone(), bytes.clone());
        tasks.push(tokio::spawn(async move {
            for part in sent.chunks(9_999) {
                write.write_all(part).await.unwrap();
            }
            write.shutdown().await.unwrap();
        }));
        tasks.push(tokio::spawn(async move {
            let mut got = Vec::new();
            read.read_to_end(&mut got).await.unwrap();
            assert!(got == *due);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_off_is_not_one_that_ended() {
    let world = World::new();
    let (mut near, far) = met(&world.client(), &world.server()).await;
    drop(far);
    let mut rest = Vec::new();
    let error = near.read_to_end(&mut rest).await.unwrap_err();
    assert_eq!(hallmark_attest::failure_of(&error).unwrap().slug(), "connection-ended");
    assert_eq!(near.failure().unwrap().slug(), "connection-ended");
    assert!(near.write_all(b"x").await.is_err(), "and stays so");
}

#[tokio::test]
async fn a_simulated_boot_is_judged_by_its_own_policy() {
    let clock = ManualClock::new();
    let measured = |rtmr, byte| Measured { rtmr, event: "EV_IPL".into(), sha384: [byte; 48] };
    let boot = SimulatedTd::boot([1; 48], &[measured(1, 2), measured(2, 3)], hallmark_forge::NOW).unwrap();
    let policy = Policy::parse(&SimulatedTd::policy()).unwrap();
    // A release of another boot: what holds under the root is still not that image.
    let release = hallmark_forge::TdxCase::default().make().release;
    let judge = PolicyJudge::new(policy, &[release], clock.clone()).unwrap();
    judge.add_collateral(&boot.collateral(), FOREVER).unwrap();
    let prover = Arc::new(SourceProver::new(Box::new(boot)));
    let endpoint = |slot| {
        let identity = Identity::generate().unwrap();
        let hello = Hello::candidate(GROUP, slot);
        Endpoint::mutual(&identity, prover.clone(), Arc::new(never()), Arc::new(Doorman::default()), hello)
            .unwrap()
    };
    fn never() -> PolicyJudge {
        let forged = hallmark_forge::TdxCase::default().make();
        PolicyJudge::new(Policy::default(), &[forged.release], ManualClock::new()).unwrap()
    }
    let (one, other) = meet(&endpoint(0), &endpoint(1), &Expect::ANYONE).await;
    assert!(["collateral-missing", "refused-by-peer"].contains(&slug(&one)), "{}", slug(&one));
    assert!(["collateral-missing", "refused-by-peer"].contains(&slug(&other)));
    use hallmark_attest::{Judge as _, Prover as _};
    let refusal = judge.judge(&prover.evidence(&[5; 64]).unwrap(), &[5; 64]).unwrap_err();
    assert_eq!(refusal.slug.as_str(), "image-mismatch");
}

#[tokio::test]
async fn a_laptop_shows_a_key_and_judges_the_machine() {
    use hallmark_attest::Holder as _;
    let world = World::new();
    let operator = SeedHolder::new(&[1; 32]).public_key();
    let (mut near, mut far) = met(&world.visitor(1), &world.host(operator, honest_td())).await;
    assert_eq!(near.peer().word(), Some(Word::Simulated));
    assert_eq!(far.peer().key(), &PeerKey::Held(operator));
    assert!(far.peer().judgement().is_none());
    carry(&mut near, &mut far, b"ping").await;
    carry(&mut far, &mut near, b"pong").await;

    let (laptop, machine) =
        meet(&world.visitor(2), &world.host(operator, honest_td()), &Expect::ANYONE).await;
    assert_eq!((slug(&machine), &*told(&laptop)), ("not-an-operator", "not-an-operator"));
}

#[tokio::test]
async fn modes_do_not_mix() {
    let world = World::new();
    // A member that connects to a host presents no certificate there: the host does not ask for one.
    let (client, server) = meet(&world.client(), &world.host([0; 32], honest_td()), &Expect::ANYONE).await;
    assert!(["mode-mismatch", "refused-by-peer"].contains(&slug(&client)), "{}", slug(&client));
    assert!(["mode-mismatch", "refused-by-peer"].contains(&slug(&server)), "{}", slug(&server));
    let (client, server) = meet(&world.visitor(1), &world.server(), &Expect::ANYONE).await;
    assert_eq!(slug(&server), "no-client-certificate");
    assert!(client.is_err());
    let (near, _far) = tokio::io::duplex(64);
    assert_eq!(slug(&world.host([0; 32], honest_td()).connect(near, &Expect::ANYONE).await), "wrong-side");
    let (near, _far) = tokio::io::duplex(64);
    assert_eq!(slug(&world.visitor(1).accept(near).await), "wrong-side");
}

#[tokio::test]
async fn whom_a_client_means_is_whom_it_gets() {
    let world = World::new();
    let server = world.server();
    let (near, _) = met(&world.client(), &server).await;
    let key = *near.peer().key().spki_sha256().unwrap();
    let right = Expect { slot: Some(0), node: Some(10), spki_sha256: Some(key) };
    let (near, far) = meet(&world.client(), &server, &right).await;
    assert!(near.is_ok() && far.is_ok());
    for (expect, due) in [
        (Expect { slot: Some(2), ..right }, "wrong-slot"),
        (Expect { node: Some(11), ..right }, "wrong-node"),
        (Expect { spki_sha256: Some([0; 32]), ..right }, "wrong-key"),
    ] {
        let (near, far) = meet(&world.client(), &server, &expect).await;
        assert_eq!((slug(&near), &*told(&far)), (due, due));
    }
}

#[tokio::test]
async fn a_machine_that_cannot_prove_itself_says_so() {
    struct Broken;
    impl hallmark_attest::Prover for Broken {
        fn evidence(&self, _: &[u8; 64]) -> Result<Vec<u8>, hallmark_attest::ProverError> {
            Err(hallmark_attest::ProverError::Other("no device".into()))
        }
    }
    let world = World::new();
    let broken = world.member(Hello::candidate(GROUP, 2), Arc::new(Broken));
    let (client, server) = meet(&broken, &world.server(), &Expect::ANYONE).await;
    assert!(matches!(client, Err(AttestError::Prover(_))));
    assert_eq!(told(&server), "own-proof");
}

/// To the byte, whoever connects.
#[tokio::test]
async fn evidence_larger_than_the_limit_is_not_read() {
    let world = World::new();
    let recorder = Recorder::new(honest_td());
    let size = |bytes: usize| world.server().with_limits(Limits { evidence: bytes, ..Limits::default() });
    let peer = world.member(Hello::member(GROUP, 1, 11), recorder.clone());
    drop(met(&peer, &world.server()).await);
    let exact = recorder.1.lock().unwrap()[0].len();
    drop(met(&peer, &size(exact)).await);
    drop(met(&size(exact), &peer).await);
    let (_, server) = meet(&peer, &size(exact - 1), &Expect::ANYONE).await;
    let (client, _) = meet(&size(exact - 1), &peer, &Expect::ANYONE).await;
    assert_eq!([slug(&client), slug(&server)], ["frame-too-large"; 2]);
}
