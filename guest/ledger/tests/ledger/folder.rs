//! The folder: what goes in comes out, damage is found, and nothing is believed that the hashes do not bear out.

use std::{fs, path::Path};

use hallmark_ledger::{
    checkpoint::Checkpoint,
    cosignature::{CosignKey, SignedCheckpoint},
    hash::{self, Hash},
    note::Signer,
    proof::{Consistency, Inclusion},
    reader::LogReader,
    source::{Directory, Source},
    store::{LogDir, StoreError},
    system::{Member, Roster},
    tile,
    tree::Frontier,
};
use proptest::prelude::*;

use super::world::World;

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index} {}", "x".repeat(usize::try_from(index % 13).unwrap())).into_bytes()
}

fn entries(from: u64, to: u64) -> Vec<Vec<u8>> {
    (from..to).map(entry).collect()
}

fn root(size: u64) -> Hash {
    let mut frontier = Frontier::new();
    (0..size).for_each(|i| frontier.push(hash::leaf(&entry(i))));
    frontier.root()
}

fn holds(log: &LogDir, size: u64) {
    assert_eq!((log.size(), log.root()), (size, root(size)));
    let all: Vec<_> = log.entries(0..size).collect::<Result<_, _>>().unwrap();
    assert_eq!(all, entries(0, size));
    log.verify().unwrap();
}

#[test]
fn any_batches_and_any_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = LogDir::open(folder.path()).unwrap();
    let mut size = 0;
    for (batch, reopen) in [
        (1, false),
        (254, false),
        (1, true),
        (1, true),
        (600, false),
        (0, false),
        (167, true),
        (3000, true),
        (72, true),
    ] {
        log.append(&entries(size, size + batch)).unwrap();
        size += batch;
        assert_eq!(log.size(), size);
        if reopen {
            drop(log);
            log = LogDir::open(folder.path()).unwrap();
        }
        holds(&log, size);
    }
    assert_eq!(size % 256, 0);
    for at in [0, 1, 255, 256, 257, 1000, size - 1, size] {
        assert_eq!(log.root_at(at).unwrap(), root(at));
        let proof: Consistency = log.consistency(at, size).unwrap();
        proof.verify(&root(at), &root(size)).unwrap();
        assert_eq!(log.frontier_at(at).unwrap().root(), root(at));
    }
    for index in [0, 255, 256, size - 1] {
        let proof: Inclusion = log.inclusion(index, size).unwrap();
        proof.verify(&log.leaf(index).unwrap(), &root(size)).unwrap();
        assert_eq!(log.entry(index).unwrap(), entry(index));
    }
    assert!(matches!(log.entry(size), Err(StoreError::Range { .. })));
    assert!(log.root_at(size + 1).is_err() && log.inclusion(5, 5).is_err() && log.leaf(u64::MAX).is_err());
    assert!(log.entries(size - 1..size + 5).last().unwrap().is_err());
    log.sync().unwrap();
}

#[test]
fn above_one_level_of_tiles() {
    // 257 full tiles, so that level 1 has one and level 2 begins.
    let folder = tempfile::tempdir().unwrap();
    let size = 65_536 + 256 + 7;
    let mut log = LogDir::open(folder.path()).unwrap();
    log.append(&entries(0, size)).unwrap();
    drop(log);
    let mut log = LogDir::open(folder.path()).unwrap();
    assert_eq!((log.size(), log.root()), (size, root(size)));
    assert!(folder.path().join("tile/1/000").exists());
    assert_eq!(log.root_at(65_537).unwrap(), root(65_537));
    log.inclusion(3, size).unwrap().verify(&hash::leaf(&entry(3)), &root(size)).unwrap();
    // A tile above and an entry bundle below it go while the ledger is open: mended from entries that somebody still has.
    fs::write(folder.path().join("tile/1/000"), [0; 8192]).unwrap();
    fs::remove_file(folder.path().join("tile/entries/003")).unwrap();
    assert!(log.verify().is_err());
    log.repair(3, &entries(3 * 256, 4 * 256)).unwrap();
    assert_eq!(log.damaged(), [0_u64; 0]);
    log.verify().unwrap();
}

