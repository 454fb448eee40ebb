//! Who gets no channel: each under its own slug, and without a byte of the protocol above.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark_attest::binding::{self, Role};
use hallmark_attest::{
    Endpoint, Expect, Hello, Holder as _, Identity, Judge, Judgement, Limits, Refusal, SeedHolder,
};
use hallmark_forge::TdxCase;
use hallmark_forge::event_log::Digests;
use hallmark_forge::evidence::BootEvent;
use hallmark_forge::pki::Pki;
use tokio::io::{AsyncWriteExt as _, DuplexStream, copy_bidirectional, duplex};
use tokio::time::sleep;

use crate::rascal::{ACCEPT, HELLO, PROOF, Rascal, answer, hello_body, hello_in, key};
use crate::world::*;

const CLAIM: Hello = Hello::member(GROUP, 1, 11);

/// A peer by hand against an endpoint. What becomes of the endpoint is its slug: it never has a channel.
async fn against<F: Future<Output = String>>(
    endpoint: Endpoint,
    role: Role,
    peer: impl FnOnce(Rascal<DuplexStream>) -> F,
) -> (String, String) {
    let (near, far) = duplex(1 << 20);
    match role {
        Role::Client => {
            let accepting = tokio::spawn(async move { slug(&endpoint.accept(far).await).to_owned() });
            let said = peer(Rascal::dial(near).await).await;
            (accepting.await.unwrap(), said)
        }
        Role::Server => {
            let connecting =
                tokio::spawn(async move { slug(&endpoint.connect(far, &Expect::ANYONE).await).to_owned() });
            let said = peer(Rascal::answer(near).await).await;
            (connecting.await.unwrap(), said)
        }
    }
}

/// The sides that a peer by hand takes: a server judges a client, and a client judges a server.
const EITHER: [Role; 2] = [Role::Client, Role::Server];

/// On either side, both say this.
async fn refused<F: Future<Output = String>>(
    endpoint: impl Fn() -> Endpoint,
    due: &str,
    peer: impl Fn(Rascal<DuplexStream>) -> F,
) {
    for role in EITHER {
        let got = against(endpoint(), role, &peer).await;
        assert_eq!(got, (due.to_owned(), due.to_owned()), "a peer that is {}", role.word());
    }
}

#[tokio::test]
async fn by_hand_an_honest_peer_is_let_in() {
    let world = World::new();
    for role in EITHER {
        let (near, far) = duplex(1 << 20);
        let endpoint = world.server();
        let opening = tokio::spawn(async move {
            match role {
                Role::Client => endpoint.accept(far).await,
                Role::Server => endpoint.connect(far, &Expect::ANYONE).await,
            }
        });
        let mut rascal = match role {
            Role::Client => Rascal::dial(near).await,
            Role::Server => Rascal::answer(near).await,
        };
        rascal.join(&CLAIM, &*honest_td()).await;
        assert_eq!(opening.await.unwrap().unwrap().peer().hello(), &CLAIM);
    }
}

/// Two TLS sessions spliced: every frame of one side goes to the other.
async fn relayed(client: Endpoint, server: Endpoint) -> [String; 2] {
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
    [slug(&client).to_owned(), slug(&server).to_owned()]
}

#[tokio::test]
async fn a_relay_in_the_middle() {
    let world = World::new();
    let slugs = relayed(world.client(), world.server()).await;
    assert!(slugs.iter().any(|slug| slug == "binding-mismatch"), "{slugs:?}");
    let words = ["binding-mismatch", "refused-by-peer"];
    assert!(slugs.iter().all(|slug| words.contains(&slug.as_str())), "{slugs:?}");
}

/// Takes anything: so that it is the other side's doing that there is no channel.
struct Gullible;

impl Judge for Gullible {
    fn judge(&self, _: &[u8], _: &[u8; 64]) -> Result<Judgement, Refusal> {
        Ok(Judgement {
            word: hallmark_verifier::Word::Accepted,
            release: None,
            platform: None,
            trust: Vec::new(),
            measurements: hallmark_verifier::event_log::Measurements::default(),
        })
    }
}

