//! Transcripts of the program: tests/transcripts/*.txt.
//!
//! A line `$ assay ...` is run in a folder of the golden files; what follows is its standard output, its standard error with
//! `2> ` before each line, and `exit N`. Empty lines and lines that begin with `#` between cases are comments. A file that begins with
//! `# HEX` has its long runs of hex digits masked. `HALLMARK_BLESS=1` writes down what comes out.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::assay::assay;
use crate::{audit, bless, golden, measure};

#[test]
fn are_as_written() {
    let folder = golden::folder();
    measure::write_disks(folder.path());
    audit::write_ledgers(folder.path());
    let mut wrong = String::new();
    let files = files();
    assert!(files.len() > 5, "transcripts are missing");
    for file in files {
        let written = fs::read_to_string(&file).unwrap();
        let is = replay(&written, folder.path());
        if is == written {
            continue;
        }
        if bless() {
            fs::write(&file, is).unwrap();
        } else {
            let name = file.file_name().unwrap().to_string_lossy();
            write!(wrong, "\n--- tests/transcripts/{name}\n+++ what came out\n{}", diff(&written, &is))
                .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}\nHALLMARK_BLESS=1 writes down what came out");
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
}

/// The transcript with what the program says today.
fn replay(written: &str, folder: &Path) -> String {
    let masked = written.starts_with("# HEX");
    let mut is = String::new();
    let mut in_case = false;
    for line in written.lines() {
        if let Some(command) = line.strip_prefix("$ assay") {
            in_case = true;
            let said = run(command, folder);
            writeln!(is, "{line}\n{}", if masked { mask(&said) } else { said }).unwrap();
        } else if !in_case {
            writeln!(is, "{line}").unwrap();
        } else if line.starts_with("exit ") {
            in_case = false;
        }
    }
    is
}

fn run(command: &str, folder: &Path) -> String {
    let arguments: Vec<&str> = command.split_whitespace().collect();
    let ran = assay(folder, &arguments);
    let err: String = ran.err.lines().map(|line| format!("2> {line}\n")).collect();
    format!("{}{err}exit {}", ran.out, ran.code)
}

/// Runs of 16 hex digits and more as `HEX`.
fn mask(text: &str) -> String {
    let (mut masked, mut digits) = (String::new(), String::new());
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() && !c.is_ascii_uppercase() {
            digits.push(c);
            continue;
        }
        masked.push_str(if digits.len() < 16 { &digits } else { "HEX" });
        digits.clear();
        masked.push(c);
    }
    masked.pop();
    masked
}

/// The lines that differ, `-` as written and `+` as they are, each stretch with its line number.
fn diff(written: &str, is: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (written.lines().collect(), is.lines().collect());
    let mut common = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] =
                if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut text, mut inside) = (0, 0, String::new(), false);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j, inside) = (i + 1, j + 1, false);
            continue;
        }
        if !inside {
            writeln!(text, "@@ line {}", i + 1).unwrap();
            inside = true;
        }
        if i < a.len() && (j == b.len() || common[i + 1][j] >= common[i][j + 1]) {
            writeln!(text, "-{}", a[i]).unwrap();
            i += 1;
        } else {
            writeln!(text, "+{}", b[j]).unwrap();
            j += 1;
        }
    }
    text
}

#[test]
fn a_difference_is_shown() {
    assert_eq!(diff("a\nb\nc\n", "a\nx\nc\nd\n"), "@@ line 2\n-b\n+x\n@@ line 4\n+d\n");
    assert_eq!(diff("a\n", "a\n"), "");
    assert_eq!(mask("sha384 0123456789abcdef.. decade"), "sha384 HEX.. decade");
}
