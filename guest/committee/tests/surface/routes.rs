//! Every route, its answer checked with the ledger's own verifiers, and every refusal with its word.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hallmark_coalition::UniqueId;
use hallmark_committee::http::Limits;
use hallmark_committee::service::Service as _;
use hallmark_ledger::cosignature::{Keys, SignedCheckpoint, signed};
use hallmark_ledger::entry::Entry;
use hallmark_ledger::hash::{Hash, leaf};
use hallmark_ledger::note::Verifier;
use hallmark_ledger::proof::{Consistency, Inclusion};
use hallmark_ledger::system::{Roster, SystemEntry, lookup_message};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::fake::{COLLATERAL, Fake, QUORUM, evidence_of, start, start_with};
use super::raw::{Answer, exchange, get, request};

const CLIENT: &str = "0707070707070707070707070707070707070707070707070707070707070707";

async fn submit(address: std::net::SocketAddr, nonce: &str, body: &str) -> Answer {
    let headers = [("hallmark-client", CLIENT), ("hallmark-nonce", nonce)];
    request(address, "POST", "/submit/pairs", &headers, body.as_bytes()).await
}

fn put(key: &str, value: &str) -> String {
    format!("{{\"op\":\"put\",\"key\":\"{key}\",\"value\":\"{value}\"}}")
}

/// Verifies a note with keys that the test knows by itself.
fn verify(fake: &Fake, note: &str) -> SignedCheckpoint {
    let genesis: serde_json::Value = serde_json::from_slice(&fake.entries(0, 1, 1).unwrap()[0]).unwrap();
    let log = Verifier::parse(genesis["body"]["log_key"].as_str().unwrap()).unwrap();
    let roster = fake.roster().unwrap();
    let keys = Keys { log: &log, roster: &roster, quorum: usize::from(QUORUM) };
    SignedCheckpoint::verify(note.as_bytes(), &keys).unwrap()
}

/// Checks leaf, proof and checkpoint of a JSON answer.
fn proven(fake: &Fake, answer: &Answer) -> serde_json::Value {
    let json = answer.json();
    let signed = verify(fake, json["checkpoint"].as_str().unwrap());
    let text = std::str::from_utf8(&answer.body).unwrap();
    // The leaf byte for byte, from the raw text.
    let index = json["index"].as_u64().unwrap();
    let bytes = fake.entries(index, 1, 1).unwrap().remove(0);
    assert!(text.contains(std::str::from_utf8(&bytes).unwrap()), "{text}");
    let path: Vec<Hash> = serde_json::from_value(json["proof"].clone()).unwrap();
    let proof = Inclusion { index, size: signed.checkpoint().size, path };
    proof.verify(&leaf(&bytes), &signed.checkpoint().root).unwrap();
    json
}

async fn wait_for<F: Future<Output = bool>>(mut done: impl FnMut() -> F) {
    for _ in 0..200 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited 4 s in vain");
}

#[tokio::test]
async fn a_submission_is_answered_with_its_proof_once_and_the_same() {
    let fake = Fake::new();
    let address = start(&fake).await;
    let first = submit(address, "1", &put("a", "x")).await;
    assert_eq!(first.status, 200, "{}", String::from_utf8_lossy(&first.body));
    let json = proven(&fake, &first);
    assert_eq!(json["outcome"], "committed");
    assert_eq!(json["leaf"]["submission"]["client"], CLIENT);
    let size = fake.size();
    let again = submit(address, "1", &put("a", "x")).await.json();
    assert_eq!((&again["index"], fake.size()), (&json["index"], size), "a retry adds nothing");
    let other = submit(address, "1", &put("a", "y")).await;
    assert_eq!((other.status, other.json()["code"].as_str().unwrap()), (409, "nonce-used"));
    let rejected = submit(address, "2", "{\"op\":\"delete\",\"key\":\"no\"}").await;
    let json = proven(&fake, &rejected);
    assert_eq!((rejected.status, &json["outcome"]), (200, &"rejected".into()));
    assert_eq!(json["leaf"]["body"]["code"], "no-such-key");
}

