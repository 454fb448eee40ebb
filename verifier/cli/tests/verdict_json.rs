//! The verdict's JSON has the fields of SPECIFICATION, section 4, of their types and in their order, whatever the verdict.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::assay::{Ran, assay};
use crate::golden;

/// The fields in order: writing it again gives the same text only if that had them so, and no others.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    verdict: String,
    code: Option<String>,
    historical: bool,
    trust: Vec<String>,
    tcb: Option<Tcb>,
    measurements: Box<RawValue>,
    report_data: Option<String>,
    checks: Vec<Check>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Tcb {
    status: String,
    advisories: Vec<String>,
    date: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Check {
    id: String,
    result: String,
    detail: String,
}

/// The verdict of a case whose word and exit code are these.
fn verdict(arguments: &str, word: &str, code: i32) -> Verdict {
    let folder = golden::folder();
    std::fs::write(folder.path().join("garbage"), "garbage").unwrap();
    std::fs::write(folder.path().join("empty"), "").unwrap();
    let arguments: Vec<&str> =
        ["verify", "--json", "--at", "1780315200"].into_iter().chain(arguments.split_whitespace()).collect();
    let Ran { out, err, code: exit } = assay(folder.path(), &arguments);
    let line = out.strip_suffix('\n').unwrap();
    let verdict: Verdict = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    assert_eq!(serde_json::to_string(&verdict).unwrap(), line, "other fields, or in another order");
    assert_eq!((verdict.verdict.as_str(), exit), (word, code), "{err}");
    assert!(verdict.historical);
    assert_eq!(verdict.code.is_some(), word == "refused");
    // Every check of the table, in its order.
    let table = assay(folder.path(), &["explain"]).out;
    let rows = table.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    assert!(rows.eq(verdict.checks.iter().map(|check| check.id.as_str())), "{arguments:?}");
    assert!(verdict.checks.iter().all(|check| ["pass", "fail", "not-run"].contains(&check.result.as_str())));
    assert!(verdict.checks.iter().all(|check| !check.detail.is_empty()));
    let first = verdict.checks.iter().find(|check| check.result == "fail").map(|check| &check.id);
    assert_eq!(verdict.code.as_ref(), first);
    let lines: Vec<&str> = err.lines().map(|line| line.split_once(": ").unwrap().0).collect();
    assert_eq!(lines, if code == 0 { &[][..] } else { &["error", "why", "hint"] }, "{err}");
    verdict
}

const VTPM: &str = "vtpm-evidence.json --policy vtpm-policy.toml --expect vtpm-release.json";
const VTPM_NONCE: &str = "--nonce a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5";
const TDX: &str =
    "tdx-evidence.json --policy tdx-policy.toml --collateral tdx-collateral.json --any-image --unbound";

fn of_hex(value: &Value, digits: usize) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.len() == digits && hex::decode(text).is_ok() && text == text.to_lowercase())
}

#[test]
fn accepted() {
    let verdict = verdict(&format!("{VTPM} {VTPM_NONCE}"), "accepted", 0);
    assert_eq!(verdict.trust, ["host"]);
    assert!(verdict.tcb.is_none());
    let registers: Value = serde_json::from_str(verdict.measurements.get()).unwrap();
    assert_eq!(registers.as_object().unwrap().len(), 16);
    for register in 0..16 {
        let banks = &registers[format!("pcr{register}")];
        assert!(of_hex(&banks["sha256"], 64) && of_hex(&banks["sha384"], 96), "{banks}");
        assert_eq!(banks.as_object().unwrap().len(), 2);
    }
    assert!(of_hex(&verdict.report_data.unwrap().into(), 64));
}

#[test]
fn authentic() {
    let verdict =
        verdict("vtpm-evidence.json --policy vtpm-policy.toml --any-image --unbound", "authentic", 0);
    assert_eq!(verdict.trust, ["host"]);
}

#[test]
fn simulated() {
    let verdict = verdict(TDX, "simulated", 0);
    assert_eq!(verdict.trust, ["simulated-root"]);
    let tcb = verdict.tcb.unwrap();
    assert_eq!((tcb.status.as_str(), tcb.advisories.len()), ("UpToDate", 0));
    assert!(tcb.date.ends_with('Z'));
    let registers: Value = serde_json::from_str(verdict.measurements.get()).unwrap();
    assert_eq!(registers.as_object().unwrap().len(), 5);
    for register in ["mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"] {
        assert!(of_hex(&registers[register], 96), "{register}");
    }
    assert!(of_hex(&verdict.report_data.unwrap().into(), 128));
}

#[test]
fn refused() {
    let tail = "--policy tdx-policy.toml --collateral tdx-collateral.json --any-image --unbound";
    for (case, code) in [
        (format!("garbage {tail}"), "evidence-format"),
        (format!("empty {tail}"), "evidence-format"),
        (TDX.replace("tdx-collateral.json", "garbage"), "collateral-format"),
        (TDX.replace("--any-image", "--expect garbage"), "release-format"),
        (TDX.replace("--any-image", "--expect vtpm-release.json"), "image-mismatch"),
        (format!("{VTPM} --nonce {}", "00".repeat(32)), "binding-mismatch"),
        (TDX.replace("tdx-policy", "vtpm-policy"), "layer-accepted"),
    ] {
        assert_eq!(verdict(&case, "refused", 1).code.as_deref(), Some(code), "{case}");
    }
    let nothing = verdict(&format!("garbage {tail}"), "refused", 1);
    assert_eq!((nothing.measurements.get(), nothing.report_data, nothing.trust.len()), ("{}", None, 0));
}

#[test]
fn undecided() {
    let no_collateral = "tdx-quote.bin --policy tdx-policy.toml --any-image --unbound";
    for (case, why) in [
        (no_collateral.to_owned(), "no collateral was given"),
        (TDX.replace("tdx-evidence", "absent"), "cannot read the evidence absent.json: No such file"),
        (TDX.replace("tdx-collateral", "absent"), "cannot read the collateral absent.json: No such file"),
        (TDX.replace("tdx-evidence.json", "."), "cannot read the evidence .: Is a directory"),
        (TDX.replace("--any-image", "--expect absent"), "cannot read the release absent: No such file"),
        (TDX.replace("--unbound", "--bind absent"), "cannot read the bound file absent: No such file"),
        (TDX.replace("tdx-policy", "absent"), "cannot read the policy absent.toml: No such file"),
        (TDX.replace("tdx-policy.toml", "garbage"), "garbage is no policy: "),
    ] {
        let verdict = verdict(&case, "undecided", 2);
        assert!(verdict.checks.iter().any(|check| check.detail.starts_with(why)), "{case}");
        assert_eq!(
            (verdict.measurements.get(), verdict.report_data, verdict.tcb.is_none()),
            ("{}", None, true)
        );
    }
}
