//! A committee's ledger as anybody may serve it: entries, checkpoints, proofs, tiles.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use hallmark_ledger::checkpoint::{Checkpoint, TreeHead};
use hallmark_ledger::cosignature::{Cosignature, CosignerKey, SignedCheckpoint};
use hallmark_ledger::entry::Entry;
use hallmark_ledger::hash::{self, Hash};
use hallmark_ledger::note::{Note, Verifier};
use hallmark_ledger::proof::{Consistency, Inclusion};
use hallmark_ledger::reader::LogReader;
use hallmark_ledger::replay::Replay;
use hallmark_ledger::source::{Source, SourceError};
use hallmark_ledger::system::{Equivocation, SystemEntry};
use hallmark_ledger::tile::{self, Coordinates, Kind};
use hallmark_ledger::tree::{self, Frontier, Nodes};

use crate::group::GROUP;

/// What a replay says of who counts: releases, roster, whether the log has ended.
type Standing = (Vec<Hash>, Hash, bool);

fn standing(replay: &Replay) -> Standing {
    let roster = replay.roster().map_or(hash::EMPTY, hallmark_ledger::system::Roster::hash);
    (replay.releases().copied().collect(), roster, replay.is_retired())
}

/// Every standing that the forged signatures lead to, one step on.
static STANDINGS: LazyLock<BTreeSet<Standing>> = LazyLock::new(|| {
    let after = |leaves: Vec<Vec<u8>>| {
        let mut replay = GROUP.replay.clone();
        for (index, leaf) in (GROUP.leaves.len() as u64..).zip(&leaves) {
            replay.push(index, &Entry::parse(leaf).expect("forged")).expect("forged");
        }
        standing(&replay)
    };
    GROUP.outcomes().into_iter().map(after).chain([standing(&GROUP.replay)]).collect()
});

/// Whether a replay has come to nothing but what was signed.
pub(crate) fn is_signed(replay: &Replay) -> bool {
    STANDINGS.contains(&standing(replay))
}

/// Entries, and what the committee says of itself in them. Nobody comes in, goes out or ends the log but by a signature.
pub(crate) fn entry(data: &[u8]) {
    // A line each: what stands before an admission are its documents.
    let mut replay = GROUP.replay.clone();
    let mut next = GROUP.leaves.len() as u64;
    for line in data.split(|byte| *byte == b'\n').take(8) {
        let Ok(entry) = Entry::parse(line) else { continue };
        assert_eq!(entry.bytes(), line);
        if let Ok(Some(body)) = SystemEntry::of(&entry) {
            let draft = body.draft().expect("what was read can be written");
            assert_eq!(draft.body.get(), entry.body().get(), "a body has one spelling");
            assert_eq!(body.surface(), entry.surface());
        }
        for pointer in entry.evidence() {
            if pointer.verify(&GROUP.keys()).is_ok() {
                let at = usize::try_from(pointer.index).ok();
                let leaf = at.and_then(|at| GROUP.leaves.get(at)).map(|leaf| hash::leaf(leaf));
                assert_eq!(leaf, Some(pointer.leaf), "not in the tree");
            }
        }
        if replay.push(next, &entry).is_ok() {
            next += 1;
        }
    }
    assert!(is_signed(&replay), "nobody signed this");
}