/// A tile above the last entries is damaged while the ledger is closed. The checkpoint shows it, and the tiles below have what it had.
#[test]
fn a_damaged_upper_tile_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(1, 1);
    world.user(1);
    let mut log = LogDir::open(folder.path()).unwrap();
    log.append(&world.leaves).unwrap();
    log.append(&entries(0, 65_536 + 18 * 256)).unwrap();
    let (size, root) = (log.size(), log.root());
    let roster = world.replay.roster().unwrap();
    let mut head = world.head();
    (head.size, head.root) = (size, root);
    let cosigned = world.cosignatures(&head);
    log.set_checkpoint(&SignedCheckpoint::assemble(head, &world.log, &cosigned, roster, 1).unwrap()).unwrap();
    log.publish().unwrap();
    drop(log);
    let path = folder.path().join("tile/1/000");
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    bad[77] ^= 1;
    fs::write(&path, bad).unwrap();
    let log = LogDir::open(folder.path()).unwrap();
    assert_eq!((log.size(), log.root(), log.covered()), (size, root, size));
    assert_eq!(fs::read(&path).unwrap(), good);
}

#[test]
fn two_processes_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let log = LogDir::open(folder.path()).unwrap();
    assert!(matches!(LogDir::open(folder.path()), Err(StoreError::Locked { .. })));
    drop(log);
    LogDir::open(folder.path()).unwrap();
}

#[test]
fn an_entry_too_long_adds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = LogDir::open(folder.path()).unwrap();
    log.append(&entries(0, 3)).unwrap();
    let refused = log.append(&[b"fine".to_vec(), vec![0; 65_536]]);
    assert!(matches!(refused, Err(StoreError::TooLong { index: 4, got: 65_536 })));
    holds(&log, 3);
}

#[test]
fn truncation_of_what_nothing_covers() {
    for (size, cut) in
        [(300, 299), (300, 256), (300, 255), (300, 0), (1024, 700), (1024, 1024), (65_600, 65_535)]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LogDir::open(folder.path()).unwrap();
        log.append(&entries(0, size)).unwrap();
        log.truncate(cut).unwrap();
        assert_eq!((log.size(), log.root()), (cut, root(cut)));
        drop(log);
        let mut log = LogDir::open(folder.path()).unwrap();
        assert_eq!((log.size(), log.root()), (cut, root(cut)));
        log.append(&entries(cut, cut + 300)).unwrap();
        assert_eq!(log.root(), root(cut + 300));
        assert!(log.truncate(cut + 301).is_err());
    }
}

