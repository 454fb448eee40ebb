//! Disks whose bytes changed while nobody looked.
//!
//! Files are read in a process of its own in which a panic ends the process, as it does where a member is the first process of an image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use hallmark_committee::{DiskState, Storage};
use hallmark_ledger::hash::Hash;
use hallmark_ledger::store::LogDir;
use hallmark_machine::kv::Kv;
use redb::StorageBackend;
use redb::backends::FileBackend;

use super::group::{Group, eventually, leader};

/// Set for the process that reads: where the disks are.
const DISKS: &str = "HALLMARK_TEST_DISKS";
const CASES: u64 = 420;
const TOGETHER: u64 = 60;

/// Not random, but looks it.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    /// A place in a file; every fourth is in the region of what was appended last, another in redb's header, which leads to all else.
    fn place(&mut self, length: usize) -> usize {
        match self.below(4) {
            0 => self.below(length.min(4096)),
            1 => REGION.min(length - 1) + self.below(length.saturating_sub(REGION).clamp(1, 512)),
            _ => self.below(length),
        }
    }
}

const PAGE: usize = 4096;
/// Bytes in front of redb's part.
const REGION: usize = 16 << 10;

fn damage(bytes: &mut Vec<u8>, seed: u64) -> &'static str {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let pages = bytes.len() / PAGE;
    match chance.below(8) {
        0 | 1 => {
            for _ in 0..=chance.below(3) {
                let at = chance.place(bytes.len());
                bytes[at] ^= 1 << chance.below(8);
            }
            "bits"
        }
        2 => {
            let (at, length) = (chance.place(bytes.len()), 1 + chance.below(PAGE));
            bytes.iter_mut().skip(at).take(length).for_each(|byte| *byte = 0);
            "zeros"
        }
        3 => {
            let (at, length) = (chance.place(bytes.len()), 1 + chance.below(64));
            bytes
                .iter_mut()
                .skip(at)
                .take(length)
                .for_each(|byte| *byte = u8::try_from(chance.below(256)).unwrap_or_default());
            "noise"
        }
        4 => {
            bytes.truncate(chance.place(bytes.len()));
            "cut"
        }
        5 => {
            bytes.resize(bytes.len() + 1 + chance.below(3 * PAGE), 0xa5);
            "longer"
        }
        6 => {
            // The page of a pointer becomes another one.
            let at = chance.place(bytes.len() - 8) & !7;
            bytes[at..at + 8].copy_from_slice(&(chance.below(2 * pages) as u64).to_le_bytes());
            "number"
        }
        _ => {
            let (from, to) = (chance.below(pages) * PAGE, chance.below(pages) * PAGE);
            bytes.copy_within(from..from + PAGE, to);
            "page"
        }
    }
}

fn group() -> Group {
    let mut group = Group::new(1, 1);
    group.limits.snapshot_entries = 40;
    // Files with a short region: in a long one most damage would fall on what was never written.
    group.storage = Storage::simulated(|path| {
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(Box::new(FileBackend::new(file).map_err(io::Error::other)?) as Box<dyn StorageBackend>)
    });
    group
}

/// A disk as a member leaves it, and the root at each size of its ledger.
async fn disk() -> (Vec<u8>, Vec<Hash>) {
    let mut group = group();
    let members = group.genesis().await;
    leader(&members).await;
    for round in 0..12 {
        let puts = (0..12_u8).map(|client| members[0].put(client, round, "value"));
        for receipt in futures_util::future::join_all(puts).await {
            receipt.unwrap();
        }
    }
    members[0].engine.shutdown().await;
    let folder = &members[0].folder;
    let ledger = LogDir::open(folder.join("ledger")).unwrap();
    let roots = (0..=ledger.size()).map(|size| ledger.root_at(size).unwrap()).collect();
    (std::fs::read(folder.join("raft-0-0.log").as_path()).or_else(|_| only_log(folder)).unwrap(), roots)
}

fn only_log(folder: &Path) -> std::io::Result<Vec<u8>> {
    let mut files = std::fs::read_dir(folder)?.flatten().map(|file| file.path());
    let log = files.find(|path| path.extension().is_some_and(|extension| extension == "log"));
    std::fs::read(log.ok_or(std::io::ErrorKind::NotFound)?)
}

/// The process that reads; in a run of all tests there is nothing to be read.
#[test]
fn reader() {
    let Some(folder) = std::env::var_os(DISKS) else { return };
    std::panic::set_hook(Box::new(|_| std::process::abort()));
    let id = group().id;
    let mut cases: Vec<_> = std::fs::read_dir(folder).unwrap().map(|case| case.unwrap().path()).collect();
    cases.sort();
    for case in cases.into_iter().filter(|case| !case.join("read").exists()) {
        let read = match DiskState::read::<Kv>(&case, id).unwrap() {
            (Some(state), damaged) if damaged.is_empty() => format!("{} {}", state.size, state.root),
            (None, damaged) if damaged.is_empty() => "nothing".to_owned(),
            (None, damaged) => format!("damaged: {}", damaged[0]),
            (Some(_), damaged) => format!("both: {}", damaged[0]),
        };
        std::fs::write(case.join("read"), read).unwrap();
    }
}

