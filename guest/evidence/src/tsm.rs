//! Reports through the kernel's configfs-tsm: Intel TDX and AMD SEV-SNP behind one interface.
//!
//! Linux, Documentation/ABI/testing/configfs-tsm-report. An entry is a folder; writing `inblob` sets what is to be
//! signed, reading `outblob` has it signed. `generation` counts the writes, so an answer is for our question
//! only if the count went up by exactly one. The kernel takes a binary attribute when its file is *closed* and
//! drops the error, so that count is also the only sign that the write was taken.
//!
//! This module has met a fake tree only: no TDX or SNP machine was at hand.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::bounded::{self, ReadError};
use crate::{Binding, Kind, Source, SourceError, Statement, event_log, snp_certificates};

/// Where entries are made.
pub const REPORT: &str = "sys/kernel/config/tsm/report";

/// The entry that this crate makes. One that is already there is used as it is: `generation` tells conflicts.
pub const ENTRY: &str = "hallmark";

/// Longest report read. A TDX quote has about 5 KiB, an SNP report 1,184 bytes.
const OUTBLOB_MAX: usize = 64 << 10;
/// Longest certificate table read.
const AUXBLOB_MAX: usize = 64 << 10;
/// Longest text attribute read: sysfs and configfs give at most a page.
const TEXT_MAX: usize = 4096;
/// How often a conflict or a busy quoting service is met before giving up.
const ATTEMPTS: u32 = 5;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TsmError {
    /// The entry could not be made.
    #[error("{}: {error}", path.display())]
    Entry {
        /// The entry's folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// An attribute could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// `inblob` could not be written.
    #[error("{}: {error}", path.display())]
    Write {
        /// The attribute.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// `provider` is neither `tdx_guest` nor `sev_guest`.
    #[error("{}: provider {found:?} is not known; tdx_guest and sev_guest are", path.display())]
    Provider {
        /// The attribute.
        path: PathBuf,
        /// What stands in it.
        found: String,
    },
    /// `generation` is not a decimal number.
    #[error("{}: {found:?} is not a decimal number", path.display())]
    Generation {
        /// The attribute.
        path: PathBuf,
        /// What stands in it.
        found: String,
    },
    /// Somebody else kept writing to the entry, or the kernel never took our write.
    #[error("{}: generation went from {before} to {after} around one write; gave up after {ATTEMPTS} attempts", path.display())]
    Conflict {
        /// The entry's folder.
        path: PathBuf,
        /// Before our write.
        before: u64,
        /// After the report was read.
        after: u64,
    },
    /// `outblob` is empty.
    #[error("{}: empty", path.display())]
    Empty {
        /// The attribute.
        path: PathBuf,
    },
}

/// One report entry, and what its provider is.
#[derive(Debug)]
pub struct Tsm {
    root: PathBuf,
    entry: PathBuf,
    kind: Kind,
    /// Whether we made the entry, and so remove it.
    ours: bool,
}

impl Tsm {
    /// Makes an entry under `root`; `None` where the kernel has no report interface or no provider for it.
    ///
    /// # Errors
    /// The interface is there but refuses, or its provider is unknown.
    pub fn open(root: &Path) -> Result<Option<Self>, TsmError> {
        let entry = root.join(REPORT).join(ENTRY);
        let ours = match std::fs::create_dir(&entry) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            // No interface, or (ENXIO) the interface without a platform behind it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                return Ok(None);
            }
            Err(error) => return Err(TsmError::Entry { path: entry, error }),
        };
        let mut tsm = Self { root: root.to_owned(), entry, kind: Kind::Tdx, ours };
        tsm.kind = tsm.provider()?;
        Ok(Some(tsm))
    }

    /// Reads which platform answers.
    fn provider(&self) -> Result<Kind, TsmError> {
        let (path, text) = self.text("provider")?;
        match text.as_str() {
            "tdx_guest" => Ok(Kind::Tdx),
            "sev_guest" => Ok(Kind::Snp),
            _ => Err(TsmError::Provider { path, found: text }),
        }
    }

    /// Has `report_data` signed. Gives the report, and for SNP the host's certificate table (or nothing).
    ///
    /// # Errors
    /// An attribute that cannot be read or written, or a conflict that does not end.
    pub fn report(&self, report_data: &[u8; 64]) -> Result<(Vec<u8>, Vec<u8>), TsmError> {
        let mut attempt = 1;
        loop {
            match self.attempt(report_data) {
                Err(error) if attempt < ATTEMPTS && is_transient(&error) => {
                    std::thread::sleep(Duration::from_millis(20).saturating_mul(attempt));
                    attempt = attempt.saturating_add(1);
                }
                other => return other,
            }
        }
    }

    fn attempt(&self, report_data: &[u8; 64]) -> Result<(Vec<u8>, Vec<u8>), TsmError> {
        let before = self.generation()?;
        let path = self.entry.join("inblob");
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|mut file| file.write_all(report_data))
            .map_err(|error| TsmError::Write { path, error })?;
        let path = self.entry.join("outblob");
        let report = bounded::read(&path, OUTBLOB_MAX)?;
        let auxiliary = match self.kind {
            Kind::Snp => match bounded::read(&self.entry.join("auxblob"), AUXBLOB_MAX) {
                Err(error) if error.is_absent() => Vec::new(),
                other => other?,
            },
            _ => Vec::new(),
        };
        let after = self.generation()?;
        if before.checked_add(1) != Some(after) {
            return Err(TsmError::Conflict { path: self.entry.clone(), before, after });
        }
        if report.is_empty() {
            return Err(TsmError::Empty { path });
        }
        Ok((report, auxiliary))
    }

    fn generation(&self) -> Result<u64, TsmError> {
        let (path, text) = self.text("generation")?;
        text.parse().map_err(|_| TsmError::Generation { path, found: text })
    }

    /// A text attribute without its line end.
    fn text(&self, attribute: &str) -> Result<(PathBuf, String), TsmError> {
        let path = self.entry.join(attribute);
        let bytes = bounded::read(&path, TEXT_MAX)?;
        let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        Ok((path, text))
    }
}

