//! A TPM of this machine as a source of evidence.
//!
//! What it proves is no more than the TPM's maker is trusted for: a virtual TPM is the host's word.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use crate::tpm::Tpm;
use crate::{Binding, Kind, Source, SourceError, Statement, event_log};

/// The kernel's resource manager: it gives every opener handles of its own.
pub const DEVICE: &str = "dev/tpmrm0";

/// The machine's first TPM. The device is opened for each statement and closed again, so that nothing stays
/// loaded.
#[derive(Debug)]
pub struct Vtpm {
    root: PathBuf,
}

impl Vtpm {
    /// The TPM under `root`, or `None` where there is no device.
    #[must_use]
    pub fn open(root: &Path) -> Option<Self> {
        root.join(DEVICE).exists().then(|| Self { root: root.to_owned() })
    }

    /// A TPM session of our own.
    ///
    /// # Errors
    /// The device cannot be opened.
    pub fn tpm(&self) -> Result<Tpm<File>, SourceError> {
        let path = self.root.join(DEVICE);
        let file = OpenOptions::new().read(true).write(true).open(&path);
        file.map(Tpm::new).map_err(|error| SourceError::Device { path: path.display().to_string(), error })
    }
}

impl Source for Vtpm {
    fn kind(&self) -> Kind {
        Kind::Vtpm
    }

    fn state(&mut self, binding: &Binding) -> Result<Statement, SourceError> {
        let mut tpm = self.tpm()?;
        let key = tpm.create_attestation_key()?;
        // Flushed whether the quote came about or not: a TPM has room for three objects or so.
        let quote = tpm.quote(&key, &binding.extra_data());
        let flushed = tpm.flush_context(key.handle());
        let quote = quote?;
        flushed?;
        let event_log = event_log::tpm2(&self.root)?;
        Ok(Statement { quote, event_log, ak: Some(key.public().to_vec()), ..Statement::default() })
    }
}
