//! A real quote with the collateral of its time, at a time when that was valid and at one when it was not.

use std::path::PathBuf;

use serde_json::Value;

use crate::assay::assay;

fn vectors() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
    let folder = std::env::var_os("HALLMARK_VECTORS").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    folder.is_dir().then_some(folder)
}

#[test]
fn is_authentic_while_its_collateral_is_valid_and_refused_later() {
    let Some(vectors) = vectors() else {
        println!("skipped: no vectors");
        return;
    };
    let verify = |at: &str| {
        let ran = assay(
            &vectors,
            &[
                "verify",
                "tdx-quotes/tdxv4-b0c06f000000-f1c8503301.bin",
                "--collateral",
                "tdx-collateral/dq-tdx_quote.json",
                "--at",
                at,
                "--any-image",
                "--unbound",
                "--json",
            ],
        );
        (serde_json::from_str::<Value>(&ran.out).unwrap(), ran)
    };
    let (verdict, ran) = verify("1750329148");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, "");
    assert_eq!(verdict["verdict"], "authentic");
    assert_eq!(verdict["code"], Value::Null);
    assert_eq!(verdict["tcb"]["status"], "UpToDate");
    assert_eq!(verdict["historical"], true);

    let (verdict, ran) = verify("1755000000");
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!(verdict["verdict"], "refused");
    assert_eq!(verdict["code"], "pck-crl-fresh");
    assert!(ran.err.starts_with("error: pck-crl-fresh: valid only to 2025-07-19T10:00:35Z"), "{}", ran.err);
}
