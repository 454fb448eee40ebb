//! assay: tests what a machine says of itself.
//!
//! Offline: it fetches nothing, so collateral, releases and policies are files (`reproduce` runs cargo, which may fetch; `audit` reads a
//! log from the address that it is given). It does not promise that a machine does anything useful, only what it runs and on
//! what. Exit codes: 0 yes, 1 no, 2 could not tell.

mod audit;
mod complaint;
mod diff;
mod explain;
mod input;
mod inspect;
mod manual;
mod measure;
mod output;
mod reproduce;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::output::{Output, talk};

/// Check quotes, measurements and images; trust nobody's word.
#[derive(Parser)]
#[command(
    name = "assay",
    version,
    arg_required_else_help = true,
    after_help = "Example:
  assay verify evidence.json --expect release.json --nonce $NONCE --collateral collateral.json

Exit: 0 yes; 1 no; 2 could not tell."
)]
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
    /// Replay a committee's whole log, and check all in it that can be checked
    Audit(audit::Options),
    /// Say what a check holds, why, and what to do when it fails
    Explain(explain::Options),
    /// Print completions for a shell
    Completions(manual::Completions),
    /// Print a manual page
    Man(manual::Page),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let mut out = Output::stdout();
    let outcome = match command {
        Command::Verify(options) => verify::run(&options, &mut out),
        Command::Inspect(options) => inspect::run(&options, &mut out).map(|()| 0),
        Command::Measure(options) => measure::run(&options, &mut out),
        Command::Diff(options) => diff::run(&options, &mut out).map(|same| u8::from(!same)),
        Command::Reproduce(options) => reproduce::run(&options, &mut out).map(|same| u8::from(!same)),
        Command::Audit(options) => audit::run(&options, &mut out),
        Command::Explain(options) => explain::run(&options, &mut out).map(|()| 0),
        Command::Completions(options) => {
            manual::completions(&options, &mut out);
            Ok(0)
        }
        Command::Man(options) => manual::page(&options, &mut out).map(|()| 0),
    };
    // An answer that could not be written was not given.
    match out.finish().and(outcome) {
        Ok(code) => ExitCode::from(code),
        Err(complaint) => {
            talk(&complaint);
            ExitCode::from(complaint.code)
        }
    }
}