#[tokio::test]
async fn several_submissions_of_one_request_are_answered_each_by_itself() {
    let fake = Fake::new();
    let address = start(&fake).await;
    let one = |surface: &str, nonce: u64, body: &str| {
        let bytes = body.len();
        format!(
            "{{\"surface\":\"{surface}\",\"client\":\"{CLIENT}\",\"nonce\":{nonce},\"bytes\":{bytes}}}\n{body}\n"
        )
    };
    let sent = [
        one("pairs", 1, &put("a", "x")),
        one("pears", 2, "{}"),
        one("pairs", 3, "{\"op\":\"delete\",\"key\":\"no\"}"),
        one("pairs", 1, &put("a", "x")),
        one("pairs", 1, &put("a", "y")),
    ];
    let answer = request(address, "POST", "/submit", &[], sent.concat().as_bytes()).await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("application/x-ndjson"), "{}", answer.head);
    let (mut under, mut answers) = (None, std::collections::BTreeMap::new());
    for line in answer.lines() {
        match line["nth"].as_u64() {
            None => under = Some(line["checkpoint"].as_str().unwrap().to_owned()),
            Some(nth) => assert!(answers.insert(nth, (line, under.clone())).is_none(), "one answer each"),
        }
    }
    assert_eq!(answers.len(), sent.len());
    for nth in [0, 2, 3] {
        let (line, under) = &answers[&nth];
        let signed = verify(&fake, under.as_ref().unwrap());
        let index = line["index"].as_u64().unwrap();
        let bytes = fake.entries(index, 1, 1).unwrap().remove(0);
        assert_eq!(line["leaf"], serde_json::from_slice::<serde_json::Value>(&bytes).unwrap());
        let path: Vec<Hash> = serde_json::from_value(line["proof"].clone()).unwrap();
        let proof = Inclusion { index, size: signed.checkpoint().size, path };
        proof.verify(&leaf(&bytes), &signed.checkpoint().root).unwrap();
    }
    let word = |nth: u64| answers[&nth].0["outcome"].as_str().map(str::to_owned);
    assert_eq!((word(0).as_deref(), word(2).as_deref()), (Some("committed"), Some("rejected")));
    assert_eq!(answers[&0].0["index"], answers[&3].0["index"], "a retry, beside what it repeats");
    let refused = |nth: u64| {
        let line = &answers[&nth].0;
        (line["status"].as_u64().unwrap(), line["refused"]["code"].as_str().unwrap().to_owned())
    };
    assert_eq!((refused(1), refused(4)), ((404, "unknown-surface".into()), (409, "nonce-used".into())));
    // What cannot be read is not ordered in part.
    let good = one("pairs", 9, &put("z", "z"));
    let many: String = (0..257).map(|nonce| one("pairs", 100 + nonce, &put("z", "z"))).collect();
    let large = one("pairs", 9, &"x".repeat(48 * 1024 + 1));
    let both = request(address, "POST", "/submit", &[], [large, good.clone()].concat().as_bytes()).await;
    let (refused, kept) = (&both.lines()[0], &both.lines()[2]);
    assert_eq!((&refused["status"], &refused["refused"]["code"]), (&413.into(), &"too-large".into()));
    assert_eq!((&kept["nth"], &kept["outcome"]), (&1.into(), &"committed".into()), "{kept}");
    let size = fake.size();
    for (body, why) in [
        (String::new(), "body: no submission"),
        (format!("{good}{{}}\n"), "body: submission 1: missing field"),
        (good.replace("\"nonce\"", "\"nonse\""), "body: submission 0: unknown field"),
        (good[..good.len() - 1].to_owned(), "body: submission 0: no newline behind its bytes"),
        (good[..good.len() - 4].to_owned(), "body: submission 0: bytes: more than there are"),
        (format!("{good}{{\"surface\""), "body: submission 1: no end of its line"),
        (many, "body: submission 256: at most 256 go together"),
    ] {
        let no = request(address, "POST", "/submit", &[], body.as_bytes()).await;
        let json = no.json();
        assert_eq!((no.status, json["code"].as_str().unwrap()), (400, "malformed"), "{json}");
        assert!(json["why"].as_str().unwrap().starts_with(why), "{json}");
    }
    let oversized = request(address, "POST", "/submit", &[], &vec![b' '; (1 << 20) + 1]).await;
    assert_eq!((oversized.status, fake.size()), (413, size));
}

#[tokio::test]
async fn fates_are_told_and_settled() {
    let fake = Fake::new();
    let address = start(&fake).await;
    fake.put(1, "a", "x");
    let fate = |nonce: u64| format!("/fate/0/{CLIENT}/{nonce}");
    assert_eq!(proven(&fake, &get(address, &fate(1)).await)["outcome"], "committed");
    let open = get(address, &fate(2)).await;
    assert_eq!(open.json(), serde_json::json!({"outcome": "pending"}));
    let settled = request(address, "POST", &fate(2), &[], b"").await;
    assert_eq!(proven(&fake, &settled)["outcome"], "invalid");
    let late = submit(address, "2", &put("a", "late")).await;
    assert_eq!(proven(&fake, &late)["outcome"], "invalid", "what was settled is never applied");
    let later = get(address, &format!("/fate/9/{CLIENT}/1")).await;
    assert_eq!((later.status, later.json()["code"].as_str().unwrap()), (409, "later-epoch"));
}

