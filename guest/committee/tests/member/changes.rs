//! What operators order of a committee that lives.

use hallmark_coalition::Recovery;
use hallmark_committee::member::ceremony::{Answer, Request};
use hallmark_committee::member::{Change, VisitError};
use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::{Expulsion, Release, ReleaseAction, Retirement};

use super::world::{World, key};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_of_operators_puts_a_member_out_and_changes_releases() {
    let mut world = World::formed(Recovery::Operators, false).await;
    world.put(0, "a", "1").await;
    let visitor = world.visitor();
    let node = world.standing(2).unwrap().node.unwrap();
    let expulsion = Expulsion { node, why: "signed two histories".into(), signatures: Vec::new() };
    let mut order = visitor.change(Change::Expel(expulsion)).await.unwrap();
    assert_eq!(order.epoch, 0);
    // A stranger's key is none; one operator, twice, is one.
    assert!(matches!(visitor.sign_change(&mut order, &key(7)), Err(VisitError::Stranger(_))));
    for _ in 0..2 {
        assert_eq!(visitor.sign_change(&mut order, &key(1)).unwrap(), 1);
    }
    assert_eq!(order.signatures().len(), 1);
    let error = visitor.order_change(&order).await.unwrap_err();
    assert!(matches!(&error, VisitError::Check(check) if check.slug() == "operator-signatures"), "{error}");
    // The machine asks the same, whoever brings it.
    let bring = async |order: &_| {
        let request = Request::Change(Box::new(hallmark_committee::member::ChangeOrder::clone(order)));
        world.members[&0].ceremony(request).await
    };
    assert_eq!(bring(&order).await.unwrap_err().code, "operator-signatures");
    visitor.sign_change(&mut order, &key(0)).unwrap();
    // An order dies with its epoch, and is for what was signed.
    let mut other = order.clone();
    other.epoch = 1;
    assert_eq!(bring(&other).await.unwrap_err().code, "other-epoch");
    let mut other = order.clone();
    let Change::Expel(expulsion) = &mut other.change else { panic!() };
    expulsion.node = world.standing(1).unwrap().node.unwrap();
    assert_eq!(bring(&other).await.unwrap_err().code, "operator-signatures");

    let index = visitor.order_change(&order).await.unwrap();
    world
        .until("it is out", |world| {
            let roster = world.engine(0).map(|engine| engine.roster());
            roster.is_some_and(|roster| roster.node(node).is_none() && roster.members.len() == 2)
        })
        .await;
    // Twice is once: who is no member cannot be put out.
    assert_eq!(bring(&order).await.unwrap_err().code, "refused");
    world.put(0, "b", "2").await;

    let sha256 = Hash::of("the next release.json");
    let release = Release { sha256, action: ReleaseAction::Admit, signatures: Vec::new() };
    let visitor = world.visitor();
    let mut order = visitor.change(Change::Release(release)).await.unwrap();
    visitor.sign_change(&mut order, &key(0)).unwrap();
    visitor.sign_change(&mut order, &key(2)).unwrap();
    assert!(visitor.order_change(&order).await.unwrap() > index);
    assert!(world.engine(0).unwrap().releases().contains(&sha256));

    let end = Retirement { effective_at: 1, replacement: None, signatures: Vec::new() };
    let mut order = visitor.change(Change::Retire(end)).await.unwrap();
    visitor.sign_change(&mut order, &key(0)).unwrap();
    visitor.sign_change(&mut order, &key(1)).unwrap();
    let answer = world.members[&1].ceremony(Request::Change(Box::new(order.clone()))).await.unwrap();
    assert!(matches!(answer, Answer::Ordered(_)), "{answer:?}");
    assert_eq!(
        world.members[&0].ceremony(Request::Change(Box::new(order))).await.unwrap_err().code,
        "retired"
    );
}
