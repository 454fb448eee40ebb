//! Machines that come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hallmark_committee::{Fault, Lacks, Outcome, PeerRequest, Start, SubmitError};
use hallmark_ledger::system::{Expulsion, Retirement};

use super::group::{Group, describe, eventually, leader, lose};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_died_is_replaced_in_its_slot() {
    let mut group = Group::new(3, 2);
    let mut members = group.genesis().await;
    let at = leader(&members).await;
    members[at].put(1, 1, "before").await.unwrap();
    let gone = lose(&group, &mut members).await;
    let at = leader(&members).await;
    let machine = group.machine(gone.slot);
    let new = group.join(&machine, &members[at]).await.unwrap();
    assert_ne!(new.node, gone.node);
    members.push(new);
    eventually("the new one votes, the old one does not", || {
        let voters = members[at].engine.status().voters;
        voters.len() == 3 && voters.contains(&members[2].node) && !voters.contains(&gone.node)
    })
    .await;
    // It signs: with the other follower cut off, the leader and the new one are a quorum.
    let other = (0..2).find(|i| *i != at).unwrap();
    group.router.cut([members[other].node]);
    members[at].put(1, 2, "after").await.unwrap();
    group.router.cut([]);
    eventually("the new one's files are whole", || {
        let status = members[2].engine.status();
        status.stored == status.cosigned && status.cosigned == members[at].engine.status().cosigned
    })
    .await;
    members[2].engine.ledger(|dir| dir.verify().unwrap());
    assert!(members.iter().all(|m| m.engine.status().fault.is_none()), "{:?}", describe(&members));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_says_what_it_lacks_to_count() {
    let mut group = Group::new(3, 2);
    let mut members = group.genesis().await;
    let at = leader(&members).await;
    members[at].put(1, 1, "before").await.unwrap();
    let gone = lose(&group, &mut members).await;
    let at = leader(&members).await;
    let machine = group.machine(gone.slot);
    let admitting = group.admitting(&machine, Some(gone.node));
    let node = members[at].engine.admit(admitting).await.unwrap().node;
    // Nobody tells it anything: whether a quorum of others knows of it, it cannot know.
    let talking = Arc::new(AtomicBool::new(false));
    let talks = Arc::clone(&talking);
    group.router.meddle(move |to, request| {
        if to == node && !talks.load(Ordering::SeqCst) {
            *request = PeerRequest::Describe;
        }
    });
    let new = group.start(&machine, node, Start::Join).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(new.engine.status().lacks, Some(Lacks::Witnesses));
    talking.store(true, Ordering::SeqCst);
    eventually("it counts", || new.engine.status().lacks.is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_be_admitted_is_not() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    let holder = Some(members[1].node);
    let why = |error: SubmitError| match error {
        SubmitError::Refused { why, .. } => why,
        other => panic!("{other}"),
    };
    let machine = group.machine(1);
    // Another slot's operator.
    let mut admitting = group.admitting(&machine, holder);
    admitting.admission.slot = 2;
    admitting.admission.replaces = Some(members[2].node);
    let refused = why(members[at].engine.admit(admitting).await.unwrap_err());
    assert!(refused.contains("slot_signature"), "{refused}");
    // Not the slot's holder.
    let refused = why(members[at].engine.admit(group.admitting(&machine, None)).await.unwrap_err());
    assert!(refused.contains("replaces"), "{refused}");
    // Evidence that is not there.
    let mut admitting = group.admitting(&machine, holder);
    admitting.evidence = b"other".to_vec();
    let refused = why(members[at].engine.admit(admitting).await.unwrap_err());
    assert!(refused.contains("sent along"), "{refused}");
    // A key that was admitted before.
    let mut again = group.machine(1);
    again.seed = [2; 32];
    let refused = why(members[at].engine.admit(group.admitting(&again, holder)).await.unwrap_err());
    assert!(refused.contains("admitted before"), "{refused}");
    assert_eq!(members[at].engine.roster().members[&1].node, members[1].node);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_joiner_comes_by_a_snapshot_and_fetches_the_rest() {
    let mut group = Group::new(3, 2);
    group.limits.snapshot_entries = 20;
    group.limits.keep_entries = 4;
    group.limits.entries = 16;
    let mut members = group.genesis().await;
    let at = leader(&members).await;
    for nonce in 0..90 {
        members[at].put(1, nonce, &format!("v{nonce}")).await.unwrap();
    }
    let gone = lose(&group, &mut members).await;
    let at = leader(&members).await;
    let machine = group.machine(gone.slot);
    let new = group.join(&machine, &members[at]).await.unwrap();
    members.push(new);
    for nonce in 90..100 {
        members[at].put(1, nonce, &format!("v{nonce}")).await.unwrap();
    }
    eventually("the new one has it all", || {
        let (new, old) = (members[2].engine.status(), members[at].engine.status());
        new.stored == old.cosigned && new.cosigned == old.cosigned
    })
    .await;
    members[2].engine.ledger(|dir| dir.verify().unwrap());
    assert_eq!(members[2].engine.machine(|kv| kv.get("k1").map(str::to_owned)), Some("v99".into()));
    // What it did before the snapshot, it knows: a retry is answered.
    let receipt = members[2].put(1, 50, "v50").await.unwrap();
    assert!(matches!(receipt.outcome, Outcome::Committed { .. }));
    assert!(members.iter().all(|m| m.engine.status().fault.is_none()), "{:?}", describe(&members));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_expelled_by_its_operators() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    let out = (at + 1) % 3;
    let mut expulsion =
        Expulsion { node: members[out].node, why: "signed two".into(), signatures: Vec::new() };
    let refused = members[at].engine.expel(expulsion.clone()).await.unwrap_err();
    assert!(matches!(refused, SubmitError::Refused { .. }), "{refused}");
    expulsion.signatures = group.sign(&expulsion.message(&group.id, 0), &[0, 2]);
    members[at].engine.expel(expulsion).await.unwrap();
    eventually("it votes no more", || members[at].engine.status().voters.len() == 2).await;
    members[at].put(1, 1, "without it").await.unwrap();
    eventually("it knows", || matches!(members[out].engine.status().fault, Some(Fault::NotInRoster { .. })))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_retirement_nothing_is_ordered() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    let first = members[at].put(1, 1, "a").await.unwrap();
    let mut end = Retirement { effective_at: 1, replacement: None, signatures: Vec::new() };
    end.signatures = group.sign(&end.message(&group.id, 0), &[0, 1]);
    let index = members[at].engine.retire(end).await.unwrap().outcome.index();
    eventually("all know", || members.iter().all(|m| m.engine.status().retired == Some(index))).await;
    eventually("all know it signed", || members.iter().all(|m| m.engine.status().cosigned == index + 1))
        .await;
    for member in &members {
        assert_eq!(member.put(1, 2, "b").await.unwrap_err(), SubmitError::Retired { index });
        assert_eq!(member.put(1, 1, "a").await.unwrap().outcome, first.outcome);
        assert_eq!(member.engine.status().applied, index + 1);
    }
}
