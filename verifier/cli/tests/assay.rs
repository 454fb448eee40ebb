//! Runs the program.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A run that has ended.
pub(crate) struct Ran {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

/// The program, in a folder, without anything of ours in its environment.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for name in ["COLUMNS", "CLICOLOR", "CLICOLOR_FORCE", "HALLMARK_BLESS"] {
        command.env_remove(name);
    }
    // What git says is quoted in one error.
    command.env("LC_ALL", "C");
    command
}

/// Runs it to its end.
pub(crate) fn assay(folder: &Path, arguments: &[&str]) -> Ran {
    let Output { status, stdout, stderr } = command(folder, arguments).output().unwrap();
    Ran {
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
        code: status.code().unwrap_or_else(|| panic!("ended by a signal: {status}")),
    }
}
