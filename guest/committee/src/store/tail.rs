//! What was appended last: groups of records in front of redb's part of the file.
//!
//! A transaction of redb copies every page on the way to a row, in two tables and in those that it keeps for itself: with its flush 28 % of a leader's time
//! where commands come one by one. So appends go behind each other into a region of a fixed length, each group with one
//! flush of a page or two, and become rows together: when the region is full, or with whatever else is written.
//!
//! The transaction that makes rows of them also counts the generation up. Records of another generation are none, so nothing is erased, and what was
//! cut off from the log does not come back after a crash.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::Command;
use super::backend::Counted;
use super::chain::{Head, Row};
use super::disk::COSIGNED;
use redb::StorageBackend as _;

/// First bytes of a file; the length of the region follows, `u64` LE, this header counted.
const MAGIC: &[u8; 8] = b"HMraft\x00\x01";
const FILE_HEADER: usize = 16;
/// Longest region that is read.
const MOST: u64 = 64 << 20;
/// In the place of an index: the record is a checkpoint's note, no entry.
const NOTE: u64 = u64::MAX;

/// Most places that are looked at for records behind the end.
const PLACES: usize = 4096;

/// Before a record's row: generation and index, `u64` LE; where its group begins and how long the row is, `u32` LE.
const RECORD_HEADER: usize = 24;

/// The region, and what it holds that redb does not.
pub(super) struct Tail {
    file: Arc<Counted>,
    /// Bytes of the region.
    length: usize,
    generation: u64,
    /// The region as far as it is written.
    records: Vec<u8>,
    /// Index of each entry, and its row within `records`.
    rows: Vec<(u64, Range<usize>)>,
    /// The last checkpoint's note among them.
    note: Option<Range<usize>>,
    /// Where the log ends, with these.
    head: Option<Head>,
    /// Nothing is added to what a former opening wrote.
    closed: bool,
}

/// Why a region is not what was written.
pub(super) struct Damage {
    /// Offset of the record in the file.
    pub(super) at: usize,
}

impl Tail {
    /// The region of a file, made with this length in a file without bytes. What it holds is read by [`Tail::load`].
    pub(super) fn open(file: Arc<Counted>, length: usize) -> io::Result<Self> {
        let new = file.len()? == 0;
        let length = if new { Self::make(&file, length)? } else { Self::measure(&file)? };
        Ok(Self {
            file,
            length,
            generation: 0,
            records: Vec::new(),
            rows: Vec::new(),
            note: None,
            head: None,
            closed: !new,
        })
    }

    /// Zeros, so that a flush later on has nothing to allocate.
    fn make(file: &Counted, length: usize) -> io::Result<usize> {
        let mut region = vec![0; length.max(FILE_HEADER)];
        let header = [&MAGIC[..], &(region.len() as u64).to_le_bytes()].concat();
        region.iter_mut().zip(header).for_each(|(to, byte)| *to = byte);
        file.write(0, &region)?;
        Ok(region.len())
    }

    fn measure(file: &Counted) -> io::Result<usize> {
        let no = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
        let mut header = [0; FILE_HEADER];
        file.read(0, &mut header)?;
        let length = header.strip_prefix(MAGIC).and_then(|length| length.try_into().ok());
        let length = u64::from_le_bytes(length.ok_or_else(|| no("not a Raft log of this version"))?);
        let range = FILE_HEADER as u64..=MOST.min(file.len()?);
        if !range.contains(&length) {
            return Err(no("a length that is none in its header"));
        }
        usize::try_from(length).map_err(io::Error::other)
    }

    /// Where redb's part begins.
    pub(super) const fn length(&self) -> u64 {
        self.length as u64
    }

    /// Reads what the region holds of this generation, the log before it ending with `head`. What a crash tore off was never flushed; what was, and is not
    /// there, is damage.
    pub(super) fn load(&mut self, generation: u64, head: Option<Head>) -> io::Result<Result<(), Damage>> {
        (self.generation, self.head) = (generation, head);
        if !self.closed {
            return Ok(Ok(()));
        }
        let mut region = vec![0; self.length];
        self.file.read(0, &mut region)?;
        let mut at = FILE_HEADER;
        let mut group = at;
        while let Some(record) = Record::at(&region, at, generation)
            && [group, at].contains(&record.group)
            && record.follows(self.head.as_ref())
        {
            (at, group) = (record.row.end, record.group);
            if record.index == NOTE {
                self.note = Some(record.row);
            } else {
                self.head = Some(record.header.head(record.index));
                self.rows.push((record.index, record.row));
            }
        }
        let lost = flushed_after(&region, at, generation);
        region.truncate(at);
        self.records = region;
        Ok(if lost { Err(Damage { at }) } else { Ok(()) })
    }