#[tokio::test]
async fn reads_are_proven() {
    let fake = Fake::new();
    for nonce in 0..300 {
        fake.put(nonce, &format!("k{}", nonce % 7), &format!("v{nonce}"));
    }
    let address = start(&fake).await;
    wait_for(async || get(address, "/collections/pairs/k3").await.status == 200).await;
    let note = get(address, "/checkpoint").await;
    assert!(note.head.contains("no-cache"), "{}", note.head);
    let signed = verify(&fake, std::str::from_utf8(&note.body).unwrap());
    assert_eq!(signed.checkpoint().size, 304);

    let tile = get(address, "/tile/0/000").await;
    assert_eq!((tile.status, tile.body.len()), (200, 8192));
    assert!(tile.head.contains("immutable"), "{}", tile.head);
    assert_eq!(get(address, "/tile/0/001.p/48").await.body.len(), 48 * 32);
    assert_eq!(get(address, "/tile/entries/000").await.status, 200);
    assert_eq!(get(address, "/tile/0/001").await.status, 404);
    assert_eq!(get(address, "/tile/0/1").await.status, 400);
    let head = request(address, "HEAD", "/checkpoint", &[], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(head.head.contains(&format!("content-length: {}", note.body.len())), "{}", head.head);

    let answer = get(address, "/consistency?from=100&to=304").await;
    let proof: Consistency = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((proof.old, proof.new), (100, 304));
    let old = hallmark_ledger::tree::Frontier::new();
    let old = fake.entries(0, 100, 1 << 20).unwrap().iter().fold(old, |mut tree, entry| {
        tree.push(leaf(entry));
        tree
    });
    proof.verify(&old.root(), &signed.checkpoint().root).unwrap();
    assert_eq!(get(address, "/consistency?from=100&to=9999").await.status, 400);

    let found = get(address, "/collections/pairs/k3").await;
    let json = proven(&fake, &found);
    assert_eq!(json["leaf"]["body"]["value"], "v297", "the last of its key");
    assert_eq!(get(address, "/collections/pairs/none").await.json()["code"], "no-such-key");

    let entries = get(address, "/entries?from=300&limit=3").await.lines();
    assert_eq!(entries.len(), 4, "a checkpoint and three entries");
    assert_eq!(entries[1]["index"], 300);
    assert_eq!(get(address, "/entries?from=9999").await.lines().len(), 0);

    let lines = get(address, "/streams/pairs?from=295&proofs=1").await.lines();
    assert_eq!(lines.len(), 6);
    let last = &lines[5];
    let bytes = fake.entries(303, 1, 1).unwrap().remove(0);
    let path: Vec<Hash> = serde_json::from_value(last["proof"].clone()).unwrap();
    Inclusion { index: 303, size: 304, path }.verify(&leaf(&bytes), &signed.checkpoint().root).unwrap();

    let roster: Roster = serde_json::from_slice(&get(address, "/roster").await.body).unwrap();
    assert_eq!(roster.hash(), signed.checkpoint().roster);
    let status = get(address, "/status").await.json();
    assert_eq!((&status["group"], &status["applied"]), (&fake.group().to_string().into(), &304.into()));
    let metrics = get(address, "/metrics").await;
    assert!(metrics.head.contains("version=0.0.4"));
    let text = String::from_utf8(metrics.body).unwrap();
    assert!(text.contains("hallmark_http_refused_total{code=\"no-such-key\"} 1\n"), "{text}");
}

#[tokio::test]
async fn evidence_is_what_each_member_was_admitted_with() {
    let fake = Fake::with_evidence();
    fake.replace(0);
    let address = start(&fake).await;
    let listed = get(address, "/evidence").await.json();
    verify(&fake, listed["checkpoint"].as_str().unwrap());
    let roster = fake.roster().unwrap();
    assert_eq!(listed["members"].as_array().unwrap().len(), 3);
    for (slot, member) in &roster.members {
        let shown = &listed["members"][usize::from(*slot)];
        assert_eq!((&shown["slot"], &shown["node"]), (&(*slot).into(), &member.node.into()));
        let evidence = get(address, &format!("/evidence/{}", member.node)).await;
        assert_eq!((evidence.status, &evidence.body), (200, &evidence_of(*slot)));
        assert!(evidence.head.contains("immutable"), "{}", evidence.head);
        assert_eq!(shown["evidence_sha256"], hex::encode(Hash::of(&evidence.body).0));
        let leaf = fake.entries(member.node, 1, 1).unwrap().remove(0);
        let Ok(Some(SystemEntry::Admission(admission))) = SystemEntry::of(&Entry::parse(&leaf).unwrap())
        else {
            panic!("no admission at {}", member.node)
        };
        let binding = admission.statement(fake.group(), 0).binding();
        assert_eq!(shown["binding"], hex::encode(binding));
        let collateral = get(address, &format!("/evidence/{}/collateral", member.node)).await;
        if *slot == 2 {
            assert!(shown["collateral_sha256"].is_null());
            assert_eq!((collateral.status, &collateral.json()["code"]), (404, &"no-such-node".into()));
        } else {
            assert_eq!(shown["collateral_sha256"], hex::encode(Hash::of(COLLATERAL).0));
            assert_eq!(collateral.body, COLLATERAL);
        }
    }
    // The machine that slot 0 had before: in the ledger still, and not in the list.
    let former = (1..).find(|index| {
        let leaf = fake.entries(*index, 1, 1).unwrap().remove(0);
        Entry::parse(&leaf).unwrap().surface() == "committee.admission"
    });
    let former = get(address, &format!("/evidence/{}", former.unwrap())).await;
    assert_eq!(former.body, evidence_of(0));
    for target in ["/evidence/0", "/evidence/1", "/evidence/18446744073709551615"] {
        let none = get(address, target).await;
        assert_eq!((none.status, &none.json()["code"]), (404, &"no-such-node".into()), "{target}");
    }
    assert_eq!(get(address, &format!("/evidence?nonce={}", "ab".repeat(32))).await.status, 400);
    // Members are admitted over their own port; nothing of it is to be had here.
    assert_eq!(get(address, "/pending-admission").await.status, 404);
    assert_eq!(request(address, "POST", "/admit", &[], b"{}").await.status, 404);
}

#[tokio::test]
async fn evidence_that_the_ledger_does_not_hold_is_said_to_be_unreadable() {
    let fake = Fake::new();
    let address = start(&fake).await;
    let node = fake.roster().unwrap().members[&0].node;
    let broken = get(address, &format!("/evidence/{node}")).await;
    assert_eq!((broken.status, &broken.json()["code"]), (503, &"ledger-unreadable".into()));
}

#[tokio::test]
async fn a_member_signs_its_word_on_a_key_for_a_nonce() {
    let fake = Fake::new();
    fake.put(1, "a", "x");
    let address = start(&fake).await;
    wait_for(async || get(address, "/collections/pairs/a").await.status == 200).await;
    let (nonce, member) = ([9; 32], fake.roster().unwrap().members[&0].clone());
    for (key, index) in [("a", Some(4)), ("none", None)] {
        let answer =
            get(address, &format!("/collections/pairs/{key}?challenge={}", hex::encode(nonce))).await;
        assert_eq!(answer.status, 200);
        let json = answer.json();
        assert_eq!(json["index"].as_u64(), index);
        let checkpoint = verify(&fake, json["checkpoint"].as_str().unwrap()).checkpoint().clone();
        assert_eq!(json["word"]["node"], member.node);
        let mut signature = [0; 64];
        hex::decode_to_slice(json["word"]["signature"].as_str().unwrap(), &mut signature).unwrap();
        let tree = (checkpoint.size, &checkpoint.root);
        let says = |key, index| {
            let message = lookup_message(&checkpoint.origin, 0, &nonce, tree, ("pairs", key), index);
            signed(&member.cosign_key, &message, &signature)
        };
        assert!(says(key, index));
        assert!(!says(key, Some(2)) && !says("other", index));
    }
}

#[tokio::test]
async fn a_follower_sees_each_entry_once_it_is_signed_and_a_heartbeat_in_between() {
    let fake = Fake::new();
    fake.put(1, "a", "x");
    let mut limits = Limits::default();
    limits.heartbeat = Duration::from_millis(200);
    limits.followers = 1;
    let address = start_with(&fake, limits).await;
    wait_for(async || get(address, "/streams/pairs").await.status == 200).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /streams/pairs?follow=1 HTTP/1.1\r\nhost: m\r\n\r\n").await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut next = async |word: &str| loop {
        let line = tokio::time::timeout(Duration::from_secs(5), lines.next_line()).await;
        let line = line.unwrap().unwrap().expect("the stream goes on");
        if line.contains(word) {
            return line;
        }
        assert!(!line.contains("leaf"), "{line} before {word}");
    };
    next("checkpoint").await;
    assert!(next("leaf").await.contains("\"x\""));
    next("heartbeat").await;
    for nonce in 2..5 {
        fake.put(nonce, "a", &format!("y{nonce}"));
        let note = next("checkpoint").await;
        let note: serde_json::Value = serde_json::from_str(&note).unwrap();
        assert_eq!(verify(&fake, note["checkpoint"].as_str().unwrap()).checkpoint().size, fake.size());
        assert!(next("leaf").await.contains(&format!("y{nonce}")));
    }
    let second = get(address, "/streams/pairs?follow=1").await;
    assert_eq!((second.status, second.json()["code"].as_str().unwrap()), (503, "too-many-followers"));
}

