//! Members of a committee as processes, killed: one after the other under load, and all at once.

mod load;
mod processes;

use std::time::Duration;

use load::Load;
use processes::Processes;

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