/// Whether another attempt may go better: a conflict, or a quoting service that is busy.
fn is_transient(error: &TsmError) -> bool {
    use io::ErrorKind::{Interrupted, ResourceBusy, TimedOut, WouldBlock};
    match error {
        TsmError::Conflict { .. } => true,
        TsmError::Read(ReadError::Io { error, .. }) | TsmError::Write { error, .. } => {
            matches!(error.kind(), Interrupted | ResourceBusy | TimedOut | WouldBlock)
        }
        _ => false,
    }
}

impl Source for Tsm {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn state(&mut self, binding: &Binding) -> Result<Statement, SourceError> {
        let (quote, auxiliary) = self.report(binding.report_data())?;
        let event_log = match self.kind {
            Kind::Tdx => event_log::ccel(&self.root)?,
            // SNP measures the launch only: there is no runtime register that a log could explain.
            _ => Vec::new(),
        };
        let ak_chain = snp_certificates::chain(&auxiliary)?;
        Ok(Statement { quote, event_log, ak: None, ak_chain, boot_events: Vec::new() })
    }
}

impl Drop for Tsm {
    fn drop(&mut self) {
        if self.ours {
            // In configfs a folder goes with its attributes. Nothing to be done if it does not.
            let _ = std::fs::remove_dir(&self.entry);
        }
    }
}

#[cfg(test)]
mod tests {
    //! A fake configfs tree: `inblob` and `outblob` are FIFOs that a thread serves as the kernel would, so that a
    //! read of one really follows the write of the other.

    use super::*;
    use rustix::fs::{CWD, FileType, Mode};
    use std::sync::mpsc;
    use std::thread::JoinHandle;

    struct Fake {
        root: tempfile::TempDir,
        kernel: Option<JoinHandle<Vec<Vec<u8>>>>,
    }