#[test]
fn a_checkpoint_keeps_what_it_covers_and_serves_readers_up_to_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(3, 2);
    world.user(600);
    let mut log = LogDir::open(folder.path()).unwrap();
    log.append(&world.leaves).unwrap();
    let signed = world.checkpoint();
    log.set_checkpoint(&signed).unwrap();
    let covered = log.covered();
    assert_eq!(covered, signed.checkpoint().size);
    log.append(&[b"later"; 300]).unwrap();
    assert!(matches!(log.truncate(covered - 1), Err(StoreError::Covered { .. })));

    // From memory, before anything was published, and from the folder afterwards: the same.
    let head = signed.checkpoint();
    let read = |source: &dyn Source| {
        let reader = LogReader::open(source, head.size, head.root).unwrap();
        let all: Vec<_> = reader.entries(0).collect::<Result<_, _>>().unwrap();
        assert_eq!(all, world.leaves);
        assert_eq!(reader.entries(555).map(Result::unwrap).collect::<Vec<_>>(), world.leaves[555..]);
        reader.inclusion(9, head.size).unwrap().verify(&hash::leaf(&all[9]), &head.root).unwrap();
        let old = reader.root_at(77).unwrap();
        reader.consistency(77, head.size).unwrap().verify(&old, &head.root).unwrap();
        assert!(reader.entry(head.size).is_err());
    };
    read(&log);
    assert!(log.read("tile/entries/003", tile::MAX_BUNDLE).unwrap().is_none(), "not covered yet");
    assert!(log.read("tile/0/002.p/200", 8192).unwrap().is_none(), "not covered yet");
    assert!(log.read("checkpoint", 10).is_err() && log.read("../lock", 10).unwrap().is_none());
    log.publish().unwrap();
    log.publish().unwrap();
    read(&Directory::new(folder.path()));
    assert_eq!(fs::read_to_string(folder.path().join("checkpoint")).unwrap(), signed.note());
    log.sync().unwrap();
    drop(log);

    // After opening again it still covers; the next publication takes the old partial tiles away.
    let mut log = LogDir::open(folder.path()).unwrap();
    assert_eq!((log.covered(), log.checkpoint()), (covered, Some(signed.note())));
    log.truncate(covered).unwrap();
    world.user(300);
    log.append(&world.leaves[usize::try_from(covered).unwrap()..]).unwrap();
    let later = world.checkpoint();
    log.set_checkpoint(&later).unwrap();
    log.publish().unwrap();
    assert!(matches!(log.set_checkpoint(&signed), Err(StoreError::Behind { .. })));
    let head = later.checkpoint();
    let reader = LogReader::open(Directory::new(folder.path()), head.size, head.root).unwrap();
    assert_eq!(reader.entries(0).count(), world.leaves.len());

    // A checkpoint of another history.
    let mut other = World::new(3, 2);
    other.user(1);
    other.user(world.leaves.len() as u64 - other.leaves.len() as u64);
    other.user_named("other", 10);
    let fork = other.checkpoint();
    world.user(10);
    log.append(&world.leaves[usize::try_from(log.size()).unwrap()..]).unwrap();
    assert!(matches!(log.set_checkpoint(&fork), Err(StoreError::Contradiction { .. })));
}

#[test]
fn every_byte_of_a_small_ledger_matters() {
    every_byte(7, 1);
    // With full tiles, a sample of the bytes.
    every_byte(265, 41);
}

fn every_byte(size: u64, step: usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(1, 1);
    world.user(size);
    let mut log = LogDir::open(folder.path()).unwrap();
    log.append(&world.leaves).unwrap();
    let signed = world.checkpoint();
    log.set_checkpoint(&signed).unwrap();
    log.publish().unwrap();
    drop(log);
    let (source, head) = (Directory::new(folder.path()), signed.checkpoint());
    // What a reader of entries reads, and what a reader of proofs reads besides.
    let whole = |source: &Directory| {
        let reader = LogReader::open(source, head.size, head.root).ok()?;
        reader.entries(0).collect::<Result<Vec<_>, _>>().ok()?;
        reader.inclusion(3, head.size).ok()
    };
    assert!(whole(&source).is_some());
    for path in files(folder.path()).iter().filter(|path| path.to_string_lossy().contains("tile")) {
        let bytes = fs::read(path).unwrap();
        for at in (0..bytes.len()).step_by(step) {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(path, &bad).unwrap();
            assert!(whole(&source).is_none(), "{} byte {at}", path.display());
        }
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            fs::write(path, &bytes[..cut]).unwrap();
            assert!(whole(&source).is_none(), "{} cut at {cut}", path.display());
        }
        fs::remove_file(path).unwrap();
        assert!(whole(&source).is_none(), "{} removed", path.display());
        fs::write(path, &bytes).unwrap();
    }
    assert!(whole(&source).is_some());
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for place in fs::read_dir(folder).unwrap().map(|place| place.unwrap().path()) {
        if place.is_dir() { found.extend(files(&place)) } else { found.push(place) }
    }
    found.sort();
    found
}

