//! Leaders that a member's state does not know yet.

use std::time::Duration;

use hallmark_committee::{Caller, Node, NodeId, PeerRequest, PeerResponse, Role};
use hallmark_ledger::hash::Hash;

use super::group::{Group, Machine, Member, describe, eventually, leader, until_it_signs};

/// A committee with a member that was cut off while a machine was admitted, which leads now. Who was cut off is the first.
async fn led_by_a_stranger(group: &mut Group, liar: bool) -> Vec<Member> {
    let mut members = group.genesis().await;
    let at = leader(&members).await;
    members[at].put(1, 1, "all have this").await.unwrap();
    let n = members.len();
    eventually("all have it", || {
        members.iter().all(|m| m.engine.status().applied == members[at].engine.status().applied)
    })
    .await;
    let behind = members.remove((at + 1) % n);
    group.router.cut([behind.node]);
    let at = leader(&members).await;
    let slot = members[(at + 1) % members.len()].slot;
    let machine = group.machine(slot);
    let new = group.join(&machine, &members[at]).await.unwrap();
    let at = members.iter().position(|member| member.slot == slot).unwrap();
    let gone = members.remove(at);
    group.router.unplug(&gone.spki);
    gone.engine.shutdown().await;
    members.insert(0, new);
    eventually("the new one votes", || {
        let status = members[0].engine.status();
        status.voters.contains(&members[0].node) && status.voters.len() == n
    })
    .await;
    members[0].put(2, 1, "with it").await.unwrap();
    if liar {
        // One of those whom the cut-off member knows pins the new machine's key to another node, and names a stranger.
        let (lies, key) = (members[1].node, members[0].spki);
        group.router.lie(move |from, answer| {
            if let (true, PeerResponse::Description(description)) = (from == lies, answer) {
                let name = |spki_sha256| Node { spki_sha256, ..Node::default() };
                description.members =
                    vec![(NodeId::MAX, name(key)), (NodeId::MAX - 1, name([99; 32])), (1 << 40, name(key))];
            }
        });
    }
    // The others stay silent until the new one leads.
    eventually("the new one leads", || {
        let status = members[0].engine.status();
        if status.role != Role::Leader {
            let engine = members[0].engine.clone();
            tokio::spawn(async move { engine.stand().await });
            std::thread::sleep(Duration::from_millis(150));
        }
        status.role == Role::Leader
    })
    .await;
    members.insert(0, behind);
    members
}

async fn follows(group: &Group, members: &[Member]) {
    group.router.cut([]);
    eventually("the one that was cut off follows the new leader", || {
        let (behind, now) = (members[0].engine.status(), members[1].engine.status());
        behind.applied == now.applied && behind.roster == now.roster
    })
    .await;
    assert!(members.iter().all(|m| m.engine.status().fault.is_none()), "{:?}", describe(members));
    for member in members {
        member.put(3, member.node, "on").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_cut_off_follows_a_machine_admitted_meanwhile() {
    let mut group = Group::new(5, 3);
    let members = led_by_a_stranger(&mut group, false).await;
    follows(&group, &members).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lying_member_does_not_shut_the_new_machine_out() {
    let mut group = Group::new(5, 3);
    let members = led_by_a_stranger(&mut group, true).await;
    follows(&group, &members).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_joiner_follows_a_leader_that_its_snapshot_does_not_know() {
    let mut group = Group::new(3, 2);
    // One early snapshot, and none after.
    group.limits.snapshot_entries = 12;
    group.limits.keep_entries = 0;
    let mut members = group.genesis().await;
    let at = leader(&members).await;
    for nonce in 0..13 {
        members[at].put(1, nonce, "early").await.unwrap();
    }
    let known = |member: &Member| member.engine.status().roster;
    // The other two are replaced, one after the other; the log behind the snapshot is all that names them.
    for _ in 0..2 {
        let at = leader(&members).await;
        let gone = members.remove((at + 1) % 3);
        group.router.unplug(&gone.spki);
        gone.engine.shutdown().await;
        let at = leader(&members).await;
        let machine: Machine = group.machine(gone.slot);
        let new = group.join(&machine, &members[at]).await.unwrap();
        members.push(new);
        eventually("it votes", || {
            let status = members[2].engine.status();
            status.voters.contains(&status.node) && status.voters.len() == 3 && status.cosigned > status.node
        })
        .await;
        until_it_signs(&members[at], &members[2]).await;
    }
    assert_eq!(known(&members[0]), known(&members[2]));
    let newest = members[2].engine.clone();
    eventually("the newest leads", || {
        if newest.status().role != Role::Leader {
            let engine = newest.clone();
            tokio::spawn(async move { engine.stand().await });
            std::thread::sleep(Duration::from_millis(150));
        }
        newest.status().role == Role::Leader
    })
    .await;
    let gone = members.remove(0);
    group.router.unplug(&gone.spki);
    gone.engine.shutdown().await;
    let machine = group.machine(gone.slot);
    let at = leader(&members).await;
    let new = group.join(&machine, &members[at]).await.unwrap();
    members.push(new);
    until_it_signs(&members[at], &members[2]).await;
    eventually("it has all", || {
        let (new, old) = (members[2].engine.status(), members[at].engine.status());
        new.applied == old.applied && new.stored == old.cosigned
    })
    .await;
    assert!(members.iter().all(|m| m.engine.status().fault.is_none()), "{:?}", describe(&members));
}

/// A machine that only a roster's member names speaks Raft; nothing else is taken from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_named_stranger_gets_to_raft_and_to_nothing_else() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    members[at].put(1, 1, "a").await.unwrap();
    let asked = &members[(at + 1) % 3];
    let caller = Caller { spki_sha256: Hash::of("a stranger's key").0 };
    let vote = |term, node| {
        PeerRequest::Vote(openraft::raft::VoteRequest::new(openraft::Vote::new(term, node), None))
    };
    let refused = |answer: &PeerResponse| matches!(answer, PeerResponse::Refused { .. });
    assert!(refused(&asked.engine.handle(caller, vote(1, 500)).await));
    group.router.lie(move |_, answer| {
        if let PeerResponse::Description(description) = answer {
            description.members.insert(0, (500, Node { spki_sha256: caller.spki_sha256, ..Node::default() }));
        }
    });
    let mut heard = false;
    for _ in 0..100 {
        if matches!(asked.engine.handle(caller, vote(1, 500)).await, PeerResponse::Vote(_)) {
            heard = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(heard, "a named machine speaks Raft");
    // For itself alone.
    assert!(refused(&asked.engine.handle(caller, vote(1, 501)).await));
    assert!(refused(&asked.engine.handle(caller, vote(1, members[at].node)).await));
    let settle =
        hallmark_committee::Proposal::Settle { client: hallmark_machine::ClientId::new([1; 32]), nonce: 77 };
    for request in [
        PeerRequest::Propose(vec![settle]),
        PeerRequest::Cosigned(Vec::new()),
        PeerRequest::Checkpoint(b"x".to_vec()),
        PeerRequest::Join,
    ] {
        let answer = asked.engine.handle(caller, request).await;
        assert!(refused(&answer), "{answer:?}");
    }
    // What anybody may ask, it may.
    assert!(matches!(asked.engine.handle(caller, PeerRequest::Describe).await, PeerResponse::Description(_)));
}
