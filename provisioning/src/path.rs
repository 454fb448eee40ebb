//! Paths that may stand in a QEMU or swtpm option.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Why a path cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Both programs may change folder, and QEMU takes `name:` at the start of a relative one for a protocol.
    #[error("{0:?} is not an absolute path")]
    Relative(PathBuf),
    /// No argument of a program can hold a zero byte.
    #[error("{0:?} has a zero byte in it")]
    ZeroByte(PathBuf),
    /// `sockaddr_un.sun_path` (unix(7)) has 108 bytes, one of them for the end.
    #[error("{path:?} is {length} bytes long and a socket's path may have at most {limit}")]
    SocketTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// What fits.
        limit: usize,
    },
    /// swtpm has no way to write a comma in an option's value.
    #[error("{0:?} has a comma in it, which swtpm's options cannot express")]
    Comma(PathBuf),
}

/// An absolute path without zero bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsolutePath(PathBuf);

impl AbsolutePath {
    /// Takes the path as it is; nothing is looked up.
    ///
    /// # Errors
    /// When it is relative or holds a zero byte.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, PathError> {
        let path = path.into();
        if path.as_os_str().as_bytes().contains(&0) {
            Err(PathError::ZeroByte(path))
        } else if path.is_absolute() {
            Ok(Self(path))
        } else {
            Err(PathError::Relative(path))
        }
    }

    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// `key=path` for QEMU's comma-separated options, where a comma in a value is written twice.
    pub(crate) fn qemu_option(&self, key: &str) -> OsString {
        let mut option = Vec::from(key.as_bytes());
        option.push(b'=');
        for &byte in self.0.as_os_str().as_bytes() {
            option.push(byte);
            if byte == b',' {
                option.push(byte);
            }
        }
        OsString::from_vec(option)
    }

    /// `key=path` for swtpm's options, which have no escape.
    pub(crate) fn swtpm_option(&self, key: &str) -> Result<OsString, PathError> {
        if self.0.as_os_str().as_bytes().contains(&b',') {
            return Err(PathError::Comma(self.0.clone()));
        }
        let mut option = OsString::from(key);
        option.push("=");
        option.push(&self.0);
        Ok(option)
    }
}

impl AsRef<OsStr> for AbsolutePath {
    fn as_ref(&self) -> &OsStr {
        self.0.as_os_str()
    }
}

/// An absolute path that fits into a Unix socket's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketPath(AbsolutePath);

impl SocketPath {
    /// Longest path in bytes: `sun_path` without its final zero.
    pub const MAX: usize = 107;

    /// Takes the path as it is; nothing is looked up.
    ///
    /// # Errors
    /// When it is relative, holds a zero byte, or is longer than [`Self::MAX`].
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, PathError> {
        let path = AbsolutePath::new(path)?;
        let length = path.as_path().as_os_str().len();
        if length > Self::MAX {
            return Err(PathError::SocketTooLong { path: path.0, length, limit: Self::MAX });
        }
        Ok(Self(path))
    }

    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        self.0.as_path()
    }

    /// The same path, of which less is known.
    #[must_use]
    pub fn as_absolute(&self) -> &AbsolutePath {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_without_zero_bytes() {
        assert!(matches!(AbsolutePath::new("disk.raw"), Err(PathError::Relative(_))));
        assert!(matches!(AbsolutePath::new("nbd:host:1"), Err(PathError::Relative(_))));
        assert!(matches!(AbsolutePath::new("/a\0b"), Err(PathError::ZeroByte(_))));
        assert_eq!(AbsolutePath::new("/a/b").unwrap().as_path(), Path::new("/a/b"));
    }

    #[test]
    fn commas_are_doubled_for_qemu_and_refused_for_swtpm() {
        let path = AbsolutePath::new("/a,readonly=off,b").unwrap();
        assert_eq!(path.qemu_option("file"), "file=/a,,readonly=off,,b");
        assert!(matches!(path.swtpm_option("dir"), Err(PathError::Comma(_))));
        assert_eq!(AbsolutePath::new("/a=b").unwrap().swtpm_option("dir").unwrap(), "dir=/a=b");
    }

    #[test]
    fn a_socket_path_has_107_bytes_at_most() {
        let fits = format!("/{}", "s".repeat(106));
        assert!(SocketPath::new(&fits).is_ok());
        assert!(matches!(
            SocketPath::new(format!("{fits}s")),
            Err(PathError::SocketTooLong { length: 108, .. })
        ));
    }
}
