//! Seeds, few or many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::run::run;

/// How many seeds an ordinary test run takes.
const USUAL: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Panics of this thread from now on. tokio catches those of a task, and the run goes on without it.
fn count_panics() -> Arc<AtomicU64> {
    let count = Arc::new(AtomicU64::new(0));
    let (counted, thread, before) =
        (Arc::clone(&count), std::thread::current().id(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == thread {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        before(info);
    }));
    count
}

/// `HALLMARK_SIM_FROM` and `HALLMARK_SIM_SEEDS` choose others: scripts/simulate sets them.
#[test]
fn seeds_hold() {
    let (from, count) =
        (number("HALLMARK_SIM_FROM").unwrap_or(0), number("HALLMARK_SIM_SEEDS").unwrap_or(USUAL));
    let start = Instant::now();
    let panics = count_panics();
    let mut sums = [0_u64; 6];
    let mut failed = Vec::new();
    for seed in from..from + count {
        let before = panics.load(Ordering::Relaxed);
        let mut report = run(seed);
        if panics.load(Ordering::Relaxed) > before {
            report.wrong.push("a task of a member panicked".into());
        }
        let sum = [
            report.told as u64,
            report.recoveries,
            report.linear as u64,
            report.leaves,
            report.millis,
            report.steps as u64,
        ];
        sums.iter_mut().zip(sum).for_each(|(sum, one)| *sum += one);
        if !report.wrong.is_empty() {
            println!("seed {seed}: {:#?}", report.wrong);
            println!("again: scripts/simulate --from {seed} --seeds 1 --trace");
            failed.push(seed);
        }
        if std::env::var_os("HALLMARK_SIM_TRACE").is_some() {
            report.lines.iter().for_each(|line| println!("{line}"));
        }
    }
    let [told, recoveries, linear, leaves, millis, steps] = sums;
    println!(
        "{count} seeds from {from} in {:.1} s: {told} fates told, {recoveries} recoveries, {linear} operations linearizable, \
         {leaves} leaves, {} s of virtual time, {steps} changes of a member's state",
        start.elapsed().as_secs_f64(),
        millis / 1000
    );
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
    assert!(told > 0);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    // Seeds of which this is known: what else there is to be found differs in a few of a hundred, by one tick of one member
    // (SPECIFICATION, section 19).
    for seed in [3, 11] {
        let (one, two) = (run(seed), run(seed));
        let differs = one.lines.iter().zip(&two.lines).find(|(a, b)| a != b);
        assert_eq!(one.digest, two.digest, "seed {seed}: first difference: {differs:#?}");
        assert!(one.lines.len() > 50);
    }
}
