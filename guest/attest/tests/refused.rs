//! Who gets no channel: each under its own slug, and without a byte of the protocol above.

use std::time::Duration;

use hallmark_attest::binding::{self, Role};
use hallmark_attest::{Endpoint, Expect, Hello, Limits};
use hallmark_forge::TdxCase;
use hallmark_forge::event_log::Digests;
use hallmark_forge::evidence::BootEvent;
use tokio::io::{DuplexStream, copy_bidirectional, duplex};

use crate::rascal::{ACCEPT, HELLO, PROOF, Rascal, answer, hello_body, key};
use crate::world::*;

const CLAIM: Hello = Hello::member(GROUP, 1, 11);

/// A client by hand against an endpoint. What becomes of the endpoint is its slug: it never has a channel.
async fn against<F: Future<Output = String>>(
    server: Endpoint,
    client: impl FnOnce(Rascal<DuplexStream>) -> F,
) -> (String, String) {
    let (near, far) = duplex(1 << 20);
    let accepting = tokio::spawn(async move { slug(&server.accept(far).await).to_owned() });
    let said = client(Rascal::dial(near).await).await;
    (accepting.await.unwrap(), said)
}

fn both(word: &str) -> (String, String) {
    (word.to_owned(), word.to_owned())
}

#[tokio::test]
async fn by_hand_an_honest_client_is_let_in() {
    let world = World::new();
    let (near, far) = duplex(1 << 20);
    let server = world.server();
    let accepting = tokio::spawn(async move { server.accept(far).await });
    Rascal::dial(near).await.join(&CLAIM, &*honest_td()).await;
    assert_eq!(accepting.await.unwrap().unwrap().peer().hello(), &CLAIM);
}

/// Two TLS sessions spliced: every frame of one side goes to the other.
#[tokio::test]
async fn a_relay_in_the_middle() {
    let world = World::new();
    let (client, server) = (world.client(), world.server());
    let (near, middle_near) = duplex(1 << 16);
    let (middle_far, far) = duplex(1 << 16);
    let relay = tokio::spawn(async move {
        // It has keys of its own; what is within is forwarded as it is.
        let presented = key();
        let config = crate::rascal::client_config(Some(&key()), &[&rustls::version::TLS13]);
        let (client, server) =
            tokio::join!(answer(middle_near, &presented), crate::rascal::dial(middle_far, config));
        let _ = copy_bidirectional(&mut client.unwrap(), &mut server.unwrap()).await;
    });
    let expect = Expect::ANYONE;
    let (client, server) = tokio::join!(client.connect(near, &expect), server.accept(far));
    relay.abort();
    let slugs = [slug(&client), slug(&server)];
    assert!(slugs.contains(&"binding-mismatch"), "{slugs:?}");
    assert!(slugs.iter().all(|slug| ["binding-mismatch", "refused-by-peer"].contains(slug)), "{slugs:?}");
}

#[tokio::test]
async fn evidence_made_for_another_session() {
    let world = World::new();
    // Evidence of a true machine, made in another session of the same words.
    let evidence = honest_td().evidence(&[9; 64]).unwrap();
    let got = against(world.server(), |mut rascal| async move {
        rascal.greet(&CLAIM).await;
        rascal.send(PROOF, &evidence).await;
        rascal.refused().await
    });
    assert_eq!(got.await, both("binding-mismatch"));
}

#[tokio::test]
async fn evidence_replayed_from_an_earlier_session() {
    let world = World::new();
    let recorder = Recorder::new(honest_td());
    let server = world.server();
    let (near, far) = met(&world.member(CLAIM, recorder.clone()), &server).await;
    drop((near, far));
    let evidence = recorder.1.lock().unwrap()[0].clone();
    let got = against(server.clone(), |mut rascal| async move {
        rascal.greet(&CLAIM).await;
        rascal.send(PROOF, &evidence).await;
        rascal.refused().await
    });
    assert_eq!(got.await, both("evidence-replayed"));
}

#[tokio::test]
async fn evidence_reflected() {
    let world = World::new();
    let got = against(world.server(), |mut rascal| async move {
        rascal.greet(&CLAIM).await;
        let evidence = rascal.due(PROOF).await;
        rascal.send(PROOF, &evidence).await;
        rascal.refused().await
    });
    assert_eq!(got.await, both("evidence-reflected"));
}

#[tokio::test]
async fn a_nonce_reflected() {
    let world = World::new();
    let got = against(world.server(), |mut rascal| async move {
        let theirs = rascal.due(HELLO).await;
        rascal.send(HELLO, &theirs).await;
        rascal.refused().await
    });
    assert_eq!(got.await, both("nonce-reflected"));
}

#[tokio::test]
async fn evidence_for_another_group_slot_or_node() {
    let world = World::new();
    for meant in [Hello::member([8; 32], 1, 11), Hello::member(GROUP, 2, 11), Hello::member(GROUP, 1, 12)] {
        let got = against(world.server(), |mut rascal| async move {
            let greeted = rascal.greet(&CLAIM).await;
            let evidence = honest_td().evidence(&rascal.binding(&greeted, Some(&meant))).unwrap();
            rascal.send(PROOF, &evidence).await;
            rascal.refused().await
        });
        assert_eq!(got.await, both("binding-mismatch"));
    }
    let got = against(world.server(), |mut rascal| async move {
        rascal.send(HELLO, &hello_body(&Hello::member([8; 32], 1, 11), &[1; 32])).await;
        rascal.refused().await
    });
    assert_eq!(got.await, both("wrong-group"));
}

