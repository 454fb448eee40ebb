//! `assay verify`: the verdict.

mod page;
mod unread;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ArgGroup;
use hallmark_verifier::binding::Ask;
use hallmark_verifier::image::Expect;
use hallmark_verifier::time::UnixSeconds;
use hallmark_verifier::verdict::{Verdict, Word};
use hallmark_verifier::verify::{Request, verify};

use crate::complaint::Complaint;
use crate::input;
use crate::output::{Output, talk};

/// What to verify, against what
#[derive(clap::Args)]
#[command(
    group(ArgGroup::new("image").required(true).args(["expect", "any_image"])),
    group(ArgGroup::new("bound").required(true).multiple(true).args(["nonce", "bind", "unbound"])),
    after_help = "Examples:
  assay verify evidence.json --expect release.json --nonce $NONCE --policy policy.toml
  assay verify quote.bin --collateral collateral.json --any-image --unbound --json
  assay verify quote.bin --collateral collateral.json --any-image --unbound --at 1750329148

Exit: 0 accepted, authentic or simulated; 1 refused; 2 undecided. `assay explain CODE` explains a refusal."
)]
pub(crate) struct Options {
    /// evidence.json, or a raw TDX quote
    evidence: PathBuf,
    /// The release whose image must run
    #[arg(long, value_name = "RELEASE")]
    expect: Option<PathBuf>,
    /// Do not ask which image runs; the verdict stops at `authentic`
    #[arg(long)]
    any_image: bool,
    /// The nonce that the machine was asked with: 64 hex digits
    #[arg(long, value_name = "HEX", value_parser = input::hex_bytes::<32>)]
    nonce: Option<[u8; 32]>,
    /// The file (or key) that the evidence must bind
    #[arg(long, value_name = "FILE")]
    bind: Option<PathBuf>,
    /// Do not ask what the evidence is bound to; the verdict stops at `authentic`
    #[arg(long, conflicts_with_all = ["nonce", "bind"])]
    unbound: bool,
    /// Intel's collateral (SPECIFICATION, section 5); TDX cannot be judged without
    #[arg(long, value_name = "FILE")]
    collateral: Option<PathBuf>,
    /// What you accept (SPECIFICATION, section 3). Default: the strictest
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Judge as at this instant, Unix seconds; the verdict is then historical
    #[arg(long, value_name = "UNIX")]
    at: Option<u64>,
    /// Print the verdict as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the verdict; its exit code.
pub(crate) fn run(options: &Options, out: &mut Output) -> Result<u8, Complaint> {
    match judge(options) {
        Ok(verdict) => {
            if options.json {
                out.bytes(verdict.to_json().as_bytes());
                out.bytes(b"\n");
            } else {
                page::write(&verdict, options, out);
            }
            out.finish()?;
            if let Some(complaint) = page::complaint(&verdict) {
                talk(complaint);
            }
            Ok(verdict.word().exit_code())
        }
        Err(complaint) => {
            if options.json {
                out.bytes(unread::verdict(options.at.is_some(), &complaint).as_bytes());
                out.bytes(b"\n");
            } else {
                out.line(format_args!("verdict: {}", Word::Undecided));
            }
            Err(complaint)
        }
    }
}

/// The verdict; or what could not be read, so that there is none.
fn judge(options: &Options) -> Result<Verdict, Complaint> {
    let read = |path: &Option<PathBuf>, what| path.as_ref().map(|path| input::judged(path, what)).transpose();
    let evidence = input::judged(&options.evidence, "evidence")?;
    let collateral = read(&options.collateral, "collateral")?;
    let release = read(&options.expect, "release")?;
    let bound = options.bind.as_ref().map(|path| input::sha256(path, "bound file")).transpose()?;
    let policy = options.policy.as_deref().map(input::policy).transpose()?.unwrap_or_default();
    Ok(verify(&Request {
        evidence: &evidence,
        collateral: collateral.as_deref(),
        expect: release.as_deref().map_or(Expect::AnyImage, Expect::Release),
        binding: match (options.nonce, bound) {
            (Some(nonce), Some(bound)) => Ask::Both { nonce, bound },
            (Some(nonce), None) => Ask::Nonce(nonce),
            (None, Some(bound)) => Ask::Bound(bound),
            (None, None) => Ask::Unbound,
        },
        policy: &policy,
        now: UnixSeconds(options.at.map_or_else(clock, Ok)?),
        historical: options.at.is_some(),
    }))
}

fn clock() -> Result<u64, Complaint> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| {
        Complaint::unable("clock", "this machine's clock stands before 1970", e, "set it, or say --at UNIX")
    })?;
    Ok(since.as_secs())
}
