//! Which source an image is built from: git's commit and tree.
//!
//! A release claims a commit only when the work tree *is* that commit. A changed work tree is refused, or, when the
//! caller allows it, named by the tree that it would commit as, under a commit of zeros, which nothing can have.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// The source of an image, as git names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// SHA-1 of the commit; zeros when there is none that this is.
    pub commit: [u8; 20],
    /// SHA-1 of the tree; zeros when it is not known.
    pub tree: [u8; 20],
}

impl Source {
    /// No claim: neither a commit nor a tree.
    pub const UNCLAIMED: Self = Self { commit: [0; 20], tree: [0; 20] };

    /// Asks git for the source in a folder: its work tree must be a commit, untracked files included (ignored ones
    /// are not looked at).
    ///
    /// With `allow_changed`, a changed work tree is named by its own tree under a commit of zeros, and a folder
    /// without git is [`Source::UNCLAIMED`].
    ///
    /// # Errors
    /// When the work tree is changed, or git cannot tell.
    pub fn of(folder: &Path, allow_changed: bool) -> Result<Self, SourceError> {
        let commit = match git(folder, &["rev-parse", "--verify", "HEAD^{commit}"], &[]) {
            Ok(commit) => id(&commit)?,
            Err(_) if allow_changed => return Ok(Self::UNCLAIMED),
            Err(error) => return Err(error),
        };
        let status = git(folder, &["status", "--porcelain", "--untracked-files=normal"], &[])?;
        let Some(first) = status.lines().next() else {
            return Ok(Self {
                commit,
                tree: id(&git(folder, &["rev-parse", "--verify", "HEAD^{tree}"], &[])?)?,
            });
        };
        if !allow_changed {
            return Err(SourceError::Changed {
                first: first.trim().to_owned(),
                count: status.lines().count(),
            });
        }
        Ok(Self { commit: [0; 20], tree: tree_of_changes(folder)? })
    }
}

/// The tree that the work tree would commit as, written to a throw-away index and object folder, so that the
/// repository is not changed.
fn tree_of_changes(folder: &Path) -> Result<[u8; 20], SourceError> {
    let objects = git(folder, &["rev-parse", "--path-format=absolute", "--git-path", "objects"], &[])?;
    let scratch = Scratch::new().map_err(SourceError::Scratch)?;
    let vars = [
        ("GIT_INDEX_FILE", scratch.0.join("index")),
        ("GIT_OBJECT_DIRECTORY", scratch.0.join("objects")),
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", PathBuf::from(objects.trim())),
    ];
    let top = git(folder, &["rev-parse", "--show-toplevel"], &[])?;
    let top = Path::new(top.trim());
    git(top, &["add", "--all", "."], &vars)?;
    id(&git(top, &["write-tree"], &vars)?)
}

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let path = env::temp_dir().join(format!("hallmark-tree-{}", hex::encode(random)));
        fs::create_dir(&path)?;
        fs::create_dir(path.join("objects"))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind in the system's folder for temporary files if it fails.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn git(folder: &Path, arguments: &[&str], vars: &[(&str, PathBuf)]) -> Result<String, SourceError> {
    let output = Command::new("git")
        .args(["-c", "core.quotePath=false", "-c", "core.fsmonitor=false"])
        .args(arguments)
        .current_dir(folder)
        // A hook or an outer git command may have set these for another repository.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_OBJECT_DIRECTORY")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .envs(vars.iter().map(|(name, value)| (name, value)))
        .output()
        .map_err(SourceError::NoGit)?;
    if !output.status.success() {
        return Err(SourceError::Git {
            command: arguments.join(" "),
            why: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn id(text: &str) -> Result<[u8; 20], SourceError> {
    let mut id = [0; 20];
    hex::decode_to_slice(text.trim(), &mut id).map_err(|_| SourceError::Id(text.trim().to_owned()))?;
    Ok(id)
}

/// Why the source has no name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The work tree is not a commit.
    #[error(
        "the work tree is not a commit: {count} changed paths, first {first:?}; commit them, or allow a changed \
             tree (the release then claims no commit)"
    )]
    Changed {
        /// As `git status --porcelain` shows it.
        first: String,
        /// How many.
        count: usize,
    },
    /// git is not there.
    #[error("cannot run git: {0}")]
    NoGit(io::Error),
    /// git failed.
    #[error("git {command}: {why}")]
    Git {
        /// Its arguments.
        command: String,
        /// What it said.
        why: String,
    },
    /// Not a SHA-1.
    #[error("git: {0:?} is not a SHA-1 object id")]
    Id(String),
    /// No folder for the throw-away index.
    #[error("cannot make a temporary folder: {0}")]
    Scratch(io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(folder: &Path, arguments: &[&str]) -> String {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example", "-c", "commit.gpgsign=false"];
        git(folder, &[&identity, arguments].concat(), &[]).unwrap()
    }

    #[test]
    fn a_commit_is_claimed_only_when_the_tree_is_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        if git(folder, &["init", "-q"], &[]).is_err() {
            eprintln!("skipped: no git");
            return;
        }
        fs::write(folder.join(".gitignore"), "ignored\n").unwrap();
        fs::write(folder.join("a"), "1").unwrap();
        sh(folder, &["add", "."]);
        sh(folder, &["commit", "-qm", "one"]);
        let clean = Source::of(folder, false).unwrap();
        assert_eq!(hex::encode(clean.commit), sh(folder, &["rev-parse", "HEAD"]).trim());
        fs::write(folder.join("ignored"), "x").unwrap();
        assert_eq!(Source::of(folder, false).unwrap(), clean);

        fs::write(folder.join("new"), "2").unwrap();
        assert!(matches!(Source::of(folder, false), Err(SourceError::Changed { count: 1, .. })));
        let changed = Source::of(folder, true).unwrap();
        assert_eq!(changed.commit, [0; 20]);
        // Committing it gives exactly the tree that was named.
        sh(folder, &["add", "."]);
        sh(folder, &["commit", "-qm", "two"]);
        assert_eq!(Source::of(folder, false).unwrap().tree, changed.tree);
        assert_ne!(clean.tree, changed.tree);
    }

    #[test]
    fn without_git_nothing_is_claimed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Source::of(folder.path(), false).is_err());
        assert_eq!(Source::of(folder.path(), true).unwrap(), Source::UNCLAIMED);
    }
}
