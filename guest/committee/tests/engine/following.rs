//! What followers know by themselves, and what their answers carry.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hallmark_committee::{PeerRequest, PeerResponse};
use tokio::time::timeout;

use super::group::{Group, eventually, leader};

/// From here on no follower hears what is committed.
fn untold(group: &Group) {
    group.router.meddle(|_, request| {
        if let PeerRequest::Append(append) = request {
            append.leader_commit = None;
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_three_need_not_be_told_what_is_committed() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    members[at].put(1, 1, "told").await.unwrap();
    eventually("all have a vote", || members.iter().all(|m| m.engine.status().lacks.is_none())).await;
    untold(&group);
    let receipt = members[at].put(1, 2, "untold").await.unwrap();
    let size = receipt.checkpoint.checkpoint().size;
    eventually("all apply it", || members.iter().all(|m| m.engine.status().cosigned >= size)).await;
    // With one of them gone as well: the other two are what commits.
    let gone = (at + 1) % 3;
    group.router.cut([members[gone].engine.status().node]);
    members[at].put(1, 3, "untold").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_five_must_be_told() {
    let mut group = Group::new(5, 3);
    let members = group.genesis().await;
    let at = leader(&members).await;
    members[at].put(1, 1, "told").await.unwrap();
    untold(&group);
    assert!(timeout(Duration::from_secs(1), members[at].put(1, 2, "untold")).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_carry_signatures_and_what_is_lost_with_them_is_sent_again() {
    let mut group = Group::new(3, 2);
    let members = group.genesis().await;
    let at = leader(&members).await;
    let carried = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&carried);
    group.router.lie(move |_, answer| {
        if let PeerResponse::Append(appended) = answer {
            count.fetch_add(appended.signed.len(), Ordering::SeqCst);
            appended.signed.clear();
        }
    });
    for nonce in 1..=10 {
        members[at].put(1, nonce, "x").await.unwrap();
    }
    assert!(carried.load(Ordering::SeqCst) > 0);
}
