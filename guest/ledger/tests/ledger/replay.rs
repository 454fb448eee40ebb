//! The structural audit: a whole life passes, and each thing that must not be is refused with its own word.

use hallmark_coalition::{self as coalition, UniqueId};
use hallmark_ledger::{
    checkpoint,
    cosignature::{CosignKey, SignedCheckpoint},
    entry::{Entry, EntryDraft, Submission},
    hash::Hash,
    note::Signer,
    replay::{Obligation, Replay},
    system::*,
};

use super::world::{World, seed};

/// A recovery in which machines with fresh keys take over, signed by the operators of some slots.
fn recovery(world: &World, members: &[u16], signers: &[u16]) -> (Recovery, Signer, Vec<CosignKey>) {
    let epoch = world.epoch() + 1;
    let origin = checkpoint::origin(world.group().as_bytes(), epoch);
    let log = Signer::from_seed(&origin, &seed(2, u8::try_from(epoch).unwrap())).unwrap();
    let keys: Vec<_> =
        members.iter().map(|slot| CosignKey::from_seed(&seed(4, *slot as u8 + epoch as u8 * 32))).collect();
    let mut recovery = Recovery {
        old_epoch: world.epoch(),
        old_log_key: world.log.verifier().to_string(),
        size: world.next(),
        root: world.replay.root(),
        checkpoint: world.checkpoint().note().to_owned(),
        new_epoch: epoch,
        new_log_key: log.verifier().to_string(),
        recoveries: world.replay.recoveries() + 1,
        members: members
            .iter()
            .zip(&keys)
            .map(|(slot, key)| Candidate {
                slot: *slot,
                cosign_key: key.public(),
                spki_sha256: Hash::of([*slot as u8 + 100 + epoch as u8; 44]).0,
            })
            .collect(),
        signatures: Vec::new(),
    };
    recovery.signatures = world.operators_sign(&recovery.message(&world.group()), signers);
    (recovery, log, keys)
}

/// Admits the machines that a recovery named.
fn admit_candidates(world: &mut World, recovery: &Recovery, keys: Vec<CosignKey>) {
    for (candidate, key) in recovery.members.iter().zip(keys) {
        let (mut admission, _) = world.admission(candidate.slot);
        admission.cosign_key = candidate.cosign_key;
        admission.spki = vec![candidate.slot as u8 + 100 + recovery.new_epoch as u8; 44];
        world.sign(&mut admission);
        world.system(&SystemEntry::Admission(admission));
        world.keys.insert(candidate.slot, key);
    }
}

fn again(world: &World) -> Replay {
    let mut replay = Replay::new();
    for (leaf, index) in world.leaves.iter().zip(0..) {
        replay.push(index, &Entry::parse(leaf).unwrap()).unwrap();
    }
    replay
}

