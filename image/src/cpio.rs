//! cpio archives in the "newc" format, the same bytes for the same tree.
//!
//! Linux, `Documentation/driver-api/early-userspace/buffer-format.rst`. Owner and group are 0, times are 0, inodes
//! count from 1 in the order of the paths, so that nothing of the building machine is in the archive.

use std::collections::BTreeMap;

/// File type bits of `st_mode`.
const S_IFREG: u32 = 0o100_000;
const S_IFDIR: u32 = 0o040_000;

/// A tree to be archived.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    mode: u32,
    contents: Vec<u8>,
}

impl Tree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a folder with its permission bits. Its parent must be there already.
    ///
    /// # Errors
    /// When the path is not relative and plain, is there already, or has no parent.
    pub fn folder(&mut self, path: &str, permissions: u32) -> Result<(), CpioError> {
        self.add(path, S_IFDIR | permissions & 0o7777, Vec::new())
    }

    /// Adds a file with its permission bits. Its parent must be there already.
    ///
    /// # Errors
    /// Those of [`Tree::folder`], and for a file of 4 GiB and more.
    pub fn file(&mut self, path: &str, permissions: u32, contents: Vec<u8>) -> Result<(), CpioError> {
        if u32::try_from(contents.len()).is_err() {
            return Err(CpioError::TooLarge(path.to_owned()));
        }
        self.add(path, S_IFREG | permissions & 0o7777, contents)
    }

    fn add(&mut self, path: &str, mode: u32, contents: Vec<u8>) -> Result<(), CpioError> {
        let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
        if path.len() > 1024 || !path.split('/').all(plain) || path == "TRAILER!!!" {
            return Err(CpioError::Path(path.to_owned()));
        }
        if let Some((parent, _)) = path.rsplit_once('/')
            && self.entries.get(parent).is_none_or(|e| e.mode & S_IFDIR == 0)
        {
            return Err(CpioError::NoParent(path.to_owned()));
        }
        if self.entries.contains_key(path) {
            return Err(CpioError::Twice(path.to_owned()));
        }
        self.entries.insert(path.to_owned(), Entry { mode, contents });
        Ok(())
    }

    /// The archive. A folder comes before what is in it, because `a` sorts before `a/b`.
    pub fn archive(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (inode, (path, entry)) in (1u32..).zip(&self.entries) {
            let links = if entry.mode & S_IFDIR == 0 { 1 } else { 2 };
            write(&mut out, inode, entry.mode, links, path, &entry.contents);
        }
        write(&mut out, 0, 0, 1, "TRAILER!!!", &[]);
        out
    }
}

/// One member: a header of 8-digit hex fields, the name with a NUL, the contents; name and contents padded to 4.
fn write(out: &mut Vec<u8>, inode: u32, mode: u32, links: u32, path: &str, contents: &[u8]) {
    // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
    let fields = [
        inode as usize,
        mode as usize,
        0,
        0,
        links as usize,
        0,
        contents.len(),
        0,
        0,
        0,
        0,
        path.len() + 1,
        0,
    ];
    out.extend(b"070701");
    for field in fields {
        out.extend(format!("{field:08x}").bytes());
    }
    out.extend(path.bytes());
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(contents);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Why a path cannot be added.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CpioError {
    /// Absolute, empty, or with `.` or `..`.
    #[error("cpio: {0:?} is not a plain relative path")]
    Path(String),
    /// The folder it is in was not added.
    #[error("cpio: the folder of {0:?} is not in the archive")]
    NoParent(String),
    /// Added before.
    #[error("cpio: {0:?} is in the archive already")]
    Twice(String),
    /// 4 GiB and more.
    #[error("cpio: {0:?} is 4 GiB or larger, newc cannot hold it")]
    TooLarge(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::new();
        tree.folder("modules", 0o755).unwrap();
        tree.file("modules/order", 0o644, b"a.ko\n".to_vec()).unwrap();
        tree.file("init", 0o755, b"\x7fELF".to_vec()).unwrap();
        tree
    }

    #[test]
    fn golden() {
        let expected = b"\
070701000000010000\
81ed000000000000000000000001000000000000000400000000000000000000000000000000000000050000\
0000init\0\0\x7fELF\
070701000000020000\
41ed000000000000000000000002000000000000000000000000000000000000000000000000000000080000\
0000modules\0\0\0\
070701000000030000\
81a40000000000000000000000010000000000000005000000000000000000000000000000000000000e0000\
0000modules/order\0a.ko\n\0\0\0\
070701000000000000\
00000000000000000000000000010000000000000000000000000000000000000000000000000000000b0000\
0000TRAILER!!!\0\0\0\0";
        assert_eq!(String::from_utf8_lossy(&tree().archive()), String::from_utf8_lossy(expected));
    }

    #[test]
    fn paths_are_checked() {
        let mut tree = tree();
        for path in ["", "/init", "a/../b", "./a", "a//b", "a\0", "TRAILER!!!"] {
            assert!(matches!(tree.folder(path, 0), Err(CpioError::Path(_))), "{path}");
        }
        assert!(matches!(tree.folder("init/x", 0), Err(CpioError::NoParent(_))));
        assert!(matches!(tree.folder("x/y", 0), Err(CpioError::NoParent(_))));
        assert!(matches!(tree.file("init", 0, Vec::new()), Err(CpioError::Twice(_))));
    }
}
