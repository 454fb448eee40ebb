use hallmark_coalition::Recovery;
use hallmark_committee::member::VisitError;
use hallmark_committee::member::ceremony::{Phase, Request};

use super::world::{World, key};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_recover_from_the_disks_of_a_quorum() {
    let mut world = World::formed(Recovery::Operators, false).await;
    world.put(0, "kept", "1").await;
    let living = world.visitor().recovery(None, &[]).await.unwrap_err();
    assert!(matches!(living, VisitError::Lives { .. }), "{living}");
    for slot in 0..3 {
        world.stop(slot).await;
    }
    for slot in 0..2 {
        world.start(slot).await;
        world.in_phase(slot, Phase::Waiting).await;
    }
    let visitor = world.visitor();
    let mut plan = visitor.recovery(None, &[]).await.unwrap();
    assert!(plan.choice.enough && plan.choice.lost.is_empty(), "{:?}", plan.choice);
    visitor.sign_recovery(&mut plan.order, &key(0)).unwrap();
    let early = visitor.recover(&plan.order).await.unwrap_err();
    assert!(matches!(early, VisitError::Check(_)), "{early}");
    visitor.sign_recovery(&mut plan.order, &key(1)).unwrap();
    // An order that says another size than the operators signed does not hold.
    let mut changed = plan.order.clone();
    changed.recovery.size -= 1;
    let refused = world.members[&0].ceremony(Request::Recover(Box::new(changed))).await.unwrap_err();
    assert!(["operator-signatures", "application"].contains(&refused.code.as_str()), "{refused}");

    visitor.recover(&plan.order).await.unwrap();
    world.all_live().await;
    for slot in 0..2 {
        world.has(slot, "kept", "1").await;
        let standing = world.standing(slot).unwrap();
        assert_eq!((standing.epoch, standing.recoveries), (Some(1), 1));
    }
    world.put(1, "after", "2").await;

    // The third comes later, with a disk of the former epoch: it is admitted like any machine.
    world.start(2).await;
    world.in_phase(2, Phase::Unsigned).await;
    visitor.admit(&key(2)).await.unwrap();
    world.all_live().await;
    world.has(2, "after", "2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_disk_is_passed_over_and_a_lost_one_does_not_matter() {
    let mut world = World::formed(Recovery::Operators, false).await;
    world.put(0, "old", "1").await;
    // Slot 0's disk stays behind from here on.
    world.stop(0).await;
    world.put(1, "new", "2").await;
    for slot in 1..3 {
        world.stop(slot).await;
    }
    std::fs::remove_dir_all(world.data(2)).unwrap();
    for slot in 0..3 {
        world.start(slot).await;
    }
    world.in_phase(0, Phase::Waiting).await;
    world.in_phase(1, Phase::Waiting).await;
    let visitor = world.visitor();
    let mut plan = visitor.recovery(None, &[]).await.unwrap();
    assert_eq!((plan.choice.slot, plan.choice.seen), (1, (2, 2)), "{:?}", plan.choice);
    for slot in 0..3 {
        visitor.sign_recovery(&mut plan.order, &key(slot)).unwrap();
    }
    visitor.recover(&plan.order).await.unwrap();
    world.all_live().await;
    for slot in 0..3 {
        world.has(slot, "new", "2").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_all_disks_lost_there_is_nothing_to_recover() {
    let mut world = World::formed(Recovery::Operators, false).await;
    world.put(0, "gone", "1").await;
    for slot in 0..3 {
        world.stop(slot).await;
        std::fs::remove_dir_all(world.data(slot)).unwrap();
        world.start(slot).await;
    }
    let error = world.visitor().recovery(None, &[]).await.unwrap_err();
    assert!(matches!(error, VisitError::Choice(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_automatic_committee_recovers_by_itself() {
    let mut world = World::formed(Recovery::Automatic, true).await;
    world.put(2, "kept", "1").await;
    for slot in 0..3 {
        world.stop(slot).await;
    }
    for slot in 0..3 {
        world.start(slot).await;
    }
    world
        .until("a later epoch", |world| {
            (0..3).all(|slot| world.standing(slot).is_some_and(|s| s.is_live() && s.epoch > Some(0)))
        })
        .await;
    for slot in 0..3 {
        world.has(slot, "kept", "1").await;
    }
    world.put(0, "after", "2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survivor_without_a_quorum_starts_over_where_recovery_is_automatic() {
    let mut world = World::formed(Recovery::Automatic, true).await;
    world.put(0, "kept", "1").await;
    world.stop(1).await;
    world.stop(2).await;
    std::fs::remove_dir_all(world.data(1)).unwrap();
    world.start(1).await;
    world.start(2).await;
    world
        .until("a later epoch", |world| {
            (0..3).all(|slot| world.standing(slot).is_some_and(|s| s.is_live() && s.epoch > Some(0)))
        })
        .await;
    world.has(1, "kept", "1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_rules_do_not_recover_by_themselves() {
    let mut world = World::formed(Recovery::Operators, true).await;
    for slot in 0..3 {
        world.stop(slot).await;
    }
    for slot in 0..3 {
        world.start(slot).await;
        world.in_phase(slot, Phase::Waiting).await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert!((0..3).all(|slot| world.standing(slot).unwrap().phase == Phase::Waiting));
    let plan = world.visitor().recovery(None, &[]).await.unwrap();
    // The machines hold their slots' keys and still sign no recovery.
    let refused = world.members[&0].ceremony(Request::Promise(Box::new(plan.order))).await.unwrap_err();
    assert_eq!(refused.code, "machines-only");
}