#[test]
fn a_whole_life() {
    let mut world = World::new(3, 2);
    let first = world.checkpoint();
    assert_eq!(world.replay.checkpoint(first.note().as_bytes()).unwrap(), first);
    world.user(20);

    // A member restarts: same slot, fresh keys, bound to a recent root, with collateral.
    let head = world.checkpoint().checkpoint().clone();
    let collateral = world.blob(&vec![7; 100_000]);
    let (mut admission, key) = world.admission(1);
    admission.collateral = Some(collateral);
    admission.hpke_key = Some([6; 32]);
    (admission.checkpoint_size, admission.checkpoint_root) = (head.size, head.root);
    let node = world.next();
    world.system(&SystemEntry::Admission(admission.clone()));
    world.keys.insert(1, key);
    assert_eq!(world.replay.roster().unwrap().node(node).unwrap().slot, 1);
    let Some(Obligation::Statement { statement, evidence, collateral, releases, .. }) =
        world.obligations.last()
    else {
        panic!("{:?}", world.obligations)
    };
    assert_eq!(statement, &admission.statement(world.group(), 0));
    assert_eq!((Hash::of(evidence), collateral.as_ref().unwrap().len()), (admission.evidence, 100_000));
    assert_eq!(releases, &[Hash::of("release")]);
    assert!(world.obligations.contains(&Obligation::Root { index: node, size: head.size, root: head.root }));

    // A release comes in; a fact is endorsed; a state is noted; a command is refused, another shut out.
    let mut release = Release { sha256: Hash::of("next"), action: ReleaseAction::Admit, signatures: vec![] };
    release.signatures = world.operators_sign(&release.message(&world.group(), 0), &[2, 0]);
    world.system(&SystemEntry::Release(release));
    assert_eq!(world.replay.releases().count(), 2);
    let endorsement = endorse(&mut world, &[0, 2]);
    world.system(&SystemEntry::Endorsement(endorsement));
    assert!(matches!(
        world.obligations.last().unwrap(),
        Obligation::Endorsement { evidence: Some(_), time: 1_700_000_000, .. }
    ));
    world.system(&SystemEntry::Snapshot(SnapshotDigest { size: world.next(), sha256: Hash::of("state") }));
    let client = UniqueId::new([9; 32]);
    let rejection = Rejection { client, nonce: 10_000, code: "no-room".into(), why: "full".into() };
    let submission = Submission { client: [9; 32], nonce: 10_000, command: Hash::of("c") };
    let draft = SystemEntry::Rejection(rejection).draft().unwrap();
    world.draft(&EntryDraft { submission: Some(submission), ..draft });
    let tombstone = Rejection { client, nonce: 10_001, code: "invalid".into(), why: "lost".into() };
    world.system(&SystemEntry::Rejection(tombstone.clone()));
    assert_eq!(world.refuses(&SystemEntry::Rejection(tombstone)), "ledger-submission-twice");

    // Quorum is lost; two machines go on in a new epoch.
    world.checkpoint();
    let (recovered, log, keys) = recovery(&world, &[0, 2], &[0, 1]);
    let survived = world.next();
    world.system(&SystemEntry::Recovery(recovered.clone()));
    world.log = log;
    assert!(world.replay.checkpoint(first.note().as_bytes()).is_err());
    assert!(world.replay.roster().unwrap().members.is_empty());
    admit_candidates(&mut world, &recovered, keys);
    let signed = world.checkpoint();
    assert_eq!((signed.checkpoint().epoch, signed.checkpoint().recoveries), (1, 1));
    world.replay.checkpoint(signed.note().as_bytes()).unwrap();
    let [old] = world.replay.epochs() else { panic!() };
    assert_eq!((old.size, old.recoveries, old.roster.members.len()), (survived, 0, 3));
    world.admit(1);
    world.user(5);

    // One is put out and may not cosign; the committee ends.
    let out = world.replay.roster().unwrap().members[&2].clone();
    let mut expulsion = Expulsion { node: out.node, why: "two histories".into(), signatures: vec![] };
    expulsion.signatures = world.operators_sign(&expulsion.message(&world.group(), 1), &[0, 1]);
    world.system(&SystemEntry::Expulsion(expulsion));
    let roster = world.replay.roster().unwrap();
    assert_eq!(roster.members.keys().collect::<Vec<_>>(), [&0, &1]);
    let head = world.head();
    let gone = world.keys[&2].cosign(&head, 2, out.node, 5);
    assert!(SignedCheckpoint::assemble(head, &world.log, &[gone], roster, 1).is_err());
    let mut retirement =
        Retirement { effective_at: 1, replacement: Some(UniqueId::new([5; 32])), signatures: vec![] };
    retirement.signatures = world.operators_sign(&retirement.message(&world.group(), 1), &[1, 2]);
    world.system(&SystemEntry::Retirement(retirement));
    assert!(world.replay.is_retired());
    let last = world.checkpoint();
    assert_eq!(world.judge(&EntryDraft::new("values", &1).unwrap()).unwrap_err().slug(), "ledger-retired");

    let replay = again(&world);
    assert_eq!(replay.checkpoint(last.note().as_bytes()).unwrap(), last);
    assert_eq!(replay.checkpoint(signed.note().as_bytes()).unwrap_err().fault.slug(), "checkpoint-roster");
    assert_eq!(replay.root(), world.replay.root());
}

