//! Commands, receipts, fates.

use std::time::Duration;

use hallmark_committee::{Fate, Outcome, SubmitError};
use hallmark_ledger::cosignature::{Keys, SignedCheckpoint};
use hallmark_ledger::entry::Entry;
use hallmark_ledger::hash;
use hallmark_ledger::note::Verifier;
use hallmark_ledger::store::LogDir;
use hallmark_machine::ClientId;

use super::group::{Group, describe, eventually, leader, put};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_members_acknowledge_under_two_signatures() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    let receipt = members[at].put(1, 1, "one").await.unwrap();
    let Outcome::Committed { first, entries: 1 } = receipt.outcome else { panic!("{receipt:?}") };
    // The receipt proves itself: two of the roster signed, and the entry is under their root.
    let engine = &members[at].engine;
    let roster = engine.roster();
    let log = Verifier::parse(&group.genesis.log_key).unwrap();
    let keys = Keys { log: &log, roster: &roster, quorum: 2 };
    let checkpoint = SignedCheckpoint::verify(receipt.checkpoint.note().as_bytes(), &keys).unwrap();
    let size = checkpoint.checkpoint().size;
    let (leaf, proof) = engine.ledger(|dir| (dir.entry(first).unwrap(), dir.inclusion(first, size).unwrap()));
    proof.verify(&hash::leaf(&leaf), &checkpoint.checkpoint().root).unwrap();
    let entry = Entry::parse(&leaf).unwrap();
    assert_eq!(
        (entry.surface(), entry.key(), entry.body().get()),
        ("pairs", Some("k1"), r#"{"value":"one"}"#)
    );
    assert_eq!(entry.submission().unwrap().nonce, 1);
    // Any member takes a command, and comes to the same.
    for (nonce, member) in (2..).zip(&members) {
        member.put(1, nonce, "more").await.unwrap();
    }
    eventually("all apply all", || members.iter().all(|m| m.engine.status().cosigned == first + 4)).await;
    let roots: Vec<_> = members.iter().map(|m| m.engine.ledger(LogDir::root)).collect();
    assert!(roots.iter().all(|root| *root == roots[0]), "{:?}", describe(&members));
    assert!(members.iter().all(|m| m.engine.status().fault.is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_returns_the_first_receipt_and_another_command_is_refused() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    let first = members[at].put(1, 7, "a").await.unwrap();
    for member in &members {
        let again = member.put(1, 7, "a").await.unwrap();
        assert_eq!(again.outcome, first.outcome);
        let other = member.put(1, 7, "b").await.unwrap_err();
        assert_eq!(other, SubmitError::NonceUsed { nonce: 7, first: first.outcome.index() });
    }
    // Twenty at once are one.
    let together = futures_util::future::join_all((0..20).map(|i| members[i % 3].put(2, 1, "x"))).await;
    let outcomes: Vec<_> = together.into_iter().map(|receipt| receipt.unwrap().outcome).collect();
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_command_is_not_ordered_and_a_rejection_is_an_answer() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    let mut submission = put(1, 1, "a");
    submission.surface = "other".into();
    let error = members[at].engine.submit(submission).await.unwrap_err();
    assert_eq!(error, SubmitError::UnknownSurface { surface: "other".into(), have: vec!["pairs".into()] });
    let mut submission = put(1, 1, "a");
    submission.body = b"{}".to_vec();
    assert!(matches!(members[at].engine.submit(submission).await, Err(SubmitError::Malformed { .. })));
    let mut submission = put(1, 1, "a");
    submission.body = vec![b' '; 1 << 20];
    assert!(matches!(members[at].engine.submit(submission).await, Err(SubmitError::TooLarge { .. })));
    let mut submission = put(1, 1, "a");
    submission.body = br#"{"op":"delete","key":"gone"}"#.to_vec();
    let receipt = members[at].engine.submit(submission).await.unwrap();
    let Outcome::Rejected { index, code, .. } = receipt.outcome else { panic!("not rejected") };
    assert_eq!(code, "no-such-key");
    let leaf = members[at].engine.ledger(|dir| dir.entry(index).unwrap());
    assert_eq!(Entry::parse(&leaf).unwrap().surface(), "committee.rejection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settled_fate_is_final() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    leader(&members).await;
    let client = ClientId::new([9; 32]);
    assert!(matches!(members[0].engine.fate(client, 4), Fate::Pending));
    let Fate::Settled(receipt) = members[1].engine.settle(client, 4).await.unwrap() else { panic!() };
    let Outcome::Invalid { index } = receipt.outcome else { panic!("{receipt:?}") };
    // The command comes too late, anywhere.
    for member in &members {
        let late = member.put(9, 4, "late").await.unwrap();
        assert_eq!(late.outcome, Outcome::Invalid { index });
    }
    // A committed one stays committed.
    let receipt = members[2].put(9, 5, "in time").await.unwrap();
    let Fate::Settled(settled) = members[0].engine.settle(client, 5).await.unwrap() else { panic!() };
    assert_eq!(settled.outcome, receipt.outcome);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposed_leader_acknowledges_nothing_and_what_it_acknowledged_stays() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let old = leader(&members).await;
    let kept = members[old].put(1, 1, "kept").await.unwrap();
    group.router.cut([members[old].node]);
    // The old leader takes it, and cannot have it signed.
    let engine = members[old].engine.clone();
    let cut_off = tokio::spawn(async move { engine.submit(put(1, 2, "cut off")).await });
    let others: Vec<_> = (0..3).filter(|i| *i != old).collect();
    eventually("a new leader", || {
        others.iter().any(|i| members[*i].engine.status().role == hallmark_committee::Role::Leader)
    })
    .await;
    let next = members[others[0]].put(1, 3, "next").await.unwrap();
    assert_eq!(next.outcome.index(), kept.outcome.index() + 1);
    let client = ClientId::new([1; 32]);
    assert!(matches!(members[others[1]].engine.fate(client, 2), Fate::Pending));
    let Fate::Settled(receipt) = members[others[1]].engine.settle(client, 2).await.unwrap() else { panic!() };
    assert!(matches!(receipt.outcome, Outcome::Invalid { .. }), "{receipt:?}");
    group.router.cut([]);
    // The one who waited at the old leader hears the same: it was lost, handed on again, and found settled.
    let heard = tokio::time::timeout(Duration::from_secs(9), cut_off).await.unwrap().unwrap();
    match heard {
        Ok(receipt) => assert!(matches!(receipt.outcome, Outcome::Invalid { .. }), "{receipt:?}"),
        Err(error) => assert!(matches!(error, SubmitError::Lost | SubmitError::Unclear), "{error}"),
    }
    eventually("the old leader follows", || {
        let ours = members[old].engine.status();
        ours.cosigned == members[others[0]].engine.status().cosigned && ours.fault.is_none()
    })
    .await;
    let roots: Vec<_> = members.iter().map(|m| m.engine.ledger(LogDir::root)).collect();
    assert!(roots.iter().all(|root| *root == roots[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_commands_share_a_flush() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    let before = members[at].engine.counters();
    let client = |client: u8| {
        let engine = members[at].engine.clone();
        async move {
            for nonce in 0..10 {
                engine.submit(put(client, nonce, "v")).await.unwrap();
            }
        }
    };
    futures_util::future::join_all((0..64).map(client)).await;
    let after = members[at].engine.counters();
    let (syncs, commits) = (after.syncs - before.syncs, 640);
    assert!(syncs * 4 < commits, "{syncs} flushes for {commits} commits");
    // One flush a transaction: redb's one-phase commit.
    assert!(syncs <= after.batches - before.batches + 3, "{syncs} flushes, {after:?}");
}
