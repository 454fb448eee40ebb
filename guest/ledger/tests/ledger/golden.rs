//! Golden files of our own: a small ledger, byte for byte. Formats change only on purpose.
//!
//! `HALLMARK_WRITE_GOLDEN=1 cargo test -p hallmark-ledger golden` writes them again.

use std::{fs, path::PathBuf};

use hallmark_ledger::{
    cosignature::{Keys, SignedCheckpoint},
    entry::Entry,
    replay::Replay,
    system::SystemEntry,
};

use super::world::World;

fn golden(name: &str, made: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("HALLMARK_WRITE_GOLDEN").is_some() {
        fs::write(&path, made).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), made, "{}", path.display());
}

/// Ed25519 is deterministic, and so is all of it.
fn world() -> World {
    let mut world = World::new(3, 2);
    world.user(3);
    world
}

#[test]
fn entries_and_checkpoint() {
    let world = world();
    let lines: String =
        world.leaves.iter().map(|leaf| format!("{}\n", str::from_utf8(leaf).unwrap())).collect();
    golden("entries.ndjson", &lines);
    golden("checkpoint", world.checkpoint().note());
    golden("roster.json", &world.replay.roster().unwrap().json());
}

#[test]
fn what_is_signed() {
    let world = world();
    let Some(Ok(Some(SystemEntry::Admission(admission)))) =
        world.leaves.iter().map(|leaf| SystemEntry::of(&Entry::parse(leaf).unwrap())).nth(2)
    else {
        panic!()
    };
    let statement = admission.statement(world.group(), 0);
    let slot = hallmark_ledger::system::slot_message(
        &world.group(),
        0,
        admission.slot,
        &admission.cosign_key,
        &admission.spki_sha256(),
        &admission.evidence,
    );
    let head = world.head();
    let freshness =
        hallmark_ledger::system::freshness_message(&head.origin, 0, &[5; 32], head.size, &head.root);
    golden(
        "messages.txt",
        &format!(
            "statement {}\nbinding {}\nslot {}\nfreshness {}\n",
            serde_json::to_string(&statement).unwrap(),
            hex::encode(statement.binding()),
            hex::encode(slot),
            hex::encode(freshness)
        ),
    );
}

/// The files alone, without the code that made them, pass the audit.
#[test]
fn the_files_replay() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut replay = Replay::new();
    for (line, index) in fs::read_to_string(folder.join("entries.ndjson")).unwrap().lines().zip(0..) {
        replay.push(index, &Entry::parse(line.as_bytes()).unwrap()).unwrap();
    }
    let note = fs::read(folder.join("checkpoint")).unwrap();
    let signed = replay.checkpoint(&note).unwrap();
    let keys = Keys { log: replay.log_key().unwrap(), roster: replay.roster().unwrap(), quorum: 3 };
    assert_eq!(SignedCheckpoint::verify(&note, &keys).unwrap(), signed);
}
