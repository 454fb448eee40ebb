//! What a snapshot is worth that a leader gives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hallmark_committee::{Fault, Lacks, NodeId, PeerRequest, PeerResponse};
use hallmark_ledger::cosignature::CosignKey;

use super::group::{Group, Machine, Member, describe, eventually, leader, lose, until_it_signs};

/// A committee of three with several snapshots behind it, whose logs do not go back to the beginning.
async fn old_committee(group: &mut Group, puts: u64) -> Vec<Member> {
    group.limits.snapshot_entries = 10;
    group.limits.keep_entries = 2;
    group.limits.entries = 16;
    let members = group.genesis().await;
    let at = leader(&members).await;
    for nonce in 0..puts {
        members[at].put(1, nonce, &format!("value-{nonce:04}")).await.unwrap();
    }
    members
}

/// Every snapshot that goes out has `from` replaced by `to`. Says how often.
fn doctor(group: &Group, changes: Vec<(Vec<u8>, Vec<u8>)>) -> Arc<AtomicUsize> {
    let found = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&found);
    group.router.meddle(move |_, request| {
        let PeerRequest::Snapshot(part) = request else { return };
        for (from, to) in &changes {
            assert_eq!(from.len(), to.len());
            for at in 0..part.data.len().saturating_sub(from.len()) {
                if part.data[at..].starts_with(from) {
                    part.data[at..at + from.len()].copy_from_slice(to);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    });
    found
}

/// A joiner that is given doctored snapshots signs nothing and says what is wrong.
async fn refuses(group: &mut Group, mut members: Vec<Member>, changes: Vec<(Vec<u8>, Vec<u8>)>, what: &str) {
    let slot = lose(group, &mut members).await.slot;
    let found = doctor(group, changes);
    let at = leader(&members).await;
    let machine = group.machine(slot);
    let new = group.join(&machine, &members[at]).await.unwrap();
    eventually("the joiner knows", || {
        let status = new.engine.status();
        matches!(&status.fault, Some(Fault::Snapshot { what: is, .. }) if is == what)
    })
    .await;
    assert!(found.load(Ordering::Relaxed) > 0, "nothing was doctored");
    let now = leader(&members).await;
    members[now].put(2, 1, "on").await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let status = new.engine.status();
    assert_eq!((status.signed, status.cosigned), (0, 0), "{status:?}");
    assert!(new.engine.counters().signatures == 0 && new.engine.freshness(&[7; 32]).is_none());
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(
        (json["fault"]["fault"].as_str(), json["fault"]["what"].as_str()),
        (Some("snapshot"), Some(what))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_with_another_machine_is_refused() {
    let mut group = Group::new(3, 2);
    let members = old_committee(&mut group, 40).await;
    // The newest snapshot has one of the last values.
    let changes = (0..40).map(|n| (format!("value-{n:04}").into(), format!("VALUE-{n:04}").into())).collect();
    refuses(&mut group, members, changes, "digest").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_with_another_roster_is_refused() {
    let mut group = Group::new(3, 2);
    let members = old_committee(&mut group, 40).await;
    let roster = members[0].engine.roster();
    let stranger = CosignKey::from_seed(&[200; 32]).public();
    let changes =
        roster.members.values().map(|m| (m.cosign_key.to_vec(), stranger.to_vec())).take(1).collect();
    refuses(&mut group, members, changes, "roster").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_another_tree_is_refused() {
    let mut group = Group::new(3, 2);
    let members = old_committee(&mut group, 60).await;
    let at = leader(&members).await;
    // The first leaves' subtree, whichever the snapshot's size has on its left edge.
    let peaks = members[at].engine.ledger(|dir| [16, 32, 64].map(|size| dir.root_at(size).unwrap()));
    refuses(&mut group, members, peaks.map(|peak| (peak.0.to_vec(), vec![7; 32])).to_vec(), "tree").await;
}

/// Cuts a follower off until the others have dropped the log that it would need.
async fn left_behind(group: &Group, members: &[Member]) -> (usize, usize) {
    let at = leader(members).await;
    let behind = (at + 1) % 3;
    members[at].put(3, 0, "all have this").await.unwrap();
    eventually("it signed", || members[behind].engine.status().signed > 0).await;
    group.router.cut([members[behind].node]);
    for nonce in 0..40 {
        members[at].put(4, nonce, &format!("other-{nonce:04}")).await.unwrap();
    }
    (at, behind)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_lagged_does_not_sign_a_doctored_snapshot() {
    let mut group = Group::new(3, 2);
    let members = old_committee(&mut group, 20).await;
    let (_, behind) = left_behind(&group, &members).await;
    let before = members[behind].engine.status();
    let changes = (0..40).map(|n| (format!("other-{n:04}").into(), format!("OTHER-{n:04}").into())).collect();
    let found = doctor(&group, changes);
    group.router.cut([]);
    eventually("it knows", || {
        matches!(&members[behind].engine.status().fault, Some(Fault::Snapshot { what, .. }) if what == "digest")
    })
    .await;
    assert!(found.load(Ordering::Relaxed) > 0);
    let after = members[behind].engine.status();
    assert_eq!((after.signed, after.cosigned), (before.signed, before.cosigned));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_lagged_signs_again_with_the_one_that_is_left() {
    let mut group = Group::new(3, 2);
    let members = old_committee(&mut group, 20).await;
    let (at, behind) = left_behind(&group, &members).await;
    // The third goes for good before the one that lagged is back: the leader's note has its signature.
    let third = 3 - at - behind;
    group.router.unplug(&members[third].spki);
    members[third].engine.shutdown().await;
    group.router.cut([]);
    eventually("vouched for", || {
        let status = members[behind].engine.status();
        status.applied == members[at].engine.status().applied && status.unvouched.is_none()
    })
    .await;
    members[at].put(5, 1, "two are enough").await.unwrap();
    let status = members[behind].engine.status();
    assert!(status.fault.is_none() && members[behind].engine.counters().signatures > 0, "{status:?}");
    eventually("its files are whole", || {
        let status = members[behind].engine.status();
        status.stored == status.cosigned && status.cosigned == members[at].engine.status().cosigned
    })
    .await;
    members[behind].engine.ledger(|dir| dir.verify().unwrap());
}

/// The joiner hears nothing of a peer but its Raft: it neither signs nor faults, and goes on once they answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn until_a_peer_shows_the_ledger_a_joiner_only_follows() {
    let mut group = Group::new(3, 2);
    let mut members = old_committee(&mut group, 40).await;
    let slot = lose(&group, &mut members).await.slot;
    let silent = Arc::new(AtomicBool::new(true));
    let (switch, nodes) = (Arc::clone(&silent), members.iter().map(|m| m.node).collect::<Vec<NodeId>>());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    group.router.lie(move |from, answer| {
        if switch.load(Ordering::Relaxed)
            && nodes.contains(&from)
            && let PeerResponse::Entries(leaves) = answer
        {
            count.fetch_add(1, Ordering::Relaxed);
            // What they give is garbage.
            leaves.iter_mut().for_each(|leaf| leaf.reverse());
        }
    });
    let at = leader(&members).await;
    let machine: Machine = group.machine(slot);
    let new = group.join(&machine, &members[at]).await.unwrap();
    eventually("it follows", || new.engine.status().unvouched.is_some()).await;
    members[at].put(2, 1, "on").await.unwrap();
    eventually("it applies what is ordered", || {
        new.engine.status().applied == members[at].engine.status().applied
    })
    .await;
    let before = asked.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = asked.load(Ordering::Relaxed) - before;
    assert!((1..150).contains(&asked), "asked {asked} times in 300 ms for what comes to nothing");
    let status = new.engine.status();
    assert!(status.fault.is_none() && status.signed == 0 && status.unvouched.is_some(), "{status:?}");
    assert_eq!(status.lacks, Some(Lacks::Vouching));
    silent.store(false, Ordering::Relaxed);
    eventually("vouched for", || {
        let status = new.engine.status();
        status.unvouched.is_none() && status.cosigned > 0 && status.stored == status.cosigned
    })
    .await;
    until_it_signs(&members[at], &new).await;
    members.push(new);
    members[2].engine.ledger(|dir| dir.verify().unwrap());
    assert!(members.iter().all(|m| m.engine.status().fault.is_none()), "{:?}", describe(&members));
}
