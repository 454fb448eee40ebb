//! docs/auditors/checks.md is the table of checks, written by the program.

use std::fs;
use std::path::Path;

use crate::assay::assay;
use crate::bless;

#[test]
fn is_what_the_program_writes() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/auditors/checks.md");
    let ran = assay(Path::new("."), &["explain", "--markdown"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    if bless() {
        fs::write(&page, &ran.out).unwrap();
    }
    let written = fs::read_to_string(&page).expect("docs/auditors/checks.md");
    assert!(
        written == ran.out,
        "docs/auditors/checks.md is not `assay explain --markdown`; HALLMARK_BLESS=1 writes it anew"
    );
}
