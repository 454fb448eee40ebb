//! What a member has promised in automatic recovery: one coordinator an epoch, and no part in an earlier one.
//!
//! With q promises for an epoch, no earlier epoch can gather q cosignatures any more, since two sets of q share a member. The promise is
//! on the disk before it is given: a member that forgot it on a restart could give a second. A host that rolls the disk back makes
//! it forget; that is what `recovery = "automatic"` trusts hosts not to do.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::file::{FileError, bounded};

/// A promise on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    format: String,
    epoch: u64,
    order: String,
}

const FORMAT: &str = "hallmark/promise/1";

/// The promises of one data folder.
#[derive(Debug)]
pub(crate) struct Promise {
    path: PathBuf,
    given: Option<(u64, String)>,
}

/// A promise that is not given.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum PromiseError {
    /// Another was given.
    #[error("epoch {epoch} was promised already, to another order")]
    Given {
        /// For which epoch.
        epoch: u64,
    },
    /// The file cannot be read or is none.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file cannot be written.
    #[error("{path}: {error}")]
    Write {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
}

impl Promise {
    /// Reads what this folder's member promised.
    pub(crate) fn open(folder: &Path) -> Result<Self, PromiseError> {
        let path = folder.join("promise.json");
        let given = match bounded(&path, 4096) {
            Err(FileError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
            Ok(bytes) => {
                let wrong = |why: String| FileError::Malformed { path: path.display().to_string(), why };
                let given: Given = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
                if given.format != FORMAT {
                    return Err(wrong(format!("format: {:?}", given.format)).into());
                }
                Some((given.epoch, given.order))
            }
        };
        Ok(Self { path, given })
    }

    /// The epoch of the last promise: no part in an earlier one.
    pub(crate) fn epoch(&self) -> Option<u64> {
        self.given.as_ref().map(|(epoch, _)| *epoch)
    }

    /// Promises `epoch` to the order of this digest. On disk when it returns.
    pub(crate) fn give(&mut self, epoch: u64, order: &[u8; 32]) -> Result<(), PromiseError> {
        let order = hex::encode(order);
        match &self.given {
            Some((given, to)) if *given == epoch && *to == order => return Ok(()),
            Some((given, _)) if *given >= epoch => return Err(PromiseError::Given { epoch: *given }),
            _ => {}
        }
        let given = Given { format: FORMAT.into(), epoch, order: order.clone() };
        self.write(&given)
            .map_err(|error| PromiseError::Write { path: self.path.display().to_string(), error })?;
        self.given = Some((epoch, order));
        Ok(())
    }

    fn write(&self, given: &Given) -> io::Result<()> {
        let next = self.path.with_extension("next");
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec(given)?)?;
        file.sync_all()?;
        fs::rename(&next, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_order_an_epoch_and_none_earlier_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let mut promise = Promise::open(folder.path()).unwrap();
        assert_eq!(promise.epoch(), None);
        promise.give(2, &[1; 32]).unwrap();
        promise.give(2, &[1; 32]).unwrap();
        assert!(matches!(promise.give(2, &[2; 32]), Err(PromiseError::Given { epoch: 2 })));
        let mut again = Promise::open(folder.path()).unwrap();
        assert_eq!(again.epoch(), Some(2));
        assert!(again.give(2, &[2; 32]).is_err() && again.give(1, &[2; 32]).is_err());
        again.give(3, &[2; 32]).unwrap();
        assert_eq!(Promise::open(folder.path()).unwrap().epoch(), Some(3));
    }

    #[test]
    fn a_file_that_is_none_stops_the_member() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("promise.json"), "{}").unwrap();
        assert!(matches!(Promise::open(folder.path()), Err(PromiseError::File(_))));
    }
}