#[tokio::test]
async fn a_relay_in_the_middle_is_seen_by_either_side_alone() {
    let world = World::new();
    let gullible = |hello| {
        let identity = Identity::generate().unwrap();
        Endpoint::mutual(&identity, honest_td(), Arc::new(Gullible), world.gate.clone(), hello).unwrap()
    };
    let server_sees = relayed(gullible(CLAIM), world.server()).await;
    assert_eq!(server_sees, ["refused-by-peer", "binding-mismatch"]);
    let client_sees = relayed(world.client(), gullible(Hello::member(GROUP, 0, 10))).await;
    assert_eq!(client_sees, ["binding-mismatch", "refused-by-peer"]);
    // A laptop has no quote, and the host sees that its key signed for another session; the laptop sees the machine's quote.
    let operator = SeedHolder::new(&[1; 32]);
    let slugs = relayed(world.visitor(1), world.host(operator.public_key(), honest_td())).await;
    let words = [["binding-mismatch", "refused-by-peer"], ["refused-by-peer", "possession-mismatch"]];
    let both = ["binding-mismatch", "possession-mismatch"];
    assert!(slugs == both || words.iter().any(|word| slugs == *word), "{slugs:?}");
}

#[tokio::test]
async fn evidence_made_for_another_session() {
    let world = World::new();
    // Evidence of a true machine, made in another session of the same words.
    let evidence = &honest_td().evidence(&[9; 64]).unwrap();
    refused(
        || world.server(),
        "binding-mismatch",
        |mut rascal| async move {
            rascal.greet(&CLAIM).await;
            rascal.send(PROOF, evidence).await;
            rascal.refused().await
        },
    )
    .await;
}

#[tokio::test]
async fn evidence_replayed_from_an_earlier_session() {
    let world = World::new();
    let recorder = Recorder::new(honest_td());
    let (endpoint, honest) = (world.server(), world.member(CLAIM, recorder.clone()));
    drop(met(&honest, &endpoint).await);
    drop(met(&endpoint, &honest).await);
    // Whichever side the peer was on then, and on whichever it is now.
    let made = recorder.1.lock().unwrap().clone();
    for evidence in &made {
        refused(
            || endpoint.clone(),
            "evidence-replayed",
            |mut rascal| async move {
                rascal.greet(&CLAIM).await;
                rascal.send(PROOF, evidence).await;
                rascal.refused().await
            },
        )
        .await;
    }
}

#[tokio::test]
async fn evidence_reflected() {
    let world = World::new();
    refused(
        || world.server(),
        "evidence-reflected",
        |mut rascal| async move {
            rascal.greet(&CLAIM).await;
            let evidence = rascal.due(PROOF).await;
            rascal.send(PROOF, &evidence).await;
            rascal.refused().await
        },
    )
    .await;
}

#[tokio::test]
async fn a_nonce_reflected() {
    let world = World::new();
    refused(
        || world.server(),
        "nonce-reflected",
        |mut rascal| async move {
            let theirs = rascal.due(HELLO).await;
            rascal.send(HELLO, &theirs).await;
            rascal.refused().await
        },
    )
    .await;
}

#[tokio::test]
async fn evidence_for_another_group_slot_or_node() {
    let world = World::new();
    for meant in [Hello::member([8; 32], 1, 11), Hello::member(GROUP, 2, 11), Hello::member(GROUP, 1, 12)] {
        let meant = &meant;
        refused(
            || world.server(),
            "binding-mismatch",
            |mut rascal| async move {
                let greeted = rascal.greet(&CLAIM).await;
                let evidence = honest_td().evidence(&rascal.binding(&greeted, Some(meant))).unwrap();
                rascal.send(PROOF, &evidence).await;
                rascal.refused().await
            },
        )
        .await;
    }
    refused(
        || world.server(),
        "wrong-group",
        |mut rascal| async move {
            rascal.send(HELLO, &hello_body(&Hello::member([8; 32], 1, 11), &[1; 32])).await;
            rascal.refused().await
        },
    )
    .await;
}

