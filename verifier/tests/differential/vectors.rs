//! Real quotes and collateral, where the machine has them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::case::{Case, Root};
pub(crate) use crate::support::vectors as folder;

/// One row of EXPECTED.tsv.
pub(crate) struct Pair {
    pub(crate) case: Case,
    /// What dcap-qvl is noted to have said.
    pub(crate) noted: String,
}

/// The rows of EXPECTED.tsv.
pub(crate) fn pairs(folder: &Path) -> Vec<Pair> {
    let table = std::fs::read_to_string(folder.join("tdx-quotes/EXPECTED.tsv")).unwrap();
    let root = Arc::new(Root::Intel);
    table
        .lines()
        .skip(1)
        .map(|line| {
            let mut columns = line.split('\t').map(str::to_owned);
            let mut next = || columns.next().unwrap();
            let (quote, collateral, now, noted) = (next(), next(), next(), next());
            let case = Case {
                what: format!("{quote} + {collateral} at {now}"),
                quote: std::fs::read(folder.join(format!("tdx-quotes/{quote}.bin"))).unwrap(),
                collateral: std::fs::read(folder.join(format!("tdx-collateral/{collateral}.json"))).unwrap(),
                now: now.parse().unwrap(),
                root: root.clone(),
            };
            Pair { case, noted }
        })
        .collect()
}

/// Every quote with every collateral set, at the instant at which the set is used.
pub(crate) fn all(folder: &Path, pairs: &[Pair]) -> Vec<Case> {
    let mut quotes: Vec<PathBuf> = std::fs::read_dir(folder.join("tdx-quotes"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "bin"))
        .collect();
    quotes.sort();
    let mut sets: Vec<&Case> = Vec::new();
    for pair in pairs {
        if !sets.iter().any(|set| set.collateral == pair.case.collateral) {
            sets.push(&pair.case);
        }
    }
    let mut all = Vec::new();
    for path in quotes {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let quote = std::fs::read(path).unwrap();
        for set in &sets {
            let what = format!("{name} with the collateral of {}", set.what);
            all.push(set.named(what).with_quote(quote.clone()));
        }
    }
    all
}

/// tdx-cases: a quote, collateral and an instant each.
pub(crate) fn derived(folder: &Path) -> Vec<(Case, bool)> {
    let root = Arc::new(Root::Intel);
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder.join("tdx-cases/derived")).unwrap() {
        let folder = entry.unwrap().path();
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&read("expected.json")).unwrap();
        let case = Case {
            what: format!("derived/{}", folder.file_name().unwrap().to_string_lossy()),
            quote: read("quote.bin"),
            collateral: read("collateral.json"),
            now: expected["now"].as_u64().unwrap(),
            root: root.clone(),
        };
        cases.push((case, expected["should_succeed"].as_bool().unwrap()));
    }
    cases
}
