//! Kernel modules, in the order that the image builder worked out: `/modules/order` names one file a line.
//!
//! The image is the same on every platform, so most of its drivers find nothing to drive: that is normal and is
//! reported as absent. The modules are measured with the initrd, and the kernel checks Debian's signature.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::io::Errno;
use serde::Serialize;

use crate::evidence::bounded::{self, ReadError};
use crate::journal::Journal;

/// The folder, without the leading slash.
pub const FOLDER: &str = "modules";
/// Longest order file read.
const ORDER_MAX: usize = 64 << 10;

/// How loading went, by file name without `.ko`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Loaded, or built in or loaded before.
    pub loaded: Vec<String>,
    /// No such device on this machine.
    pub absent: Vec<String>,
    /// Anything else; the journal says what.
    pub failed: Vec<String>,
}

/// Why the order could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// The file is not readable.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is not text.
    #[error("/{FOLDER}/order: not UTF-8 at offset {0}")]
    Text(usize),
    /// A line is not a plain file name.
    #[error("/{FOLDER}/order: line {line}: {name:?} is not a file name")]
    Name {
        /// Which line, from 1.
        line: usize,
        /// What stands there.
        name: String,
    },
}

/// Reads the order: file names of the modules folder, one a line.
///
/// # Errors
/// A file that is missing, too long, not text, or names something outside its folder.
pub fn order(root: &Path) -> Result<Vec<String>, OrderError> {
    let bytes = bounded::read(&root.join(FOLDER).join("order"), ORDER_MAX)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| OrderError::Text(error.valid_up_to()))?;
    text.lines()
        .enumerate()
        .filter(|(_, name)| !name.is_empty())
        .map(|(at, name)| match Path::new(name).file_name() {
            Some(file) if file == name => Ok(name.to_owned()),
            _ => Err(OrderError::Name { line: at.saturating_add(1), name: name.to_owned() }),
        })
        .collect()
}

/// Loads every module of the order by `load` ([`finit`] on a machine).
pub fn load_all(root: &Path, journal: &Journal, load: impl Fn(&File) -> io::Result<()>) -> Report {
    let mut report = Report::default();
    let names = order(root).unwrap_or_else(|error| {
        journal.line(&format!("modules: {error}"));
        Vec::new()
    });
    for file_name in names {
        let name = file_name.strip_suffix(".ko").unwrap_or(&file_name).to_owned();
        let outcome = File::open(root.join(FOLDER).join(&file_name)).and_then(|file| load(&file));
        match outcome.map_err(|error| (Errno::from_io_error(&error), error)) {
            Ok(()) | Err((Some(Errno::EXIST), _)) => report.loaded.push(name),
            Err((Some(Errno::NODEV | Errno::NXIO), _)) => report.absent.push(name),
            Err((_, error)) => {
                journal.line(&format!("modules: {name}: {error}"));
                report.failed.push(name);
            }
        }
    }
    report
}

/// finit_module(2), without parameters.
///
/// # Errors
/// The kernel's: EEXIST when loaded already, ENODEV when there is nothing to drive.
pub fn finit(file: &File) -> io::Result<()> {
    Ok(rustix::system::finit_module(file, c"", 0)?)
}

/// Closes the kernel to further modules until the next boot (kernel.modules_disabled).
pub fn lock(root: &Path, journal: &Journal) {
    if let Err(error) = std::fs::write(root.join("proc/sys/kernel/modules_disabled"), "1\n") {
        journal.line(&format!("modules: cannot lock: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn tree(order: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(FOLDER)).unwrap();
        std::fs::write(root.path().join(FOLDER).join("order"), order).unwrap();
        root
    }

    #[test]
    fn outcomes_are_told_apart_and_order_is_kept() {
        let root = tree("01-a.ko\n02-b.ko\n03-c.ko\n04-d.ko\n05-missing.ko\n");
        for (name, code) in [("01-a.ko", 0), ("02-b.ko", 17), ("03-c.ko", 19), ("04-d.ko", 8)] {
            std::fs::write(root.path().join(FOLDER).join(name), [code]).unwrap();
        }
        let journal = Journal::default();
        let report = load_all(root.path(), &journal, |mut file| {
            let mut code = [0];
            file.read_exact(&mut code)?;
            match code {
                [0] => Ok(()),
                [code] => Err(io::Error::from_raw_os_error(code.into())),
            }
        });
        assert_eq!(report.loaded, ["01-a", "02-b"]);
        assert_eq!(report.absent, ["03-c"]);
        assert_eq!(report.failed, ["04-d", "05-missing"]);
        assert_eq!(journal.tail(9).len(), 2);
    }

    #[test]
    fn names_stay_in_their_folder() {
        for bad in ["../x.ko", "/etc/x.ko", "a/b.ko", "..", "."] {
            let root = tree(&format!("good.ko\n{bad}\n"));
            assert!(matches!(order(root.path()), Err(OrderError::Name { line: 2, .. })), "{bad}");
        }
        assert!(matches!(order(tempfile::tempdir().unwrap().path()), Err(OrderError::Read(_))));
        let root = tree("");
        std::fs::write(root.path().join(FOLDER).join("order"), [b'a', 0xff]).unwrap();
        assert!(matches!(order(root.path()), Err(OrderError::Text(1))));
    }
}
