//! One run of a revision's builder in surroundings of our choice.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::cannot;
use crate::complaint::Complaint;
use crate::output::talk;

/// What differs between the runs.
pub(super) struct Surroundings {
    pub(super) folder: &'static str,
    pub(super) user: &'static str,
    pub(super) zone: &'static str,
    pub(super) umask: &'static str,
    pub(super) jobs: &'static str,
    pub(super) clock: &'static str,
}

impl fmt::Display for Surroundings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, user, zone, umask, jobs, clock } = self;
        write!(
            out,
            "folder {folder}, user {user}, TZ {zone}, umask {umask}, {jobs} jobs, the builder's clock {clock}"
        )
    }
}

/// What is built.
pub(super) struct Revision<'a> {
    /// The repository.
    pub(super) source: &'a Path,
    /// The commit, in hex.
    pub(super) commit: &'a str,
    /// Where Debian packages are.
    pub(super) cache: Option<&'a Path>,
}

/// The caller's settings that would decide what is built, by which toolchain, or from which repository.
pub(super) const NOT_PASSED: [&str; 12] = [
    "RUSTUP_TOOLCHAIN",
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "SOURCE_DATE_EPOCH",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
];

/// Clones, fetches and builds below `work`; the folder of the artefacts.
pub(super) fn build(revision: &Revision<'_>, work: &Path, run: &Surroundings) -> Result<PathBuf, Complaint> {
    let open = |path: &Path| fs::canonicalize(path).map_err(|e| cannot("open", path, &e));
    let base = work.join(run.folder);
    let (clone, home, out) = (base.join("source"), base.join("cargo-home"), base.join("out"));
    fs::create_dir_all(&home).map_err(|e| cannot("create", &home, &e))?;
    seed_registry(&home)?;
    let source = open(revision.source)?;
    let cache = revision.cache.map(open).transpose()?;

    // Fetched by its hash, so that a commit of any branch, local or remote, will do.
    step("git init", run.command("git").args(["init", "-q"]).arg(&clone))?;
    let git = || {
        let mut git = run.command("git");
        git.arg("-C").arg(&clone);
        git
    };
    step("git fetch", git().args(["fetch", "-q", "--no-tags"]).arg(&source).arg(revision.commit))?;
    step("git checkout", git().args(["checkout", "-q", "--detach", revision.commit]))?;

    let cargo = || {
        let mut cargo = run.command("cargo");
        cargo.current_dir(&clone).env("CARGO_HOME", &home).env("CARGO_TARGET_DIR", base.join("target"));
        cargo
    };
    step("cargo fetch", cargo().args(["fetch", "-q", "--locked"]))?;
    let mut mint = cargo();
    mint.env("CARGO_NET_OFFLINE", "true").args(["run", "-q", "--locked", "-p", "hallmark-mint"]);
    if has_faketime() {
        mint.arg("--config").arg(under_another_clock(run.clock));
        // Files keep their true times and waiting its true length: cargo compares the former and does the latter.
        mint.env("NO_FAKE_STAT", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    } else {
        talk("the builder's clock is not varied: faketime is not installed");
    }
    mint.args(["--", "build", "--out"]).arg(&out).args(["--source", ".", "--jobs", run.jobs]);
    if let Some(cache) = cache {
        mint.arg("--cache").arg(cache);
    }
    step("mint build", &mut mint)?;
    Ok(out)
}

/// Cargo's setting that runs the builder, and nothing else, by another clock. Compilers cannot: rustc hangs at its start when
/// faketime is loaded into it. They, and downloads, run by the real clock, which is another at each run.
fn under_another_clock(clock: &str) -> String {
    format!("target.'cfg(all())'.runner = ['faketime', '-m', '{clock}']")
}

fn has_faketime() -> bool {
    let found =
        Command::new("faketime").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

impl Surroundings {
    /// A program under this run's umask, user, time zone and job count. Arguments reach it as they are: no shell reads
    /// them.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "umask \"$1\" && shift && exec \"$@\"", "sh", self.umask, program]);
        for name in NOT_PASSED {
            command.env_remove(name);
        }
        command
            .env("CARGO_BUILD_JOBS", self.jobs)
            .env("USER", self.user)
            .env("LOGNAME", self.user)
            .env("TZ", self.zone);
        command
    }
}

/// The other CARGO_HOME gets copies of what is already downloaded, so that a rebuild needs no network; cargo
/// checks every crate against Cargo.lock.
fn seed_registry(home: &Path) -> Result<(), Complaint> {
    let known = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let Some(known) = known else { return Ok(()) };
    for part in ["config.toml", "registry/cache", "registry/index"] {
        let (from, to) = (known.join(part), home.join(part));
        if from.exists() {
            let parent = to.parent().unwrap_or(home);
            fs::create_dir_all(parent).map_err(|e| cannot("create", parent, &e))?;
            step("copy of the registry", Command::new("cp").arg("-r").arg(&from).arg(&to))?;
        }
    }
    Ok(())
}

/// Runs a program; what it says goes to standard error.
fn step(what: &str, command: &mut Command) -> Result<(), Complaint> {
    let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status().map_err(|e| {
        Complaint::unable("program", format!("{what} did not start"), e, "this needs sh, git and cargo")
    })?;
    if status.success() {
        return Ok(());
    }
    Err(Complaint::unable("build", format!("{what} failed"), status, "its own messages are above"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::NOT_PASSED;
    use crate::reproduce::RUNS;

    #[test]
    fn a_command_has_the_surroundings_and_its_arguments_as_they_are() {
        let said = RUNS[1]
            .command("sh")
            .args(["-c", "umask; echo \"$USER $TZ $CARGO_BUILD_JOBS\"; echo \"$1\"", "sh", "--cache='x' $y"])
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert_eq!(said, "0077\nbob Pacific/Auckland 1\n--cache='x' $y\n");
        let removed = RUNS[0].command("true");
        let removed: Vec<_> =
            removed.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert!(NOT_PASSED.iter().all(|name| removed.contains(&OsStr::new(name))));
    }

    #[test]
    fn the_runs_have_nothing_in_common() {
        let [a, b] = RUNS;
        for (a, b) in [
            (a.folder, b.folder),
            (a.user, b.user),
            (a.zone, b.zone),
            (a.umask, b.umask),
            (a.jobs, b.jobs),
            (a.clock, b.clock),
        ] {
            assert_ne!(a, b);
        }
    }
}
