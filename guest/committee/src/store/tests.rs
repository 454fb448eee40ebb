//! openraft's own tests of a store, and ours of what is on disk.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hallmark_coalition::UniqueId;
use hallmark_ledger::checkpoint;
use hallmark_ledger::cosignature::CosignKey;
use hallmark_ledger::note::Signer;
use hallmark_machine::kv::Kv;
use openraft::testing::{StoreBuilder, Suite};
use openraft::{CommittedLeaderId, Entry, EntryPayload, SnapshotMeta, StorageError, Vote};
use tempfile::TempDir;

use super::backend::Behind;
use super::disk::{COSIGNED, Identity};
use super::tail::Tail;
use super::*;
use crate::engine::{Adapter, MemberKeys, NodeId, Shared};
use crate::raft::{Batch, LogId, Types};
use crate::state::Proposal;

fn identity() -> Identity {
    Identity { group: [1; 32], epoch: 0, node: 3, slot: 0 }
}

fn id(term: u64, index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(term, 1), index)
}

fn entry(term: u64, index: u64, bytes: usize) -> Entry<Types> {
    let proposal = Proposal::Settle { client: hallmark_machine::ClientId::new([7; 32]), nonce: index };
    let batch = Batch::new(term, &vec![proposal; bytes / 40 + 1]).unwrap();
    Entry { log_id: id(term, index), payload: EntryPayload::Normal(batch) }
}

struct Build;

impl StoreBuilder<Types, LogStore, Adapter<Kv>, TempDir> for Build {
    async fn build(&self) -> Result<(TempDir, LogStore, Adapter<Kv>), StorageError<NodeId>> {
        let folder = tempfile::tempdir().unwrap();
        let group = UniqueId::of_name("suite");
        let origin = checkpoint::origin(group.as_bytes(), 0);
        let keys = MemberKeys {
            cosign: CosignKey::from_seed(&[1; 32]),
            log: Signer::from_seed(&origin, &[2; 32]).unwrap(),
        };
        let shared = Shared::<Kv>::bare(group, keys, folder.path());
        Ok((folder, shared.log.clone(), Adapter(shared)))
    }
}

#[test]
fn passes_the_suite_of_openraft() {
    Suite::<Types, LogStore, Adapter<Kv>, Build, TempDir>::test_all(Build).unwrap();
}

#[tokio::test]
async fn the_disk_has_what_the_memory_had() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raft-0-3.log");
    let syncs = Arc::new(AtomicU64::new(0));
    for threaded in [true, false] {
        let _ = std::fs::remove_file(&path);
        let disk = Disk::create(&path, &Storage::files(), &identity(), Arc::clone(&syncs)).unwrap();
        let writer = Writer::new(disk, threaded).unwrap();
        let before = syncs.load(Ordering::Relaxed);
        writer.send(Command::Append((0..10).map(|index| entry(1, index, 200)).collect()));
        assert!(writer.flush().await);
        assert_eq!(syncs.load(Ordering::Relaxed) - before, 1, "one flush an append");
        writer.send(Command::Truncate(8));
        writer.send(Command::Append(vec![entry(2, 8, 5000)]));
        writer.send(Command::Purge(id(1, 3)));
        writer.send(Command::Vote(Vote::new(2, 1)));
        writer.lazily("note");
        writer.nudge();
        writer.close().await;
        let disk = Disk::open(&path, &Storage::files(), Arc::default()).unwrap();
        assert!(!writer.flush().await, "closed, whoever still holds it");
        let log = disk.log().unwrap();
        let ids: Vec<_> = log.iter().map(|entry| (entry.log_id.leader_id.term, entry.log_id.index)).collect();
        assert_eq!(ids, [(1, 4), (1, 5), (1, 6), (1, 7), (2, 8)]);
        assert_eq!(log[4].payload, entry(2, 8, 5000).payload);
        assert_eq!(disk.purged().unwrap(), Some(id(1, 3)));
        assert_eq!(disk.vote().unwrap(), Some(Vote::new(2, 1)));
        assert_eq!(disk.meta::<String>(COSIGNED).unwrap().unwrap(), "note");
        assert_eq!(disk.meta::<Identity>(super::disk::IDENTITY).unwrap(), Some(identity()));
    }
}

#[test]
fn a_snapshot_is_never_without_the_note_that_covers_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raft-0-3.log");
    let disk = Disk::create(&path, &Storage::files(), &identity(), Arc::default()).unwrap();
    // Without a thread: each command is on disk when `send` returns.
    let writer = Writer::new(disk, false).unwrap();
    let appended = |index| Command::Append(vec![entry(1, index, 20)]);
    let kept = |at: u64| {
        let copy = folder.path().join(format!("raft-0-{}.log", 10 + at));
        std::fs::copy(&path, &copy).unwrap();
        Disk::open(&copy, &Storage::files(), Arc::default()).unwrap().meta::<String>(COSIGNED).unwrap()
    };
    writer.lazily("one");
    writer.send(appended(0));
    assert_eq!(kept(0), None, "it waits for others");
    let snapshot = super::StoredSnapshot { meta: SnapshotMeta::default(), bytes: Arc::new(vec![1; 64]) };
    writer.send(Command::Snapshot(Box::new(snapshot)));
    assert_eq!(kept(1).as_deref(), Some("one"));
    writer.lazily("two");
    (1..=64).for_each(|index| {
        writer.send(appended(index));
    });
    assert_eq!(kept(2).as_deref(), Some("two"), "not for ever");
}

