//! Real quotes of real platforms, with Intel's real collateral.

use std::fs;

use hallmark_verifier::collateral::Collateral;
use hallmark_verifier::policy::Policy;
use hallmark_verifier::quote::Quote;
use hallmark_verifier::time::UnixSeconds;
use hallmark_verifier::verdict::Word;

use crate::support::{failed, judge, policy, vectors};

const QUOTE: &str = "tdx-quotes/tdxv4-b0c06f000000-f1c8503301.bin";
const COLLATERAL: &str = "tdx-collateral/dq-tdx_quote.json";
const NOW: u64 = 1_750_329_148;

/// What a row of EXPECTED.tsv comes to here: `Ok` with the status, or the first failed check.
fn expected(quote: &str, collateral: &str, theirs: &str) -> Result<&'static str, &'static str> {
    match (quote, collateral) {
        ("sgxv3-00a067110000-f8b81014b6", _) => Err("quote-format"),
        // The second lacks SEPT_VE_DISABLE as well: see below.
        ("tdxv4-00806f050000-4b23198ac8" | "tdxv4-00806f050000-a187b0da05", _) => Err("tcb-status"),
        ("tdxv4-50806f000000-12b401a88a", _) => Err("td-debug"),
        // It would reach no level, and has a line of text behind it.
        ("tdxv4-50806f000000-3507b5f7e6", _) => Err("quote-trailing-bytes"),
        // A platform that got its certificate anew meanwhile: its chain in that collateral is another.
        (quote, "dq-tdx_quote_td15ex") if quote.starts_with("tdxv4-b0c06f") => Err("pck-chain-agrees"),
        ("tdxv5-b0c06f000000-fd88575b04", "dq-tdx_quote") => Err("pck-chain"),
        _ if theirs.contains("No matching TCB level") => Err("tcb-level"),
        _ if theirs.starts_with("OK UpToDate") => Ok("UpToDate"),
        _ => panic!("{quote} with {collateral} is new: {theirs}"),
    }
}

#[test]
fn every_pair_comes_out_right() {
    let Some(folder) = vectors() else { return };
    let table = fs::read_to_string(folder.join("tdx-quotes/EXPECTED.tsv")).unwrap();
    let mut rows = 0;
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let [name, set, now, theirs, ..] = columns[..] else { panic!("{row}") };
        let quote = fs::read(folder.join(format!("tdx-quotes/{name}.bin"))).unwrap();
        let collateral = fs::read(folder.join(format!("tdx-collateral/{set}.json"))).unwrap();
        let verdict = judge(&quote, Some(&collateral), &Policy::default(), now.parse().unwrap());
        let got = match verdict.word() {
            Word::Authentic => Ok(verdict.tcb().unwrap().status.word()),
            word => {
                assert_eq!(word, Word::Refused, "{row}");
                Err(verdict.code().unwrap())
            }
        };
        assert_eq!(got, expected(name, set, theirs), "{row}\n{:#?}", failed(&verdict));
        rows += 1;
    }
    assert_eq!(rows, 18);
}

#[test]
fn a_policy_can_allow_an_old_tcb_and_a_pending_exception() {
    let Some(folder) = vectors() else { return };
    let read = |path: &str| fs::read(folder.join(path)).unwrap();
    let collateral = read("tdx-collateral/dcaprs-00806f050000-2025-02.json");
    let now = 1_739_418_642;

    let old = read("tdx-quotes/tdxv4-00806f050000-4b23198ac8.bin");
    let advisory = |id: &str, until: &str| format!("{{ id = \"{id}\", until = \"{until}\" }}");
    let until = "2025-02-13T03:50:42Z";
    let tolerated = |last| {
        let list = [
            advisory("INTEL-SA-00960", until),
            advisory("INTEL-SA-00982", until),
            advisory("INTEL-SA-00986", last),
        ];
        policy(&format!("[tdx]\ntcb = [\"UpToDate\", \"OutOfDate\"]\nadvisories = [{}]", list.join(", ")))
    };
    let verdict = judge(&old, Some(&collateral), &tolerated(until), now);
    assert_eq!(verdict.word(), Word::Authentic, "{:?}", failed(&verdict));
    assert_eq!(verdict.tcb().unwrap().status.word(), "OutOfDate");
    assert_eq!(verdict.tcb().unwrap().advisories.len(), 3);
    // A second later the advisories are no longer tolerated.
    let verdict = judge(&old, Some(&collateral), &tolerated(until), now + 1);
    assert_eq!(failed(&verdict), ["tcb-advisories"]);
    let verdict = judge(&old, Some(&collateral), &tolerated("2025-02-13T03:50:41Z"), now);
    assert_eq!(failed(&verdict), ["tcb-advisories"]);
    // The status alone is not enough.
    let verdict = judge(&old, Some(&collateral), &policy("[tdx]\ntcb = [\"OutOfDate\"]"), now);
    assert_eq!(failed(&verdict), ["tcb-advisories"]);

    let pending = read("tdx-quotes/tdxv4-00806f050000-a187b0da05.bin");
    let verdict = judge(&pending, Some(&collateral), &Policy::default(), now);
    assert_eq!(failed(&verdict), ["tcb-status", "tcb-advisories", "td-sept-ve-disable"]);
    let verdict = judge(&pending, Some(&collateral), &tolerated(until), now);
    assert_eq!(failed(&verdict), ["td-sept-ve-disable"]);
}

