//! Small files of our own of every kind that has a section in SPECIFICATION.md: forged under a test root, the same bytes each
//! time. They lie in tests/golden, so that a clone tests acceptance without anything beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hallmark_forge::boot::Image;
use hallmark_forge::certificate::chain_pem;
use hallmark_forge::event_log::{EventLog, LogKind};
use hallmark_forge::{TdxCase, VtpmCase};

use crate::bless;

/// What `vtpm-bound.json` binds.
const BOUND: &[u8] = b"SIMULATED key\n";

/// Every golden file by its name.
pub(crate) fn files() -> BTreeMap<&'static str, Vec<u8>> {
    let (td, tpm) = (TdxCase::default(), VtpmCase::default());
    let (tdx, vtpm) = (td.make(), tpm.make());
    let other = Image { initrd: "SIMULATED other initrd".into(), ..Image::default() };
    let log = |kind| EventLog::new(kind, other.events(kind));
    let other_td = TdxCase { log: log(LogKind::Ccel), ..td.clone() }.make();
    let other_tpm = VtpmCase { log: log(LogKind::Tcg2), ..tpm.clone() }.make();
    let bound = VtpmCase { bound_file: Some(BOUND.to_vec()), ..tpm.clone() }.make();
    let mut old = td.clone();
    old.collateral.tcb_info.content.tcb_levels[0].tcb_status = "OutOfDate".into();

    BTreeMap::from([
        ("tdx-evidence.json", tdx.evidence),
        ("tdx-quote.bin", tdx.quote),
        ("tdx-ccel.bin", td.log.bytes()),
        ("tdx-pck-chain.pem", chain_pem(&td.pki.pck_chain()).into_bytes()),
        ("tdx-collateral.json", tdx.collateral.unwrap()),
        ("tdx-collateral-out-of-date.json", old.make().collateral.unwrap()),
        ("tdx-policy.toml", tdx.policy.into_bytes()),
        ("tdx-release.json", tdx.release),
        ("tdx-other-initrd.json", other_td.evidence),
        ("vtpm-evidence.json", vtpm.evidence),
        ("vtpm-tcg2.bin", tpm.log.bytes()),
        ("vtpm-policy.toml", vtpm.policy.into_bytes()),
        ("vtpm-release.json", vtpm.release),
        ("vtpm-other-initrd.json", other_tpm.evidence),
        ("vtpm-bound.json", bound.evidence),
        ("bound-key.txt", BOUND.to_vec()),
    ])
}

/// A new folder with all of them.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files() {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[test]
fn are_what_the_forge_makes() {
    let files = files();
    if bless() {
        fs::create_dir_all(committed()).unwrap();
        for (name, bytes) in &files {
            fs::write(committed().join(name), bytes).unwrap();
        }
    }
    for (name, bytes) in &files {
        let there = fs::read(committed().join(name)).unwrap_or_else(|e| panic!("tests/golden/{name}: {e}"));
        assert!(
            there == *bytes,
            "tests/golden/{name} is not what the forge makes; HALLMARK_BLESS=1 writes it anew"
        );
    }
    for entry in fs::read_dir(committed()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(files.contains_key(name.as_str()), "tests/golden/{name} is made by nothing");
    }
}
