//! `assay reproduce REF`: the revision's own builder, run twice in surroundings that have nothing in common.
//!
//! Each run has its own clone, CARGO_HOME, target folder, user name, time zone, umask and job count, and its clock
//! too where `faketime` is installed (said when it is not). What it cannot vary: the kernel, the processor, the
//! toolchain (pinned by the revision) and the package registry.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use sha2::{Digest as _, Sha256};

use crate::complaint::Complaint;

/// What differs between the two runs.
struct Surroundings {
    folder: &'static str,
    user: &'static str,
    zone: &'static str,
    umask: &'static str,
    jobs: &'static str,
    clock: &'static str,
}

const RUNS: [Surroundings; 2] = [
    Surroundings { folder: "a", user: "alice", zone: "UTC", umask: "022", jobs: "2", clock: "2031-05-06 07:08:09" },
    Surroundings {
        folder: "somewhere/else/b",
        user: "bob",
        zone: "Pacific/Auckland",
        umask: "077",
        jobs: "1",
        clock: "2027-01-02 03:04:05",
    },
];

/// What to rebuild, from where, and what it should come to.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  assay reproduce HEAD\n  assay reproduce v0.1.0 --source ./hallmark --release release.json")]
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
    /// Where to work; kept afterwards. Default: a temporary folder, removed
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
}

/// Prints the artefacts and their hashes. `Ok(true)` when they are the same everywhere.
pub(crate) fn run(options: &Options) -> Result<bool, Complaint> {
    let commit = commit_of(&options.source, &options.reference)?;
    println!("revision {commit}");
    let (work, temporary) = match &options.work {
        Some(work) => (work.clone(), false),
        None => (std::env::temp_dir().join(format!("assay-reproduce-{}", std::process::id())), true),
    };
    let outcome = compare_runs(options, &commit, &work);
    if temporary {
        // Left-over files cost disk, not truth.
        let _ = fs::remove_dir_all(&work);
    }
    outcome
}

fn compare_runs(options: &Options, commit: &str, work: &Path) -> Result<bool, Complaint> {
    let mut results = Vec::new();
    for run in &RUNS {
        let start = Instant::now();
        let built = build(options, commit, work, run)?;
        eprintln!("built in {} s under {}", start.elapsed().as_secs(), run.folder);
        results.push(built);
    }
    let [first, second] = results.as_slice() else {
        return Err(broken("two runs gave other than two results"));
    };
    let mut same = report("first build", first, "second build", second);
    if let Some(path) = &options.release {
        let released = released(path)?;
        let built: BTreeMap<_, _> =
            first.iter().filter(|(n, _)| released.contains_key(*n)).map(|(n, h)| (n.clone(), h.clone())).collect();
        same &= report("release", &released, "this build", &built);
    }
    println!("{}", if same { "reproduced: every artefact has the same bytes" } else { "NOT reproduced" });
    Ok(same)
}

/// Says each artefact's hash, or the first file that differs. True when all agree.
fn report(left: &str, a: &BTreeMap<String, String>, right: &str, b: &BTreeMap<String, String>) -> bool {
    let mut same = true;
    for name in a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))) {
        let (x, y) = (a.get(name), b.get(name));
        if x == y {
            println!("{} {name}", x.map_or("-", String::as_str));
        } else {
            let show = |h: Option<&String>| h.map_or("absent", String::as_str).to_owned();
            println!("DIFFERS {name}: {left} {}, {right} {}", show(x), show(y));
            same = false;
        }
    }
    same
}