#[test]
fn a_policy_can_take_what_the_owner_configured() {
    let Some(folder) = vectors() else { return };
    let quote = fs::read(folder.join("tdx-quotes/tdxv4-20a06f000000-9069d475ed.bin")).unwrap();
    let collateral = fs::read(folder.join("tdx-collateral/dq-near.json")).unwrap();
    let now = 1_756_798_920;
    let judge = |lines: &str| judge(&quote, Some(&collateral), &policy(lines), now);
    // Which TD it is belongs to the image, which is not asked here: unless the policy asks.
    assert_eq!(judge("").word(), Word::Authentic);
    assert_eq!(failed(&judge("[tdx]\nmr_config_id = \"zero\"")), ["mr-config-id"]);
    assert_eq!(judge("[tdx]\nmr_config_id = \"any\"").word(), Word::Authentic);
    let parsed = Quote::parse(&quote).unwrap();
    let id = hex::encode(parsed.report().mr_config_id);
    assert_eq!(judge(&format!("[tdx]\nmr_config_id = \"{id}\"")).word(), Word::Authentic);
    let other = "11".repeat(48);
    assert_eq!(failed(&judge(&format!("[tdx]\nmr_config_id = \"{other}\""))), ["mr-config-id"]);
}

#[test]
fn the_verdict_of_the_issue() {
    let Some(folder) = vectors() else { return };
    let quote = fs::read(folder.join(QUOTE)).unwrap();
    let collateral = fs::read(folder.join(COLLATERAL)).unwrap();
    let verdict = judge(&quote, Some(&collateral), &Policy::default(), NOW);
    let json: serde_json::Value = serde_json::from_str(&verdict.to_json()).unwrap();
    assert_eq!(json["verdict"], "authentic");
    assert_eq!(json["code"], serde_json::Value::Null);
    assert_eq!(json["historical"], true);
    assert_eq!(json["tcb"]["status"], "UpToDate");
    assert_eq!(json["tcb"]["date"], "2024-03-13T00:00:00Z");
    assert_eq!(json["measurements"]["mrtd"].as_str().unwrap().len(), 96);
    assert_eq!(json["report_data"].as_str().unwrap().len(), 128);
    assert_eq!(verdict.word().exit_code(), 0);

    let verdict = judge(&quote, Some(&collateral), &Policy::default(), 1_755_000_000);
    assert_eq!((verdict.word(), verdict.word().exit_code()), (Word::Refused, 1));
    assert!(verdict.code().unwrap().ends_with("-fresh"), "{:?}", verdict.code());

    let verdict = judge(&quote, None, &Policy::default(), NOW);
    assert_eq!((verdict.word(), verdict.code()), (Word::Undecided, None));
    assert_eq!(verdict.word().exit_code(), 2);
    assert!(verdict.report_data().is_none(), "nothing of it is proven");

    let verdict = judge(&quote, Some(b"{}"), &Policy::default(), NOW);
    assert_eq!((verdict.word(), verdict.code()), (Word::Refused, Some("collateral-format")));
    let verdict = judge(&quote[..100], None, &Policy::default(), NOW);
    assert_eq!((verdict.word(), verdict.code()), (Word::Refused, Some("quote-format")));
}

/// The check that refuses each derived case first.
const DERIVED: &[(&str, &str)] = &[
    ("debug_td_real", "td-debug"),
    ("expired_collateral", "pck-crl-fresh"),
    ("flip_attestation_key", "qe-report-binding"),
    ("flip_mrtd", "quote-signature"),
    ("flip_qe_auth_data", "qe-report-binding"),
    ("flip_qe_report", "qe-report-signature"),
    ("flip_qe_sig", "qe-report-signature"),
    ("flip_quote_sig", "quote-signature"),
    ("flip_report_data", "quote-signature"),
    ("flip_rtmr3", "quote-signature"),
    ("flip_vendor_id", "quote-vendor"),
    ("not_yet_valid", "pck-crl-fresh"),
    ("pck_crl_as_root_crl", "root-crl"),
    ("processor_crl_for_platform_pck", "pck-crl"),
    ("qe_identity_edited", "qe-identity-signature"),
    ("sgx_qe_identity_for_tdx", "qe-identity-identity"),
    ("sgx_tcb_info_for_tdx", "tcb-info-identity"),
    ("tcb_info_edited", "tcb-info-signature"),
    ("trailing_nonzero", "quote-trailing-bytes"),
    ("truncated_1", "quote-format"),
    ("wrong_fmspc", "fmspc"),
];

