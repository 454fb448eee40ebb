//! The forge's cases of a vTPM, and what it changes in TDX cases around the quote, through the checks of
//! this crate. The forge shares no code with it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use hallmark_forge::Forged;

use super::evaluate;
use crate::binding::{self, Ask, Signed};
use crate::checks;
use crate::event_log::{self, Measurements};
use crate::evidence::Evidence;
use crate::image::{self, Expect, Machine};
use crate::policy::Policy;
use crate::release::Family;
use crate::report::{Outcome, Report};

/// Made once: they are hundreds of signatures.
static VARIANTS: LazyLock<Vec<(&str, &str, Forged)>> = LazyLock::new(hallmark_forge::variants);
static VALID: LazyLock<Vec<(&str, Forged)>> = LazyLock::new(hallmark_forge::valid);

fn ask(forged: &Forged) -> Ask {
    match forged.bound {
        Some(bound) => Ask::Both { nonce: forged.nonce, bound },
        None => Ask::Nonce(forged.nonce),
    }
}

fn check_vtpm(forged: &Forged, report: &mut Report) {
    let policy = Policy::parse(&forged.policy).unwrap();
    let Evidence::Vtpm(evidence) = Evidence::parse(&forged.evidence).unwrap() else { panic!() };
    let proven = evaluate(&evidence, &policy, report);
    let machine = Machine {
        family: Family::Vtpm,
        measurements: proven.as_ref().and_then(|proven| proven.measurements()),
        event_log: proven.as_ref().and_then(|proven| proven.event_log()),
        boot_events: &evidence.enclosed.boot_events,
    };
    image::evaluate(&Expect::Release(&forged.release), &machine, &policy, report);
    let signed = proven.as_ref().map(|proven| Signed::ExtraData(proven.extra_data()));
    binding::evaluate(&ask(forged), Some(&evidence.enclosed), signed, report);
}

/// All but the quote itself: its registers are taken from where a TD 1.0 body in a quote of version 4 has them.
fn check_tdx(forged: &Forged, report: &mut Report) {
    let policy = Policy::parse(&forged.policy).unwrap();
    let Evidence::Tdx(evidence) = Evidence::parse(&forged.evidence).unwrap() else { panic!() };
    let enclosed = evidence.enclosed.as_ref();
    let body = &evidence.quote[48..48 + 584];
    let field = |at: usize| <[u8; 48]>::try_from(&body[at..at + 48]).unwrap();
    let rtmrs = [0x148, 0x178, 0x1a8, 0x1d8].map(field);
    let log = event_log::check_td(enclosed, Some(&rtmrs), report);
    let measurements = Measurements::of_td(field(0x88), rtmrs);
    let machine = Machine {
        family: Family::Tdx,
        measurements: Some(&measurements),
        event_log: log.as_ref(),
        boot_events: enclosed.map_or(&[], |enclosed| &enclosed.boot_events),
    };
    image::evaluate(&Expect::Release(&forged.release), &machine, &policy, report);
    let report_data = body[0x208..0x248].try_into().unwrap();
    binding::evaluate(&ask(forged), enclosed, Some(Signed::ReportData(report_data)), report);
}

/// The slugs that failed; the report's lines for a message.
fn failed(forged: &Forged) -> (BTreeSet<&'static str>, String) {
    let mut report = Report::new();
    if forged.collateral.is_some() {
        check_tdx(forged, &mut report);
    } else {
        check_vtpm(forged, &mut report);
    }
    let lines = report.lines();
    let failed = lines.iter().filter(|line| line.outcome == Outcome::Fail).map(|line| line.slug).collect();
    let ran = lines.iter().filter(|line| line.outcome != Outcome::NotRun);
    (failed, ran.map(|line| format!("{} {} {}\n", line.slug, line.outcome, line.detail)).collect())
}

const GROUPS: [&str; 4] = ["vTPM", "event log", "image", "binding"];

fn slugs() -> Vec<&'static str> {
    let ours = checks::GROUPS.iter().filter(|group| GROUPS.contains(&group.name));
    ours.flat_map(|group| group.checks).map(|check| check.slug).collect()
}

