use std::sync::Arc;
use std::time::Duration;

use hallmark_attest::{Endpoint, Hello, Identity, Prover};
use hallmark_coalition::Recovery;
use hallmark_committee::member::VisitError;
use hallmark_committee::member::ceremony::{Answer, Phase, Request};
use hallmark_committee::transport::{AttestedDialer, Dialer as _, SlotGate, Target};
use hallmark_committee::{Admitting, PeerRequest, PeerResponse};
use hallmark_forge::pki::Pki;
use hallmark_ledger::system::SlotSignature;

use super::world::{World, key, td};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_machines_form_commit_and_one_is_replaced() {
    let mut world = World::formed(Recovery::Operators, false).await;
    let before: Vec<_> = (0..3).map(|slot| world.standing(slot).unwrap().node.unwrap()).collect();
    world.put(1, "a", "1").await;
    for slot in 0..3 {
        world.has(slot, "a", "1").await;
    }

    world.stop(2).await;
    world.put(0, "b", "2").await;
    world.start(2).await;
    world.in_phase(2, Phase::Unsigned).await;
    let signed = world.visitor().admit(&key(2)).await.unwrap();
    assert_eq!((signed.admission.slot, signed.epoch), (2, 0));
    world.all_live().await;
    world.has(2, "b", "2").await;
    let after = world.standing(2).unwrap();
    assert!(after.node.unwrap() > before[2], "a fresh node id: the index of its own admission");
    let roster = world.engine(0).unwrap().roster();
    assert_eq!(roster.members[&2].node, after.node.unwrap());
    world.put(2, "c", "3").await;

    // Quorum without an old member: the newcomer counts.
    world.stop(1).await;
    world.put(2, "d", "4").await;
    world.has(0, "d", "4").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beginning_needs_every_operator_and_each_its_own_key() {
    let world = World::started(Recovery::Operators, false).await;
    let visitor = world.visitor();
    let mut order = visitor.genesis().await.unwrap();
    visitor.sign_genesis(&mut order, &key(0)).unwrap();
    visitor.sign_genesis(&mut order, &key(1)).unwrap();
    assert_eq!(visitor.unsigned(&order.applications), [2]);
    let error = visitor.begin(&order).await.unwrap_err();
    assert!(matches!(&error, VisitError::Check(check) if check.slug() == "slot-signature"), "{error}");
    assert!(matches!(visitor.sign_genesis(&mut order, &key(7)), Err(VisitError::Stranger(_))));

    // Another's signature in the slot: refused by the machine as well as by the visitor.
    let stolen = order.applications[1].admission.slot_signature;
    order.applications[2].admission.slot_signature = stolen;
    let member = &world.members[&0];
    let refused = member.ceremony(Request::Genesis(Box::new(order.clone()))).await.unwrap_err();
    assert_eq!(refused.code, "slot-signature");
    // And an order that another rule set would be judged by.
    visitor.sign_genesis(&mut order, &key(2)).unwrap();
    let mut other = order.clone();
    other.genesis.policy = hallmark_ledger::hash::Hash::of(b"another policy");
    let refused = member.ceremony(Request::Genesis(Box::new(other))).await.unwrap_err();
    assert_eq!(refused.code, "genesis");
    assert!(member.engine().borrow().is_none(), "nothing has begun");
    visitor.begin(&order).await.unwrap();
    world.all_live().await;
    let again = visitor.genesis().await.unwrap_err();
    assert!(matches!(again, VisitError::Lives { .. }), "{again}");
}

/// What a machine with this evidence is told when it speaks to a member.
async fn told(world: &World, prover: Arc<dyn Prover>) -> String {
    let identity = Identity::generate().unwrap();
    let hello = Hello::candidate(*world.file.committee.id().as_bytes(), 2);
    let judge = Arc::clone(&world.rules.judge);
    let endpoint = Endpoint::mutual(&identity, prover, judge, SlotGate::shared(3), hello).unwrap();
    let dialer = AttestedDialer::machine(endpoint);
    let target = Target { address: world.file.peers[&0].to_string(), spki_sha256: None, slot: Some(0) };
    match dialer.dial(&target).await {
        Ok(_) => "welcome".into(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_image_and_forged_evidence_get_no_channel() {
    let mut world = World::formed(Recovery::Operators, true).await;
    assert_eq!(told(&world, td(|_| {})).await, "welcome");
    let wrong_image = || {
        td(|case| {
            case.released_mr_td = None;
            case.quote.body.mr_td[0] ^= 1;
        })
    };
    let said = told(&world, wrong_image()).await;
    assert!(said.contains("image-mismatch"), "{said}");
    let forged =
        td(|case| case.pki = Pki::under(hallmark_forge::key::Key::simulated("somebody else"), case.now));
    let said = told(&world, forged).await;
    assert!(said.contains("refused by the peer"), "{said}");

    // The same as a whole member, with the right slot key: it stays outside.
    let roster = world.engine(0).unwrap().roster();
    world.stop(2).await;
    let stranger = world.member(2, wrong_image(), None).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let standing = stranger.standing().unwrap();
    assert!(standing.node.is_none() && standing.phase != Phase::Running, "{standing:?}");
    assert_eq!(world.engine(0).unwrap().roster(), roster, "the roster is what it was");
    stranger.stop().await;
    world.put(0, "still", "there").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_right_image_without_the_slots_key_is_not_admitted() {
    let mut world = World::formed(Recovery::Operators, false).await;
    let roster = world.engine(0).unwrap().roster();
    world.stop(2).await;
    world.start(2).await;
    world.in_phase(2, Phase::Unsigned).await;
    let Answer::Application(pending) = world.members[&2].ceremony(Request::Pending).await.unwrap() else {
        panic!("no application");
    };

    // The wrong operator signs.
    let wrong = {
        let mut copy = pending.clone();
        assert!(world.visitor().sign(&mut copy, &key(1)).is_err(), "mint does not sign for another's slot");
        [7; 64]
    };
    let sign = Request::Sign {
        evidence: pending.admission.evidence,
        signature: SlotSignature { slot: 2, signature: wrong },
    };
    let refused = world.members[&2].ceremony(sign).await.unwrap_err();
    assert_eq!(refused.code, "slot-signature");

    // It asks all the same: the leader's engine refuses, whoever carried the request.
    let admitting = Admitting {
        admission: pending.admission.clone(),
        evidence: pending.evidence.clone(),
        collateral: pending.collateral.clone(),
        address: pending.address.to_string(),
    };
    for slot in 0..2 {
        let caller = hallmark_committee::Caller { spki_sha256: pending.admission.spki_sha256() };
        let request = PeerRequest::Admit(Box::new(admitting.clone()));
        let answer = world.engine(slot).unwrap().handle(caller, request).await;
        assert!(!matches!(answer, PeerResponse::Admitted { .. }), "{answer:?}");
    }
    assert_eq!(world.engine(0).unwrap().roster(), roster);
}
