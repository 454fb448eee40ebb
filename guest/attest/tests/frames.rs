//! Bytes that are not the protocol: at each step, none is taken for more than it is.

use std::time::Duration;

use hallmark_attest::{Hello, Limits};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::duplex;

use crate::rascal::*;
use crate::world::*;

const CLAIM: Hello = Hello::member(GROUP, 1, 11);

/// How far a rascal goes before it sends what it should not.
async fn at_step(rascal: &mut Rascal<tokio::io::DuplexStream>, step: u8) {
    if step == 0 {
        return;
    }
    let greeted = rascal.greet(&CLAIM).await;
    if step > 1 {
        let evidence = honest_td().evidence(&rascal.binding(&greeted, None)).unwrap();
        rascal.send(PROOF, &evidence).await;
        rascal.due(PROOF).await;
    }
}

async fn outcome(world: &World, step: u8, bytes: Vec<u8>) -> (String, String) {
    let limits = Limits { handshake: Duration::from_secs(5), ..Limits::default() };
    let server = world.server().with_limits(limits);
    let (near, far) = duplex(1 << 20);
    let accepting = tokio::spawn(async move { slug(&server.accept(far).await).to_owned() });
    let mut rascal = Rascal::dial(near).await;
    at_step(&mut rascal, step).await;
    rascal.raw(&bytes).await;
    // Nothing follows: what was sent is all there is.
    let _ = tokio::io::AsyncWriteExt::shutdown(&mut rascal.tls).await;
    let said = rascal.refused().await;
    (accepting.await.unwrap(), said)
}

#[tokio::test]
async fn frames_out_of_bounds_or_order() {
    let world = World::new();
    let evidence_max = (1u32 << 20) + 1;
    let [_, a, b, c] = evidence_max.to_be_bytes();
    for (step, bytes, due) in [
        (0, vec![HELLO, 0xff, 0xff, 0xff], "frame-too-large"),
        (0, vec![0xee, 0, 0, 1, 0], "frame-unknown"),
        (0, vec![HELLO, 0, 0, 3, 1, 0, 7], "frame-malformed"),
        (0, vec![HELLO, 0, 0, 0], "frame-malformed"),
        (0, vec![DATA, 0, 0, 1, b'x'], "frame-out-of-order"),
        (0, b"GET / HTTP/1.1\r\n\r\n".to_vec(), "frame-unknown"),
        (1, vec![PROOF, a, b, c], "frame-too-large"),
        (1, vec![PROOF, 0, 0, 0], "frame-malformed"),
        (1, vec![PROOF, 0, 0, 1, b'{'], "evidence-format"),
        (1, vec![DATA, 0, 0, 1, b'x'], "frame-out-of-order"),
        (1, vec![CHALLENGE, 0, 0, 40], "frame-out-of-order"),
        (2, vec![DATA, 0, 0, 1, b'x'], "frame-out-of-order"),
        (2, vec![ACCEPT, 0, 0, 1, 0], "frame-too-large"),
        (2, vec![PROOF, 0, 0, 1, 0], "frame-out-of-order"),
    ] {
        let got = outcome(&world, step, bytes.clone()).await;
        assert_eq!(got, (due.to_owned(), due.to_owned()), "step {step}, {bytes:02x?}");
    }
    for (step, bytes) in [(0, vec![]), (1, vec![PROOF, 0]), (2, vec![ACCEPT, 0, 0])] {
        assert_eq!(outcome(&world, step, bytes).await.0, "connection-ended", "step {step}");
    }
    // A refusal that is no slug is not repeated anywhere.
    let bytes = [&[REFUSE, 0, 0, 5][..], b"\x1b[31m"].concat();
    assert_eq!(outcome(&world, 1, bytes).await.0, "frame-malformed");
}

/// True evidence of this very session, but for what is cut off it or put behind it.
#[tokio::test]
async fn evidence_that_is_cut_off_or_has_something_behind_it() {
    let world = World::new();
    let whole = honest_td().evidence(&[1; 64]).unwrap().len();
    let cuts = [1, whole / 7, whole / 3, whole / 2, whole - 2, whole - 1];
    let kinds = cuts.iter().map(|cut| (Some(*cut), &b""[..])).chain([
        (None, &b"{}"[..]),
        (None, b"\0"),
        (None, b"x"),
        (None, b"\n{}"),
    ]);
    for (cut, behind) in kinds {
        let (near, far) = duplex(1 << 20);
        let server = world.server();
        let accepting = tokio::spawn(async move { slug(&server.accept(far).await).to_owned() });
        let mut rascal = Rascal::dial(near).await;
        let greeted = rascal.greet(&CLAIM).await;
        let mut evidence = honest_td().evidence(&rascal.binding(&greeted, None)).unwrap();
        evidence.truncate(cut.unwrap_or(whole));
        evidence.extend(behind);
        rascal.send(PROOF, &evidence).await;
        assert_eq!(rascal.refused().await, "evidence-format", "{cut:?} {behind:?}");
        assert_eq!(accepting.await.unwrap(), "evidence-format", "{cut:?} {behind:?}");
    }
}

#[test]
fn random_bytes_at_any_step_are_never_accepted() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = World::new();
    let mut runner = TestRunner::new(Config { cases: 96, failure_persistence: None, ..Config::default() });
    let frame = (0u8..9, proptest::collection::vec(any::<u8>(), 0..200))
        .prop_map(|(kind, body)| [&[kind, 0, 0, body.len() as u8][..], &body].concat());
    let bytes = prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), frame];
    let result = runner.run(&(0u8..3, bytes), |(step, bytes)| {
        // An empty acceptance is what is due in the last step: anything may follow it.
        if step == 2 && bytes.starts_with(&[ACCEPT, 0, 0, 0]) {
            return Ok(());
        }
        let (slug, _) = runtime.block_on(outcome(&world, step, bytes));
        prop_assert_ne!(slug, "a channel");
        Ok(())
    });
    result.unwrap();
}

#[test]
fn random_bytes_on_an_open_channel_give_data_or_an_end() {
    use tokio::io::AsyncReadExt as _;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = World::new();
    let mut runner = TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() });
    let frame = (1u8..9, proptest::collection::vec(any::<u8>(), 0..120))
        .prop_map(|(kind, body)| [&[kind, 0, 0, body.len() as u8][..], &body].concat());
    let result = runner.run(&frame, |frame| {
        let got = runtime.block_on(async {
            let (near, far) = duplex(1 << 20);
            let server = world.server();
            let accepting = tokio::spawn(async move { server.accept(far).await });
            let mut rascal = Rascal::dial(near).await;
            rascal.join(&CLAIM, &*honest_td()).await;
            let mut channel = accepting.await.unwrap().unwrap();
            rascal.send(DATA, b"good").await;
            rascal.raw(&frame).await;
            rascal.send(DATA, b"bad").await;
            let _ = tokio::io::AsyncWriteExt::shutdown(&mut rascal.tls).await;
            let mut got = Vec::new();
            let ended = channel.read_to_end(&mut got).await;
            (got, ended.is_err())
        });
        // A challenge of the first round is the one control frame that is in place.
        let challenge = frame.starts_with(&[CHALLENGE, 0, 0, 40, 1, 0, 0, 0, 0, 0, 0, 0]);
        if !challenge {
            prop_assert_eq!(got, (b"good".to_vec(), true));
        }
        Ok(())
    });
    result.unwrap();
}