#[test]
fn a_node_begins_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raft-0-3.log");
    drop(Disk::create(&path, &Storage::files(), &identity(), Arc::default()).unwrap());
    let again = Disk::create(&path, &Storage::files(), &identity(), Arc::default());
    assert!(matches!(again, Err(StoreError::Exists { .. })));
}

#[test]
fn damage_is_found_by_hash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raft-0-3.log");
    let disk = Disk::create(&path, &Storage::files(), &identity(), Arc::default()).unwrap();
    let entries: Vec<_> = (0..3).map(|index| entry(1, index, 3000)).collect();
    disk.commit(&[Command::Append(entries), Command::Vote(Vote::new(1, 1))]).unwrap();
    assert_eq!(disk.log().unwrap().len(), 3);
    drop(disk);
    // A byte in the middle of an entry's payload: redb itself does not look there on a clean opening.
    let mut bytes = std::fs::read(&path).unwrap();
    let payload = [7u8; 16];
    let at = bytes.windows(16).position(|window| window == payload);
    let text = b"07070707070707070707070707070707";
    let at = at.or_else(|| bytes.windows(32).position(|window| window == text)).unwrap();
    bytes[at + 5] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let found = Disk::open(&path, &Storage::files(), Arc::default()).and_then(|disk| disk.log());
    assert!(matches!(found, Err(StoreError::Damaged { .. } | StoreError::Disk { .. })), "{found:?}");
}

/// Rows that are whole and from another time: a damaged page of redb's tree can lead to what an earlier write left.
#[test]
fn rows_of_another_time_are_no_log() {
    use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
    const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raft-0-3.log");
    let disk = Disk::create(&path, &Storage::files(), &identity(), Arc::default()).unwrap();
    let rowed = |commands: Vec<Command>| {
        commands.into_iter().chain([Command::Vote(Vote::new(1, 1))]).collect::<Vec<_>>()
    };
    disk.commit(&rowed(vec![Command::Append((0..10).map(|index| entry(1, index, 100)).collect())])).unwrap();
    drop(disk);
    let open = |path: &std::path::Path| {
        let file = Arc::new(Storage::files().open(path, Arc::default()).unwrap());
        let from = Tail::open(Arc::clone(&file), 0).unwrap().length();
        Database::builder().create_with_backend(Behind { file, from }).unwrap()
    };
    let rows = |path: &std::path::Path| {
        let database = open(path);
        let table = database.begin_read().unwrap().open_table(LOG).unwrap();
        let rows =
            table.iter().unwrap().map(|row| row.unwrap()).map(|(k, v)| (k.value(), v.value().to_vec()));
        rows.collect::<Vec<_>>()
    };
    let old = rows(&path);
    let disk = Disk::open(&path, &Storage::files(), Arc::default()).unwrap();
    let others = Command::Append(vec![entry(2, 8, 100), entry(2, 9, 100)]);
    disk.commit(&rowed(vec![Command::Truncate(8), others])).unwrap();
    assert_eq!(disk.log().unwrap().len(), 10);
    drop(disk);
    let new = rows(&path);
    assert_eq!(old[..8], new[..8]);
    assert_ne!(old[8], new[8]);
    // Some rows put in, or taken out, in a transaction that is redb's own and whole.
    let with = |put: &[(u64, Vec<u8>)], out: &[u64]| {
        let copy = folder.path().join("copy.log");
        std::fs::copy(&path, &copy).unwrap();
        let database = open(&copy);
        let transaction = database.begin_write().unwrap();
        {
            let mut table = transaction.open_table(LOG).unwrap();
            put.iter().for_each(|(index, row)| drop(table.insert(index, row.as_slice()).unwrap()));
            out.iter().for_each(|index| drop(table.remove(index).unwrap()));
        }
        transaction.commit().unwrap();
        drop(database);
        Disk::open(&copy, &Storage::files(), Arc::default()).unwrap().log()
    };
    let damaged = |read| matches!(read, Err(StoreError::Damaged { .. }));
    assert_eq!(with(&[], &[]).unwrap().len(), 10);
    assert!(damaged(with(&old[8..9], &[])), "an old row before a new one");
    assert!(damaged(with(&old[9..], &[])), "an old row behind a new one");
    assert!(damaged(with(&old[8..], &[])), "an old end");
    assert!(damaged(with(&[], &[9])), "no end");
    assert!(damaged(with(&[], &[4])), "a hole");
    assert!(damaged(with(&[(10, new[9].1.clone())], &[])), "a row twice");
    assert!(damaged(with(&[(4, new[4].1[..40].to_vec())], &[])), "half a row");
    // What was purged is not missed.
    let disk = Disk::open(&path, &Storage::files(), Arc::default()).unwrap();
    disk.commit(&[Command::Purge(id(1, 5))]).unwrap();
    assert_eq!(disk.log().unwrap().len(), 4);
    disk.commit(&[Command::Purge(id(2, 9))]).unwrap();
    disk.commit(&[Command::Append(vec![entry(2, 10, 100)])]).unwrap();
    assert_eq!(disk.log().unwrap().len(), 1);
}

