//! Seeds, few or many.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use super::run::{Report, run};

/// How many seeds an ordinary test run takes.
const USUAL: u64 = 200;
/// One seed in so many is run twice, where many are.
const SAMPLE: u64 = 50;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

thread_local! {
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// Counts the panics of each thread: tokio catches those of a task, and the run goes on without it.
fn count_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
}

/// Runs a seed; a task that panics is wrong as well.
fn run_one(seed: u64) -> Report {
    let before = PANICS.get();
    let mut report = run(seed);
    if PANICS.get() > before {
        report.wrong.push("a task of a member panicked".into());
    }
    report
}

/// What many runs came to.
#[derive(Default)]
struct Sums {
    seeds: u64,
    twice: u64,
    told: usize,
    recoveries: u64,
    linear: usize,
    leaves: u64,
    millis: u64,
    steps: usize,
    failed: Vec<u64>,
    said: Option<Instant>,
}

impl Sums {
    fn add(&mut self, seed: u64, report: &Report) {
        self.seeds += 1;
        self.told += report.told;
        self.recoveries += report.recoveries;
        self.linear += report.linear;
        self.leaves += report.leaves;
        self.millis += report.millis;
        self.steps += report.steps;
        if !report.wrong.is_empty() {
            println!("seed {seed}: {:#?}", report.wrong);
            println!("again: scripts/simulate --from {seed} --seeds 1 --trace");
            self.failed.push(seed);
        }
        if std::env::var_os("HALLMARK_SIM_TRACE").is_some() {
            report.lines.iter().for_each(|line| println!("{line}"));
        }
    }

    /// Every ten seconds: how far it is.
    fn progress(&mut self, start: Instant, count: u64) {
        if self.said.unwrap_or(start).elapsed() < Duration::from_secs(10) {
            return;
        }
        self.said = Some(Instant::now());
        let (done, seconds) = (self.seeds, start.elapsed().as_secs_f64());
        let left = seconds / done as f64 * (count - done) as f64;
        println!(
            "{seconds:>6.0} s: {done} of {count} seeds, {} failed, {:.1} seeds/s, about {left:.0} s left",
            self.failed.len(),
            done as f64 / seconds
        );
    }
}

/// `HALLMARK_SIM_FROM`, `_SEEDS` and `_JOBS` choose others, and how many at once: scripts/simulate sets them.
#[test]
fn seeds_hold() {
    let (from, count) =
        (number("HALLMARK_SIM_FROM").unwrap_or(0), number("HALLMARK_SIM_SEEDS").unwrap_or(USUAL));
    let jobs = number("HALLMARK_SIM_JOBS").unwrap_or(1);
    // The usual seeds are sampled by the test below.
    let sample = number("HALLMARK_SIM_SEEDS").map(|_| SAMPLE);
    let start = Instant::now();
    count_panics();
    let (next, sums) = (AtomicU64::new(from), Mutex::new(Sums::default()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, 64) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        return;
                    }
                    let mut report = run_one(seed);
                    let again = sample.is_some_and(|sample| seed % sample == 0);
                    if again && run_one(seed).digest != report.digest {
                        report.wrong.push("a second run gave another trace".into());
                    }
                    let mut sums = sums.lock().unwrap();
                    sums.twice += u64::from(again);
                    sums.add(seed, &report);
                    sums.progress(start, count);
                }
            });
        }
    });
    let sums = sums.into_inner().unwrap();
    println!(
        "{} seeds from {from} in {:.1} s: {} fates told, {} recoveries, {} operations linearizable, {} leaves, {} s of virtual \
         time, {} changes of a member's state; {} seeds run twice",
        sums.seeds,
        start.elapsed().as_secs_f64(),
        sums.told,
        sums.recoveries,
        sums.linear,
        sums.leaves,
        sums.millis / 1000,
        sums.steps,
        sums.twice
    );
    assert!(sums.failed.is_empty(), "seeds that failed: {:?}", sums.failed);
    assert_eq!(sums.seeds, count);
    assert!(sums.told > 0);
}

/// `HALLMARK_SIM_TWICE` and `_FROM` choose how many others.
#[test]
fn the_same_seed_gives_the_same_trace() {
    let usual = [3, 9, 11, 17, 42, 51, 77, 79, 103, 140, 186, 673];
    let from = number("HALLMARK_SIM_FROM").unwrap_or(0);
    let seeds = number("HALLMARK_SIM_TWICE").map_or(usual.to_vec(), |count| (from..from + count).collect());
    let mut differ = Vec::new();
    for seed in seeds {
        let (one, two) = (run(seed), run(seed));
        assert!(one.lines.len() > 50);
        if one.digest != two.digest {
            let at = one.lines.iter().zip(&two.lines).position(|(a, b)| a != b).unwrap_or(0);
            let around = |lines: &[String]| lines[at.saturating_sub(3)..lines.len().min(at + 3)].join("\n  ");
            println!("seed {seed}:\n  {}\nthen:\n  {}", around(&one.lines), around(&two.lines));
            differ.push(seed);
        }
    }
    assert!(differ.is_empty(), "seeds whose two runs differ: {differ:?}");
}
