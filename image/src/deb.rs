//! Debian packages: an ar archive of `debian-binary`, `control.tar.*`, `data.tar.*` (deb(5)).
//!
//! Nothing is written to disk and no maintainer script is looked at: files of the data archive are read into memory.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

/// The global header of an ar archive.
const MAGIC: &[u8] = b"!<arch>\n";

/// Largest single file that is read out of a package, in bytes.
pub const MAX_FILE: u64 = 512 << 20;

/// Most that the files of one package may unpack to, in bytes.
pub const MAX_TOTAL: u64 = 2 << 30;

/// Memory that xz may ask for, in KiB: `xz -9` needs 65 MiB.
const XZ_MEMORY: u32 = 256 << 10;

/// A package whose data archive was found.
#[derive(Clone, Copy, Debug)]
pub struct Deb<'a> {
    data: &'a [u8],
}

impl<'a> Deb<'a> {
    /// Finds the data archive.
    ///
    /// # Errors
    /// When the bytes are no Debian package of format 2.0 with an xz data archive.
    pub fn open(bytes: &'a [u8]) -> Result<Self, DebError> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(DebError::NotAr)?;
        let mut first = true;
        while !rest.is_empty() {
            let offset = bytes.len() - rest.len();
            let (name, body, after) = member(rest).ok_or(DebError::Member(offset))?;
            // The format's version comes first; then members follow in an order that other tools may add to.
            if first && !(name == "debian-binary" && body.starts_with(b"2.")) {
                return Err(DebError::Version);
            }
            if name == "data.tar.xz" {
                return Ok(Self { data: body });
            }
            if name.starts_with("data.tar") {
                return Err(DebError::Compression(name.to_owned()));
            }
            first = false;
            rest = after;
        }
        Err(DebError::NoData)
    }

    /// Reads the regular files whose path (`usr/lib/...`, no leading `./`) is wanted.
    ///
    /// # Errors
    /// When the archive is damaged, or larger than the limits of this module.
    pub fn files(&self, mut want: impl FnMut(&str) -> bool) -> Result<BTreeMap<String, Vec<u8>>, DebError> {
        let xz = lzma_rust2::XzReader::new_mem_limit(self.data, false, XZ_MEMORY);
        let mut archive = tar::Archive::new(xz.take(MAX_TOTAL));
        let mut files = BTreeMap::new();
        for entry in archive.entries().map_err(DebError::Tar)? {
            let mut entry = entry.map_err(DebError::Tar)?;
            if entry.header().entry_type() != tar::EntryType::Regular {
                continue;
            }
            let Ok(path) = String::from_utf8(entry.path_bytes().into_owned()) else { continue };
            let path = path.trim_start_matches("./").to_owned();
            if !want(&path) {
                continue;
            }
            let size = entry.size();
            if size > MAX_FILE {
                return Err(DebError::TooLarge { path, size });
            }
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).map_err(DebError::Tar)?;
            if contents.len() as u64 != size {
                return Err(DebError::Tar(io::ErrorKind::UnexpectedEof.into()));
            }
            files.insert(path, contents);
        }
        Ok(files)
    }

    /// Reads one file.
    ///
    /// # Errors
    /// Those of [`Deb::files`], and when it is not there.
    pub fn file(&self, path: &str) -> Result<Vec<u8>, DebError> {
        self.files(|p| p == path)?.remove(path).ok_or_else(|| DebError::NoFile(path.to_owned()))
    }
}

/// Name, body and rest of the archive member that `bytes` starts with: a 60-byte header (name 16, date 12, owner 6,
/// group 6, mode 8, size 10, "`\n"), then the body, padded to even.
fn member(bytes: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let (header, rest) = bytes.split_at_checked(60)?;
    if header.get(58..)? != b"`\n" {
        return None;
    }
    let name = std::str::from_utf8(header.get(..16)?).ok()?.trim_end().trim_end_matches('/');
    let size = std::str::from_utf8(header.get(48..58)?).ok()?.trim_end().parse::<usize>().ok()?;
    let (body, rest) = rest.split_at_checked(size)?;
    let rest = if size % 2 == 1 { rest.get(1..).unwrap_or_default() } else { rest };
    Some((name, body, rest))
}

