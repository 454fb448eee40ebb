//! `assay reproduce` on a repository of one file whose builder is called as ours is: a whole rebuild of ours takes minutes, and is
//! a command (docs/auditors).

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::assay::{Ran, command};

/// Writes two artefacts; `EXTRA` stands for what a careless builder would add to one.
const BUILDER: &str = r#"fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let out = std::path::Path::new(&arguments[3]);
    assert_eq!(arguments[1..3], ["build", "--out"]);
    std::fs::create_dir_all(out.join("more")).unwrap();
    std::fs::write(out.join("disk.raw"), format!("disk {}", EXTRA)).unwrap();
    std::fs::write(out.join("more/notes"), "notes").unwrap();
    println!("built");
}
"#;

fn git(folder: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args([
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@t",
        "-c",
        "commit.gpgsign=false",
    ]);
    assert!(git.args(arguments).status().expect("git").success(), "git {arguments:?}");
}

/// A repository with a commit on a branch that is not the one checked out.
fn repository(folder: &Path, extra: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::copy(root.join("rust-toolchain.toml"), folder.join("rust-toolchain.toml")).unwrap();
    let package =
        "[package]\nname = \"hallmark-mint\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), package).unwrap();
    fs::write(
        folder.join("Cargo.lock"),
        "version = 4\n\n[[package]]\nname = \"hallmark-mint\"\nversion = \"0.1.0\"\n",
    )
    .unwrap();
    fs::write(folder.join("src/main.rs"), BUILDER.replace("EXTRA", extra)).unwrap();
    git(folder, &["init", "-q", "-b", "main"]);
    git(folder, &["add", "."]);
    git(folder, &["commit", "-q", "-m", "one"]);
    git(folder, &["tag", "v1"]);
    fs::write(folder.join("src/main.rs"), "fn main() { panic!() }").unwrap();
    git(folder, &["commit", "-q", "-a", "-m", "two"]);
}

/// Reproduces `v1` in a folder whose name a shell would trip over.
fn reproduce(extra: &str, options: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("it's a clone");
    repository(&source, extra);
    let mut arguments = vec!["reproduce", "v1", "--source", "it's a clone", "--work", "the work"];
    arguments.extend(options);
    // A home of cargo's without packages: there are none to copy.
    let output =
        command(folder.path(), &arguments).env("CARGO_HOME", folder.path().join("home")).output().unwrap();
    Ran {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    }
}

#[test]
fn the_same_bytes_are_reproduced() {
    let ran = reproduce("1", &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ran.out);
    assert!(lines[0].starts_with("revision "));
    assert!(lines[1].ends_with("  disk.raw") && lines[2].ends_with("  more/notes"), "{}", ran.out);
    assert_eq!(lines[3], "reproduced: every artefact has the same bytes");
    assert!(ran.err.contains("build 1 of 2: folder a, user alice, TZ UTC, umask 022, 2 jobs"), "{}", ran.err);
    assert!(ran.err.contains("build 2 of 2: done in "), "{}", ran.err);
}

#[test]
fn a_builder_that_writes_down_where_it_runs_is_found_out() {
    let ran = reproduce("std::env::current_dir().unwrap().display()", &[]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("\nDIFFERS disk.raw, first at byte "), "{}", ran.out);
    assert!(ran.out.ends_with("\nNOT reproduced\n"), "{}", ran.out);
}

#[test]
fn a_builder_that_fails_and_a_folder_in_use_tell_nothing() {
    let ran = reproduce("{ panic!(\"no\") as ! }", &[]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("\nerror: build: mint build failed\n"), "{}", ran.err);

    let folder = tempfile::tempdir().unwrap();
    repository(folder.path(), "1");
    let ran = crate::assay::assay(folder.path(), &["reproduce", "v1", "--work", "src"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: work: src is not empty\n"), "{}", ran.err);
}