#[tokio::test]
async fn evidence_for_another_key_nonce_role_or_round() {
    let world = World::new();
    for case in 0..4 {
        let got = against(world.server(), |mut rascal| async move {
            let greeted = rascal.greet(&CLAIM).await;
            let context = binding::context(&greeted.own, &greeted.theirs);
            let (own, theirs) = (&greeted.own_nonce, &greeted.their_nonce);
            let (role, nonces, round) = match case {
                1 => (Role::Client, [theirs, own], None),
                2 => (Role::Server, [own, theirs], None),
                3 => (Role::Client, [own, theirs], Some(0)),
                _ => (Role::Client, [own, theirs], None),
            };
            let spki = if case == 0 { [1; 32] } else { rascal.spki_sha256 };
            let exporter = rascal.exporter(role, nonces[0], nonces[1], round);
            let evidence = honest_td().evidence(&binding::binding(role, &context, &spki, &exporter)).unwrap();
            rascal.send(PROOF, &evidence).await;
            rascal.refused().await
        });
        assert_eq!(got.await, both("binding-mismatch"), "{case}");
    }
}

fn workload() -> BootEvent {
    BootEvent {
        register: "rtmr3".into(),
        event: "workload".into(),
        digests: Digests::of(b"a tenant's image"),
        sha256: false,
    }
}

/// The slug, and what is wrong with the machine.
type Case = (&'static str, fn(&mut TdxCase));

#[tokio::test]
async fn machines_that_are_not_the_pinned_one() {
    let cases: [Case; 6] = [
        ("td-debug", |case| case.quote.body.td_attributes |= 1),
        ("td-attributes", |case| case.quote.body.td_attributes |= 1 << 29),
        ("image-mismatch", |case| case.quote.body.mr_td = [0x66; 48]),
        ("workload-event", |case| case.boot_events.push(workload())),
        ("workload-event", |case| case.boot_events.clear()),
        // The forged release pins all of RTMR0: other ACPI tables are another image.
        ("image-mismatch", |case| {
            let event = case.log.events.iter_mut().find(|event| event.what == "acpi-tables").unwrap();
            event.digests = Digests::of(b"other tables");
        }),
    ];
    let world = World::new();
    for (due, change) in cases {
        let bad = td(change);
        let (client, server) =
            meet(&world.member(CLAIM, bad.clone()), &world.server(), &Expect::ANYONE).await;
        assert_eq!((slug(&server), &*told(&client)), (due, due));
        // And the same the other way round.
        let (client, server) =
            meet(&world.client(), &world.member(Hello::member(GROUP, 0, 10), bad), &Expect::ANYONE).await;
        assert_eq!((slug(&client), &*told(&server)), (due, due));
    }
}

#[tokio::test]
async fn a_candidate_that_the_gate_does_not_know_costs_no_quote() {
    let world = World::new();
    world.gate.expelled.lock().unwrap().push(11);
    let recorder = Recorder::new(honest_td());
    let server = world.member(Hello::member(GROUP, 0, 10), recorder.clone());
    let got = against(server.clone(), |mut rascal| async move {
        rascal.send(HELLO, &hello_body(&CLAIM, &[1; 32])).await;
        rascal.refused().await
    });
    assert_eq!(got.await, both("not-in-roster"));
    assert!(recorder.1.lock().unwrap().is_empty());
}

#[tokio::test]
async fn peers_that_stall() {
    let world = World::new();
    let limits = Limits { handshake: Duration::from_millis(400), ..Limits::default() };
    let server = world.server().with_limits(limits);
    // After the TLS handshake, after the hello, after the proof.
    for step in 0..3 {
        let got = against(server.clone(), |mut rascal| async move {
            if step > 0 {
                let greeted = rascal.greet(&CLAIM).await;
                if step > 1 {
                    let evidence = honest_td().evidence(&rascal.binding(&greeted, None)).unwrap();
                    rascal.send(PROOF, &evidence).await;
                }
            }
            rascal.refused().await
        });
        assert_eq!(got.await, both("peer-stalled"), "{step}");
    }
    let (near, far) = duplex(1 << 16);
    assert_eq!(slug(&server.accept(far).await), "tls-stalled");
    drop(near);
    // A server that stalls.
    let (near, far) = duplex(1 << 16);
    let stalling = tokio::spawn(async move {
        let _kept = answer(far, &key()).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let client = world.client().with_limits(limits);
    assert_eq!(slug(&client.connect(near, &Expect::ANYONE).await), "peer-stalled");
    stalling.abort();
}

#[tokio::test]
async fn a_peer_that_accepts_before_it_is_proven_gains_nothing() {
    let world = World::new();
    let got = against(world.server(), |mut rascal| async move {
        rascal.greet(&CLAIM).await;
        rascal.send(ACCEPT, &[]).await;
        rascal.refused().await
    });
    assert_eq!(got.await, both("frame-out-of-order"));
}

#[tokio::test]
async fn a_peer_that_refuses_leaves_this_side_without_a_channel() {
    let world = World::new();
    let (near, far) = duplex(1 << 20);
    let server = world.server();
    let accepting = tokio::spawn(async move { server.accept(far).await });
    let mut rascal = Rascal::dial(near).await;
    let greeted = rascal.greet(&CLAIM).await;
    let evidence = honest_td().evidence(&rascal.binding(&greeted, None)).unwrap();
    rascal.send(PROOF, &evidence).await;
    rascal.send(crate::rascal::REFUSE, b"some-reason").await;
    assert_eq!(told(&accepting.await.unwrap()), "some-reason");
}