/// Notes, checkpoints, cosignatures, keys, proofs of two histories.
pub(crate) fn checkpoint(data: &[u8]) {
    let group = &*GROUP;
    if let Ok(signed) = SignedCheckpoint::verify(data, &group.keys()) {
        let known = [&group.equivocation.first, &group.equivocation.second];
        let known = known.iter().any(|note| {
            Note::parse(note.as_bytes()).is_ok_and(|note| note.text() == signed.checkpoint().text())
        });
        assert!(known && signed.cosignatures().len() >= 2, "nobody signed this");
    }
    if let Ok(note) = Note::parse(data) {
        assert!(Note::parse(note.to_string().as_bytes()).is_ok_and(|again| again == note));
        if let Ok(checkpoint) = Checkpoint::parse(note.text()) {
            assert_eq!(checkpoint.text(), note.text(), "a checkpoint has one spelling");
        }
        let _ = TreeHead::parse(note.text());
    }
    if let Ok(equivocation) = serde_json::from_slice::<Equivocation>(data) {
        for member in group.members().values() {
            if equivocation.verify(member).is_ok() {
                assert_eq!(equivocation.node, member.node);
                let text = |note: &str| Note::parse(note.as_bytes()).map(|note| note.text().to_owned()).ok();
                let pair = |e: &Equivocation| BTreeSet::from([text(&e.first), text(&e.second)]);
                assert!(pair(&equivocation) == pair(&group.equivocation), "nobody signed this");
            }
        }
    }
    if let Ok(cosignature) = serde_json::from_slice::<Cosignature>(data) {
        let head = group.signed.checkpoint();
        if let Ok(checked) = cosignature.check(head, &group.roster) {
            assert!(group.signed.cosignatures().contains(checked.cosignature()), "nobody signed this");
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(key) = Verifier::parse(text) {
            assert_eq!(key.to_string(), text.trim(), "a key has one spelling");
        }
        let _ = CosignerKey::parse(text);
    }
}

/// The nodes of the forged tree, from its leaves.
pub(crate) struct Leaves;

impl Nodes for Leaves {
    type Error = ();

    fn node(&self, level: u32, index: u64) -> Result<Hash, ()> {
        static HASHES: LazyLock<Vec<Vec<Hash>>> = LazyLock::new(|| {
            let mut levels = vec![GROUP.leaves.iter().map(|leaf| hash::leaf(leaf)).collect::<Vec<_>>()];
            while let Some(last) = levels.last().filter(|last| last.len() > 1) {
                let above = last.chunks_exact(2).map(|pair| hash::node(&pair[0], &pair[1])).collect();
                levels.push(above);
            }
            levels
        });
        let level = usize::try_from(level).ok().and_then(|level| HASHES.get(level)).ok_or(())?;
        usize::try_from(index).ok().and_then(|index| level.get(index)).copied().ok_or(())
    }
}

/// Proofs and frontiers.
pub(crate) fn proof(data: &[u8]) {
    let size = GROUP.leaves.len() as u64;
    let root = GROUP.replay.root();
    if let Ok(proof) = serde_json::from_slice::<Inclusion>(data) {
        // Some leaf, whatever the proof is of: it must be that one.
        for (index, leaf) in (0..).zip(&GROUP.leaves).step_by(97) {
            if proof.verify(&hash::leaf(leaf), &root).is_ok() && proof.size == size {
                assert_eq!(proof.index, index, "the leaf of another place");
                assert_eq!(Inclusion::prove(&Leaves, index, size), Ok(Some(proof.clone())), "two proofs");
            }
        }
    }
    if let Ok(proof) = serde_json::from_slice::<Consistency>(data) {
        let old = tree::root_at(&Leaves, proof.old.min(size)).unwrap_or(hash::EMPTY);
        if proof.verify(&old, &root).is_ok() && proof.new == size && proof.old > 0 {
            assert!(proof.old <= size, "a larger tree is the beginning of a smaller one");
            assert_eq!(Consistency::prove(&Leaves, proof.old, size), Ok(Some(proof)), "two proofs");
        }
    }
    if let Ok(mut frontier) = Frontier::from_bytes(data) {
        assert_eq!(frontier.to_bytes(), data);
        let before = frontier.size();
        frontier.push(hash::leaf(b"next"));
        assert_eq!(frontier.size(), before + 1);
        let _ = frontier.root();
    }
    if let Ok(frontier) = serde_json::from_slice::<Frontier>(data) {
        assert!(Frontier::from_bytes(&frontier.to_bytes()).is_ok_and(|again| again == frontier));
    }
}

/// The forged ledger's files, as they are published.
pub(crate) static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let folder = crate::members::scratch("ledger");
    let mut log = hallmark_ledger::store::LogDir::open(&folder).expect("a folder");
    log.append(&GROUP.leaves).expect("a folder");
    log.set_checkpoint(&GROUP.signed).expect("forged");
    let size = log.size();
    let mut paths: Vec<Coordinates> = Vec::new();
    for kind in [Kind::Entries, Kind::Hashes(0), Kind::Hashes(1)] {
        let level = if kind == Kind::Hashes(1) { 1 } else { 0 };
        let full = size >> (8 * (level + 1));
        paths.extend((0..full).map(|index| Coordinates::full(kind, index)));
        let width = u16::try_from((size >> (8 * level)) % 256).unwrap_or(0);
        paths.extend(Coordinates::new(kind, full, width));
    }
    let read = |place: &Coordinates| {
        let bytes = log.read(&place.to_string(), place.limit()).expect("a folder")?;
        Some((place.to_string(), bytes))
    };
    let files = paths.iter().filter_map(read).collect();
    let _ = std::fs::remove_dir_all(folder);
    files
});

/// The forged ledger with one file exchanged.
struct Exchanged<'a>(usize, &'a [u8]);

impl Source for Exchanged<'_> {
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, SourceError> {
        let at = FILES.iter().position(|(known, _)| known == path);
        let bytes = at.and_then(|at| if at == self.0 { Some(self.1) } else { FILES.get(at).map(|f| &*f.1) });
        match bytes {
            Some(bytes) if bytes.len() > limit => {
                Err(SourceError { path: path.to_owned(), why: format!("more than {limit} bytes") })
            }
            bytes => Ok(bytes.map(<[u8]>::to_vec)),
        }
    }
}

/// Paths, tiles, bundles; and a ledger of which one file is whatever comes: readers give what is in the tree, or nothing.
pub(crate) fn tile(data: &[u8]) {
    if let Some(Ok(path)) = std::str::from_utf8(data).ok().map(str::parse::<Coordinates>) {
        assert_eq!(path.to_string().as_bytes(), data, "a path has one spelling");
        assert!((1..=256).contains(&path.width()) && path.limit() > 0);
    }
    let Some((&which, bytes)) = data.split_first() else { return };
    let width = usize::from(which) + 1;
    if let Ok(entries) = tile::unbundle(bytes, width, true) {
        assert!(entries.len() == width && tile::bundle(&entries).is_some_and(|again| again == bytes));
    }
    if let Ok(hashes) = tile::hashes(bytes, u16::from(which) + 1) {
        assert_eq!(hashes.len(), width);
    }
    let size = GROUP.leaves.len() as u64;
    let source = Exchanged(usize::from(which) % FILES.len(), bytes);
    let Ok(reader) = LogReader::open(source, size, GROUP.replay.root()) else { return };
    let (mut given, mut whole) = (0, true);
    for (leaf, entry) in GROUP.leaves.iter().zip(reader.entries(0)) {
        match entry {
            Ok(entry) => assert!(entry == *leaf, "entry {given} is not in the tree"),
            Err(_) => whole = false,
        }
        given += 1;
    }
    assert!(!whole || given == GROUP.leaves.len(), "entries are left out without a word");
    for (index, leaf) in (0..).zip(&GROUP.leaves).step_by(151) {
        if let Ok(proof) = reader.inclusion(index, size) {
            proof.verify(&hash::leaf(leaf), &GROUP.replay.root()).expect("a reader's proof");
        }
    }
}