    /// Adds commands, and flushes. False where that is not possible: they are no appends, or there is no room.
    pub(super) fn append(&mut self, commands: &[Command]) -> io::Result<bool> {
        let small = |command: &Command| match command {
            Command::Append(_) | Command::Flush(_) | Command::Nudge => true,
            Command::Meta(name, _) => *name == COSIGNED,
            _ => false,
        };
        if self.closed || !commands.iter().all(small) {
            return Ok(false);
        }
        if self.records.is_empty() {
            self.records.resize(FILE_HEADER, 0);
        }
        let (begin, head) = (self.records.len(), self.head);
        let (rows, note) = (self.rows.len(), self.note.clone());
        for command in commands {
            match command {
                Command::Append(entries) => {
                    for entry in entries {
                        let bytes = postcard::to_allocvec(entry).map_err(io::Error::other)?;
                        let row = Row::after(self.head.as_ref(), &bytes);
                        let index = entry.log_id.index;
                        let range = self.push(begin, index, &row, &bytes);
                        self.rows.push((index, range));
                        self.head = Some(row.head(index));
                    }
                }
                Command::Meta(_, value) => {
                    let row = Row::after(self.head.as_ref(), value);
                    self.note = Some(self.push(begin, NOTE, &row, value));
                }
                _ => {}
            }
        }
        if self.records.len() > self.length {
            self.records.truncate(begin);
            self.rows.truncate(rows);
            (self.head, self.note) = (head, note);
            return Ok(false);
        }
        let group = self.records.get(begin..).unwrap_or_default();
        self.file.write(begin as u64, group)?;
        self.file.sync_data()?;
        Ok(true)
    }

    fn push(&mut self, group: usize, index: u64, row: &Row, bytes: &[u8]) -> Range<usize> {
        let row = row.encode(bytes);
        // Both are checked against the region's length before anything is written.
        let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        self.records.extend(self.generation.to_le_bytes());
        self.records.extend(index.to_le_bytes());
        self.records.extend(short(group));
        self.records.extend(short(row.len()));
        let from = self.records.len();
        self.records.extend(row);
        from..self.records.len()
    }

    /// Rows that redb does not have, with their indices.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.rows.iter().filter_map(|(index, range)| Some((*index, self.records.get(range.clone())?)))
    }

    /// The last checkpoint's note that redb does not have.
    pub(super) fn note(&self) -> Option<&[u8]> {
        Row::entry(self.records.get(self.note.clone()?)?)
    }

    #[cfg(test)]
    pub(super) fn written(&self) -> usize {
        self.records.len()
    }

    /// What the transaction that takes these records writes as the generation.
    pub(super) const fn next(&self) -> u64 {
        self.generation.saturating_add(1)
    }

    /// redb has everything, and the log ends with `head`: the region begins anew.
    pub(super) fn restart(&mut self, head: Option<Head>) {
        self.generation = self.next();
        self.records.clear();
        self.rows.clear();
        (self.note, self.head, self.closed) = (None, head, false);
    }
}

/// One record of a region.
struct Record {
    index: u64,
    /// Where its group begins: what lies before that was flushed before it was written.
    group: usize,
    row: Range<usize>,
    header: Row,
}

impl Record {
    /// The record of this generation that begins at this offset, if its row is what was written.
    fn at(region: &[u8], at: usize, generation: u64) -> Option<Self> {
        let (header, rest) = region.get(at..)?.split_first_chunk::<RECORD_HEADER>()?;
        let (said, after) = header.split_first_chunk()?;
        let (index, after) = after.split_first_chunk()?;
        let (group, length) = after.split_first_chunk()?;
        let (length, _) = length.split_first_chunk()?;
        if u64::from_le_bytes(*said) != generation {
            return None;
        }
        let [group, length] =
            [*group, *length].map(|number| usize::try_from(u32::from_le_bytes(number)).unwrap_or(usize::MAX));
        let bytes = rest.get(..length)?;
        let header = Row::read(bytes)?;
        header.checked(bytes)?;
        let from = at.checked_add(RECORD_HEADER).filter(|_| group <= at)?;
        let index = u64::from_le_bytes(*index);
        Some(Self { index, group, row: from..from.checked_add(length)?, header })
    }