/// Why bytes are not a package that can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DebError {
    /// No `!<arch>` at the start.
    #[error("not a Debian package: no ar magic at offset 0")]
    NotAr,
    /// A member header that is cut off or malformed.
    #[error("Debian package: malformed ar member at offset {0}")]
    Member(usize),
    /// The first member is not `debian-binary` of version 2.
    #[error("Debian package: the first member is not debian-binary 2.x (deb(5))")]
    Version,
    /// The data archive is not compressed with xz.
    #[error("Debian package: {0} is not supported, only data.tar.xz is")]
    Compression(String),
    /// No data archive.
    #[error("Debian package: no data.tar.xz")]
    NoData,
    /// The data archive is damaged.
    #[error("Debian package, data.tar.xz: {0}")]
    Tar(io::Error),
    /// A file over [`MAX_FILE`].
    #[error("Debian package: {path} has {size} bytes, the limit is {MAX_FILE}")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        size: u64,
    },
    /// A wanted file is not there.
    #[error("Debian package: no file {0}")]
    NoFile(String),
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for (name, body) in members {
            out.extend(
                format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "100644", body.len()).bytes(),
            );
            out.extend(*body);
            if body.len() % 2 == 1 {
                out.push(b'\n');
            }
        }
        out
    }

    /// A package with these files.
    pub(crate) fn package(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, contents) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(contents.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            tar.append_data(&mut header, format!("./{path}"), *contents).unwrap();
        }
        let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
        io::Write::write_all(&mut xz, &tar.into_inner().unwrap()).unwrap();
        let data = xz.finish().unwrap();
        ar(&[("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), ("data.tar.xz", &data)])
    }

    #[test]
    fn files_are_read_by_path() {
        let deb = package(&[("usr/a", b"one"), ("usr/b", b""), ("usr/c", &[7; 4000])]);
        let deb = Deb::open(&deb).unwrap();
        assert_eq!(deb.file("usr/c").unwrap(), [7; 4000]);
        assert_eq!(deb.files(|_| true).unwrap().len(), 3);
        assert!(matches!(deb.file("usr/d"), Err(DebError::NoFile(_))));
    }

    #[test]
    fn what_is_no_package_is_refused() {
        assert!(matches!(Deb::open(b""), Err(DebError::NotAr)));
        assert!(matches!(Deb::open(MAGIC), Err(DebError::NoData)));
        assert!(matches!(Deb::open(&ar(&[("data.tar.xz", b"")])), Err(DebError::Version)));
        assert!(matches!(Deb::open(&ar(&[("debian-binary", b"3.0\n")])), Err(DebError::Version)));
        let zst = ar(&[("debian-binary", b"2.0\n"), ("data.tar.zst", b"")]);
        assert!(matches!(Deb::open(&zst), Err(DebError::Compression(_))));
        let not_xz = ar(&[("debian-binary", b"2.0\n"), ("data.tar.xz", b"no xz")]);
        assert!(matches!(Deb::open(&not_xz).unwrap().files(|_| true), Err(DebError::Tar(_))));
    }

    #[test]
    fn cut_and_flipped_packages_do_not_panic() {
        let deb = package(&[("usr/a", b"one"), ("usr/c", &[7; 400])]);
        for end in 0..deb.len() {
            if let Ok(deb) = Deb::open(&deb[..end]) {
                assert!(deb.files(|_| true).is_err(), "{end}");
            }
        }
        for index in 0..deb.len() {
            let mut deb = deb.clone();
            deb[index] ^= 0x55;
            let _ = Deb::open(&deb).and_then(|d| d.files(|_| true));
        }
    }
}