/// After a crash files may be torn, empty or gone. What opens is a beginning of what was written, never anything else.
#[test]
fn any_damage_leaves_a_beginning() {
    let size = 5 * 256 + 30;
    let made = tempfile::tempdir().unwrap();
    let mut log = LogDir::open(made.path()).unwrap();
    log.append(&entries(0, size)).unwrap();
    drop(log);
    for path in files(made.path()) {
        if path.ends_with("tail.new") {
            // The tail before the last: written over before it counts.
            fs::write(&path, b"rubbish").unwrap();
            let log = LogDir::open(made.path()).unwrap();
            assert_eq!(log.size(), size);
            holds(&log, size);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for damage in 0..5 {
            let mut bad = bytes.clone();
            match damage {
                0 => bad.clear(),
                1 => bad.truncate(bytes.len() / 2),
                2 => bad.iter_mut().rev().take(20).for_each(|b| *b = 0),
                3 => bad.extend_from_slice(b"rubbish behind the end"),
                _ => bad.iter_mut().take(24).for_each(|b| *b = 0xff),
            }
            fs::write(&path, &bad).unwrap();
            let mut log = LogDir::open(made.path()).unwrap();
            let kept = log.size();
            assert!(kept <= size);
            assert_eq!(log.root(), root(kept), "{} damage {damage}", path.display());
            holds(&log, kept);
            log.append(&entries(kept, size)).unwrap();
            holds(&log, size);
            drop(log);
            // What was appended again is what was there before.
            assert!(path.ends_with("lock") || fs::read(&path).unwrap() == bytes, "{}", path.display());
        }
        let is_lock = path.ends_with("lock");
        fs::remove_file(&path).unwrap();
        let mut log = LogDir::open(made.path()).unwrap();
        let kept = log.size();
        assert!(kept < size || is_lock);
        log.append(&entries(kept, size)).unwrap();
        holds(&log, size);
    }
}

/// The end of the last full bundle comes from memory, whatever its file says by now; all of it, and a check, from the file.
#[test]
fn what_was_just_written_is_read_from_memory_and_checked_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = LogDir::open(folder.path()).unwrap();
    log.append(&entries(0, 250)).unwrap();
    log.append(&entries(250, 600)).unwrap();
    let path = folder.path().join("tile/entries/001");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, b"").unwrap();
    assert_eq!(log.entry(511).unwrap(), entry(511));
    assert!(log.verify().is_err() && log.entries(256..512).any(|entry| entry.is_err()));
    fs::write(&path, &bytes).unwrap();
    holds(&log, 600);
    log.truncate(500).unwrap();
    assert!(log.entry(511).is_err());
    log.append(&entries(500, 700)).unwrap();
    holds(&log, 700);
}

#[test]
fn a_damaged_bundle_is_found_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = LogDir::open(folder.path()).unwrap();
    log.append(&entries(0, 3000)).unwrap();
    let path = folder.path().join("tile/entries/002");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(log.verify().is_err());
    let refused: Vec<u64> = (0..3000).filter(|index| log.entry(*index).is_err()).collect();
    assert_eq!(refused.len(), 1, "one byte, one entry: {refused:?}");
    assert!((512..768).contains(&refused[0]), "{refused:?}");
    assert!(log.entries(512..768).any(|entry| entry.is_err()));
    assert_eq!(log.entry(1).unwrap(), entry(1), "the rest is served");
    assert_eq!(log.damaged(), [2]);
    assert!(matches!(log.repair(2, &entries(0, 256)), Err(StoreError::Repair { bundle: 2, .. })));
    log.repair(2, &entries(512, 768)).unwrap();
    holds(&log, 3000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// A tail cut anywhere is a beginning.
    #[test]
    fn a_torn_tail(count in 1..200_u64, cut: prop::sample::Index) {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LogDir::open(folder.path()).unwrap();
        log.append(&entries(0, 256)).unwrap();
        log.append(&entries(256, 256 + count)).unwrap();
        drop(log);
        let path = folder.path().join("tail");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..cut.index(bytes.len())]).unwrap();
        let log = LogDir::open(folder.path()).unwrap();
        prop_assert!(log.size() >= 256 && log.size() < 256 + count);
        prop_assert_eq!(log.root(), root(log.size()));
    }
}

