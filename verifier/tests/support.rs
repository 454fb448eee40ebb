//! Where the vectors are, and how to judge one.

use std::path::{Path, PathBuf};

use hallmark_verifier::binding::Ask;
use hallmark_verifier::image::Expect;
use hallmark_verifier::policy::Policy;
use hallmark_verifier::time::UnixSeconds;
use hallmark_verifier::verdict::Verdict;
use hallmark_verifier::verify::{Request, verify};

/// The folder of vectors, if there is one. Says so if not.
pub(crate) fn vectors() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = std::env::var_os("HALLMARK_VECTORS").map_or(root, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no vectors");
    None
}

/// A policy of these lines.
pub(crate) fn policy(lines: &str) -> Policy {
    Policy::parse(&format!("format = \"hallmark/policy/1\"\n{lines}")).unwrap()
}

/// Judges a quote with neither image nor binding asked.
pub(crate) fn judge(quote: &[u8], collateral: Option<&[u8]>, policy: &Policy, now: u64) -> Verdict {
    verify(&Request {
        evidence: quote,
        collateral,
        expect: Expect::AnyImage,
        binding: Ask::Unbound,
        policy,
        now: UnixSeconds(now),
        historical: true,
    })
}

/// The slugs of the checks that failed.
pub(crate) fn failed(verdict: &Verdict) -> Vec<&'static str> {
    use hallmark_verifier::report::Outcome;
    verdict.checks().into_iter().filter(|line| line.outcome == Outcome::Fail).map(|line| line.slug).collect()
}
