//! A copy of what was read, to audit again without a network.

use std::fs;
use std::path::{Path, PathBuf};

use hallmark_ledger::source::{Source, SourceError};

use crate::complaint::Complaint;

/// A source whose files are put into a folder as they are read. What they are worth is for the audit to say: a copy of a bad log is as
/// bad.
pub(super) struct Saved {
    source: Box<dyn Source>,
    folder: PathBuf,
}

impl Saved {
    /// A copy of `source` in a folder that is not there yet: nothing old can get among it.
    pub(super) fn new(source: Box<dyn Source>, folder: &Path) -> Result<Self, Complaint> {
        fs::create_dir(folder).map_err(|error| {
            let what = format!("cannot save the log to {}", folder.display());
            Complaint::unable("save", what, error, "name a folder that is not there yet")
        })?;
        Ok(Self { source, folder: folder.to_owned() })
    }

    fn save(&self, path: &str, bytes: &[u8]) -> std::io::Result<()> {
        let place = self.folder.join(path);
        place.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(place, bytes)
    }
}

impl Source for Saved {
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, SourceError> {
        let bytes = self.source.read(path, limit)?;
        if let Some(bytes) = &bytes {
            self.save(path, bytes).map_err(|error| SourceError {
                path: self.folder.join(path).display().to_string(),
                why: error.to_string(),
            })?;
        }
        Ok(bytes)
    }
}
