//! The arrows between our crates, and what may never be linked where (DESIGN §3).
//!
//! Reads `cargo metadata --locked`; needs no other tool.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Which of our crates each may use in what it ships (build and normal dependencies).
const ARROWS: &[(&str, &[&str])] = &[
    ("hallmark-verifier", &[]),
    ("hallmark-forge", &[]),
    ("hallmark-measurement", &[]),
    // Beyond DESIGN §3: releases are signed with the ledger's notes, so that there is one reader of signed notes.
    ("hallmark-image", &["measurement", "ledger"]),
    ("hallmark-evidence", &[]),
    ("hallmark-coalition", &[]),
    ("hallmark-ledger", &["coalition"]),
    ("hallmark-attest", &["verifier", "evidence"]),
    ("hallmark-machine", &["coalition", "ledger"]),
    ("hallmark-committee", &["machine", "ledger", "coalition", "attest", "verifier"]),
    ("hallmark-simulated", &["evidence", "forge"]),
    ("hallmark-guest", &["evidence", "provisioning"]),
    ("hallmark-provisioning", &[]),
    ("hallmark-assay", &["verifier", "measurement", "ledger", "coalition"]),
    (
        "hallmark-mint",
        &[
            "image",
            "verifier",
            "provisioning",
            "guest",
            "simulated",
            "coalition",
            "ledger",
            "machine",
            "attest",
            "committee",
        ],
    ),
    ("hallmark-tests", &[]),
    (
        "hallmark-fuzz",
        &["verifier", "measurement", "image", "ledger", "coalition", "machine", "committee", "forge"],
    ),
];

/// Two witnesses who have not spoken: not even their tests may share code.
const NEVER_EVEN_IN_TESTS: &[(&str, &str)] = &[
    ("hallmark-verifier", "hallmark-measurement"),
    ("hallmark-measurement", "hallmark-verifier"),
    ("hallmark-forge", "hallmark-verifier"),
];

/// Packages that must not be in the closure of the package named first.
const BANS: &[(&str, &[&str])] = &[
    (
        "hallmark-verifier",
        &["tokio", "openssl", "openssl-sys", "hyper", "reqwest", "dcap-qvl", "sev", "az-tdx-vtpm"],
    ),
    ("hallmark-assay", &["tokio", "openssl", "openssl-sys", "hyper", "reqwest"]),
    ("hallmark-guest", &["hallmark-simulated", "hallmark-forge", "openssl", "openssl-sys"]),
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .other_options(vec!["--locked".into()])
        .exec()
        .expect("cargo metadata")
}

/// Everything that `root` links, by normal and build dependencies.
fn closure(metadata: &Metadata, root: &str) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().expect("resolved");
    let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|n| (&n.id, n)).collect();
    let start = metadata.packages.iter().find(|p| p.name == root).unwrap_or_else(|| panic!("{root}"));
    let mut queue = VecDeque::from([&start.id]);
    let mut seen = BTreeSet::new();
    while let Some(id) = queue.pop_front() {
        if !seen.insert(id) {
            continue;
        }
        queue.extend(nodes[id].deps.iter().filter_map(|d| {
            let shipped = d.dep_kinds.iter().any(|k| k.kind != DependencyKind::Development);
            shipped.then_some(&d.pkg)
        }));
    }
    seen.into_iter().map(|id| metadata[id].name.to_string()).collect()
}

#[test]
fn only_the_arrows_of_the_design() {
    let metadata = metadata();
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let Some(allowed) = arrows.get(package.name.as_str()) else {
            wrong.push(format!("{} is not in the table of arrows", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            let Some(short) = dependency.name.strip_prefix("hallmark-") else { continue };
            let test_only = dependency.kind == DependencyKind::Development;
            if !test_only && !allowed.contains(&short) {
                wrong.push(format!("{} -> {short}: no such arrow", package.name));
            }
            let pair = (package.name.as_str(), dependency.name.as_str());
            if NEVER_EVEN_IN_TESTS.contains(&pair) {
                wrong.push(format!("{} -> {}: never, not even in tests", pair.0, pair.1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bans_hold() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for (root, banned) in BANS {
        let linked = closure(&metadata, root);
        assert!(linked.len() > 5, "{root}: closure too small to mean anything");
        wrong.extend(banned.iter().filter(|b| linked.contains(**b)).map(|b| format!("{root} links {b}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One alternative of an SPDX `OR` must be free of copyleft; an absent licence is refused.
fn licence_is_fine(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    expression.split(" OR ").any(|alternative| !alternative.to_uppercase().contains("GPL"))
}

#[test]
fn licences_allow_linking() {
    let metadata = metadata();
    let wrong: Vec<String> = metadata
        .packages
        .iter()
        .filter(|p| !p.license.as_deref().is_some_and(licence_is_fine))
        .map(|p| format!("{} {}: {:?}", p.name, p.version, p.license))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!licence_is_fine("AGPL-3.0-only") && !licence_is_fine("MIT AND GPL-2.0"));
    assert!(licence_is_fine("MIT OR LGPL-2.1") && licence_is_fine("Apache-2.0"));
}

#[test]
fn names_and_members_follow_the_layout() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        assert!(package.name.starts_with("hallmark-"), "{}", package.name);
        assert!(package.publish.as_ref().is_some_and(Vec::is_empty), "{}: published", package.name);
    }
}

/// Known vulnerabilities, by `cargo audit` on the database it fetched earlier: tests ask no network.
#[test]
fn advisories() {
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|h| h + "/.cargo"));
    if !home.is_ok_and(|h| std::path::Path::new(&h).join("advisory-db/crates").is_dir()) {
        return println!("skipped: no advisory database (run `cargo audit` once)");
    }
    let audit = std::process::Command::new("cargo")
        .args(["audit", "--no-fetch"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status();
    match audit {
        Ok(status) => assert!(status.success(), "cargo audit: {status}"),
        Err(_) => println!("skipped: cargo-audit is not installed"),
    }
}