#[test]
fn every_derived_case_comes_out_right() {
    let Some(folder) = vectors() else { return };
    let mut cases = 0;
    for entry in fs::read_dir(folder.join("tdx-cases/derived")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let read = |file: &str| fs::read(folder.join(file)).unwrap();
        let case: serde_json::Value = serde_json::from_slice(&read("expected.json")).unwrap();
        let now = case["now"].as_u64().unwrap();
        let verdict = judge(&read("quote.bin"), Some(&read("collateral.json")), &Policy::default(), now);
        let why = failed(&verdict);
        if case["should_succeed"] == true {
            assert_eq!(verdict.word(), Word::Authentic, "{name}: {why:?}");
        } else {
            assert_eq!(verdict.word(), Word::Refused, "{name}");
            let due = DERIVED.iter().find(|(case, _)| *case == name).map(|(_, slug)| *slug);
            assert_eq!(verdict.code(), due, "{name}: {why:?}");
        }
        cases += 1;
    }
    assert_eq!(cases, 22);
}

/// They hang from a root of their own, and their PCK certificate hangs from the root directly: no policy helps
/// them.
#[test]
fn every_synthetic_case_is_refused() {
    let Some(folder) = vectors() else { return };
    let root = fs::read(folder.join("tdx-cases/synthetic/_root/root_ca.der")).unwrap();
    let root = hallmark_verifier::certificate::Certificate::parse(root).unwrap();
    let spki = hex::encode(hallmark_verifier::crypto::sha256(&[root.spki()]));
    let named = policy(&format!("[roots]\nsimulated = [\"{spki}\"]"));
    let mut cases = 0;
    for entry in fs::read_dir(folder.join("tdx-cases/synthetic")).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(quote) = fs::read(folder.join("quote.bin")) else { continue };
        let collateral = fs::read(folder.join("collateral.json")).unwrap();
        for policy in [&Policy::default(), &named] {
            let verdict = judge(&quote, Some(&collateral), policy, 1_795_226_517);
            assert_eq!(verdict.word(), Word::Refused, "{}", folder.display());
        }
        cases += 1;
    }
    assert!(cases >= 50, "{cases}");
}

#[test]
fn no_byte_of_what_is_signed_can_be_changed() {
    let Some(folder) = vectors() else { return };
    let quote = fs::read(folder.join(QUOTE)).unwrap();
    let collateral = fs::read(folder.join(COLLATERAL)).unwrap();
    let (policy, now) = (Policy::default(), UnixSeconds(NOW));
    let collateral = Collateral::parse(&collateral).unwrap().verify(&policy, now).unwrap();
    let whole = Quote::parse(&quote).unwrap();
    let platform = collateral.platform(&whole, &policy, now).unwrap();
    let enclave = platform.quoting_enclave(&collateral, &whole, &policy, now).unwrap();
    let judge = |quote: &[u8]| {
        Quote::parse(quote).is_ok_and(|quote| {
            let known = enclave.authenticate(&collateral, &quote, &policy, now).is_ok();
            let unknown = collateral.authenticate(&quote, &policy, now).is_ok();
            assert_eq!(known, unknown, "what is known must not matter");
            known
        })
    };
    assert!(judge(&quote));
    // Header and body, signature, attestation key, QE report and its signature, authentication data: all but the
    // text of the certificates, whose PEM may be written in several ways.
    let signed = whole.signed().len() + 4 + 64 + 64 + 6 + 384 + 64 + 2 + 32 + 6;
    let mut changed = quote.clone();
    for at in 0..signed {
        // One bit is enough, another for each byte.
        changed[at] ^= 1 << (at % 8);
        assert!(!judge(&changed), "byte {at}");
        changed[at] = quote[at];
    }
}

#[test]
fn no_truncation_is_accepted_or_panics() {
    let Some(folder) = vectors() else { return };
    let collateral = fs::read(folder.join(COLLATERAL)).unwrap();
    let quote = fs::read(folder.join(QUOTE)).unwrap();
    let end = quote.iter().rposition(|byte| *byte != 0).unwrap();
    for len in 0..=quote.len() {
        assert_eq!(Quote::parse(&quote[..len]).is_ok(), len > end + 1, "{len}");
    }
    for len in 0..collateral.len() {
        assert!(Collateral::parse(&collateral[..len]).is_err(), "{len}");
    }
}