fn build(
    options: &Options,
    commit: &str,
    work: &Path,
    run: &Surroundings,
) -> Result<BTreeMap<String, String>, Complaint> {
    let base = work.join(run.folder);
    let (clone, home, out) = (base.join("source"), base.join("cargo-home"), base.join("out"));
    fs::create_dir_all(&home).map_err(|e| cannot("create a work folder", &base, &e))?;
    seed_registry(&home)?;
    let source = fs::canonicalize(&options.source).map_err(|e| cannot("open the repository", &options.source, &e))?;
    checked("clone", Command::new("git").args(["clone", "-q", "--no-hardlinks"]).arg(&source).arg(&clone))?;
    checked("checkout", Command::new("git").arg("-C").arg(&clone).args(["checkout", "-q", "--detach", commit]))?;

    let mut line = format!(
        "umask {}; exec cargo run -q --locked -p hallmark-mint -- build --out \"$OUT\" --source .",
        run.umask
    );
    if let Some(cache) = &options.cache {
        let cache = fs::canonicalize(cache).map_err(|e| cannot("open the package cache", cache, &e))?;
        line += &format!(" --cache '{}'", cache.display());
    }
    let mut command = if has_faketime() {
        let mut faketime = Command::new("faketime");
        faketime.args([run.clock, "sh", "-c", &line]);
        faketime
    } else {
        eprintln!("clock not varied: faketime is not installed");
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]);
        shell
    };
    command
        .current_dir(&clone)
        .env("OUT", &out)
        .env("CARGO_HOME", &home)
        .env("CARGO_TARGET_DIR", base.join("target"))
        .env("CARGO_BUILD_JOBS", run.jobs)
        .env("USER", run.user)
        .env("LOGNAME", run.user)
        .env("TZ", run.zone);
    checked("mint build", &mut command)?;
    hash_folder(&out)
}

/// The other CARGO_HOME gets copies of what is already downloaded, so that a rebuild needs no network; cargo
/// checks every crate against Cargo.lock.
fn seed_registry(home: &Path) -> Result<(), Complaint> {
    let known = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".cargo")));
    let Some(known) = known else { return Ok(()) };
    for part in ["config.toml", "registry/cache", "registry/index"] {
        let from = known.join(part);
        if !from.exists() {
            continue;
        }
        let to = home.join(part);
        let parent = to.parent().unwrap_or(home);
        fs::create_dir_all(parent).map_err(|e| cannot("create", parent, &e))?;
        checked("copy of the registry", Command::new("cp").arg("-r").arg(&from).arg(&to))?;
    }
    Ok(())
}

fn has_faketime() -> bool {
    let found = Command::new("faketime").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|s| s.success())
}

fn commit_of(source: &Path, reference: &str) -> Result<String, Complaint> {
    let output = Command::new("git")
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

fn hash_folder(out: &Path) -> Result<BTreeMap<String, String>, Complaint> {
    let mut hashes = BTreeMap::new();
    for entry in fs::read_dir(out).map_err(|e| cannot("read", out, &e))? {
        let entry = entry.map_err(|e| cannot("read", out, &e))?;
        if entry.file_type().is_ok_and(|t| t.is_file()) {
            hashes.insert(entry.file_name().to_string_lossy().into_owned(), hash_file(&entry.path())?);
        }
    }
    if hashes.is_empty() {
        return Err(broken("the builder wrote no artefact"));
    }
    Ok(hashes)
}

fn hash_file(path: &Path) -> Result<String, Complaint> {
    let mut file = fs::File::open(path).map_err(|e| cannot("open", path, &e))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(|e| cannot("read", path, &e))? {
            0 => return Ok(hex::encode(hash.finalize())),
            n => hash.update(buffer.get(..n).unwrap_or_default()),
        }
    }
}

fn released(path: &Path) -> Result<BTreeMap<String, String>, Complaint> {
    let release = crate::input::release(path)?;
    Ok(release.artefacts().iter().map(|a| (a.name.clone(), hex::encode(a.sha256.0))).collect())
}

fn checked(what: &str, command: &mut Command) -> Result<(), Complaint> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|e| Complaint::unable("program", format!("{what} did not start"), e, "install git and cargo"))?;
    if status.success() {
        return Ok(());
    }
    Err(Complaint::unable("build", format!("{what} failed"), status, "its own messages are above"))
}

fn cannot(verb: &str, path: &Path, why: &std::io::Error) -> Complaint {
    Complaint::unable("file", format!("cannot {verb} {}", path.display()), why, "check the path and its permissions")
}

fn broken(why: &str) -> Complaint {
    Complaint::unable("reproduce", "the comparison could not be made", why, "report this with the output above")
}