/// Entries that were cut off do not come back, though their records are still in the file.
#[test]
fn records_of_an_earlier_generation_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raft-0-3.log");
    let disk = Disk::create(&path, &Storage::files(), &identity(), Arc::default()).unwrap();
    let ids = |disk: &Disk| {
        let log = disk.log().unwrap();
        log.iter().map(|entry| (entry.log_id.leader_id.term, entry.log_id.index)).collect::<Vec<_>>()
    };
    let reopened = |disk: Disk| {
        drop(disk);
        Disk::open(&path, &Storage::files(), Arc::default()).unwrap()
    };
    disk.commit(&[Command::Append(vec![entry(1, 0, 300)])]).unwrap();
    disk.commit(&[Command::Vote(Vote::new(1, 1))]).unwrap();
    // The first record of its generation, and so where the next generation's first one will be.
    disk.commit(&[Command::Append((1..4).map(|index| entry(1, index, 300)).collect())]).unwrap();
    let disk = reopened(disk);
    assert_eq!(ids(&disk), [(1, 0), (1, 1), (1, 2), (1, 3)]);
    disk.commit(&[Command::Truncate(1)]).unwrap();
    let disk = reopened(disk);
    assert_eq!(ids(&disk), [(1, 0)]);
    // One short record over the long ones of before.
    disk.commit(&[Command::Truncate(1)]).unwrap();
    disk.commit(&[Command::Append(vec![entry(2, 1, 30)])]).unwrap();
    let disk = reopened(disk);
    assert_eq!(ids(&disk), [(1, 0), (2, 1)]);
}

/// A full region becomes rows, and so does what no region has room for.
#[test]
fn a_full_region_becomes_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raft-0-3.log");
    let syncs = Arc::new(AtomicU64::new(0));
    let disk = Disk::create(&path, &Storage::files(), &identity(), Arc::clone(&syncs)).unwrap();
    let before = syncs.load(Ordering::Relaxed);
    let (mut emptied, mut last) = (0, 0);
    for index in 0..100 {
        // One is longer than any region.
        let bytes = if index == 50 { 3 << 20 } else { 60_000 };
        disk.commit(&[Command::Append(vec![entry(1, index, bytes)])]).unwrap();
        emptied += u32::from(disk.written() < last);
        last = disk.written();
    }
    // redb flushes once more when its part of the file grows.
    let syncs = syncs.load(Ordering::Relaxed) - before;
    assert!((100..=100 + 2 * u64::from(emptied)).contains(&syncs), "{syncs}");
    assert!((3..8).contains(&emptied), "{emptied}");
    assert_eq!(disk.log().unwrap().len(), 100);
    drop(disk);
    let disk = Disk::open(&path, &Storage::files(), Arc::default()).unwrap();
    assert_eq!(disk.log().unwrap().len(), 100);
}

/// Openings that do not end are counted, and a file is set aside before it ends the process for good.
#[test]
fn an_opening_that_never_ends_is_not_begun_for_ever() {
    use super::attempt::{Attempt, TRIES};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raft-0-3.log");
    std::fs::write(&path, b"bytes").unwrap();
    for _ in 0..TRIES {
        // It is neither ended nor told of: the process went.
        drop(Attempt::begin(&path).map_err(|error| error.to_string()).unwrap());
    }
    // One that ends begins the count anew.
    std::fs::remove_file(folder.path().join("raft-0-3.log.opening")).unwrap();
    for _ in 0..2 * TRIES {
        Attempt::begin(&path).unwrap().end();
    }
    for _ in 0..TRIES {
        drop(Attempt::begin(&path).map_err(|error| error.to_string()).unwrap());
    }
    let said = Attempt::begin(&path).map(|_| ()).unwrap_err();
    assert!(matches!(&said, StoreError::Damaged { row, .. } if row == "file"), "{said}");
    assert!(!path.exists() && !folder.path().join("raft-0-3.log.opening").exists());
    assert_eq!(std::fs::read(folder.path().join("raft-0-3.log.damaged")).unwrap(), b"bytes");
}
