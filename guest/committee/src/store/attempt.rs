//! Openings that end the process.
//!
//! redb asserts where a file contradicts itself, and may ask for more memory than there is. Where a panic ends the process (in an image it powers the
//! machine off), a damaged file would do so at every start. So each opening of a former file is noted beside it first, and the note goes when the
//! opening is over, whatever came of it. A file whose openings did not end [`TRIES`] times is moved aside, and the member begins without it. More than
//! once, since power may fail during an opening too.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{StoreError, failed};

/// Openings that may begin and not end.
pub(super) const TRIES: u64 = 3;

/// An opening that has begun.
pub(super) struct Attempt(PathBuf);

impl Attempt {
    /// Notes that `path` is about to be opened; an error where that has been tried too often, and the file was moved aside.
    pub(super) fn begin(path: &Path) -> Result<Self, StoreError> {
        let note = beside(path, "opening");
        let before = std::fs::metadata(&note).map_or(0, |note| note.len());
        if before >= TRIES {
            return Err(set_aside(path, &note, before));
        }
        // Where the disk is full the file must be read all the same: a recovery may need it.
        if let Err(error) = mark(&note) {
            tracing::warn!(%error, path = %note.display(), "an opening is not noted");
        }
        Ok(Self(note))
    }

    /// It is over.
    pub(super) fn end(self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.0.display(), "the note of an opening stays");
        }
    }
}

/// One byte an opening, on disk before the opening begins.
fn mark(note: &Path) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(note)?;
    file.write_all(b".")?;
    file.sync_all()?;
    note.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn set_aside(path: &Path, note: &Path, before: u64) -> StoreError {
    let fail = failed(path);
    let to = beside(path, "damaged");
    if let Err(error) = std::fs::rename(path, &to).and_then(|()| std::fs::remove_file(note)) {
        return fail(&error);
    }
    let why = format!("{before} openings ended the process: it is kept as {}", to.display());
    tracing::error!(path = %path.display(), why, "a former epoch's file is set aside");
    StoreError::Damaged { path: path.to_owned(), row: "file".to_owned(), why }
}

/// `raft-0-3.log.opening` beside `raft-0-3.log`: no file of a log by its name.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}
