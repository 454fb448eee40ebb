//! assay: tests what a machine says of itself.
//!
//! Offline: it fetches nothing, so collateral, releases and policies are files. It does not promise that a machine
//! does anything useful, only what it runs and on what. Exit codes: 0 yes, 1 no, 2 could not tell.

mod complaint;
mod diff;
mod explain;
mod input;
mod inspect;
mod measure;
mod reproduce;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::complaint::Complaint;

/// Check quotes, measurements and images; trust nobody's word.
#[derive(Parser)]
#[command(name = "assay", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Is this evidence true, and of this image? Exit 0 yes, 1 no, 2 could not tell
    Verify(verify::Options),
    /// Show what a quote, evidence, event log, collateral or release says, believing none of it
    Inspect(inspect::Options),
    /// Compute the registers of an image from its bytes alone
    Measure(measure::Options),
    /// Name the first measured event in which a machine differs from a release
    Diff(diff::Options),
    /// Rebuild a revision twice in different surroundings and compare the bytes
    Reproduce(reproduce::Options),
    /// Say what a check holds, why, and what to do when it fails
    Explain(explain::Options),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Verify(options) => verify::run(&options),
        Command::Inspect(options) => inspect::run(&options).map(|()| 0),
        Command::Measure(options) => measure::run(&options),
        Command::Diff(options) => diff::run(&options).map(|same| u8::from(!same)),
        Command::Reproduce(options) => reproduce::run(&options).map(|same| u8::from(!same)),
        Command::Explain(options) => explain::run(&options).map(|()| 0),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "assay", &mut std::io::stdout());
            Ok(0)
        }
        Command::Man => manual(),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::from(complaint.code)
        }
    }
}

fn manual() -> Result<u8, Complaint> {
    clap_mangen::Man::new(Cli::command())
        .render(&mut std::io::stdout())
        .map(|()| 0)
        .map_err(|e| Complaint::unable("output", "cannot write the manual page", e, "is the pipe still open?"))
}