#[test]
fn every_way_to_fail_fails_that_check_alone() {
    let slugs = slugs();
    assert_eq!(slugs.len(), 12);
    let mut seen = BTreeSet::new();
    for (slug, name, forged) in VARIANTS.iter() {
        if !slugs.contains(slug) {
            continue;
        }
        let (failed, lines) = failed(forged);
        let expected: BTreeSet<_> = checks::find(slug).unwrap().fails.iter().copied().collect();
        assert_eq!(failed, expected, "{slug}: {name}\n{lines}");
        seen.insert(*slug);
    }
    assert_eq!(seen, slugs.into_iter().collect());
}

#[test]
fn what_is_valid_passes_and_runs() {
    for (name, forged) in VALID.iter() {
        if forged.collateral.is_some() && forged.quote.first() != Some(&4) {
            continue;
        }
        let (failed, lines) = failed(forged);
        assert!(failed.is_empty(), "{name}\n{lines}");
        for slug in ["event-log-replay", "image-mismatch", "binding-mismatch", "evidence-consistent"] {
            assert!(lines.contains(&format!("{slug} pass")), "{name}: {slug}\n{lines}");
        }
    }
}

#[test]
fn a_changed_initrd_is_named_by_its_section() {
    let variant = |wanted: &str| {
        let found = VARIANTS.iter().find(|(slug, name, _)| *slug == "image-mismatch" && *name == wanted);
        failed(&found.unwrap().2).1
    };
    let lines = variant("another initrd, by a vTPM");
    assert!(lines.contains("pcr4, pcr9, pcr11: not as simulated-vtpm"), "{lines}");
    assert!(lines.contains("; first: pcr11: .initrd (EV_IPL"), "{lines}");
    assert!(lines.contains("depends on uki:.initrd; also pcr9: linux-initrd"), "{lines}");
    let lines = variant("another command line, by a vTPM");
    assert!(lines.contains("; first: pcr11: .cmdline (EV_IPL"), "{lines}");
    assert!(variant("another initrd").contains("; first: rtmr2: .initrd (EV_IPL"));
    assert!(variant("another kernel").contains("; first: rtmr2: .linux (EV_IPL"));
    assert!(variant("another disk").contains("; first: rtmr1: gpt (EV_EFI_GPT_EVENT"));
    assert!(variant("another firmware").contains("mrtd: not as simulated-tdx"));
}

#[test]
fn nothing_is_proven_by_a_key_that_the_policy_does_not_name() {
    let forged = hallmark_forge::mutation("tpm-ak-named").unwrap();
    let mut report = Report::new();
    check_vtpm(&forged, &mut report);
    assert!(report.passed(&["tpm-signature", "tpm-pcr-selection", "event-log-replay"]));
    for slug in ["image-mismatch", "binding-mismatch", "evidence-consistent"] {
        assert_eq!(report.outcome(slug), Outcome::NotRun, "{slug}");
    }
}

#[test]
fn no_flipped_byte_of_a_quote_is_proven() {
    let forged =
        hallmark_forge::valid().into_iter().find(|(_, forged)| forged.collateral.is_none()).unwrap().1;
    let policy = Policy::parse(&forged.policy).unwrap();
    let Evidence::Vtpm(good) = Evidence::parse(&forged.evidence).unwrap() else { panic!() };
    let proves = |evidence: &_| {
        let mut report = Report::failures_only();
        let proven = evaluate(evidence, &policy, &mut report);
        assert_eq!(report.has_failed(), proven.is_none_or(|proven| proven.measurements().is_none()));
        !report.has_failed()
    };
    assert!(proves(&good));
    for at in 0..good.quote.len() {
        let mut evidence = good.clone();
        evidence.quote[at] ^= 0x80;
        assert!(!proves(&evidence), "byte {at} of the quote");
    }
    for at in 0..good.ak.len() {
        let mut evidence = good.clone();
        evidence.ak[at] ^= 0x01;
        assert!(!proves(&evidence), "byte {at} of the key");
    }
    let mut evidence = good.clone();
    evidence.enclosed.event_log.clear();
    assert!(!proves(&evidence), "no log");
    let mut evidence = good;
    evidence.enclosed.boot_events.clear();
    assert!(!proves(&evidence), "no boot events");
}
