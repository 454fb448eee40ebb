//! mint: makes images, machines, and what others need to check them.
//!
//! It promises nothing about a machine that it boots: that is `assay`'s word. Exit codes: 0 done, 1 no, 2 could not.

mod boot;
mod build;
mod coalition;
mod committee;
mod complaint;
mod demo;
mod doctor;
mod measure;
mod progress;
mod release;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::complaint::Complaint;

/// Build measured images, boot them, and publish what they measure to.
#[derive(Parser)]
#[command(name = "mint", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the image from source: hallmark.efi, disk.raw, release.json
    Build(build::Options),
    /// Compute what a disk measures to, platform by platform
    Measure(measure::Options),
    /// Read a release back, sign it, or check its signatures
    #[command(subcommand)]
    Release(release::Command),
    /// Boot a disk in QEMU with OVMF, and with a TPM if asked
    Boot(boot::Options),
    /// What a coalition is called, and what its integrators must know
    #[command(subcommand)]
    Coalition(coalition::Command),
    /// Committees: their ceremonies, how they stand, and a member as a process
    #[command(subcommand)]
    Committee(committee::Command),
    /// Say which paths are ready on this machine. Exit 1 when one is not
    Doctor,
    /// The main job in one go, SIMULATED: build, measure, verify, and a changed image refused
    Demo(demo::Options),
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
        Command::Build(options) => build::run(&options),
        Command::Measure(options) => measure::run(&options),
        Command::Release(command) => release::run(&command),
        Command::Boot(options) => boot::run(&options),
        Command::Coalition(command) => coalition::run(&command),
        Command::Committee(command) => committee::run(&command),
        Command::Doctor => return ExitCode::from(u8::from(!doctor::run())),
        Command::Demo(options) => demo::run(&options),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "mint", &mut std::io::stdout());
            Ok(())
        }
        Command::Man => clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout()).map_err(|e| {
            Complaint::unable("output", "cannot write the manual page", e, "is the pipe still open?")
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::from(complaint.code)
        }
    }
}
