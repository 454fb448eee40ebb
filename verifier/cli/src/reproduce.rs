//! `assay reproduce REF`: the revision's own builder, run twice in surroundings that have nothing in common.
//!
//! Each run has its own clone, CARGO_HOME, target folder, user name, time zone, umask and job count; and where `faketime` is
//! installed (said when it is not), the builder its own clock, years from the other's. What it cannot vary: the compilers'
//! clock by more than the time between the runs, the kernel, the processor, the toolchain (pinned by the revision) and the
//! package registry.

mod build;
mod compare;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::complaint::Complaint;
use crate::output::{Output, talk};
use build::Surroundings;
use compare::Hashes;

const RUNS: [Surroundings; 2] = [
    Surroundings {
        folder: "a",
        user: "alice",
        zone: "UTC",
        umask: "022",
        jobs: "2",
        clock: "2031-05-06 07:08:09",
    },
    Surroundings {
        folder: "somewhere/else/b",
        user: "bob",
        zone: "Pacific/Auckland",
        umask: "077",
        jobs: "1",
        clock: "2027-01-02 03:04:05",
    },
];

/// What to rebuild, from where, and what it should come to
#[derive(clap::Args)]
#[command(after_help = "Examples:
  assay reproduce HEAD
  assay reproduce v0.1.0 --source ./hallmark --release release.json

Exit: 0 every artefact has the same bytes; 1 one has not; 2 something could not be built or read.")]
pub(crate) struct Options {
    /// Commit, tag or branch to rebuild
    reference: String,
    /// The repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// Also compare with the artefacts that this release names
    #[arg(long, value_name = "FILE")]
    release: Option<PathBuf>,
    /// Folder of Debian packages (checked by hash)
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Where to work, a folder that is empty or new; kept afterwards. Default: a temporary folder, removed
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
}

/// Prints the artefacts and their hashes. `Ok(true)` when they are the same everywhere.
pub(crate) fn run(options: &Options, out: &mut Output) -> Result<bool, Complaint> {
    // A release that cannot be read is found before the hour's work, not after.
    let released = options.release.as_ref().map(|path| crate::input::release(path)).transpose()?;
    let commit = commit_of(&options.source, &options.reference)?;
    out.line(format_args!("revision {commit}"));
    let temporary = std::env::temp_dir().join(format!("assay-reproduce-{}", std::process::id()));
    let work = options.work.as_ref().unwrap_or(&temporary);
    empty(work)?;
    let outcome =
        compare_runs(options, &commit, work, released.map(|release| Hashes::of_release(&release)), out);
    if options.work.is_none() {
        // Left-over files cost disk, not truth.
        let _ = fs::remove_dir_all(work);
    }
    outcome
}

fn compare_runs(
    options: &Options,
    commit: &str,
    work: &Path,
    released: Option<Hashes>,
    out: &mut Output,
) -> Result<bool, Complaint> {
    let work = fs::canonicalize(work).map_err(|e| cannot("open", work, &e))?;
    let revision = build::Revision { source: &options.source, commit, cache: options.cache.as_deref() };
    let mut folders = Vec::new();
    for (run, number) in RUNS.iter().zip(1..) {
        let start = Instant::now();
        talk(format_args!("build {number} of 2: {run}"));
        folders.push(build::build(&revision, &work, run)?);
        talk(format_args!("build {number} of 2: done in {} s", start.elapsed().as_secs()));
    }
    let [first, second] = folders.as_slice() else { return Ok(false) };
    let (one, two) = (Hashes::of_folder(first)?, Hashes::of_folder(second)?);
    let mut same =
        compare::report(("the first build", &one), ("the second", &two), Some((first, second)), out);
    if let Some(released) = released {
        same &= compare::report(("the release", &released), ("this build", &one.only(&released)), None, out);
    }
    out.line(if same { "reproduced: every artefact has the same bytes" } else { "NOT reproduced" });
    Ok(same)
}

/// Makes the folder, or makes sure that nothing is in it.
fn empty(folder: &Path) -> Result<(), Complaint> {
    fs::create_dir_all(folder).map_err(|e| cannot("create", folder, &e))?;
    let mut entries = fs::read_dir(folder).map_err(|e| cannot("read", folder, &e))?;
    if entries.next().is_none() {
        return Ok(());
    }
    let what = format!("{} is not empty", folder.display());
    Err(Complaint::unable(
        "work",
        what,
        "what an earlier run left would take part",
        "name a new folder with --work",
    ))
}

fn commit_of(source: &Path, reference: &str) -> Result<String, Complaint> {
    let mut git = Command::new("git");
    for name in build::NOT_PASSED {
        git.env_remove(name);
    }
    let output = git
        .arg("-C")
        .arg(source)
        .args(["rev-parse", "--verify", "--end-of-options"])
        .arg(format!("{reference}^{{commit}}"))
        .output()
        .map_err(|e| Complaint::unable("git", "git does not run", e, "install git"))?;
    if !output.status.success() {
        return Err(Complaint::unable(
            "reference",
            format!("no commit {reference} in {}", source.display()),
            String::from_utf8_lossy(&output.stderr),
            "name a commit, tag or branch, and the repository with --source",
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn cannot(verb: &str, path: &Path, why: &std::io::Error) -> Complaint {
    Complaint::unable(
        "file",
        format!("cannot {verb} {}", path.display()),
        why,
        "check the path and its permissions",
    )
}
