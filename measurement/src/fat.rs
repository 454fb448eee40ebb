//! Files of a FAT volume, read only (Microsoft FAT specification, 2004).
//!
//! No more is read than finding one file by its path takes. Every walk is bounded by the size of the volume.

use std::borrow::Cow;

use crate::field::{array, span, u16_le, u32_le};

mod directory;

use directory::{Entry, entries};

/// Directories larger than this are not read (65536 entries, the limit of the specification).
const MAX_DIRECTORY: usize = 65_536 * 32;

/// A FAT12, FAT16 or FAT32 volume whose regions lie within its bytes.
#[derive(Clone, Debug)]
pub struct Fat<'a> {
    kind: Kind,
    /// The first allocation table.
    table: &'a [u8],
    root: Root<'a>,
    /// Clusters, from number 2 on.
    data: &'a [u8],
    cluster: usize,
    clusters: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fat12,
    Fat16,
    Fat32,
}

#[derive(Clone, Copy, Debug)]
enum Root<'a> {
    Region(&'a [u8]),
    Chain(u32),
}

/// Why a volume or a file cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FatError {
    /// The first sector is no FAT boot sector.
    #[error("FAT boot sector: {field} is {value:#x}: {why} (FAT specification, section 3)")]
    BootSector {
        /// The field.
        field: &'static str,
        /// What it says.
        value: u64,
        /// Why that cannot be.
        why: &'static str,
    },
    /// A chain of clusters that leaves the volume or ends early.
    #[error("cluster {cluster} is followed by {next:#x}: {why} (FAT specification, section 4)")]
    Chain {
        /// The last good one.
        cluster: u32,
        /// What its table entry says.
        next: u32,
        /// What is wrong.
        why: &'static str,
    },
    /// No such file.
    #[error("no {what} `{path}` on the volume")]
    NotFound {
        /// `file` or `directory`.
        what: &'static str,
        /// The path asked for.
        path: String,
    },
    /// A path that cannot be asked for.
    #[error("`{0}` is no path of plain names")]
    Path(String),
    /// A directory too large to search.
    #[error("a directory has more than 65536 entries")]
    Directory,
}

impl<'a> Fat<'a> {
    /// Reads the boot sector.
    ///
    /// # Errors
    /// When it is none, or states regions that the volume does not have.
    pub fn parse(volume: &'a [u8]) -> Result<Self, FatError> {
        let byte = |at: usize| volume.get(at).copied().map(u64::from).unwrap_or_default();
        let half = |at| u16_le(volume, at).map(u64::from).unwrap_or_default();
        let word = |at| u32_le(volume, at).map(u64::from).unwrap_or_default();
        let check = |good: bool, field, value, why| {
            if good { Ok(()) } else { Err(FatError::BootSector { field, value, why }) }
        };
        let signature = array(volume, 510).map_or(0, u16::from_le_bytes);
        check(
            signature == 0xaa55,
            "signature",
            signature.into(),
            "not 0xaa55: no file system, or cut short",
        )?;
        let sector = half(11);
        check([512, 1024, 2048, 4096].contains(&sector), "BPB_BytsPerSec", sector, "not 512 to 4096")?;
        let per_cluster = byte(13);
        check(per_cluster.is_power_of_two(), "BPB_SecPerClus", per_cluster, "not a power of two")?;
        let reserved = half(14);
        check(reserved != 0, "BPB_RsvdSecCnt", reserved, "the boot sector itself is reserved")?;
        let tables = byte(16);
        check((1..=2).contains(&tables), "BPB_NumFATs", tables, "not 1 or 2")?;
        let total = if half(19) == 0 { word(32) } else { half(19) };
        let len = volume.len() as u64;
        check(total != 0 && total * sector <= len, "BPB_TotSec", total, "the volume has another size")?;
        let table_sectors = if half(22) == 0 { word(36) } else { half(22) };
        check(table_sectors != 0, "BPB_FATSz", table_sectors, "there is no allocation table")?;
        let root_entries = half(17);
        let root_sectors = (root_entries * 32).div_ceil(sector);
        // All factors are below 2^32, 2^16 or 2^8: no overflow.
        let root_start = reserved + tables * table_sectors;
        let data_start = root_start + root_sectors;
        check(data_start < total, "BPB_FATSz", table_sectors, "the tables leave no room for data")?;
        let clusters = (total - data_start) / per_cluster;
        // As firmware decides: FAT32 is what has no 16-bit table size, however few clusters there are.
        let kind = match clusters {
            _ if half(22) == 0 => Kind::Fat32,
            0..4085 => Kind::Fat12,
            4085..65525 => Kind::Fat16,
            _ => {
                return Err(FatError::BootSector {
                    field: "BPB_FATSz16",
                    value: half(22),
                    why: "too many clusters for FAT16",
                });
            }
        };
        let lost = |field, value| FatError::BootSector { field, value, why: "passes the end of the volume" };
        let root = match kind {
            Kind::Fat32 => {
                check(root_entries == 0, "BPB_RootEntCnt", root_entries, "a FAT32 volume has none")?;
                Root::Chain(u32_le(volume, 44).unwrap_or_default())
            }
            _ => {
                check(root_entries != 0, "BPB_RootEntCnt", root_entries, "the root directory has no room")?;
                let region = span(volume, root_start * sector, root_entries * 32);
                Root::Region(region.ok_or(lost("BPB_RootEntCnt", root_entries))?)
            }
        };
        let table = span(volume, reserved * sector, table_sectors * sector)
            .ok_or(lost("BPB_FATSz", table_sectors))?;
        let cluster =
            usize::try_from(per_cluster * sector).map_err(|_| lost("BPB_SecPerClus", per_cluster))?;
        let data = span(volume, data_start * sector, clusters * per_cluster * sector)
            .ok_or(lost("BPB_TotSec", total))?;
        let clusters = u32::try_from(clusters).map_err(|_| lost("BPB_TotSec", total))?;
        Ok(Self { kind, table, root, data, cluster, clusters })
    }