/// Runs [`reader`] until it has read everything; how often it ended before that.
fn read_all(folder: &Path) -> u64 {
    let mut ended = 0;
    loop {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "engine::damage::reader", "--nocapture", "--test-threads=1"]);
        child.env(DISKS, folder).stdout(Stdio::null()).stderr(Stdio::null());
        if child.status().unwrap().success() {
            return ended;
        }
        ended += 1;
        assert!(ended <= 3 * TOGETHER, "the reader never ends well");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_found_out_or_holds_what_was_written() {
    let (whole, roots) = disk().await;
    assert_eq!(whole[8..16], (REGION as u64).to_le_bytes(), "the header names the region");
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut ended = 0;
    for first in (0..CASES).step_by(usize::try_from(TOGETHER).unwrap()) {
        let folder = tempfile::tempdir().unwrap();
        let case = |seed: u64| -> PathBuf { folder.path().join(format!("{seed:04}")) };
        let kinds: Vec<_> = (first..first + TOGETHER)
            .map(|seed| {
                let mut bytes = whole.clone();
                // The first is whole.
                let kind = if seed == 0 { "whole" } else { damage(&mut bytes, seed) };
                std::fs::create_dir(case(seed)).unwrap();
                std::fs::write(case(seed).join("raft-0-0.log"), bytes).unwrap();
                (seed, kind)
            })
            .collect();
        ended += read_all(folder.path());
        for (seed, kind) in kinds {
            let read = std::fs::read_to_string(case(seed).join("read")).unwrap();
            let word = match read.split_once(' ') {
                Some((size, root)) if size.parse::<usize>().is_ok() => {
                    let due = &roots[size.parse::<usize>().unwrap()];
                    assert_eq!(root, due.to_string(), "case {seed}, {kind}: other content of that size");
                    "read"
                }
                _ if read.contains("set aside") || read.contains("kept as") => {
                    assert!(case(seed).join("raft-0-0.log.damaged").exists(), "case {seed}: {read}");
                    assert!(!case(seed).join("raft-0-0.log").exists(), "case {seed}: {read}");
                    "aside"
                }
                _ if read.starts_with("damaged: ") => "damaged",
                // A file that was never written, or cut to nothing.
                _ if read == "nothing" => "nothing",
                _ => panic!("case {seed}, {kind}: {read}"),
            };
            assert!(!case(seed).join("raft-0-0.log.opening").exists(), "case {seed}: a note stays");
            *counts.entry((kind, word)).or_default() += 1;
        }
    }
    println!("{counts:?}; {ended} openings ended the process");
    assert_eq!(counts.get(&("whole", "read")), Some(&1));
    let of = |word| counts.iter().filter(|((_, w), _)| *w == word).map(|(_, n)| n).sum::<u32>();
    assert!(of("read") > 20 && of("damaged") > 20, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_disk_is_damaged_is_rebuilt_from_its_peers() {
    let mut group = Group::new(3, 2);
    let mut members = group.genesis().await;
    let at = leader(&members).await;
    for nonce in 0..20 {
        members[at].put(1, nonce, &format!("v{nonce}")).await.unwrap();
    }
    let lost = members.remove((at + 1) % 3);
    let by = usize::from(at > (at + 1) % 3);
    let at = at.saturating_sub(by);
    group.router.unplug(&lost.spki);
    lost.engine.shutdown().await;
    let folder = lost.folder.clone();
    drop(lost.engine);
    // Every file of it, a byte in every thousand.
    for file in walk(&folder) {
        let mut bytes = std::fs::read(&file).unwrap();
        bytes.iter_mut().step_by(997).for_each(|byte| *byte ^= 0x55);
        std::fs::write(&file, bytes).unwrap();
    }
    let (found, damaged) = DiskState::read::<Kv>(&folder, group.id).unwrap();
    assert!(found.is_none() && !damaged.is_empty(), "{damaged:?}");
    members[at].put(1, 20, "meanwhile").await.unwrap();
    let machine = group.machine_on(lost.slot, folder);
    let back = group.join(&machine, &members[at]).await.unwrap();
    members.push(back);
    eventually("it votes", || {
        let voters = members[at].engine.status().voters;
        voters.len() == 3 && voters.contains(&members[2].node)
    })
    .await;
    // It signs: with the other one cut off, a quorum needs it.
    group.router.cut([members[1 - at].node]);
    members[at].put(1, 21, "after").await.unwrap();
    group.router.cut([]);
    eventually("its files are whole", || {
        let (back, old) = (members[2].engine.status(), members[at].engine.status());
        back.stored == old.cosigned && back.cosigned == old.cosigned
    })
    .await;
    assert_eq!(members[2].engine.machine(|kv| kv.get("k1").map(str::to_owned)).as_deref(), Some("after"));
    let size = members[at].engine.status().cosigned;
    let root = |at: usize| members[at].engine.ledger(|ledger| ledger.root_at(size)).unwrap();
    assert_eq!(root(2), root(at));
    members[2].engine.ledger(|ledger| ledger.verify().unwrap());
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
