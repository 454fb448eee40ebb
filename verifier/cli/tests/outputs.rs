//! Where output goes, and what is not in it: panics on closed pipes, colours, another's control characters.

use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use crate::assay::{assay, command};
use crate::golden;

const VERIFY: [&str; 6] =
    ["verify", "tdx-evidence.json", "--any-image", "--unbound", "--policy", "tdx-policy.toml"];

#[test]
fn a_closed_pipe_ends_nothing_but_the_output() {
    let folder = golden::folder();
    for (arguments, code) in [
        (&["explain"][..], 0),
        (&["explain", "--markdown"], 0),
        (&["inspect", "tdx-evidence.json"], 0),
        (&["completions", "bash"], 0),
        (&["man"], 0),
        (&VERIFY, 2),
    ] {
        let mut child =
            command(folder.path(), arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{arguments:?}: {err}");
        assert!(!err.contains("panicked"), "{arguments:?}: {err}");
    }
    // Nor does nobody's listening to the error.
    let mut child =
        command(folder.path(), &VERIFY).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[test]
fn an_answer_that_cannot_be_written_is_not_given() {
    let Ok(full) = std::fs::File::create("/dev/full") else {
        println!("skipped: no /dev/full");
        return;
    };
    let folder = golden::folder();
    let ran = command(folder.path(), &["explain"]).stdout(full).output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8(ran.stderr).unwrap().starts_with("error: output: "));
}

#[test]
fn help_has_an_example_and_no_colours() {
    let here = Path::new(".");
    let commands = ["verify", "inspect", "measure", "diff", "reproduce", "explain", "completions", "man"];
    let top = assay(here, &["--help"]);
    assert!(commands.iter().all(|command| top.out.contains(&format!("\n  {command} "))), "{}", top.out);
    for help in commands.map(|command| vec![command, "--help"]).into_iter().chain([vec!["--help"]]) {
        let ran = assay(here, &help);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{help:?}");
        assert!(ran.out.contains("\nExample") && ran.out.contains("\n  assay "), "{help:?}: {}", ran.out);
        assert!(!ran.out.contains('\u{1b}'), "{help:?}");
        assert!(!assay(here, &["man", help[0]]).out.is_empty());
    }
}

#[test]
fn a_file_colours_and_forges_no_line() {
    let folder = golden::folder();
    let evil = "{\"kind\": \"tdx\", \"x\\nverdict: accepted\\u001b[2J\": 1}";
    std::fs::write(folder.path().join("evil"), evil).unwrap();
    for arguments in [&["verify", "evil", "--any-image", "--unbound"][..], &["inspect", "evil"]] {
        let ran = assay(folder.path(), arguments);
        assert_ne!(ran.code, 0);
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{}{}", ran.out, ran.err);
        assert!(!ran.out.lines().chain(ran.err.lines()).any(|line| line.starts_with("verdict: accepted")));
        assert_eq!(ran.err.lines().count(), 3, "{}", ran.err);
    }
}