    /// The contents of a file: a borrowed slice when it lies in one piece, as in an image freshly made.
    ///
    /// Names are compared without regard to ASCII case, `/` separates.
    ///
    /// # Errors
    /// When there is no such file, or its clusters do not make sense.
    pub fn read(&self, path: &str) -> Result<Cow<'a, [u8]>, FatError> {
        match self.find(path)? {
            Some(entry) if !entry.is_directory => self.contents(&entry),
            _ => Err(FatError::NotFound { what: "file", path: path.to_owned() }),
        }
    }

    /// Whether a file or directory of that path is there.
    ///
    /// # Errors
    /// When the directories on the way cannot be read.
    pub fn exists(&self, path: &str) -> Result<bool, FatError> {
        Ok(self.find(path)?.is_some())
    }

    fn find(&self, path: &str) -> Result<Option<Entry>, FatError> {
        let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
        if names.peek().is_none() || names.clone().any(|name| name.chars().all(|c| c == '.')) {
            return Err(FatError::Path(path.to_owned()));
        }
        let mut directory = match self.root {
            Root::Region(region) => Cow::Borrowed(region),
            Root::Chain(start) => self.directory(start)?,
        };
        while let Some(name) = names.next() {
            let Some(found) = entries(&directory).find(|entry| entry.is_named(name)) else { return Ok(None) };
            if names.peek().is_none() {
                return Ok(Some(found));
            }
            if !found.is_directory {
                return Ok(None);
            }
            directory = self.directory(found.start(self.kind == Kind::Fat32))?;
        }
        Ok(None)
    }

    fn contents(&self, entry: &Entry) -> Result<Cow<'a, [u8]>, FatError> {
        let Ok(size) = usize::try_from(entry.size) else {
            return Err(FatError::Path(entry.size.to_string()));
        };
        if size == 0 {
            return Ok(Cow::Borrowed(&[]));
        }
        let count = u32::try_from(size.div_ceil(self.cluster)).unwrap_or(u32::MAX);
        let mut contents = self.chain(entry.start(self.kind == Kind::Fat32), Some(count))?;
        match &mut contents {
            Cow::Borrowed(bytes) => *bytes = bytes.get(..size).unwrap_or(bytes),
            Cow::Owned(bytes) => bytes.truncate(size),
        }
        Ok(contents)
    }

    fn directory(&self, start: u32) -> Result<Cow<'a, [u8]>, FatError> {
        self.chain(start, None)
    }

    /// The bytes of a chain: `count` clusters of it, or all up to its end, but no more than a directory may have.
    fn chain(&self, start: u32, count: Option<u32>) -> Result<Cow<'a, [u8]>, FatError> {
        let limit =
            count.unwrap_or_else(|| u32::try_from(MAX_DIRECTORY.div_ceil(self.cluster)).unwrap_or(u32::MAX));
        if limit > self.clusters && count.is_some() {
            return Err(FatError::Chain {
                cluster: start,
                next: limit,
                why: "the file is larger than the volume",
            });
        }
        // Runs of neighbours: a file in one piece is one run.
        let mut runs: Vec<(u32, u32)> = Vec::new();
        let (mut at, mut taken) = (start, 0u32);
        let mut previous = start;
        loop {
            if at < 2 || at - 2 >= self.clusters {
                return Err(FatError::Chain {
                    cluster: previous,
                    next: at,
                    why: "not a cluster of this volume",
                });
            }
            match runs.last_mut() {
                Some((first, length)) if first.checked_add(*length) == Some(at) => *length += 1,
                _ => runs.push((at, 1)),
            }
            taken += 1;
            if count == Some(taken) {
                break;
            }
            let next = self.next(at);
            if self.ends(next) {
                if count.is_some() {
                    return Err(FatError::Chain {
                        cluster: at,
                        next,
                        why: "the chain ends before the file does",
                    });
                }
                break;
            }
            if taken >= limit {
                return Err(FatError::Directory);
            }
            (previous, at) = (at, next);
        }
        let bytes = |(first, length): (u32, u32)| {
            let offset = u64::from(first - 2) * self.cluster as u64;
            span(self.data, offset, u64::from(length) * self.cluster as u64).unwrap_or_default()
        };
        match runs.as_slice() {
            [run] => Ok(Cow::Borrowed(bytes(*run))),
            _ => Ok(Cow::Owned(runs.into_iter().map(bytes).collect::<Vec<_>>().concat())),
        }
    }

    /// The table's entry for a cluster; past the table's end, an end of chain is not assumed.
    fn next(&self, cluster: u32) -> u32 {
        let index = usize::try_from(cluster).unwrap_or(usize::MAX);
        match self.kind {
            Kind::Fat12 => {
                let pair = u32::from(u16_le(self.table, index.saturating_add(index / 2)).unwrap_or_default());
                if index.is_multiple_of(2) { pair & 0xfff } else { pair >> 4 }
            }
            Kind::Fat16 => u16_le(self.table, index.saturating_mul(2)).unwrap_or_default().into(),
            Kind::Fat32 => u32_le(self.table, index.saturating_mul(4)).unwrap_or_default() & 0x0fff_ffff,
        }
    }

    fn ends(&self, entry: u32) -> bool {
        entry
            >= match self.kind {
                Kind::Fat12 => 0xff8,
                Kind::Fat16 => 0xfff8,
                Kind::Fat32 => 0x0fff_fff8,
            }
    }
}