#[tokio::test]
async fn refusals_have_a_word_a_reason_and_a_way_on() {
    let fake = Fake::new();
    let address = start(&fake).await;
    let ids = [("hallmark-client", CLIENT), ("hallmark-nonce", "1")];
    let large = "x".repeat(Limits::default().body + 1);
    for (surface, headers, body, status, code, word) in [
        ("nothing", &ids[..], "{}", 404, "unknown-surface", "nothing"),
        ("pairs", &ids[..1], "{}", 400, "malformed", "hallmark-nonce: missing"),
        ("pairs", &[("hallmark-client", "7"), ids[1]], "{}", 400, "malformed", "hallmark-client"),
        ("pairs", &[ids[0], ("hallmark-nonce", "-1")], "{}", 400, "malformed", "hallmark-nonce"),
        ("pairs", &[ids[0], ids[1], ids[1]], "{}", 400, "malformed", "given twice"),
        ("pairs", &ids[..], "{\"op\":\"fly\"}", 400, "malformed", "body"),
        ("pairs", &ids[..], &large, 413, "too-large", "49152"),
    ] {
        let answer = request(address, "POST", &format!("/submit/{surface}"), headers, body.as_bytes()).await;
        let json = answer.json();
        assert_eq!((answer.status, json["code"].as_str().unwrap()), (status, code), "{json}");
        assert!(json["why"].as_str().unwrap().contains(word), "{json}");
        assert!(!json["hint"].as_str().unwrap().is_empty());
    }
    let unknown = get(address, "/streams/nothing").await;
    assert_eq!((unknown.status, &unknown.json()["surfaces"][0]), (404, &"pairs".into()));
    assert_eq!(fake.size(), 4, "nothing was ordered");

    fake.full_disk.store(true, Relaxed);
    let full = submit(address, "1", &put("a", "x")).await;
    assert_eq!((full.status, full.json()["code"].as_str().unwrap()), (507, "no-space"));
    assert_eq!(get(address, "/checkpoint").await.status, 200, "reads go on");
    fake.full_disk.store(false, Relaxed);
    fake.no_leader.store(true, Relaxed);
    let none = submit(address, "1", &put("a", "x")).await;
    assert_eq!(none.status, 503);
    assert!(none.head.contains("retry-after: 1"), "{}", none.head);
    fake.no_leader.store(false, Relaxed);
    fake.lose_answers.store(true, Relaxed);
    assert_eq!(submit(address, "1", &put("a", "x")).await.json()["code"], "outcome-unclear");
}