#[tokio::test]
async fn evidence_for_another_key_nonce_role_or_round() {
    let world = World::new();
    for case in 0..4 {
        refused(
            || world.server(),
            "binding-mismatch",
            |mut rascal| async move {
                let greeted = rascal.greet(&CLAIM).await;
                let (context, _) = rascal.context(&greeted);
                let [client, server] = rascal.in_order(&greeted.own_nonce, &greeted.their_nonce);
                let (role, nonces, round) = match case {
                    1 => (rascal.role(), [server, client], None),
                    2 => (rascal.role().other(), [client, server], None),
                    3 => (rascal.role(), [client, server], Some(0)),
                    _ => (rascal.role(), [client, server], None),
                };
                let spki = if case == 0 { [1; 32] } else { rascal.spki_sha256 };
                let exporter = rascal.exporter(role, nonces[0], nonces[1], round);
                let bound = binding::binding(role, &context, &spki, &exporter);
                rascal.send(PROOF, &honest_td().evidence(&bound).unwrap()).await;
                rascal.refused().await
            },
        )
        .await;
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

/// Machines that no release pins, or that no policy takes.
const BAD: [Case; 7] = [
    ("td-debug", |case| case.quote.body.td_attributes |= 1),
    // MIGRATABLE: whoever moves it could take the key along.
    ("td-attributes", |case| case.quote.body.td_attributes |= 1 << 29),
    ("image-mismatch", |case| case.quote.body.mr_td = [0x66; 48]),
    ("workload-event", |case| case.boot_events.push(workload())),
    ("workload-event", |case| case.boot_events.clear()),
    // The forged release pins all of RTMR0: other ACPI tables are another image.
    ("image-mismatch", |case| {
        let event = case.log.events.iter_mut().find(|event| event.what == "acpi-tables").unwrap();
        event.digests = Digests::of(b"other tables");
    }),
    // All as it must be, but the chain is under a root that nobody named.
    ("pck-chain", |case| {
        case.pki = Pki::under(hallmark_forge::key::Key::simulated("somebody else"), case.now);
    }),
];

#[tokio::test]
async fn machines_that_are_not_the_pinned_one() {
    let world = World::new();
    let operator = SeedHolder::new(&[1; 32]).public_key();
    for (due, change) in BAD {
        let bad = td(change);
        let (client, server) =
            meet(&world.member(CLAIM, bad.clone()), &world.server(), &Expect::ANYONE).await;
        assert_eq!((slug(&server), &*told(&client)), (due, due));
        // And the same the other way round.
        let bad_member = world.member(Hello::member(GROUP, 0, 10), bad.clone());
        let (client, server) = meet(&world.client(), &bad_member, &Expect::ANYONE).await;
        assert_eq!((slug(&client), &*told(&server)), (due, due));
        // And of a laptop.
        let (client, server) = meet(&world.visitor(1), &world.host(operator, bad), &Expect::ANYONE).await;
        assert_eq!((slug(&client), &*told(&server)), (due, due));
    }
}

/// What a laptop has in the place of evidence is of its key and of this session.
#[tokio::test]
async fn a_laptop_that_does_not_hold_its_key() {
    let world = World::new();
    let (operator, other) = (SeedHolder::new(&[1; 32]), SeedHolder::new(&[2; 32]));
    for case in 0..6 {
        let host = world.host(operator.public_key(), honest_td());
        let (near, far) = duplex(1 << 20);
        let accepting = tokio::spawn(async move { slug(&host.accept(far).await).to_owned() });
        let config = crate::rascal::client_config(None, &[&rustls::version::TLS13]);
        let tls = crate::rascal::dial(near, config).await.unwrap();
        let mut rascal = Rascal { tls, spki_sha256: [0; 32], data: 0 };
        let key = operator.public_key();
        let hello = Hello::of_group(GROUP);
        let greeted = rascal.greet_with(|nonce| hello_in(Some(Some(key)), &hello, nonce)).await;
        let (context, exporter) = rascal.context(&greeted);
        let good = binding::possession(Role::Client, &context, &key, &exporter);
        let proof = match case {
            0 => operator.sign(&good).unwrap().to_vec(),
            1 => other.sign(&good).unwrap().to_vec(),
            2 => {
                operator.sign(&binding::possession(Role::Client, &context, &key, &[5; 32])).unwrap().to_vec()
            }
            3 => {
                operator.sign(&binding::possession(Role::Server, &context, &key, &exporter)).unwrap().to_vec()
            }
            // A machine's evidence, and a signature with a byte behind it.
            4 => honest_td().evidence(&rascal.binding(&greeted, None)).unwrap(),
            _ => [&operator.sign(&good).unwrap()[..], &[0]].concat(),
        };
        rascal.send(PROOF, &proof).await;
        if case == 0 {
            rascal.due(PROOF).await;
            rascal.send(ACCEPT, &[]).await;
            rascal.due(ACCEPT).await;
            assert_eq!(accepting.await.unwrap(), "a channel");
        } else {
            assert_eq!(rascal.refused().await, "possession-mismatch", "{case}");
            assert_eq!(accepting.await.unwrap(), "possession-mismatch", "{case}");
        }
    }
}

#[tokio::test]
async fn a_candidate_that_the_gate_does_not_know_costs_no_quote() {
    let world = World::new();
    world.gate.expelled.lock().unwrap().push(11);
    let recorder = Recorder::new(honest_td());
    refused(
        || world.member(Hello::member(GROUP, 0, 10), recorder.clone()),
        "not-in-roster",
        |mut rascal| async move {
            rascal.send(HELLO, &hello_body(&CLAIM, &[1; 32])).await;
            rascal.refused().await
        },
    )
    .await;
    assert!(recorder.1.lock().unwrap().is_empty());
}

#[tokio::test]
async fn peers_that_stall() {
    let world = World::new();
    let limits = Limits { handshake: Duration::from_millis(400), ..Limits::default() };
    let endpoint = world.server().with_limits(limits);
    // After the TLS handshake, after the hello, after the proof.
    for step in 0..3 {
        refused(
            || endpoint.clone(),
            "peer-stalled",
            |mut rascal| async move {
                if step > 0 {
                    let greeted = rascal.greet(&CLAIM).await;
                    if step > 1 {
                        let evidence = honest_td().evidence(&rascal.binding(&greeted, None)).unwrap();
                        rascal.send(PROOF, &evidence).await;
                    }
                }
                rascal.refused().await
            },
        )
        .await;
    }
    let (near, far) = duplex(1 << 16);
    assert_eq!(slug(&endpoint.accept(far).await), "tls-stalled");
    drop(near);
    let (near, far) = duplex(1 << 16);
    assert_eq!(slug(&endpoint.connect(far, &Expect::ANYONE).await), "tls-stalled");
    drop(near);
}

/// The limit is on the whole: bytes that keep coming do not move it.
#[tokio::test]
async fn peers_that_drip() {
    let world = World::new();
    let limits = Limits { handshake: Duration::from_millis(500), ..Limits::default() };
    let endpoint = world.server().with_limits(limits);
    for step in 0..2 {
        for role in EITHER {
            let started = Instant::now();
            let dripping = against(endpoint.clone(), role, |mut rascal| async move {
                // A hello, or evidence of an honest length: a byte now and then, for as long as anyone listens.
                let kind = if step == 0 { HELLO } else { PROOF };
                let bytes = if step == 0 {
                    hello_body(&CLAIM, &[1; 32])
                } else {
                    let greeted = rascal.greet(&CLAIM).await;
                    honest_td().evidence(&rascal.binding(&greeted, None)).unwrap()
                };
                let [_, a, b, c] = (bytes.len() as u32).to_be_bytes();
                rascal.raw(&[kind, a, b, c]).await;
                for byte in bytes.iter().take(200) {
                    rascal.raw(&[*byte]).await;
                    sleep(Duration::from_millis(10)).await;
                }
                rascal.refused().await
            });
            let (slug, told) = dripping.await;
            assert_eq!((&*slug, &*told), ("peer-stalled", "peer-stalled"), "step {step}, {}", role.word());
            assert!(started.elapsed() < Duration::from_secs(10));
        }
    }
    // Before TLS is up: a record of which a byte comes now and then.
    let (mut near, far) = duplex(1 << 16);
    let drip = tokio::spawn(async move {
        for byte in [22, 3, 1, 2, 0].into_iter().chain([1; 500]) {
            let _ = near.write_all(&[byte]).await;
            sleep(Duration::from_millis(10)).await;
        }
    });
    assert_eq!(slug(&endpoint.accept(far).await), "tls-stalled");
    drip.abort();
}

#[tokio::test]
async fn a_peer_that_accepts_before_it_is_proven_gains_nothing() {
    let world = World::new();
    refused(
        || world.server(),
        "frame-out-of-order",
        |mut rascal| async move {
            rascal.greet(&CLAIM).await;
            rascal.send(ACCEPT, &[]).await;
            rascal.refused().await
        },
    )
    .await;
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
