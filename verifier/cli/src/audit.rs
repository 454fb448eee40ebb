//! `assay audit LOG`: a committee's whole log, from the first entry to the checkpoint, and everything in it that can be checked.

mod findings;
mod history;
mod kept;
mod members;
mod page;
mod progress;
mod quotes;
mod saved;
mod web;

use std::path::{Path, PathBuf};

use clap::ArgGroup;
use hallmark_coalition::UniqueId;
use hallmark_ledger::hash::Hash;
use hallmark_ledger::source::{Directory, Source};

use self::findings::Findings;
use self::quotes::{Document, Terms};
use crate::complaint::Complaint;
use crate::input;
use crate::output::{Output, talk};

/// Which log, and what you hold against it
#[derive(clap::Args)]
#[command(
    group(ArgGroup::new("image").required(true).args(["release", "any_image", "structure"])),
    after_help = "Examples:
  assay audit http://member.example:8080 --group $GROUP --release release.json --policy policy.toml
  assay audit ./ledger --group $GROUP --release old.json --release new.json --checkpoint kept.note
  assay audit http://member.example:8080 --structure --save ledger

Exit: 0 accepted, authentic or simulated; 1 refused; 2 undecided. docs/auditors/audit.md says what each question holds, and
what no audit can show."
)]
pub(crate) struct Options {
    /// A folder with a published log (checkpoint, tile/...), or its http:// address
    log: String,
    /// The committee that it must be of: 64 hex digits; without it the verdict stops at `authentic`
    #[arg(long, value_name = "HEX")]
    group: Option<UniqueId>,
    /// A release whose machines may be members; once for each that the log names
    #[arg(long, value_name = "FILE")]
    release: Vec<PathBuf>,
    /// Do not ask which image the members run; the verdict stops at `authentic`
    #[arg(long, conflicts_with = "release")]
    any_image: bool,
    /// Judge no quotes at all; the verdict stops at `authentic`
    #[arg(long, conflicts_with_all = ["release", "any_image", "policy"])]
    structure: bool,
    /// What you accept (SPECIFICATION, section 3). Default: the strictest
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A checkpoint that you have from elsewhere, or a receipt with one in it: this log must continue it, or contain it
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// Put what is read into this folder, which is not there yet: it can be audited again without a network
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the findings; the verdict's exit code.
pub(crate) fn run(options: &Options, out: &mut Output) -> Result<u8, Complaint> {
    let (findings, log, unread) = match audit(options) {
        Ok((findings, log)) => (findings, Some(log), None),
        Err(complaint) => {
            let why = format!("{}: {}", complaint.what, complaint.why);
            (Findings::none_of(&why), None, Some(complaint))
        }
    };
    if options.json {
        out.bytes(page::json(&findings, log.as_ref()).as_bytes());
        out.bytes(b"\n");
    } else if unread.is_some() {
        out.line(format_args!("verdict: {}", findings.word()));
    } else {
        page::write(&findings, log.as_ref(), out);
    }
    if let Some(complaint) = unread {
        return Err(complaint);
    }
    // What was found goes out before the talk about it.
    out.finish()?;
    if let Some(complaint) = page::complaint(&findings) {
        talk(complaint);
    }
    Ok(findings.word().exit_code())
}

/// What was found; or what could not be read, so that nothing was.
fn audit(options: &Options) -> Result<(Findings, page::Log), Complaint> {
    let terms = terms(options)?;
    let kept = options
        .checkpoint
        .iter()
        .map(|path| Ok((path.display().to_string(), input::read(path, "checkpoint", input::DOCUMENT)?)))
        .collect::<Result<Vec<_>, Complaint>>()?;
    let question = history::Question { group: options.group, terms: terms.as_ref(), kept: &kept };
    let mut source = source(&options.log)?;
    if let Some(folder) = &options.save {
        source = Box::new(saved::Saved::new(source, folder)?);
    }
    history::audit(source.as_ref(), &question)
}

/// What quotes are judged by; none where they are not to be judged.
fn terms(options: &Options) -> Result<Option<Terms>, Complaint> {
    if options.structure {
        return Ok(None);
    }
    let read = |path: &PathBuf| -> Result<Document, Complaint> {
        // One that is no release is said so now, and not once for each member.
        input::release(path)?;
        let bytes = input::read(path, "release", input::DOCUMENT)?;
        Ok(Document { sha256: Hash::of(&bytes), bytes })
    };
    let releases = options.release.iter().map(read).collect::<Result<_, _>>()?;
    let (policy, policy_sha256) = match &options.policy {
        Some(path) => (input::policy(path)?, Some(Hash::of(input::read(path, "policy", input::DOCUMENT)?))),
        None => (hallmark_verifier::policy::Policy::default(), None),
    };
    Ok(Some(Terms { policy, policy_sha256, releases, any_image: options.any_image }))
}

fn source(log: &str) -> Result<Box<dyn Source>, Complaint> {
    if log.starts_with("http://") {
        return Ok(Box::new(web::Web::new(log)));
    }
    if log.contains("://") {
        return Err(Complaint::unable(
            "address",
            format!("{log} is no http:// address"),
            "only plain HTTP is spoken here: what comes is checked against cosigned hashes",
            "give the http:// address of a member or a mirror, or a folder",
        ));
    }
    if !Path::new(log).is_dir() {
        return Err(Complaint::unable(
            "input",
            format!("cannot read the log {log}"),
            "there is no such folder",
            "give a folder with `checkpoint` and `tile/` in it, or an http:// address",
        ));
    }
    Ok(Box::new(Directory::new(log)))
}