    /// A tree whose kernel answers once for each of `steps`, raising `generation` by that much.
    fn fake(provider: &str, steps: &[u64], auxiliary: &[u8]) -> Fake {
        let root = tempfile::tempdir().unwrap();
        let entry = root.path().join(REPORT).join(ENTRY);
        std::fs::create_dir_all(&entry).unwrap();
        std::fs::write(entry.join("provider"), format!("{provider}\n")).unwrap();
        std::fs::write(entry.join("generation"), "41\n").unwrap();
        std::fs::write(entry.join("auxblob"), auxiliary).unwrap();
        for name in ["inblob", "outblob"] {
            rustix::fs::mknodat(CWD, entry.join(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        }
        let steps = steps.to_vec();
        let (ready, started) = mpsc::channel();
        let kernel = std::thread::spawn(move || {
            ready.send(()).unwrap();
            let mut generation = 41;
            let mut questions = Vec::new();
            for step in steps {
                let question = std::fs::read(entry.join("inblob")).unwrap();
                generation += step;
                std::fs::write(entry.join("generation"), format!("{generation}\n")).unwrap();
                std::fs::write(entry.join("outblob"), [b"signed:", question.as_slice()].concat()).unwrap();
                questions.push(question);
            }
            questions
        });
        started.recv().unwrap();
        Fake { root, kernel: Some(kernel) }
    }

    impl Fake {
        fn questions(mut self) -> Vec<Vec<u8>> {
            self.kernel.take().unwrap().join().unwrap()
        }
    }

    fn binding() -> Binding {
        Binding::new(&crate::Nonce::new([5; 32]), &crate::NOTHING_BOUND)
    }

    #[test]
    fn tdx_answers_with_quote_and_ccel() {
        let fake = fake("tdx_guest", &[1], b"not read");
        let ccel = fake.root.path().join(event_log::CCEL);
        std::fs::create_dir_all(ccel.parent().unwrap()).unwrap();
        std::fs::write(ccel, b"log").unwrap();
        let mut tsm = Tsm::open(fake.root.path()).unwrap().unwrap();
        assert_eq!(tsm.kind(), Kind::Tdx);
        let statement = tsm.state(&binding()).unwrap();
        assert_eq!(statement.quote, [b"signed:", binding().report_data().as_slice()].concat());
        assert_eq!(statement.event_log, b"log");
        assert!(statement.ak_chain.is_empty() && statement.ak.is_none());
        assert_eq!(fake.questions(), [binding().report_data()]);
    }

    #[test]
    fn snp_answers_with_report_and_certificates() {
        let table = snp_certificates::tests::table(&[("63da758d-e664-4564-adc5-f4b93be8accd", b"vcek")]);
        let fake = fake("sev_guest", &[1], &table);
        let mut tsm = Tsm::open(fake.root.path()).unwrap().unwrap();
        assert_eq!(tsm.kind(), Kind::Snp);
        let statement = tsm.state(&binding()).unwrap();
        assert_eq!(statement.ak_chain, [b"vcek"]);
        assert!(statement.event_log.is_empty());
    }

    #[test]
    fn a_conflict_is_tried_again() {
        let fake = fake("tdx_guest", &[2, 1], b"");
        let tsm = Tsm::open(fake.root.path()).unwrap().unwrap();
        tsm.report(&[1; 64]).unwrap();
        assert_eq!(fake.questions().len(), 2);
    }

    #[test]
    fn a_conflict_that_stays_and_a_write_that_is_dropped_are_errors() {
        for step in [2, 0] {
            let fake = fake("tdx_guest", &[step; ATTEMPTS as usize], b"");
            let tsm = Tsm::open(fake.root.path()).unwrap().unwrap();
            assert!(matches!(tsm.report(&[1; 64]), Err(TsmError::Conflict { .. })));
            assert_eq!(fake.questions().len(), ATTEMPTS as usize);
        }
    }

    #[test]
    fn odd_attributes_are_typed_errors() {
        let root = tempfile::tempdir().unwrap();
        assert!(Tsm::open(root.path()).unwrap().is_none(), "no interface");
        let entry = root.path().join(REPORT).join(ENTRY);
        std::fs::create_dir_all(&entry).unwrap();
        assert!(matches!(Tsm::open(root.path()), Err(TsmError::Read(_))));
        std::fs::write(entry.join("provider"), "arm_cca_guest\n").unwrap();
        assert!(matches!(Tsm::open(root.path()), Err(TsmError::Provider { .. })));
        std::fs::write(entry.join("provider"), "tdx_guest\n").unwrap();
        std::fs::write(entry.join("generation"), "many\n").unwrap();
        let tsm = Tsm::open(root.path()).unwrap().unwrap();
        assert!(matches!(tsm.report(&[0; 64]), Err(TsmError::Generation { .. })));
        std::fs::write(entry.join("generation"), "1\n").unwrap();
        assert!(matches!(tsm.report(&[0; 64]), Err(TsmError::Write { .. })));
    }
}