/// A full disk, as far as a test can have one: the folder's files cannot be made.
#[test]
fn a_write_that_fails_adds_nothing_and_reads_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = LogDir::open(folder.path()).unwrap();
    log.append(&entries(0, 250)).unwrap();
    // Where the first bundle's folder should be there is a file.
    fs::write(folder.path().join("tile"), b"in the way").unwrap();
    assert!(matches!(log.append(&entries(250, 260)), Err(StoreError::File { .. })));
    holds(&log, 250);
    fs::remove_file(folder.path().join("tile")).unwrap();
    log.append(&entries(250, 600)).unwrap();
    holds(&log, 600);
}

/// A folder that counts what is asked of it.
struct Counted(Directory, std::cell::Cell<u32>);

impl Source for Counted {
    fn read(
        &self,
        path: &str,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, hallmark_ledger::source::SourceError> {
        self.1.set(self.1.get() + 1);
        self.0.read(path, limit)
    }
}

/// A checkpoint by a committee of one.
fn alone(log: &LogDir) -> SignedCheckpoint {
    let key = CosignKey::from_seed(&[1; 32]);
    let member = Member { node: 1, slot: 0, cosign_key: key.public(), spki_sha256: [2; 32] };
    let roster = Roster { epoch: 0, members: [(0, member)].into() };
    let (size, root) = (log.size(), log.root());
    let origin = "alone".to_owned();
    let head = Checkpoint { origin, size, root, epoch: 0, recoveries: 0, roster: roster.hash() };
    let (signer, cosigned) = (Signer::from_seed("alone", &[3; 32]).unwrap(), [key.cosign(&head, 0, 1, 1)]);
    SignedCheckpoint::assemble(head, &signer, &cosigned, &roster, 1).unwrap()
}

/// Hashes in a path and tiles read for it grow with the logarithm of the size: a tile is eight levels of the tree.
#[test]
fn a_proof_reads_a_tile_or_two_a_level() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = LogDir::open(folder.path()).unwrap();
    for size in [200_u64, 5000, 80_000] {
        log.append(&entries(log.size(), size)).unwrap();
        log.set_checkpoint(&alone(&log)).unwrap();
        log.publish().unwrap();
        let (height, levels) = (size.ilog2() + 1, size.ilog2() / 8 + 1);
        for index in [0, 1, size / 3, size / 2, size - 300.min(size), size - 1] {
            let source = Counted(Directory::new(folder.path()), 0.into());
            // Nothing is kept from one proof to the next.
            let reader = LogReader::open(source, size, log.root()).unwrap();
            let opening = reader.source().1.replace(0);
            assert!(opening <= 2 * levels, "{opening} reads to open {size}");
            let proof = reader.inclusion(index, size).unwrap();
            let reads = reader.source().1.replace(0);
            assert!(reads <= 2 * levels, "{reads} reads for {index} in {size}");
            assert!(proof.path.len() <= usize::try_from(height).unwrap());
            let proof = reader.consistency(index.max(1), size).unwrap();
            let reads = reader.source().1.get();
            assert!(reads <= 2 * levels, "{reads} reads for {index} before {size}");
            assert!(proof.path.len() <= usize::try_from(height).unwrap() + 1);
        }
    }
}

/// Files that a damaged disk or its host made enormous: they are damaged, and nothing is read that no ledger has.
#[test]
fn files_beyond_any_size_are_damage() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = LogDir::open(folder.path()).unwrap();
    log.append(&entries(0, 600)).unwrap();
    drop(log);
    let large = |name: &str, bytes: u64| {
        fs::OpenOptions::new().write(true).open(folder.path().join(name)).unwrap().set_len(bytes).unwrap();
    };
    large("tail", 1 << 40);
    holds(&LogDir::open(folder.path()).unwrap(), 600);
    large("tile/entries/001", 1 << 40);
    holds(&LogDir::open(folder.path()).unwrap(), 256);
    large("tile/0/000", 1 << 40);
    holds(&LogDir::open(folder.path()).unwrap(), 0);
}
