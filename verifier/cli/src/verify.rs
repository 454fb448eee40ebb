//! `assay verify`: the verdict.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ArgGroup;
use hallmark_verifier::binding::Ask;
use hallmark_verifier::checks;
use hallmark_verifier::crypto::sha256;
use hallmark_verifier::image::Expect;
use hallmark_verifier::policy::Policy;
use hallmark_verifier::report::Outcome;
use hallmark_verifier::time::UnixSeconds;
use hallmark_verifier::verdict::{Verdict, Word};
use hallmark_verifier::verify::{Request, verify};

use crate::complaint::Complaint;
use crate::input;

/// What to verify, against what
#[derive(clap::Args)]
#[command(
    group(ArgGroup::new("image").required(true).args(["expect", "any_image"])),
    group(ArgGroup::new("bound").required(true).multiple(true).args(["nonce", "bind", "unbound"])),
    after_help = "Examples:
  assay verify evidence.json --expect release.json --nonce $NONCE --policy policy.toml
  assay verify quote.bin --collateral collateral.json --any-image --unbound --json
  assay verify quote.bin --collateral collateral.json --any-image --unbound --at 1750329148

Words: accepted, authentic, simulated (exit 0); refused (1); undecided (2). `assay explain CODE` explains a refusal."
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
pub(crate) fn run(options: &Options) -> Result<u8, Complaint> {
    match judge(options) {
        Ok(verdict) => {
            if options.json {
                println!("{}", verdict.to_json());
            } else {
                print(&verdict);
            }
            Ok(verdict.word().exit_code())
        }
        Err(complaint) => {
            if options.json {
                println!("{}", undecided(options, &complaint));
            } else {
                println!("verdict: {}", if complaint.code == 1 { Word::Refused } else { Word::Undecided });
            }
            Err(complaint)
        }
    }
}

fn judge(options: &Options) -> Result<Verdict, Complaint> {
    let evidence = input::read(&options.evidence, "evidence", input::DOCUMENT)?;
    let read = |path: &Option<PathBuf>, what| {
        path.as_ref().map(|path| input::read(path, what, input::DOCUMENT)).transpose()
    };
    let collateral = read(&options.collateral, "collateral")?;
    let release = read(&options.expect, "release")?;
    let bound = read(&options.bind, "bound file")?.map(|bytes| sha256(&[&bytes]));
    let policy = policy(options)?;
    let now = match options.at {
        Some(at) => at,
        None => clock()?,
    };
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
        now: UnixSeconds(now),
        historical: options.at.is_some(),
    }))
}

fn policy(options: &Options) -> Result<Policy, Complaint> {
    let Some(path) = &options.policy else { return Ok(Policy::default()) };
    let bytes = input::read(path, "policy", input::DOCUMENT)?;
    let malformed = |why: &dyn std::fmt::Display| {
        let what = format!("{} is no policy", path.display());
        Complaint::unable("policy", what, why, "see SPECIFICATION.md, section 3")
    };
    let text = String::from_utf8(bytes).map_err(|e| malformed(&e))?;
    Policy::parse(&text).map_err(|e| malformed(&e))
}

fn clock() -> Result<u64, Complaint> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| {
        Complaint::unable("clock", "this machine's clock stands before 1970", e, "set it, or say --at UNIX")
    })?;
    Ok(since.as_secs())
}

fn print(verdict: &Verdict) {
    let simulated = if verdict.word() == Word::Simulated { " (SIMULATED: proves nothing of any machine)" } else { "" };
    println!("verdict: {}{simulated}", verdict.word());
    if verdict.historical() {
        println!("historical: judged as at the instant of --at");
    }
    if !verdict.trust().is_empty() {
        println!("trust: {}", verdict.trust().join(", "));
    }
    if let Some(tcb) = verdict.tcb() {
        let advisories: Vec<&str> = tcb.advisories.iter().map(String::as_str).collect();
        println!("tcb: {} {}", tcb.status.word(), advisories.join(" "));
    }
    for (register, value) in verdict.measurements().iter() {
        for digest in value.iter() {
            println!("{register}: {} {digest}", digest.bank());
        }
    }
    for line in verdict.checks() {
        match line.outcome {
            Outcome::Fail => println!("fail {}: {}", line.slug, line.detail),
            Outcome::NotRun => println!("not-run {}: {}", line.slug, line.detail),
            Outcome::Pass => {}
        }
    }
    let passed = verdict.checks().iter().filter(|line| line.outcome == Outcome::Pass).count();
    println!("{passed} checks passed");
    if let Some(check) = verdict.code().and_then(checks::find) {
        let detail = verdict.checks().into_iter().find(|l| l.slug == check.slug).map(|l| l.detail).unwrap_or_default();
        eprintln!("error: {}: {detail}", check.slug);
        eprintln!("why:   {}", check.explanation);
        eprintln!("hint:  {}", check.hint);
    } else if verdict.word() == Word::Undecided {
        eprintln!("error: undecided: something that the verdict needs is missing");
        eprintln!("why:   the checks above that are not-run say what");
        eprintln!("hint:  give it; for TDX that is --collateral FILE");
    }
}

/// The verdict's JSON where an input could not be read, so that a script always finds one.
fn undecided(options: &Options, complaint: &Complaint) -> serde_json::Value {
    serde_json::json!({
        "verdict": Word::Undecided.as_str(), "code": complaint.slug, "historical": options.at.is_some(), "trust": [],
        "tcb": null, "measurements": {}, "report_data": null, "checks": [],
    })
}
