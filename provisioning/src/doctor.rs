//! What of this host is ready to make machines.

use std::path::PathBuf;
use std::time::Duration;

use crate::process::{self, ProcessError};
use crate::programs::Program;

/// One program, and whether it is there.
#[derive(Debug)]
pub struct Finding {
    /// Which.
    pub program: Program,
    /// Where, and in which version; `None` when it is not installed.
    pub found: Option<Found>,
}

/// A program that is there.
#[derive(Debug)]
pub struct Found {
    /// Its file.
    pub path: PathBuf,
    /// The first line that it prints for `--version`, or why it does not.
    pub version: Result<String, ProcessError>,
}

impl std::fmt::Display for Finding {
    /// One line, with the package to install when it is missing.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.program.name();
        match &self.found {
            Some(Found { path, version: Ok(version) }) => write!(f, "{name}: {version} ({})", path.display()),
            Some(Found { path, version: Err(error) }) => {
                write!(f, "{name}: {} does not run: {error}", path.display())
            }
            None => write!(
                f,
                "{name}: missing, {}: apt-get install {}",
                self.program.purpose(),
                self.program.package()
            ),
        }
    }
}

/// Looks all programs up and asks each for its version.
#[must_use]
pub fn examine() -> Vec<Finding> {
    let look = |program: Program| {
        let found = program.locate().ok().map(|path| Found { version: version(&path), path });
        Finding { program, found }
    };
    Program::ALL.map(look).into()
}

fn version(path: &std::path::Path) -> Result<String, ProcessError> {
    let printed = process::run("--version", path, &["--version".into()], Duration::from_secs(10))?;
    Ok(printed.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_told_of() {
        let findings = examine();
        assert_eq!(findings.len(), Program::ALL.len());
        for finding in findings {
            let line = finding.to_string();
            eprintln!("{line}");
            assert_eq!(line.contains("apt-get"), finding.found.is_none());
            assert!(line.starts_with(finding.program.name()) && line.lines().count() == 1);
        }
    }
}
