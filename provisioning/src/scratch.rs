//! A folder of our own for sockets and small files, gone when it is dropped.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::path::{PathError, SocketPath};

/// Why there is no such folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScratchError {
    /// It could not be made.
    #[error("cannot make a folder in {parent:?}")]
    Create {
        /// Where.
        parent: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A name in it does not fit.
    #[error("a socket cannot have its place in the temporary folder")]
    Socket(#[from] PathError),
}

/// A new folder that only this user can enter, with a short path, because a socket's path is limited to
/// 107 bytes wherever the files of a run are kept.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Scratch {
    /// Makes the folder in `$XDG_RUNTIME_DIR`, else in the temporary folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> Result<Self, ScratchError> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        match runtime.filter(|path| path.is_absolute()).map(|path| Self::new_in(&path)) {
            Some(Ok(scratch)) => Ok(scratch),
            _ => Self::new_in(&std::env::temp_dir()),
        }
    }

    fn new_in(parent: &Path) -> Result<Self, ScratchError> {
        let failed = |source| ScratchError::Create { parent: parent.into(), source };
        let parent = parent.canonicalize().map_err(failed)?;
        // The name need not be secret: the folder is made, or it is not, and belongs to us alone.
        for _ in 0..64 {
            let moment = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("hallmark-{}-{count}-{moment:x}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(io::ErrorKind::AlreadyExists.into()))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it for a socket.
    ///
    /// # Errors
    /// When it does not fit into a socket's address.
    pub fn socket(&self, name: &str) -> Result<SocketPath, ScratchError> {
        Ok(SocketPath::new(self.path.join(name))?)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Best effort: a left-over empty folder harms nobody, and a destructor has nobody to tell.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_private_and_goes_away() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(path.join("file"), "x").unwrap();
        assert_ne!(Scratch::new().unwrap().path(), path);
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_that_does_not_fit_is_an_error() {
        let scratch = Scratch::new().unwrap();
        assert!(scratch.socket("qmp").is_ok());
        assert!(matches!(scratch.socket(&"s".repeat(120)), Err(ScratchError::Socket(_))));
    }
}
