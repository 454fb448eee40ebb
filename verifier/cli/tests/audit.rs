//! `assay audit` over ledgers that are made here, whole and tampered with. Every tampering is refused with a word of its own.

mod forged_ledger;
mod rows;
mod tampered;
mod web;

use std::fs;
use std::path::{Path, PathBuf};

use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::ReleaseAction;
use serde_json::Value;
use tempfile::TempDir;

use crate::assay::{Ran, assay};
use crate::bless;
use forged_ledger::Ledger;

/// A folder with the release and the policy of the forged machines.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = Ledger::unfounded().case.make();
    fs::write(folder.path().join("release.json"), made.release).unwrap();
    fs::write(folder.path().join("policy.toml"), made.policy).unwrap();
    folder
}

/// Audits the log in `log/` of the folder: everything asked.
fn audit(folder: &Path, ledger: &Ledger, more: &[&str]) -> (Value, Ran) {
    let group = ledger.group.to_string();
    let asked =
        ["audit", "log", "--group", &group, "--release", "release.json", "--policy", "policy.toml", "--json"];
    let ran = assay(folder, &[&asked[..], more].concat());
    (serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}\n{}", ran.out, ran.err)), ran)
}

/// 1,000 entries between a founding, a replacement, an endorsement, a change of releases, a recovery and a retirement.
fn whole() -> Ledger {
    let mut ledger = Ledger::found();
    for nonce in 0..500 {
        ledger.pair(1, nonce);
    }
    ledger.admit(ledger.applicant(1, 11));
    ledger.endorse(&[0, 1]);
    ledger.release(Hash::of("SIMULATED next release"), ReleaseAction::Admit);
    ledger.snapshot();
    for nonce in 0..300 {
        ledger.pair(2, nonce);
    }
    ledger.recover(&[0, 2], 1, [21, 22, 23]);
    for nonce in 500..700 {
        ledger.pair(1, nonce);
    }
    ledger
}

#[test]
fn a_whole_log_holds() {
    let folder = folder();
    let mut ledger = whole();
    ledger.retire();
    ledger.write(&folder.path().join("log"), &ledger.checkpoint(&[0, 1, 2]));
    let (json, ran) = audit(folder.path(), &ledger, &[]);
    assert_eq!((json["verdict"].as_str(), ran.code), (Some("simulated"), 0), "{json:#}\n{}", ran.err);
    assert_eq!(json["log"]["surfaces"]["pairs"], 1000);
    assert_eq!(json["log"]["surfaces"]["committee.admission"], 7);
    assert_eq!(json["log"]["members"].as_array().unwrap().len(), 3);
    assert_eq!(json["log"]["recoveries"], 1);
    assert_eq!(json["log"]["shared_platform"], serde_json::json!([[0, 1, 2]]), "one forged platform");
    assert_eq!(json["not_asked"], serde_json::json!([]));
    let kept = |check: &Value| check["id"].as_str().unwrap().starts_with("kept-");
    for check in json["checks"].as_array().unwrap() {
        let want = if kept(check) { "not-run" } else { "pass" };
        assert_eq!(check["result"], want, "{check}");
    }
}

#[test]
fn what_is_not_asked_caps_the_verdict_and_what_is_missing_leaves_it_open() {
    let folder = folder();
    let mut ledger = Ledger::found();
    ledger.endorse(&[0, 1, 2]);
    ledger.write(&folder.path().join("log"), &ledger.checkpoint(&[0, 1]));
    let run = |arguments: &str, first: &str, code: i32| {
        let arguments: Vec<&str> = ["audit", "log"].into_iter().chain(arguments.split_whitespace()).collect();
        let ran = assay(folder.path(), &arguments);
        assert_eq!(
            (ran.out.lines().next(), ran.code),
            (Some(first), code),
            "{arguments:?}\n{}{}",
            ran.out,
            ran.err
        );
        ran
    };
    let ran = run("--structure", "verdict: authentic", 0);
    assert!(ran.out.contains("not asked: whose log it is (--group); what the members run"), "{}", ran.out);
    let group = format!("--group {} --policy policy.toml", ledger.group);
    let ran = run(&format!("{group} --any-image"), "verdict: simulated", 0);
    assert!(ran.out.contains("not asked: which image the members run (--any-image)"), "{}", ran.out);
    // The default policy names no test root.
    let ran = run(&format!("--group {} --release release.json", ledger.group), "verdict: refused", 1);
    assert!(ran.err.starts_with("error: statement-quote: "), "{}", ran.err);

    // Another release came in, its machine is a member, and its file was not given.
    let mut other = ledger.case.clone();
    other.release.version = "2.0.0".into();
    fs::write(folder.path().join("other.json"), other.make().release).unwrap();
    let ran = run(&format!("{group} --release other.json"), "verdict: undecided", 2);
    assert!(ran.err.contains("no --release file has SHA-256"), "{}", ran.err);
    run(&format!("{group} --release other.json --release release.json"), "verdict: simulated", 0);

    // Nothing to read.
    let ran = assay(folder.path(), &["audit", "nowhere", "--structure", "--json"]);
    assert_eq!(ran.code, 2);
    assert!(ran.out.starts_with(r#"{"verdict":"undecided","code":null,"log":null,"#), "{}", ran.out);
    assert!(ran.err.starts_with("error: input: cannot read the log nowhere\n"), "{}", ran.err);
    let ran = assay(folder.path(), &["audit", "https://example", "--structure"]);
    assert_eq!((ran.out.as_str(), ran.code), ("verdict: undecided\n", 2), "{}", ran.err);
}

/// The ledger of the transcripts, small: tests/golden-ledger. A clone has it without making it.
fn golden() -> Ledger {
    let mut ledger = Ledger::found();
    ledger.pair(1, 0);
    ledger.pair(1, 1);
    ledger.snapshot();
    ledger
}

/// The folders that the transcripts speak of: `ledger`, and `forked.note` and `later.note`, which do not go with it.
pub(crate) fn write_ledgers(folder: &Path) {
    let ledger = golden();
    ledger.write(&folder.join("ledger"), &ledger.checkpoint(&[0, 1]));
    let (mut later, mut forked) = (ledger.clone(), Ledger::found());
    later.pair(1, 2);
    fs::write(folder.join("later.note"), later.checkpoint(&[1, 2])).unwrap();
    (0..3).for_each(|nonce| {
        forked.pair(2, nonce);
    });
    fs::write(folder.join("forked.note"), forked.checkpoint(&[1, 2])).unwrap();
    // A machine that its slot's operator did not sign for.
    let mut usurped = golden();
    let mut applicant = usurped.applicant(2, 44);
    applicant.signed_by = Some(forged_ledger::operator(0));
    usurped.admit(applicant);
    usurped.write(&folder.join("usurped"), &usurped.checkpoint(&[0, 1]));
}

#[test]
fn the_golden_ledger_is_what_is_made() {
    let committed: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden-ledger");
    let ledger = golden();
    let note = ledger.checkpoint(&[0, 1]);
    if bless() {
        ledger.write(&committed, &note);
    }
    let hint = "HALLMARK_BLESS=1 writes it anew";
    assert_eq!(fs::read_to_string(committed.join("checkpoint")).unwrap(), note, "{hint}");
    for (path, bytes) in forged_ledger::files(&ledger.leaves) {
        let there = fs::read(committed.join(&path)).unwrap_or_else(|e| panic!("{path}: {e}: {hint}"));
        assert!(there == bytes, "{path}: {hint}");
    }
}