#[test]
fn changed_collateral_says_the_same_or_nothing() {
    let Some(folder) = vectors() else { return };
    let bytes = fs::read(folder.join(COLLATERAL)).unwrap();
    let (policy, now) = (Policy::default(), UnixSeconds(NOW));
    let verify = |bytes: &[u8]| Collateral::parse(bytes).ok()?.verify(&policy, now).ok();
    let good = verify(&bytes).unwrap();
    let mut changed = bytes.clone();
    for at in (0..bytes.len()).step_by(17) {
        changed[at] ^= 1 << (at % 8);
        if let Some(other) = verify(&changed) {
            assert_eq!(other.tcb_info(), good.tcb_info(), "byte {at}");
            assert_eq!(other.qe_identity(), good.qe_identity(), "byte {at}");
            assert_eq!(other.validity(), good.validity(), "byte {at}");
        }
        changed[at] = bytes[at];
    }
}

/// A platform that is revoked after it was kept is refused with the list that says so.
#[test]
fn what_is_kept_is_revoked_by_newer_collateral() {
    let now = UnixSeconds(hallmark_forge::NOW);
    let good = hallmark_forge::TdxCase::default().make();
    let revoked = hallmark_forge::mutation("pck-revoked").unwrap();
    let policy = Policy::parse(&good.policy).unwrap();
    let collateral = Collateral::parse(good.collateral.as_ref().unwrap()).unwrap();
    let collateral = collateral.verify(&policy, now).unwrap();
    let quote = Quote::parse(&good.quote).unwrap();
    let platform = collateral.platform(&quote, &policy, now).unwrap();
    let enclave = platform.quoting_enclave(&collateral, &quote, &policy, now).unwrap();
    assert!(enclave.authenticate(&collateral, &quote, &policy, now).is_ok());

    let newer = Collateral::parse(revoked.collateral.as_ref().unwrap()).unwrap();
    let newer = newer.verify(&policy, now).unwrap();
    for refusal in [
        newer.authenticate(&quote, &policy, now).unwrap_err(),
        platform.authenticate(&newer, &quote, &policy, now).unwrap_err(),
        enclave.authenticate(&newer, &quote, &policy, now).unwrap_err(),
    ] {
        assert_eq!(refusal.code(), "pck-revoked");
    }
    // And a policy that no longer names the root takes the collateral itself away.
    let refusal = enclave.authenticate(&collateral, &quote, &Policy::default(), now).unwrap_err();
    assert_eq!(refusal.code(), "root-pinned");
}

#[test]
fn every_stage_can_be_kept_and_looks_at_the_instant_again() {
    let Some(folder) = vectors() else { return };
    let bytes = fs::read(folder.join(QUOTE)).unwrap();
    let collateral = fs::read(folder.join(COLLATERAL)).unwrap();
    let policy = Policy::default();
    let now = UnixSeconds(NOW);
    let collateral = Collateral::parse(&collateral).unwrap().verify(&policy, now).unwrap();
    let quote = Quote::parse(&bytes).unwrap();
    let platform = collateral.platform(&quote, &policy, now).unwrap();
    let enclave = platform.quoting_enclave(&collateral, &quote, &policy, now).unwrap();
    assert!(platform.is_of(&quote) && enclave.is_of(&quote));
    let ends = collateral.validity().to;
    for (instant, holds) in [(now, true), (ends, true), (UnixSeconds(ends.0 + 1), false)] {
        assert_eq!(collateral.authenticate(&quote, &policy, instant).is_ok(), holds);
        assert_eq!(collateral.platform(&quote, &policy, instant).is_ok(), holds);
        assert_eq!(platform.authenticate(&collateral, &quote, &policy, instant).is_ok(), holds);
        assert_eq!(platform.quoting_enclave(&collateral, &quote, &policy, instant).is_ok(), holds);
        assert_eq!(enclave.authenticate(&collateral, &quote, &policy, instant).is_ok(), holds);
    }
    // What is known of one machine says nothing of another: its quote is judged from the start.
    let other = fs::read(folder.join("tdx-quotes/tdxv4-b0c06f000000-32f070134b.bin")).unwrap();
    let other = Quote::parse(&other).unwrap();
    assert!(!platform.is_of(&other) && !enclave.is_of(&other));
    let refusal = enclave.authenticate(&collateral, &other, &policy, now).unwrap_err();
    assert_eq!(refusal.code(), "tcb-level");
    assert_eq!(platform.quoting_enclave(&collateral, &other, &policy, now).unwrap_err().code(), "pck-chain");
}
