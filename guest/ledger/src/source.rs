//! Where a ledger's files are read from.

use std::{
    fs,
    io::{self, Read as _},
    path::PathBuf,
};

use thiserror::Error;

/// Files of a published ledger, by their C2SP tlog-tiles paths (`checkpoint`, `tile/0/000`, `tile/entries/000.p/5`). What comes is not
/// believed: readers check every byte.
pub trait Source {
    /// The bytes of a file; none where there is no such file.
    ///
    /// # Errors
    /// Where it cannot be read or has more than `limit` bytes.
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, SourceError>;
}

/// Why a file could not be read.
#[derive(Debug, Error)]
#[error("{path}: {why}")]
pub struct SourceError {
    /// The file, as the source names it.
    pub path: String,
    /// Why.
    pub why: String,
}

/// A folder.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

impl Directory {
    /// The ledger in this folder.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Whether there is a file of more than `limit` bytes.
    pub(crate) fn is_larger(&self, path: &str, limit: usize) -> bool {
        let size = fs::metadata(self.0.join(path)).map_or(0, |data| data.len());
        usize::try_from(size).is_ok_and(|size| size > limit)
    }
}

impl Source for Directory {
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, SourceError> {
        let place = self.0.join(path);
        let failed = |why: String| SourceError { path: place.display().to_string(), why };
        // Paths are ours, but one from outside must not lead out of the folder.
        if !crate::tile::is_plain(path) {
            return Err(failed("not a path of a ledger".into()));
        }
        let file = match fs::File::open(&place) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
        };
        let size = file.metadata().map_err(|error| failed(error.to_string()))?.len();
        let limit64 = u64::try_from(limit).unwrap_or(u64::MAX);
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit64)).unwrap_or(0));
        file.take(limit64.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| failed(error.to_string()))?;
        if bytes.len() > limit { Err(failed(format!("more than {limit} bytes"))) } else { Ok(Some(bytes)) }
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, SourceError> {
        (**self).read(path, limit)
    }
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, SourceError> {
        (**self).read(path, limit)
    }
}
