//! The programs of this host that machines are made with, found by name in `PATH`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::advice::Advice;

/// One program that we may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// The machine.
    Qemu,
    /// The TPM.
    Swtpm,
    /// Makes a TPM's first state.
    SwtpmSetup,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Qemu, Self::Swtpm, Self::SwtpmSetup];

    /// The name to look for.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Qemu => "qemu-system-x86_64",
            Self::Swtpm => "swtpm",
            Self::SwtpmSetup => "swtpm_setup",
        }
    }

    /// Debian's package that has it.
    #[must_use]
    pub fn package(self) -> &'static str {
        match self {
            Self::Qemu => "qemu-system-x86",
            Self::Swtpm => "swtpm",
            Self::SwtpmSetup => "swtpm-tools",
        }
    }

    /// What it is for.
    #[must_use]
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Qemu => "runs the machine",
            Self::Swtpm => "is the machine's TPM",
            Self::SwtpmSetup => "makes the TPM's first state",
        }
    }

    /// Where it is on this host.
    ///
    /// # Errors
    /// When no folder of `PATH` has it.
    pub fn locate(self) -> Result<PathBuf, ProgramError> {
        find(self.name()).ok_or(ProgramError::Missing(self))
    }
}

/// A program that is not there.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// No folder of `PATH` has it.
    #[error("{name} is not installed", name = .0.name())]
    Missing(Program),
}

impl Advice for ProgramError {
    fn slug(&self) -> &'static str {
        "program-missing"
    }

    fn why(&self) -> String {
        let Self::Missing(program) = self;
        format!("it {}, and no folder of PATH has it", program.purpose())
    }

    fn hint(&self) -> String {
        let Self::Missing(program) = self;
        format!("apt-get install {}", program.package())
    }
}

/// swtpm and its set-up program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmPrograms {
    /// `swtpm`.
    pub swtpm: PathBuf,
    /// `swtpm_setup`.
    pub setup: PathBuf,
}

impl TpmPrograms {
    /// Looks both up.
    ///
    /// # Errors
    /// When one is not installed.
    pub fn locate() -> Result<Self, ProgramError> {
        Ok(Self { swtpm: Program::Swtpm.locate()?, setup: Program::SwtpmSetup.locate()? })
    }
}

/// The first executable file of that name in `PATH`, with the folders where Debian keeps such programs
/// at the end, because an ordinary user's `PATH` may lack the `sbin` ones.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    find_in(std::env::split_paths(&path).chain(system), name)
}

fn find_in(folders: impl Iterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    folders
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executable_files_in_absolute_folders_count() {
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("tool");
        std::fs::write(&tool, "#!/bin/sh\n").unwrap();
        let folders = || [PathBuf::from("."), folder.path().to_owned()].into_iter();
        assert_eq!(find_in(folders(), "tool"), None);
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find_in(folders(), "tool"), Some(tool));
        assert_eq!(find_in([PathBuf::from("bin")].into_iter(), "sh"), None);
        assert!(find("sh").is_some());
    }

    #[test]
    fn a_missing_program_names_its_package() {
        for program in Program::ALL {
            let lines = ProgramError::Missing(program).three_lines();
            assert!(lines.contains(program.name()) && lines.ends_with(program.package()), "{lines}");
        }
    }
}
