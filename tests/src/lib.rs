//! What the black-box tests share: programs, inputs, and one built image.
//!
//! It promises nothing to other crates. Inputs that this repository does not hold (real quotes, Debian packages) are
//! looked for in `HALLMARK_VECTORS` and `HALLMARK_DEB_CACHE`, else beside the clone; what is absent is said aloud.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The top of this repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new(".")).to_path_buf()
}

/// The folder of real quotes and logs, or `None` after saying so.
#[must_use]
pub fn vectors() -> Option<PathBuf> {
    beside("HALLMARK_VECTORS", "vectors")
}

/// The folder of Debian packages, or `None`: then they come from the machine's mirror.
#[must_use]
pub fn packages() -> Option<PathBuf> {
    beside("HALLMARK_DEB_CACHE", "debs")
}

fn beside(variable: &str, name: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable)
        .map(PathBuf::from)
        .or_else(|| root().parent().map(|p| p.join("shared").join(name)))
        .filter(|p| p.is_dir());
    if found.is_none() {
        println!("skipped: no {name} (set {variable})");
    }
    found
}

/// `mint` or `assay`, built once with this run's profile and target folder.
///
/// # Panics
/// When cargo cannot build it: no black-box test can go on.
#[must_use]
#[expect(clippy::panic, reason = "a test harness ends the test")]
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let status = Command::new("cargo")
            .args(["build", "-q", "--locked", "-p", "hallmark-mint", "-p", "hallmark-assay"])
            .current_dir(root())
            .status();
        assert!(status.is_ok_and(|s| s.success()), "cargo build of the programs failed");
        let test = std::env::current_exe().unwrap_or_else(|e| panic!("own path: {e}"));
        // target/PROFILE/deps/TEST
        test.ancestors().nth(2).unwrap_or_else(|| panic!("{}", test.display())).to_path_buf()
    });
    folder.join(name)
}

/// Runs a program at the top of this repository and returns all it said.
///
/// # Panics
/// When it does not start.
#[must_use]
pub fn run(name: &str, arguments: &[&str]) -> Said {
    run_in(&root(), name, arguments)
}

/// Runs a program in a folder and returns all it said.
///
/// # Panics
/// When it does not start.
#[must_use]
#[expect(clippy::panic, reason = "a test harness ends the test")]
pub fn run_in(folder: &Path, name: &str, arguments: &[&str]) -> Said {
    let mut command = Command::new(program(name));
    command.args(arguments).current_dir(folder);
    if let Some(packages) = packages() {
        command.env("HALLMARK_DEB_CACHE", packages);
    }
    let output = command.output().unwrap_or_else(|e| panic!("{name}: {e}"));
    Said::new(&output)
}

/// What a program said, and its exit code.
#[derive(Debug)]
pub struct Said {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    fn new(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts the exit code, showing all that was said otherwise.
    ///
    /// # Panics
    /// On another exit code.
    #[must_use]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    #[expect(clippy::panic, reason = "a test harness ends the test")]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }
}
