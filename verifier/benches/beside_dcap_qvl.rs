//! How long a check takes here and in dcap-qvl 0.7.1, on the same quote, in the same run.
//!
//! `cargo bench -p hallmark-verifier --bench beside_dcap_qvl`. The two take turns, round by round, so that a machine
//! that slows down slows both; what is printed are medians of rounds, and ratios of them. It wants
//! ../shared/vectors (or `HALLMARK_VECTORS`). That parsing does not allocate is counted by the test
//! `allocations`, not here: a counting allocator would cost the one that allocates more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dcap_qvl::QuoteCollateralV3;
use hallmark_verifier::collateral::Collateral;
use hallmark_verifier::policy::Policy;
use hallmark_verifier::quote::Quote;
use hallmark_verifier::time::UnixSeconds;

/// The pair that both call UpToDate, and when.
const QUOTE: &str = "tdx-quotes/tdxv4-b0c06f000000-f1c8503301.bin";
const COLLATERAL: &str = "tdx-collateral/dq-tdx_quote.json";
const NOW: u64 = 1_750_329_148;

/// Rounds of the whole table, and about how long one entry works in each: short, so that where other work is going on
/// most slices are still whole.
const ROUNDS: usize = 301;
const SLICE: Duration = Duration::from_millis(2);

struct Entry<'a> {
    name: &'static str,
    /// Which entry it is held against, and the least ratio promised (SPECIFICATION).
    against: Option<(usize, f64)>,
    work: Box<dyn FnMut() + 'a>,
    /// Runs in a slice.
    runs: u32,
    rounds: Vec<f64>,
}

impl<'a> Entry<'a> {
    fn new(name: &'static str, against: Option<(usize, f64)>, work: impl FnMut() + 'a) -> Self {
        Self { name, against, work: Box::new(work), runs: 1, rounds: Vec::new() }
    }

    /// Microseconds for one run, over that many.
    fn time(&mut self) -> f64 {
        let start = Instant::now();
        for _ in 0..self.runs {
            (self.work)();
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(self.runs)
    }

    fn calibrate(&mut self) {
        while self.time() * f64::from(self.runs) < SLICE.as_secs_f64() * 5e5 {
            self.runs *= 2;
        }
    }

    fn median(&self) -> f64 {
        let mut rounds = self.rounds.clone();
        rounds.sort_by(f64::total_cmp);
        rounds[rounds.len() / 2]
    }
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("HALLMARK_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"), PathBuf::from);
    folder.join(QUOTE).is_file().then_some(folder)
}

fn main() {
    let Some(folder) = folder() else {
        println!("skipped: no vectors");
        return;
    };
    let bytes = std::fs::read(folder.join(QUOTE)).unwrap();
    let json = std::fs::read(folder.join(COLLATERAL)).unwrap();
    let policy = policy();
    let now = UnixSeconds(NOW);

    // Everything that may be kept from before, made once.
    let quote = Quote::parse(&bytes).unwrap();
    let collateral = Collateral::parse(&json).unwrap().verify(&policy, now).unwrap();
    let platform = collateral.platform(&quote, &policy, now).unwrap();
    let enclave = platform.quoting_enclave(&collateral, &quote, &policy, now).unwrap();
    let theirs: QuoteCollateralV3 = serde_json::from_slice(&json).unwrap();

    let mut table = vec![
        Entry::new("dcap-qvl: parse", None, || {
            black_box(dcap_qvl::quote::Quote::parse(black_box(&bytes)).unwrap());
        }),
        Entry::new("dcap-qvl: full, collateral as JSON", None, || {
            let collateral: QuoteCollateralV3 = serde_json::from_slice(black_box(&json)).unwrap();
            black_box(dcap_qvl::verify::verify(black_box(&bytes), &collateral, NOW).unwrap());
        }),
        Entry::new("dcap-qvl: full, collateral read before", None, || {
            black_box(dcap_qvl::verify::verify(black_box(&bytes), &theirs, NOW).unwrap());
        }),
        Entry::new("parse", Some((0, 1.0)), || {
            black_box(Quote::parse(black_box(&bytes)).unwrap());
        }),
        Entry::new("full, collateral as JSON", Some((1, 1.15)), || full(&bytes, &json, &policy)),
        // What their function is given is JSON that somebody has read; what ours is given is bytes.
        Entry::new("  the same, theirs read before", Some((2, 1.0)), || full(&bytes, &json, &policy)),
        Entry::new("verified collateral", Some((2, 3.5)), || {
            let quote = Quote::parse(black_box(&bytes)).unwrap();
            black_box(collateral.authenticate(&quote, &policy, now).unwrap());
        }),
        Entry::new("known platform", Some((2, 4.5)), || {
            let quote = Quote::parse(black_box(&bytes)).unwrap();
            black_box(platform.authenticate(&collateral, &quote, &policy, now).unwrap());
        }),
        Entry::new("known host", Some((2, 9.0)), || {
            let quote = Quote::parse(black_box(&bytes)).unwrap();
            black_box(enclave.authenticate(&collateral, &quote, &policy, now).unwrap());
        }),
    ];

    table.iter_mut().for_each(Entry::calibrate);
    for _ in 0..ROUNDS {
        for entry in &mut table {
            // Once unmeasured: caches and predictors still are the entry's before.
            (entry.work)();
            let time = entry.time();
            entry.rounds.push(time);
        }
    }
    report(&table);
}

/// Everything, from bytes.
fn full(quote: &[u8], collateral: &[u8], policy: &Policy) {
    let now = UnixSeconds(NOW);
    let quote = Quote::parse(black_box(quote)).unwrap();
    let collateral = Collateral::parse(black_box(collateral)).unwrap().verify(policy, now).unwrap();
    black_box(collateral.authenticate(&quote, policy, now).unwrap());
}

/// The default policy, but for what that TD's owner configured, which dcap-qvl does not ask.
fn policy() -> Policy {
    Policy::parse(
        "format = \"hallmark/policy/1\"\n\
         [tdx]\n\
         mr_config_id = \"any\"\n\
         mr_owner = \"any\"\n\
         mr_owner_config = \"any\"\n",
    )
    .unwrap()
}

fn report(table: &[Entry<'_>]) {
    println!("{:<40} {:>12} {:>8} {:>9}", "", "microseconds", "ratio", "promised");
    let mut short = 0;
    for entry in table {
        let median = entry.median();
        let Some((against, promised)) = entry.against else {
            println!("{:<40} {median:>12.2}", entry.name);
            continue;
        };
        let ratio = table[against].median() / median;
        let note = if ratio < promised { "  SHORT" } else { "" };
        short += usize::from(ratio < promised);
        println!("{:<40} {median:>12.2} {ratio:>7.2}x {promised:>8.2}x{note}", entry.name);
    }
    println!("medians of {ROUNDS} rounds; the two take turns within each");
    if short > 0 {
        println!("{short} of the promised ratios are not reached in this run");
    }
}