#[tokio::test]
async fn a_retired_committee_can_be_read_and_names_its_successor() {
    let fake = Fake::new();
    fake.put(1, "a", "x");
    let next = UniqueId::new([8; 32]);
    fake.retire(next);
    let address = start(&fake).await;
    let gone = submit(address, "2", &put("a", "y")).await;
    assert_eq!(gone.status, 410);
    assert_eq!(gone.json()["retirement"]["replacement"], next.to_string());
    assert_eq!(get(address, "/status").await.json()["retirement"]["replacement"], next.to_string());
    wait_for(async || get(address, "/collections/pairs/a").await.status == 200).await;
    assert_eq!(get(address, &format!("/fate/0/{CLIENT}/1")).await.json()["outcome"], "committed");
}

#[tokio::test]
async fn chunked_bodies_and_garbage_behind_a_request() {
    let fake = Fake::new();
    let address = start(&fake).await;
    let body = put("a", "x");
    let chunked = format!(
        "POST /submit/pairs HTTP/1.1\r\nhost: m\r\nconnection: close\r\nhallmark-client: {CLIENT}\r\nhallmark-nonce: 1\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let answer = super::raw::parse(&exchange(address, chunked.as_bytes()).await);
    assert_eq!(answer.json()["outcome"], "committed");
    let piped =
        exchange(address, b"GET /status HTTP/1.1\r\nhost: m\r\n\r\n\x16\x03\x01garbage\r\n\r\n").await;
    let text = String::from_utf8_lossy(&piped);
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("HTTP/1.1 400"), "{text}");
    assert_eq!(get(address, "/status").await.status, 200);
}
