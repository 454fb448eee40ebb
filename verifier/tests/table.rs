//! The table of checks against the forge: for every row a case that fails it and nothing else.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use hallmark_forge::{Forged, TdxCase, VtpmCase};
use hallmark_verifier::binding::Ask;
use hallmark_verifier::checks;
use hallmark_verifier::image::Expect;
use hallmark_verifier::policy::Policy;
use hallmark_verifier::report::Outcome;
use hallmark_verifier::time::UnixSeconds;
use hallmark_verifier::verdict::{Verdict, Word};
use hallmark_verifier::verify::{Request, verify};

use crate::support::failed;

/// Forged once, for all tests.
pub(crate) static VARIANTS: LazyLock<Vec<(&str, &str, Forged)>> = LazyLock::new(hallmark_forge::variants);

pub(crate) fn judge(forged: &Forged) -> Verdict {
    let nonce = forged.nonce;
    let policy = Policy::parse(&forged.policy).unwrap();
    verify(&Request {
        evidence: &forged.evidence,
        collateral: forged.collateral.as_deref(),
        expect: Expect::Release(&forged.release),
        binding: forged.bound.map_or(Ask::Nonce(nonce), |bound| Ask::Both { nonce, bound }),
        policy: &policy,
        now: UnixSeconds(forged.now),
        historical: false,
    })
}

/// What failed and what was found there.
fn explain(verdict: &Verdict) -> String {
    let lines = verdict.checks().into_iter().filter(|line| line.outcome == Outcome::Fail);
    lines.map(|line| format!("  {}: {}\n", line.slug, line.detail)).collect()
}

#[test]
fn the_unchanged_cases_hold() {
    let td = judge(&TdxCase::default().make());
    assert_eq!(td.word(), Word::Simulated, "{}", explain(&td));
    assert_eq!(td.trust(), ["simulated-root"]);
    let vtpm = judge(&VtpmCase::default().make());
    assert_eq!(vtpm.word(), Word::Accepted, "{}", explain(&vtpm));
    assert_eq!(vtpm.trust(), ["host"]);
}

#[test]
fn what_is_unusual_and_right_holds() {
    for (name, forged) in hallmark_forge::valid() {
        let verdict = judge(&forged);
        let due = if forged.collateral.is_some() { Word::Simulated } else { Word::Accepted };
        assert_eq!(verdict.word(), due, "{name}:\n{}", explain(&verdict));
    }
}

#[test]
fn every_check_has_a_mutation_that_fails_it_alone() {
    for check in checks::table() {
        let forged = hallmark_forge::mutation(check.slug);
        let forged = forged.unwrap_or_else(|| panic!("{} has no mutation", check.slug));
        let verdict = judge(&forged);
        assert_eq!(failed(&verdict), check.fails, "{}:\n{}", check.slug, explain(&verdict));
        assert_eq!((verdict.word(), verdict.code()), (Word::Refused, Some(check.fails[0])), "{}", check.slug);
    }
    let rows: BTreeSet<_> = checks::table().map(|check| check.slug).collect();
    let mutations: BTreeSet<_> = hallmark_forge::mutations().iter().copied().collect();
    assert_eq!(mutations, rows, "a mutation of a check that is not in the table");
}

#[test]
fn every_other_way_to_fail_a_check_fails_it_alone() {
    let mut wrong = Vec::new();
    for (slug, name, forged) in &*VARIANTS {
        let verdict = judge(forged);
        let fails = checks::find(slug).unwrap().fails;
        if failed(&verdict) != fails || verdict.word() != Word::Refused {
            wrong.push(format!("{slug}, {name}: {}\n{}", verdict.word(), explain(&verdict)));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_check_passes_somewhere() {
    let mut passed = BTreeSet::new();
    let valid = hallmark_forge::valid().into_iter().map(|(_, forged)| forged);
    for forged in valid.chain([TdxCase::default().make(), VtpmCase::default().make()]) {
        let lines = judge(&forged).checks();
        passed.extend(lines.iter().filter(|line| line.outcome == Outcome::Pass).map(|line| line.slug));
    }
    let never: Vec<_> =
        checks::table().map(|check| check.slug).filter(|slug| !passed.contains(slug)).collect();
    assert!(never.is_empty(), "never passed in any valid case: {never:?}");
}

#[test]
fn what_is_not_asked_caps_the_word() {
    let forged = VtpmCase::default().make();
    let policy = Policy::parse(&forged.policy).unwrap();
    let nonce = forged.nonce;
    let asked = Request {
        evidence: &forged.evidence,
        collateral: None,
        expect: Expect::Release(&forged.release),
        binding: forged.bound.map_or(Ask::Nonce(nonce), |bound| Ask::Both { nonce, bound }),
        policy: &policy,
        now: UnixSeconds(forged.now),
        historical: false,
    };
    assert_eq!(verify(&asked).word(), Word::Accepted);
    let any_image = verify(&Request { expect: Expect::AnyImage, ..asked });
    assert_eq!(any_image.word(), Word::Authentic);
    assert_eq!(verify(&Request { binding: Ask::Unbound, ..asked }).word(), Word::Authentic);
    // Under the default policy a vTPM is nobody's proof.
    let default = Policy::default();
    let refused = verify(&Request { policy: &default, ..asked });
    assert_eq!(refused.code(), Some("layer-accepted"));
}

#[test]
fn without_collateral_nothing_is_decided() {
    let forged = Forged { collateral: None, ..TdxCase::default().make() };
    let verdict = judge(&forged);
    assert_eq!((verdict.word(), verdict.code()), (Word::Undecided, None), "{}", explain(&verdict));
    assert!(verdict.measurements().iter().next().is_none() && verdict.report_data().is_none());
}
