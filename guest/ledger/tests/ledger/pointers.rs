//! Evidence pointers.

use hallmark_coalition::CitizenId;
use hallmark_ledger::{
    cosignature::Keys,
    hash,
    pointer::{EvidencePointer, PointerError},
    reader::LogReader,
    store::LogDir,
};

use super::world::World;

#[test]
fn a_pointer_and_what_is_wrong_with_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(3, 2);
    world.user(50);
    let signed = world.checkpoint();
    let mut log = LogDir::open(folder.path()).unwrap();
    log.append(&world.leaves).unwrap();
    log.set_checkpoint(&signed).unwrap();
    let head = signed.checkpoint();
    let reader = LogReader::open(&log, head.size, head.root).unwrap();
    let bytes = reader.entry(20).unwrap();
    let pointer = EvidencePointer {
        citizen: CitizenId::new([4; 20]),
        clock: 7,
        index: 20,
        leaf: hash::leaf(&bytes),
        proof: reader.inclusion(20, head.size).unwrap(),
        checkpoint: signed.note().to_owned(),
    };
    let key = world.log.verifier();
    let keys = Keys { log: &key, roster: world.replay.roster().unwrap(), quorum: 2 };
    assert_eq!(pointer.verify(&keys).unwrap(), signed);
    pointer.entry(&bytes).unwrap();
    assert!(matches!(pointer.entry(b"other"), Err(PointerError::Leaf { .. })));
    let json = serde_json::to_string(&pointer).unwrap();
    assert_eq!(serde_json::from_str::<EvidencePointer>(&json).unwrap(), pointer);

    let moved = EvidencePointer { index: 21, ..pointer.clone() };
    assert!(matches!(moved.verify(&keys), Err(PointerError::Place { .. })));
    let mut shrunk = pointer.clone();
    shrunk.proof.size -= 1;
    assert!(matches!(shrunk.verify(&keys), Err(PointerError::Place { .. })));
    let other = EvidencePointer { leaf: hash::leaf(b"other"), ..pointer.clone() };
    assert!(matches!(other.verify(&keys), Err(PointerError::Proof(_))));
    let strict = Keys { quorum: 4, ..keys };
    assert!(matches!(pointer.verify(&strict), Err(PointerError::Checkpoint(_))));
    let large = EvidencePointer { checkpoint: "x".repeat(20_000), ..pointer };
    assert!(matches!(large.verify(&keys), Err(PointerError::TooLarge(20_000))));
}