    /// Whether it belongs behind a log that ends with `head`.
    fn follows(&self, head: Option<&Head>) -> bool {
        self.index == NOTE || head.is_none_or(|head| self.header.follows(head, self.index))
    }
}

/// Whether a whole record stands behind `end` whose group was begun there: then what stood at `end` had been flushed, and is damaged. Without one it
/// was torn off before its flush.
fn flushed_after(region: &[u8], end: usize, generation: u64) -> bool {
    let number = generation.to_le_bytes();
    let rest = region.get(end..).unwrap_or_default();
    let places = rest.windows(number.len()).enumerate().skip(1).filter(|(_, window)| *window == number);
    // Each place costs a hash of what it says is its row. Not for ever: a region so full of beginnings was not torn.
    places.take(PLACES).enumerate().any(|(nth, (at, _))| {
        let record = end.checked_add(at).and_then(|at| Record::at(region, at, generation));
        record.is_some_and(|record| record.group > end) || nth + 1 == PLACES
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use openraft::{CommittedLeaderId, Entry, EntryPayload};

    use super::*;
    use crate::raft::LogId;
    use crate::store::Storage;

    fn open(path: &std::path::Path) -> Tail {
        let file = Storage::files().open(path, Arc::default()).unwrap();
        Tail::open(Arc::new(file), 4096).unwrap()
    }

    /// The entry of index 0, which redb has.
    fn before() -> Option<Head> {
        Some(Row::after(None, &[]).head(0))
    }

    /// Two entries and a note.
    fn group(index: u64) -> Vec<Command> {
        let id = |index| LogId::new(CommittedLeaderId::new(1, 1), index);
        let entries = [2 * index + 1, 2 * index + 2]
            .map(|index| Entry { log_id: id(index), payload: EntryPayload::Blank });
        vec![Command::Append(entries.to_vec()), Command::Meta(COSIGNED, vec![7; 100])]
    }

    /// What a crash leaves of the last group is some of its records. What is gone though a later group was flushed is damage.
    #[test]
    fn what_was_flushed_is_there_or_the_file_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raft-0-3.log");
        let mut tail = open(&path);
        tail.load(1, before()).ok().unwrap().ok().unwrap();
        let ends: Vec<usize> = (0..5)
            .map(|index| {
                assert!(tail.append(&group(index)).unwrap());
                tail.written()
            })
            .collect();
        let (end, whole) = (ends[4], std::fs::read(&path).unwrap());
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let mut tail = open(&path);
            let read = tail.load(1, before()).unwrap();
            assert!(tail.rows().zip(1..).all(|((index, _), due)| index == due));
            read.map(|()| tail.rows().count()).map_err(|damage| damage.at)
        };
        assert_eq!(read(&whole).ok(), Some(10));
        for at in FILE_HEADER..end {
            let before = ends.iter().filter(|end| **end <= at).count();
            // The rest of the region was never written.
            let mut torn = whole.clone();
            torn[at..end].fill(0);
            let rows = read(&torn).unwrap();
            assert!((2 * before..2 * before + 3).contains(&rows), "{rows} entries of what ends at {at}");
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            match read(&flipped) {
                // In the last group it is as if it had not been flushed.
                Ok(rows) => assert!(before == 4 && (8..11).contains(&rows), "{rows} entries at {at}"),
                Err(found) => assert!(before < 4 && found <= at, "{found} instead of {at}"),
            }
        }
    }

    #[test]
    fn what_has_no_room_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raft-0-3.log");
        let mut tail = open(&path);
        tail.load(1, before()).ok().unwrap().ok().unwrap();
        let fit = (0..).take_while(|index| tail.append(&group(*index)).unwrap()).count();
        assert_eq!(tail.rows().count(), 2 * fit);
        assert!(tail.written() <= 4096 && tail.written() > 3500);
        assert!(!tail.append(&[Command::Purge(LogId::default())]).unwrap(), "no append");
        tail.restart(before());
        assert_eq!((tail.rows().count(), tail.note()), (0, None));
        assert!(tail.append(&group(0)).unwrap());
        // Not to what another opening wrote.
        let mut again = open(&path);
        again.load(2, before()).ok().unwrap().ok().unwrap();
        assert_eq!((again.rows().count(), again.note()), (2, Some(&[7; 100][..])));
        assert!(!again.append(&group(1)).unwrap());
        // And a file of another kind is none.
        std::fs::write(&path, [0; 64]).unwrap();
        let file = Arc::new(Storage::files().open(&path, Arc::default()).unwrap());
        assert!(Tail::open(file, 4096).is_err());
    }
}
