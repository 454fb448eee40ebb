//! Operators' orders, and members that sign two histories.

use std::time::Duration;

use hallmark_committee::{
    Caller, Fate, Fault, NodeId, PeerRequest, PeerResponse, Proposal, Signed, SubmitError,
};
use hallmark_ledger::checkpoint::{self, Checkpoint};
use hallmark_ledger::cosignature::{CheckedCosignature, CosignKey, SignedCheckpoint};
use hallmark_ledger::hash::Hash;
use hallmark_ledger::note::Signer;
use hallmark_ledger::replay::Obligation;
use hallmark_ledger::system::{Expulsion, Release, ReleaseAction, Retirement, SystemEntry};
use hallmark_machine::ClientId;

use super::group::{Group, Member, describe, entries, eventually, leader, lose, replayed};

fn why(error: SubmitError) -> String {
    match error {
        SubmitError::Refused { why, .. } => why,
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_of_operators_changes_the_releases() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    let engine = &members[at].engine;
    let order = |sha256: Hash, action: ReleaseAction, slots: &[u16]| {
        let mut release = Release { sha256, action, signatures: Vec::new() };
        release.signatures = group.sign(&release.message(&group.id, 0), slots);
        release
    };
    let (old, new) = (Hash::of("release"), Hash::of("the next"));
    let refused = why(engine.release(order(new, ReleaseAction::Admit, &[2])).await.unwrap_err());
    assert!(refused.contains('2'), "{refused}");
    // Another change's signatures.
    let mut other = order(new, ReleaseAction::Retire, &[0, 1]);
    other.action = ReleaseAction::Admit;
    why(engine.release(other).await.unwrap_err());
    engine.release(order(new, ReleaseAction::Admit, &[0, 2])).await.unwrap();
    let again = why(engine.release(order(new, ReleaseAction::Admit, &[0, 1])).await.unwrap_err());
    assert!(again.contains("already"), "{again}");
    let unknown = Hash::of("never");
    let refused = why(engine.release(order(unknown, ReleaseAction::Retire, &[0, 1])).await.unwrap_err());
    assert!(refused.contains("does not count"), "{refused}");
    engine.release(order(old, ReleaseAction::Retire, &[1, 2])).await.unwrap();
    eventually("all members count one release", || members.iter().all(|m| m.engine.releases() == [new]))
        .await;
    let (replay, _) = replayed(&members[at]);
    assert_eq!(replay.releases().collect::<Vec<_>>(), [&new]);
}

/// A tree of a size that this member knows, with another root, signed by these members' real keys.
fn other_history(at: &Member, size: u64) -> Checkpoint {
    let roster = at.engine.roster();
    Checkpoint {
        origin: at.engine.genesis().unwrap().origin,
        size,
        root: Hash::of("another history"),
        epoch: 0,
        recoveries: 0,
        roster: roster.hash(),
    }
}

/// The machines of a genesis have seeds 1, 2, ... by slot.
fn sign_as(member: &Member, checkpoint: &Checkpoint) -> CheckedCosignature {
    let seed = [u8::try_from(member.slot).unwrap() + 1; 32];
    CosignKey::from_seed(&seed).cosign(checkpoint, member.slot, member.node, 1_760_000_001)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_signs_two_histories_is_kept_as_evidence_and_expelled() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    let receipt = members[at].put(1, 1, "a").await.unwrap();
    let size = receipt.checkpoint.checkpoint().size;
    let signers: Vec<NodeId> = receipt.checkpoint.cosignatures().iter().map(|c| c.node).collect();
    let rogue = (0..3).find(|i| *i != at && signers.contains(&members[*i].node)).unwrap();
    // A follower finds the proof, whoever leads; the leader orders it.
    let finder = 3 - at - rogue;
    eventually("the finder has the checkpoint", || members[finder].engine.status().cosigned >= size).await;
    let other = other_history(&members[at], size);
    let lie = Signed {
        size,
        root: other.root,
        cosignature: sign_as(&members[rogue], &other).cosignature().clone(),
    };
    let caller = Caller { spki_sha256: members[rogue].spki };
    let answer = members[finder].engine.handle(caller, PeerRequest::Cosigned(vec![lie])).await;
    assert!(matches!(answer, PeerResponse::Done));
    let node = members[rogue].node;
    eventually("found", || members[finder].engine.status().equivocations == [node]).await;
    eventually("ordered", || {
        entries(&members[at])
            .iter()
            .any(|e| matches!(e, SystemEntry::Equivocation(proof) if proof.node == node))
    })
    .await;
    // Once: whoever else has the proof is told so.
    let proof = entries(&members[at]).into_iter().find_map(|e| match e {
        SystemEntry::Equivocation(proof) => Some(proof),
        _ => None,
    });
    let again = members[at].engine.propose(Proposal::Equivocation(proof.unwrap())).await.unwrap_err();
    assert!(why(again).contains("already"));
    // Operators put it out; what it signs counts no more, and the others go on.
    let mut expulsion = Expulsion { node, why: "signed two histories".into(), signatures: Vec::new() };
    expulsion.signatures = group.sign(&expulsion.message(&group.id, 0), &[0, 1]);
    members[at].engine.expel(expulsion).await.unwrap();
    members[at].put(1, 2, "without it").await.unwrap();
    eventually("it knows", || {
        matches!(members[rogue].engine.status().fault, Some(Fault::NotInRoster { .. }))
    })
    .await;
    let (replay, _) = replayed(&members[at]);
    assert!(replay.roster().unwrap().node(node).is_none());
    assert!(members[at].engine.status().fault.is_none(), "{:?}", describe(&members));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sees_a_quorum_sign_another_tree_stops() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    members[at].put(1, 1, "a").await.unwrap();
    let victim = (at + 1) % 3;
    let (to, third) = (members[victim].node, 3 - at - victim);
    eventually("all are at one", || {
        members.iter().all(|m| m.engine.status().cosigned == members[at].engine.status().applied)
    })
    .await;
    // No true checkpoint gets there any more.
    group.router.meddle(move |node, request| {
        if let (true, PeerRequest::Checkpoint(note)) = (node == to, request) {
            note.clear();
        }
    });
    let receipt = members[at].put(1, 2, "b").await.unwrap();
    let size = receipt.checkpoint.checkpoint().size;
    eventually("applied", || members[victim].engine.status().applied >= size).await;
    let other = other_history(&members[at], size);
    let signatures = [sign_as(&members[at], &other), sign_as(&members[third], &other)];
    let origin = checkpoint::origin(group.id.as_bytes(), 0);
    let log = Signer::from_seed(&origin, &group.log_seed).unwrap();
    let roster = members[at].engine.roster();
    // One signature is none.
    let one = SignedCheckpoint::assemble(other.clone(), &log, &signatures[..1], &roster, 1).unwrap();
    let caller = Caller { spki_sha256: members[at].spki };
    let tell = |note: &SignedCheckpoint| PeerRequest::Checkpoint(note.note().as_bytes().to_vec());
    members[victim].engine.handle(caller, tell(&one)).await;
    assert!(members[victim].engine.status().fault.is_none());
    let two = SignedCheckpoint::assemble(other, &log, &signatures, &roster, 2).unwrap();
    members[victim].engine.handle(caller, tell(&two)).await;
    let status = members[victim].engine.status();
    assert_eq!(status.fault, Some(Fault::Diverged { size }));
    assert_eq!(serde_json::to_value(&status).unwrap()["fault"]["fault"], "diverged");
    let signed = members[victim].engine.counters().signatures;
    assert!(matches!(members[victim].put(1, 3, "c").await.unwrap_err(), SubmitError::Stopped { .. }));
    assert!(members[victim].engine.freshness(&[1; 32]).is_none());
    // The others go on, with its signature gone.
    members[at].put(1, 4, "d").await.unwrap();
    assert_eq!(members[victim].engine.counters().signatures, signed);
}

/// Takes members that do not lead out for good until so many are left.
async fn reduce(group: &Group, members: &mut Vec<Member>, left: usize) -> usize {
    while members.len() > left {
        lose(group, members).await;
    }
    leader(members).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_of_five_acknowledge_and_two_do_not() {
    let mut group = Group::new(5, 3);
    let mut members = group.genesis().await;
    let at = leader(&members).await;
    members[at].put(1, 1, "five").await.unwrap();
    let at = reduce(&group, &mut members, 3).await;
    let receipt = members[at].put(1, 2, "three").await.unwrap();
    assert_eq!(receipt.checkpoint.cosignatures().len(), 3);
    let at = reduce(&group, &mut members, 2).await;
    silent(&members[at], 3).await;
    replayed(&members[at]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_quorum_of_four_three_of_five_order_and_acknowledge_nothing() {
    let mut group = Group::new(5, 4);
    let mut members = group.genesis().await;
    let at = reduce(&group, &mut members, 4).await;
    let receipt = members[at].put(1, 1, "four").await.unwrap();
    assert_eq!(receipt.checkpoint.cosignatures().len(), 4);
    let at = reduce(&group, &mut members, 3).await;
    silent(&members[at], 2).await;
    // Raft orders it all the same: it is there, and nobody is told.
    let status = members[at].engine.status();
    assert!(status.applied > status.cosigned, "{status:?}");
    assert!(matches!(members[at].engine.fate(ClientId::new([1; 32]), 2), Fate::Pending));
}

async fn silent(member: &Member, nonce: u64) {
    let waits = tokio::time::timeout(Duration::from_millis(1500), member.put(1, nonce, "never told")).await;
    assert!(waits.is_err(), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retirement_is_the_last_entry_and_reads_go_on() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    let kept = members[at].put(1, 1, "kept").await.unwrap();
    let mut end = Retirement { effective_at: 1, replacement: Some(group.id), signatures: Vec::new() };
    end.signatures = group.sign(&end.message(&group.id, 0), &[0]);
    why(members[at].engine.retire(end.clone()).await.unwrap_err());
    end.signatures = group.sign(&end.message(&group.id, 0), &[0, 1]);
    let index = members[at].engine.retire(end.clone()).await.unwrap().outcome.index();
    let retired = SubmitError::Retired { index };
    eventually("all know", || members.iter().all(|m| m.engine.status().retired == Some(index))).await;
    // Nothing of any kind is ordered behind it.
    assert_eq!(members[at].put(1, 2, "late").await.unwrap_err(), retired);
    assert_eq!(members[at].engine.retire(end).await.unwrap_err(), retired);
    assert_eq!(members[at].engine.settle(ClientId::new([1; 32]), 9).await.unwrap_err(), retired);
    let machine = group.machine(1);
    let late = group.admitting(&machine, Some(members[1].node));
    assert_eq!(members[at].engine.admit(late).await.unwrap_err(), retired);
    let mut release = Release { sha256: Hash::of("x"), action: ReleaseAction::Admit, signatures: Vec::new() };
    release.signatures = group.sign(&release.message(&group.id, 0), &[0, 1]);
    assert_eq!(members[at].engine.release(release).await.unwrap_err(), retired);
    // Reads go on: entries, fates, challenges, of each member, and to whoever asks for leaves.
    eventually("all have it under a quorum", || {
        members.iter().all(|m| m.engine.status().cosigned == index + 1)
    })
    .await;
    for member in &members {
        assert_eq!(member.put(1, 1, "kept").await.unwrap().outcome, kept.outcome);
        assert_eq!(member.engine.freshness(&[3; 32]).unwrap().size, index + 1);
        let (replay, left) = replayed(member);
        assert!(replay.is_retired() && replay.size() == index + 1);
        assert!(
            matches!(left.last(), Some(Obligation::Retired { replacement: Some(id), .. }) if *id == group.id)
        );
        let caller = Caller { spki_sha256: [0; 32] };
        let leaves = member.engine.handle(caller, PeerRequest::Entries { from: index, limit: 9 }).await;
        assert!(matches!(leaves, PeerResponse::Entries(leaves) if leaves.len() == 1));
    }
}
