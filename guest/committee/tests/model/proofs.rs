//! The rules hold within the bounds; each rule taken away is caught.

use std::time::Instant;

use stateright::{Checker, Model};

use super::explore::{FATE_FINAL, NOTHING_LOST, ONE_HISTORY};
use super::{Rank, Rules, World};

/// Searches everything; all properties hold, and what should be possible is.
fn holds(what: &str, rules: Rules) {
    let start = Instant::now();
    let checker = rules.checker().spawn_bfs().join();
    println!("{what}: {} states in {:.1} s", checker.unique_state_count(), start.elapsed().as_secs_f64());
    assert!(checker.is_done());
    checker.assert_properties();
}

/// Searches until the property breaks, and shows how.
fn breaks(what: &str, property: &'static str, rules: Rules) {
    let start = Instant::now();
    let only = stateright::HasDiscoveries::AnyOf([property].into());
    let checker = rules.checker().finish_when(only).spawn_bfs().join();
    let path = checker.discovery(property).unwrap_or_else(|| panic!("{what}: not caught"));
    println!(
        "{what}: caught after {} states, {:.1} s",
        checker.unique_state_count(),
        start.elapsed().as_secs_f64()
    );
    for action in path.into_actions() {
        println!("    {action:?}");
    }
}

fn anyone(n: usize, q: usize, compromised: usize) -> Rules {
    Rules { length: 2, crashes: 1, ..Rules::new(World::Anyone { compromised }, n, q) }
}

fn crashes() -> Rules {
    Rules { length: 2, crashes: 2, ..Rules::new(World::Crashes, 3, 2) }
}

#[test]
fn no_two_histories_are_cosigned_below_the_bound_of_compromise() {
    holds("n 3, q 2, none compromised", Rules { length: 3, crashes: 2, ..anyone(3, 2, 0) });
    holds("n 4, q 3, one compromised", Rules { length: 3, crashes: 2, ..anyone(4, 3, 1) });
    holds("n 3, q 3, two compromised", anyone(3, 3, 2));
}

#[test]
fn one_compromised_member_more_forks() {
    breaks("n 3, q 2, one compromised", ONE_HISTORY, anyone(3, 2, 1));
    breaks("n 4, q 3, two compromised", ONE_HISTORY, anyone(4, 3, 2));
}

#[test]
fn a_member_that_does_not_check_consistency_forks() {
    breaks("no consistency", ONE_HISTORY, Rules { consistent: false, ..anyone(3, 2, 0) });
}

#[test]
fn a_key_that_survives_a_rollback_forks() {
    breaks("same key after rollback", ONE_HISTORY, Rules { fresh_keys: false, ..anyone(3, 2, 0) });
}

#[test]
fn a_machine_that_counts_for_its_own_admission_forks() {
    breaks("counts at once", ONE_HISTORY, Rules { counts_after_admission: false, ..anyone(3, 2, 0) });
    breaks("counts at once, n 4", ONE_HISTORY, Rules { counts_after_admission: false, ..anyone(4, 3, 1) });
}

#[test]
fn nothing_acknowledged_is_lost_and_fate_is_final() {
    holds("two entries, one crash, a recovery", Rules { crashes: 1, ..crashes() });
    holds("one entry, two crashes, a recovery", Rules { length: 1, ..crashes() });
    holds("three entries, one crash", Rules { length: 3, crashes: 1, recoveries: 0, ..crashes() });
}

#[test]
fn an_acknowledgement_before_the_quorum_is_broken() {
    breaks("early", FATE_FINAL, Rules { acknowledge_cosigned: false, recoveries: 0, ..crashes() });
}

#[test]
fn an_invalid_that_was_not_ordered_is_broken() {
    breaks("guessed invalid", FATE_FINAL, Rules { invalid_by_order: false, recoveries: 0, ..crashes() });
}

#[test]
fn a_recovery_without_an_epoch_forks() {
    breaks("no epoch", ONE_HISTORY, Rules { recovery_epoch: false, crashes: 1, ..crashes() });
}

#[test]
fn a_recovery_that_compares_other_than_what_was_applied_loses() {
    breaks("by stored", NOTHING_LOST, Rules { rank: Rank::Stored, crashes: 0, ..crashes() });
    breaks("by heard", NOTHING_LOST, Rules { rank: Rank::Heard, crashes: 0, ..crashes() });
}
