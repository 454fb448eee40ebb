//! Members of a committee as processes, killed: one after the other under load, and all at once.

//!
//! What a kill does not show: the machine goes on, and with it the page cache, so every byte that was written is still there although
//! nobody synced it. Power that fails, disks that lie and disks that are rolled back are the simulation's (`guest/committee/tests/sim`).
//! The evidence here is forged: a machine's own faults, such as a quoting enclave that does not answer, do not come up either.

mod load;
mod processes;
mod stranger;

use std::time::Duration;

use load::Load;
use processes::Processes;
use stranger::{Evidence, Stranger, operator};

#[test]
fn kills_lose_nothing_that_was_acknowledged_and_operators_recover() {
    let mut committee = Processes::begun(&["--hand-out-keys"]);
    let load = Load::on(&committee);
    load.goes_on();
    for slot in 0..3 {
        committee.kill(slot);
        load.goes_on();
        committee.start(slot, "release.json");
        committee.all_live(0);
    }

    // Another image in a slot, with that slot's own key: the others do not let it in.
    committee.kill(2);
    committee.start(2, "other-release.json");
    load.goes_on();
    committee.refused_for(2, Duration::from_secs(4));
    committee.kill(2);
    outside(&committee, &load);
    committee.start(2, "release.json");
    committee.all_live(0);

    // All at once, in the middle of the load.
    load.goes_on();
    for slot in 0..3 {
        committee.kill(slot);
    }
    let acknowledged = load.stop();
    assert!(acknowledged.len() > 40, "{}", acknowledged.len());
    for slot in 0..3 {
        committee.start(slot, "release.json");
    }
    committee.all_wait();
    let keys = committee.keys();
    let mut order = vec!["committee", "recover", "committee.toml", "--order", "order.json"];
    let shown = committee.mint(&order);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains("survives"), "{shown:?}");
    let early = committee.mint(&[&order[..], &["--key", "slot0.key", "--submit"]].concat());
    assert_eq!(early.code, 1, "one operator of three: {early:?}");
    order.push("--submit");
    order.extend(keys.iter().map(String::as_str));
    let recovered = committee.mint(&order);
    assert_eq!(recovered.code, 0, "{recovered:?}");
    committee.all_live(1);
    load::holds(&committee, &acknowledged);
}

/// While slot 2 is free: who is not let in there, and what each member that is asked says.
fn outside(committee: &Processes, load: &Load) {
    let key = |slot: usize| operator(&committee.path(&format!("slot{slot}.key")));
    let stranger = Stranger::of(committee.file(2), &committee.path("release.json"));
    for slot in 0..2 {
        // The right image on a machine that is rightly measured: it may speak. Forged, it may not.
        assert_eq!(stranger.is_told(Evidence::Good, slot), "a channel");
        assert_eq!(stranger.is_told(Evidence::Forged, slot), "quote-signature");
        // The right image, and the operator of another slot signs.
        let said = stranger.applies(Evidence::Good, &key(1), slot);
        assert!(said.contains("slot-signature"), "{said}");
        // The right key, for what another machine said, or for what none did.
        let said = stranger.applies(Evidence::Borrowed, &key(2), slot);
        assert!(said.contains("binding-mismatch"), "{said}");
        let said = stranger.applies(Evidence::Forged, &key(2), slot);
        assert!(said.contains("quote-signature"), "{said}");
    }
    // The program itself does not start with another slot's key.
    committee.write_with("member2.toml", "usurper.toml", "slot2.key", "slot1.key");
    let said = committee.mint(&["committee", "run", "usurper.toml", "--simulated", "release.json"]);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.contains("it is not the operator's key of slot 2"), "{said:?}");
    committee.two_of_three();
    load.goes_on();
}

#[test]
fn an_automatic_committee_comes_back_by_itself() {
    let mut committee = Processes::begun(&["--recovery", "automatic"]);
    let load = Load::on(&committee);
    load.goes_on();
    for slot in 0..3 {
        committee.kill(slot);
    }
    let acknowledged = load.stop();
    for slot in 0..3 {
        committee.start(slot, "release.json");
    }
    committee.all_live(1);
    load::holds(&committee, &acknowledged);
}
