//! How fast a ledger is written, read and verified, in how much memory, and what proofs cost as it grows.
//!
//! `cargo bench -p hallmark-ledger --bench reader [-- ENTRIES]`, by default 1,000,000 entries of about 250 bytes, in a folder under the
//! system's temporary one (page cache: no disk is measured).
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, clippy::cast_precision_loss)]

use std::{
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

use hallmark_ledger::{
    checkpoint::Checkpoint,
    cosignature::{CosignKey, SignedCheckpoint},
    entry::{Entry, EntryDraft, Submission},
    hash::Hash,
    note::Signer,
    reader::LogReader,
    source::Directory,
    store::LogDir,
    system::{Member, Roster},
};

fn entry(index: u64) -> Vec<u8> {
    let submission = Submission { client: [7; 32], nonce: index, command: Hash([9; 32]) };
    let draft = EntryDraft::new("values", &format!("{index:064}")).unwrap();
    EntryDraft { submission: Some(submission), ..draft }.encode(index).unwrap()
}

/// Most memory that this process ever had, MiB.
fn peak() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}

fn rate(count: u64, took: Duration) -> String {
    format!("{:>9.0} entries/s  ({:.2} s)", count as f64 / took.as_secs_f64(), took.as_secs_f64())
}

/// Median of some runs.
fn median(mut run: impl FnMut(u64), runs: u64) -> Duration {
    let mut took: Vec<_> = (0..runs)
        .map(|i| {
            let start = Instant::now();
            run(i);
            start.elapsed()
        })
        .collect();
    took.sort_unstable();
    took.get(took.len() / 2).copied().unwrap_or_default()
}

fn main() {
    let arguments = std::env::args().skip(1);
    let count: u64 = arguments.filter_map(|a| a.parse().ok()).next().unwrap_or(1_000_000);
    let folder = std::env::temp_dir().join(format!("hallmark-ledger-bench-{}", std::process::id()));
    let mut log = LogDir::open(&folder).unwrap();
    let mut writing = Duration::ZERO;
    let mut at = 0;
    while at < count {
        let batch: Vec<_> = (at..count.min(at + 256)).map(entry).collect();
        let start = Instant::now();
        log.append(&batch).unwrap();
        writing += start.elapsed();
        at += 256;
    }
    println!("append in batches of 256      {}", rate(count, writing));
    let single = median(|i| log.append(&[entry(count + i)]).unwrap(), 2000);
    println!("append of one                 {:>9.1} us", single.as_secs_f64() * 1e6);
    log.truncate(count).unwrap();

    println!("\nproofs from the folder at scattered places, at most 64 tiles kept (median of 200):");
    let mut size = 1000;
    while size <= count {
        let root = log.root_at(size).unwrap();
        let (mut length, mut old_length) = (0, 0);
        let prove = median(
            |i| {
                let index = (i * 7919) % size;
                length = length.max(log.inclusion(index, size).unwrap().path.len());
            },
            200,
        );
        let consistent = median(
            |i| {
                let proof = log.consistency(1 + (i * 104_729) % size, size).unwrap();
                old_length = old_length.max(proof.path.len());
            },
            200,
        );
        let proof = log.inclusion(size / 3, size).unwrap();
        let leaf = log.leaf(size / 3).unwrap();
        let check = median(|_| proof.verify(black_box(&leaf), &root).unwrap(), 200);
        println!(
            "  {size:>9} entries: inclusion {length:>2} hashes, made in {:>6.1} us, checked in {:>5.1} us; consistency {old_length:>2} hashes in {:>6.1} us",
            prove.as_secs_f64() * 1e6,
            check.as_secs_f64() * 1e6,
            consistent.as_secs_f64() * 1e6,
        );
        size *= 10;
    }

    let root = log.root();
    log.set_checkpoint(&checkpoint(&log)).unwrap();
    let start = Instant::now();
    log.publish().unwrap();
    println!("\npublish                       {:>9.1} ms", start.elapsed().as_secs_f64() * 1e3);
    drop(log);
    let before = peak();
    let start = Instant::now();
    let reader = LogReader::open(Directory::new(&folder), count, root).unwrap();
    let mut bytes = 0;
    for entry in reader.entries(0) {
        bytes += black_box(entry.unwrap()).len();
    }
    let streamed = start.elapsed();
    println!(
        "\nstream and verify             {}  {:.0} MB/s",
        rate(count, streamed),
        bytes as f64 / 1e6 / streamed.as_secs_f64()
    );
    println!("peak memory (VmHWM)           {before:>9.1} MiB before the reader, {:.1} MiB after", peak());
    let start = Instant::now();
    for entry in reader.entries(0) {
        black_box(Entry::of(entry.unwrap()).unwrap());
    }
    println!("stream, verify, parse         {}", rate(count, start.elapsed()));
    println!("peak memory (VmHWM)           {:>9.1} MiB", peak());
    let start = Instant::now();
    LogDir::open(&folder).unwrap();
    println!("open                          {:>9.1} ms", start.elapsed().as_secs_f64() * 1e3);
    fs::remove_dir_all(&folder).unwrap();
}

/// A checkpoint by a committee of one, so that the folder can be published.
fn checkpoint(log: &LogDir) -> SignedCheckpoint {
    let key = CosignKey::from_seed(&[1; 32]);
    let member = Member { node: 1, slot: 0, cosign_key: key.public(), spki_sha256: [2; 32] };
    let roster = Roster { epoch: 0, members: [(0, member)].into() };
    let signer = Signer::from_seed("bench", &[3; 32]).unwrap();
    let (size, root) = (log.size(), log.root());
    let head =
        Checkpoint { origin: "bench".into(), size, root, epoch: 0, recoveries: 0, roster: roster.hash() };
    let cosigned = [key.cosign(&head, 0, 1, 1)];
    SignedCheckpoint::assemble(head, &signer, &cosigned, &roster, 1).unwrap()
}
