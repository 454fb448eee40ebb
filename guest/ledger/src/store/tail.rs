//! The entries behind the last full bundle: one file that is only added to, replaced whole when a bundle is full.
//!
//! `hallmark/tail/1\n`, then the number of full bundles (u64 LE), then for each entry its u16 BE length, itself, and its leaf hash, so that a
//! torn write is seen without a tree. The number of full bundles is what counts: bundles at or behind it are leftovers.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};

use crate::hash::{self, Hash};

const MAGIC: &[u8; 16] = b"hallmark/tail/1\n";
const NAME: &str = "tail";

/// The file, open for adding.
#[derive(Debug)]
pub(super) struct Tail {
    file: File,
    length: u64,
}

/// What a tail says.
pub(super) struct Contents {
    /// Full bundles before it.
    pub(super) bundles: u64,
    /// Entries behind them, up to the first that is torn.
    pub(super) entries: Vec<(Vec<u8>, Hash)>,
}

/// Adds an entry of at most 65535 bytes.
pub(super) fn record(to: &mut Vec<u8>, entry: &[u8], leaf: &Hash) {
    let _ = crate::tile::append(to, entry);
    to.extend_from_slice(&leaf.0);
}

/// Most bytes that count: a head and 256 of the longest records.
const MOST: u64 = 24 + 256 * (2 + 65_535 + 32);

/// Reads the file; none if there is none or its head is damaged. What is behind a whole bundle is not read.
pub(super) fn read(folder: &Path) -> io::Result<Option<Contents>> {
    let file = match File::open(folder.join(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8]) -> Option<Contents> {
    let (bundles, mut rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
    let mut entries = Vec::new();
    while let Some((entry, leaf, after)) = next(rest) {
        if entries.len() == 256 || hash::leaf(entry) != leaf {
            break;
        }
        entries.push((entry.to_vec(), leaf));
        rest = after;
    }
    Some(Contents { bundles: u64::from_le_bytes(*bundles), entries })
}

fn next(bytes: &[u8]) -> Option<(&[u8], Hash, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (leaf, rest) = rest.split_first_chunk()?;
    Some((entry, Hash(*leaf), rest))
}

fn exchange(fresh: &Path, old: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    // There is no old one the first time, and some file systems cannot exchange.
    renameat_with(CWD, fresh, CWD, old, RenameFlags::EXCHANGE).or_else(|_| fs::rename(fresh, old))
}

impl Tail {
    /// Another file in place of the old one, at once or not at all. The old one stays as `tail.new`, to be written over the next time: making
    /// one and removing one for each bundle is slow where ext4 has no journal and passes over the inodes that were freed a moment ago.
    pub(super) fn replace(folder: &Path, bundles: u64, records: &[u8]) -> io::Result<Self> {
        let fresh = folder.join("tail.new");
        let bytes = [&MAGIC[..], &bundles.to_le_bytes(), records].concat();
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&fresh)?;
        file.write_all(&bytes)?;
        exchange(&fresh, &folder.join(NAME))?;
        Ok(Self { file, length: u64::try_from(bytes.len()).unwrap_or(u64::MAX) })
    }

    /// Adds records with one write. On failure the file is as it was.
    pub(super) fn append(&mut self, records: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(records) {
            use std::io::Seek as _;
            self.file.set_len(self.length)?;
            self.file.seek(io::SeekFrom::Start(self.length))?;
            return Err(error);
        }
        self.length += u64::try_from(records.len()).unwrap_or(0);
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