fn endorse(world: &mut World, slots: &[u16]) -> Endorsement {
    let evidence = world.blob(b"of a provider");
    let mut endorsement = Endorsement {
        fact: Hash::of("fact"),
        policy: Hash::of("policy"),
        evidence: Some(evidence),
        collateral: None,
        binding: Some([8; 64]),
        verdict: "accepted".into(),
        signatures: Vec::new(),
    };
    for slot in slots {
        let node = world.replay.roster().unwrap().members[slot].node;
        let message = endorsement_message(&world.group(), world.epoch(), node, world.time, &endorsement);
        let signature = world.keys[slot].sign(&message);
        endorsement.signatures.push(EndorsementSignature { node, time: world.time, signature });
    }
    endorsement
}

#[test]
fn the_first_entry() {
    let world = World::empty(3, 2, coalition::Recovery::Operators);
    let push = |bytes: &[u8]| Replay::new().push(0, &Entry::parse(bytes).unwrap()).unwrap_err().fault.slug();
    assert_eq!(push(br#"{"surface":"values","seq":0,"body":1,"evidence":[]}"#), "ledger-genesis");
    let refuses = |genesis: Genesis| world.refuses(&SystemEntry::Genesis(genesis));
    let good = &world.genesis;
    assert_eq!(refuses(Genesis { epoch: 1, ..good.clone() }), "ledger-genesis");
    // Another content is another group, whose origin is another.
    assert_eq!(refuses(Genesis { content: UniqueId::ZERO, ..good.clone() }), "ledger-genesis");
    assert_eq!(refuses(Genesis { origin: "hallmark/other/0".into(), ..good.clone() }), "ledger-genesis");
    assert_eq!(refuses(Genesis { log_key: format!("{} ", good.log_key), ..good.clone() }), "ledger-genesis");
    assert_eq!(refuses(Genesis { releases: vec![Hash::of("a"); 2], ..good.clone() }), "ledger-genesis");
    let mut twice = World::new(3, 2);
    assert_eq!(twice.refuses(&SystemEntry::Genesis(good.clone())), "ledger-genesis");
    let entry = Entry::parse(&twice.encode(&EntryDraft::new("values", &1).unwrap())).unwrap();
    assert_eq!(twice.replay.push(3, &entry).unwrap_err().fault.slug(), "ledger-order");
    assert_eq!(Replay::new().checkpoint(b"").unwrap_err().fault.slug(), "checkpoint-early");
}

#[test]
fn admissions_that_are_none() {
    let mut world = World::new(3, 2);
    let before = world.replay.roster().unwrap().clone();
    let (good, _) = world.admission(1);
    let admission = |change: &dyn Fn(&mut Admission), sign: bool| {
        let mut bad = good.clone();
        change(&mut bad);
        if sign {
            world.sign(&mut bad);
        }
        world.refuses(&SystemEntry::Admission(bad))
    };
    assert_eq!(admission(&|a| a.slot_signature[0] ^= 1, false), "ledger-slot-signature");
    assert_eq!(admission(&|a| a.slot = 2, false), "ledger-slot-signature");
    assert_eq!(admission(&|a| a.cosign_key[0] ^= 1, false), "ledger-slot-signature");
    assert_eq!(admission(&|a| a.spki[0] ^= 1, false), "ledger-slot-signature");
    assert_eq!(admission(&|a| a.evidence.0[0] ^= 1, false), "ledger-slot-signature");
    assert_eq!(admission(&|a| a.evidence.0[0] ^= 1, true), "ledger-blob");
    assert_eq!(admission(&|a| a.collateral = Some(Hash::of("x")), false), "ledger-blob");
    assert_eq!(admission(&|a| a.slot = 3, false), "ledger-slot");
    assert_eq!(admission(&|a| a.replaces = None, false), "ledger-replaces");
    assert_eq!(admission(&|a| a.replaces = Some(before.members[&0].node), false), "ledger-replaces");
    assert_eq!(admission(&|a| a.checkpoint_size = 10_000, false), "ledger-statement");
    assert_eq!(admission(&|a| a.cosign_key = before.members[&1].cosign_key, true), "ledger-key-reused");
    assert_eq!(admission(&|a| a.cosign_key = before.members[&0].cosign_key, true), "ledger-key-reused");
    assert_eq!(admission(&|a| a.spki = vec![1; 44], true), "ledger-key-reused");
    assert_eq!(admission(&|a| a.cosign_key = [0; 32], true), "ledger-key");
    // Another group's and another epoch's signature.
    for (group, epoch) in [(UniqueId::ZERO, 0), (world.group(), 1)] {
        let message = slot_message(&group, epoch, 1, &good.cosign_key, &good.spki_sha256(), &good.evidence);
        let signature = world.operators[1].sign_bytes(&message);
        assert_eq!(admission(&|a| a.slot_signature = signature, false), "ledger-slot-signature");
    }
    // A machine that is gone stays gone: its keys never come back.
    world.system(&SystemEntry::Admission(good.clone()));
    let mut back = good;
    back.replaces = Some(world.next() - 1);
    let evidence = world.blob(b"evidence anew");
    back.evidence = evidence;
    world.sign(&mut back);
    assert_eq!(world.refuses(&SystemEntry::Admission(back)), "ledger-key-reused");
}

#[test]
fn blobs_that_do_not_fit() {
    let mut world = World::new(1, 1);
    let parts = Blob::split(&vec![1; BLOB_PART + 5]).unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!(Blob::split(&vec![0; MAX_BLOB + 1]), None);
    assert_eq!(Blob::split(b"").unwrap().len(), 1);
    assert!(
        Blob::split(&vec![0; MAX_BLOB])
            .unwrap()
            .iter()
            .all(|part| { SystemEntry::Blob(part.clone()).draft().unwrap().encode(u64::MAX).is_ok() })
    );
    assert_eq!(world.refuses(&SystemEntry::Blob(parts[1].clone())), "ledger-blob");
    world.system(&SystemEntry::Blob(parts[0].clone()));
    assert_eq!(world.refuses(&SystemEntry::Blob(parts[0].clone())), "ledger-blob");
    let mut wrong = parts[1].clone();
    wrong.data[0] ^= 1;
    assert_eq!(world.refuses(&SystemEntry::Blob(wrong)), "ledger-blob");
    assert_eq!(world.judge(&EntryDraft::new("values", &1).unwrap()).unwrap_err().slug(), "ledger-blob");
    world.system(&SystemEntry::Blob(parts[1].clone()));
    // Nobody names it.
    assert_eq!(world.judge(&EntryDraft::new("values", &1).unwrap()).unwrap_err().slug(), "ledger-blob");
    let snapshot = SystemEntry::Snapshot(SnapshotDigest { size: 0, sha256: Hash::of("") });
    assert_eq!(world.refuses(&snapshot), "ledger-blob");
    let bomb = Blob { sha256: Hash::of(""), part: 0, parts: u32::MAX, data: vec![0; BLOB_PART] };
    assert_eq!(World::new(1, 1).refuses(&SystemEntry::Blob(bomb)), "ledger-blob");
}

#[test]
fn numbers_and_submissions() {
    let mut world = World::new(1, 1);
    world.user(2);
    let judge = |world: &World, text: &str| {
        world
            .replay
            .clone()
            .push(world.next(), &Entry::parse(text.as_bytes()).unwrap())
            .map_err(|e| e.fault.slug())
    };
    for seq in [0, 1, 3] {
        let text = format!(r#"{{"surface":"values","seq":{seq},"body":1,"evidence":[]}}"#);
        assert_eq!(judge(&world, &text), Err("ledger-seq"));
    }
    assert_eq!(judge(&world, r#"{"surface":"new","seq":1,"body":1,"evidence":[]}"#), Err("ledger-seq"));
    assert_eq!(
        judge(&world, r#"{"surface":"committee.new","seq":0,"body":1,"evidence":[]}"#),
        Err("ledger-body")
    );
    let spelt = r#"{"surface":"committee.snapshot","seq":0,"body":{"size":0, "sha256":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},"evidence":[]}"#;
    assert_eq!(judge(&world, spelt), Err("ledger-body"));
    assert!(judge(&world, &spelt.replace(", ", ",")).is_ok());

    let one = Submission { client: [1; 32], nonce: 5, command: Hash::of("a") };
    let draft =
        |submission| EntryDraft { submission: Some(submission), ..EntryDraft::new("values", &"x").unwrap() };
    world.draft(&draft(one));
    // A command may publish several entries, side by side.
    world.draft(&draft(one));
    let other = Submission { command: Hash::of("b"), ..one };
    assert_eq!(world.judge(&draft(other)).unwrap_err().slug(), "ledger-submission-twice");
    world.user(1);
    assert_eq!(world.judge(&draft(one)).unwrap_err().slug(), "ledger-submission-twice");
    let rejection =
        Rejection { client: UniqueId::new([2; 32]), nonce: 5, code: "no".into(), why: String::new() };
    let rejection = SystemEntry::Rejection(rejection).draft().unwrap();
    let mixed = EntryDraft { submission: Some(one), ..rejection };
    assert_eq!(world.judge(&mixed).unwrap_err().slug(), "ledger-rejection");
}

#[test]
fn what_a_quorum_must_sign() {
    let mut world = World::new(3, 2);
    world.user(3);
    let group = world.group();
    let release = Release { sha256: Hash::of("next"), action: ReleaseAction::Admit, signatures: vec![] };
    let message = release.message(&group, 0);
    let with = |slots: &[u16]| world.operators_sign(&message, slots);
    let mut wrong = with(&[0, 1]);
    wrong[1].signature[3] ^= 1;
    let mut stranger = with(&[0, 1]);
    stranger[1].slot = 9;
    for signatures in [with(&[]), with(&[0]), with(&[0, 0]), wrong, stranger] {
        assert_eq!(
            world.refuses(&SystemEntry::Release(Release { signatures, ..release.clone() })),
            "ledger-operators"
        );
    }
    let retire = Release { action: ReleaseAction::Retire, ..release.clone() };
    let signatures = world.operators_sign(&retire.message(&group, 0), &[0, 1]);
    assert_eq!(world.refuses(&SystemEntry::Release(Release { signatures, ..retire })), "ledger-release");
    // A signature for another epoch.
    let signatures = world.operators_sign(&release.message(&group, 1), &[0, 1]);
    assert_eq!(world.refuses(&SystemEntry::Release(Release { signatures, ..release })), "ledger-operators");
    let retirement = Retirement { effective_at: 0, replacement: None, signatures: with(&[0, 1]) };
    assert_eq!(world.refuses(&SystemEntry::Retirement(retirement)), "ledger-operators");
    let mut expulsion = Expulsion { node: 12_345, why: String::new(), signatures: with(&[0, 1]) };
    assert_eq!(world.refuses(&SystemEntry::Expulsion(expulsion.clone())), "ledger-operators");
    expulsion.signatures = world.operators_sign(&expulsion.message(&group, 0), &[0, 1]);
    assert_eq!(world.refuses(&SystemEntry::Expulsion(expulsion)), "ledger-node");
    let snapshot = SnapshotDigest { size: world.next() + 1, sha256: Hash::of("") };
    assert_eq!(world.refuses(&SystemEntry::Snapshot(snapshot)), "ledger-snapshot");

    let good = endorse(&mut world, &[0, 1]);
    let refuses = |change: &dyn Fn(&mut Endorsement)| {
        let mut bad = good.clone();
        change(&mut bad);
        world.refuses(&SystemEntry::Endorsement(bad))
    };
    assert_eq!(refuses(&|e| e.signatures.truncate(1)), "ledger-endorsement");
    assert_eq!(refuses(&|e| e.signatures[1] = e.signatures[0].clone()), "ledger-endorsement");
    assert_eq!(refuses(&|e| e.signatures.reverse()), "ledger-endorsement");
    assert_eq!(refuses(&|e| e.signatures[0].time += 1), "ledger-endorsement");
    assert_eq!(refuses(&|e| e.signatures[0].node = 0), "ledger-endorsement");
    assert_eq!(refuses(&|e| e.verdict = "refused".into()), "ledger-endorsement");
    assert_eq!(refuses(&|e| e.fact = Hash::of("other")), "ledger-endorsement");
    assert_eq!(refuses(&|e| e.binding = None), "ledger-endorsement");
    assert_eq!(refuses(&|e| e.policy = Hash::of("other")), "ledger-endorsement");
    world.system(&SystemEntry::Endorsement(good));
}

#[test]
fn equivocation_needs_two_histories() {
    let mut world = World::new(3, 2);
    world.user(4);
    let first = world.checkpoint();
    let node = first.cosignatures()[0].node;
    let mut other = first.checkpoint().clone();
    other.root = Hash::of("another history");
    let all = world.cosignatures(&other);
    let roster = world.replay.roster().unwrap();
    let second = SignedCheckpoint::assemble(other, &world.log, &all[..2], roster, 2).unwrap();
    let good = Equivocation { node, first: first.note().into(), second: second.note().into() };
    let refuses = |equivocation| world.refuses(&SystemEntry::Equivocation(equivocation));
    assert_eq!(refuses(Equivocation { second: first.note().into(), ..good.clone() }), "ledger-equivocation");
    // The third did not sign the second.
    assert_eq!(
        refuses(Equivocation { node: first.cosignatures()[2].node, ..good.clone() }),
        "ledger-equivocation"
    );
    assert_eq!(refuses(Equivocation { node: 0, ..good.clone() }), "ledger-node");
    assert_eq!(refuses(Equivocation { second: "x".into(), ..good.clone() }), "ledger-equivocation");
    let damaged = second.note().replace("recoveries 0", "recoveries 1");
    assert_eq!(refuses(Equivocation { second: damaged, ..good.clone() }), "ledger-equivocation");
    world.system(&SystemEntry::Equivocation(good));
}

#[test]
fn recoveries_that_are_none() {
    let mut world = World::new(3, 2);
    world.user(4);
    let (good, ..) = recovery(&world, &[0, 1], &[0, 2]);
    let refuses = |world: &World, change: &dyn Fn(&mut Recovery)| {
        let mut bad = good.clone();
        change(&mut bad);
        bad.signatures = world.operators_sign(&bad.message(&world.group()), &[0, 2]);
        world.refuses(&SystemEntry::Recovery(bad))
    };
    assert_eq!(refuses(&world, &|r| r.old_epoch = 1), "ledger-recovery");
    assert_eq!(refuses(&world, &|r| r.new_epoch = 0), "ledger-recovery");
    assert_eq!(refuses(&world, &|r| r.size -= 1), "ledger-recovery");
    assert_eq!(refuses(&world, &|r| r.root = Hash::of("")), "ledger-recovery");
    assert_eq!(refuses(&world, &|r| r.recoveries = 2), "ledger-recovery");
    assert_eq!(refuses(&world, &|r| r.new_log_key = r.old_log_key.clone()), "ledger-recovery");
    assert_eq!(refuses(&world, &|r| r.old_log_key = r.new_log_key.clone()), "ledger-recovery");
    let origin = checkpoint::origin(world.group().as_bytes(), 1);
    let same = Signer::from_seed(&origin, &seed(2, 0)).unwrap().verifier().to_string();
    assert_eq!(refuses(&world, &|r| r.new_log_key.clone_from(&same)), "ledger-recovery");
    assert_eq!(refuses(&world, &|r| r.members.truncate(1)), "ledger-recovery");
    assert_eq!(refuses(&world, &|r| r.members.reverse()), "ledger-recovery");
    assert_eq!(refuses(&world, &|r| r.members[1].slot = 3), "ledger-slot");
    let old = world.replay.roster().unwrap().members[&2].cosign_key;
    assert_eq!(refuses(&world, &|r| r.members[1].cosign_key = old), "ledger-key-reused");
    assert_eq!(refuses(&world, &|r| r.checkpoint.truncate(100)), "checkpoint-malformed");
    let short = good.checkpoint.lines().take(9).map(|line| format!("{line}\n")).collect::<String>();
    assert_eq!(refuses(&world, &|r| r.checkpoint.clone_from(&short)), "checkpoint-quorum");
    let unsigned = Recovery { signatures: Vec::new(), ..good.clone() };
    assert_eq!(world.refuses(&SystemEntry::Recovery(unsigned)), "ledger-operators");
    let mut fewer = good.clone();
    fewer.signatures.truncate(1);
    assert_eq!(world.refuses(&SystemEntry::Recovery(fewer)), "ledger-operators");

    // An order about another end.
    world.user(1);
    assert_eq!(world.refuses(&SystemEntry::Recovery(good.clone())), "ledger-recovery");
    // An entry behind the last note may survive: operators say so, and the note is held against the members and the tree at its own size.
    let tail = |change: &dyn Fn(&mut Recovery)| {
        let (mut order, ..) = recovery(&world, &[0, 1], &[0, 2]);
        order.checkpoint.clone_from(&good.checkpoint);
        change(&mut order);
        order.signatures = world.operators_sign(&order.message(&world.group()), &[0, 2]);
        order
    };
    assert_eq!(
        world.refuses(&SystemEntry::Recovery(tail(&|r| r.checkpoint.clone_from(&short)))),
        "checkpoint-quorum"
    );
    let judge = |order| world.judge(&SystemEntry::Recovery(order).draft().unwrap());
    let left = judge(tail(&|_| ())).unwrap();
    assert!(matches!(left[..], [Obligation::Root { size, .. }] if size + 1 == world.next()), "{left:?}");
    // Nothing was ever cosigned; and an order before this one came to nothing, with the epoch it named.
    let origin = checkpoint::origin(world.group().as_bytes(), 4);
    let key = Signer::from_seed(&origin, &seed(2, 4)).unwrap().verifier().to_string();
    let later = tail(&|r| {
        r.checkpoint.clear();
        (r.new_epoch, r.new_log_key) = (4, key.clone());
    });
    assert!(judge(later).unwrap().is_empty());

    // Until the named machines are in, nobody else comes and no checkpoint counts.
    let (good, log, keys) = recovery(&world, &[0, 1], &[0, 2]);
    world.system(&SystemEntry::Recovery(good.clone()));
    world.log = log;
    let (other, _) = world.admission(2);
    assert_eq!(world.refuses(&SystemEntry::Admission(other.clone())), "ledger-candidate");
    let mut named = other;
    (named.slot, named.cosign_key, named.spki) = (0, good.members[0].cosign_key, vec![101; 44]);
    world.sign(&mut named);
    world.system(&SystemEntry::Admission(named));
    world.keys.insert(0, keys.into_iter().next().unwrap());
    let early = world.head();
    let one = world.cosignatures(&early);
    let note =
        SignedCheckpoint::assemble(early, &world.log, &one, world.replay.roster().unwrap(), 1).unwrap();
    assert_eq!(world.replay.checkpoint(note.note().as_bytes()).unwrap_err().fault.slug(), "checkpoint-early");
}

#[test]
fn automatic_recovery_only_where_the_acl_says_so() {
    let mut world = World::with(3, 2, coalition::Recovery::Automatic);
    world.user(2);
    let (mut good, log, keys) = recovery(&world, &[1, 2], &[]);
    world.system(&SystemEntry::Recovery(good.clone()));
    assert!(matches!(world.obligations.last(), Some(Obligation::AutomaticRecovery { .. })));
    world.log = log;
    admit_candidates(&mut world, &good, keys);
    world.replay.checkpoint(world.checkpoint().note().as_bytes()).unwrap();
    good.signatures = Vec::new();
    assert_eq!(World::new(3, 2).refuses(&SystemEntry::Recovery(good)), "ledger-recovery");
}

#[test]
fn checkpoints_against_the_entries() {
    let mut world = World::new(3, 2);
    world.user(9);
    let slug = |change: &dyn Fn(&mut checkpoint::Checkpoint)| {
        let mut head = world.head();
        change(&mut head);
        let mut roster = world.replay.roster().unwrap().clone();
        roster.epoch = head.epoch;
        let all = world.cosignatures(&head);
        head.roster = if head.roster == world.head().roster { roster.hash() } else { head.roster };
        let all = if head == world.head() { all } else { world.cosignatures(&head) };
        let log = Signer::from_seed(&head.origin, &seed(2, 0)).unwrap();
        let signed = SignedCheckpoint::assemble(head, &log, &all, &roster, 2).unwrap();
        world.replay.checkpoint(signed.note().as_bytes()).map_err(|error| error.fault.slug())
    };
    assert!(slug(&|_| ()).is_ok());
    assert_eq!(slug(&|head| head.size += 1), Err("checkpoint-contradicts"));
    assert_eq!(slug(&|head| head.root = Hash::of("")), Err("checkpoint-contradicts"));
    assert_eq!(slug(&|head| head.recoveries = 1), Err("checkpoint-contradicts"));
    assert_eq!(slug(&|head| head.epoch = 1), Err("checkpoint-epoch"));
    assert_eq!(slug(&|head| head.origin = "hallmark/other/0".into()), Err("checkpoint-origin"));
}
