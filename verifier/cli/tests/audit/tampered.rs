//! Ledgers with one thing wrong.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallmark_coalition::UniqueId;
use hallmark_forge::boot::Image;
use hallmark_forge::event_log::{EventLog, LogKind};
use hallmark_ledger::checkpoint::Checkpoint;
use hallmark_ledger::cosignature::{CosignerKey, SignedCheckpoint, cosigner_name};
use hallmark_ledger::entry::EntryDraft;
use hallmark_ledger::hash::Hash;
use hallmark_ledger::note::Signer;
use hallmark_ledger::system::{Blob, Recovery, ReleaseAction, Retirement, SystemEntry};

use super::forged_ledger::{Applicant, Ledger, NOW, log_key, member_key, operator};
use super::{audit, folder};

/// What is done to something before it is signed, or behind its signers' backs.
type Change<'a, T> = &'a dyn Fn(&mut T);

/// Audits the ledger under this note: the code, and what was found.
fn refused(ledger: &Ledger, note: &str, code: &str, says: &str) {
    let folder = folder();
    ledger.write(&folder.path().join("log"), note);
    refused_at(folder.path(), ledger, &[], code, says);
}

fn refused_at(folder: &Path, ledger: &Ledger, more: &[&str], code: &str, says: &str) {
    let (json, ran) = audit(folder, ledger, more);
    assert_eq!((json["code"].as_str(), ran.code), (Some(code), 1), "{json:#}\n{}", ran.err);
    assert_eq!(json["verdict"], "refused");
    let found = json["checks"].as_array().unwrap().iter().find(|check| check["id"] == code).unwrap();
    assert!(found["detail"].as_str().unwrap().contains(says), "{found}, wanted {says:?}");
    assert!(ran.err.starts_with(&format!("error: {code}: ")), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 3, "{}", ran.err);
}

/// A founded ledger with this done to it, under a good checkpoint.
pub(super) fn entry(change: impl FnOnce(&mut Ledger), code: &str, says: &str) {
    let mut ledger = Ledger::found();
    change(&mut ledger);
    refused(&ledger, &ledger.checkpoint(&[0, 1]), code, says);
}

/// A founded ledger under a checkpoint that says something else.
fn head(change: impl FnOnce(&mut Checkpoint, &mut Ledger), code: &str, says: &str) {
    let ledger = Ledger::found();
    let (mut head, mut signer) = (ledger.head(), ledger.clone());
    change(&mut head, &mut signer);
    head.roster = signer.roster.hash();
    refused(&ledger, &signer.sign(head, &[0, 1], &signer.roster), code, says);
}

#[test]
fn files() {
    let folder = folder();
    let mut ledger = Ledger::found();
    (0..600).for_each(|nonce| {
        ledger.pair(1, nonce);
    });
    let (log, note) = (folder.path().join("log"), ledger.checkpoint(&[0, 1]));
    let rest = ledger.size() % 256;
    let partial = |kind: &str| format!("tile/{kind}/002.p/{rest}");
    let edge = format!("tree of {} entries", ledger.size());
    for (path, says) in [
        ("tile/entries/000", "tile/entries/000"),
        ("tile/entries/001", "tile/entries/001"),
        ("tile/0/001", "tile/0/001"),
        ("tile/1/000.p/2", &edge),
        (&partial("entries"), &partial("entries")),
        (&partial("0"), &edge),
    ] {
        ledger.write(&log, &note);
        let whole = fs::read(log.join(path)).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(log.join(path), bytes).unwrap();
            refused_at(folder.path(), &ledger, &[], "log-hash", says);
        }
        fs::remove_file(log.join(path)).unwrap();
        refused_at(folder.path(), &ledger, &[], "log-incomplete", path);
    }
    ledger.write(&log, &note);
    fs::remove_file(log.join("checkpoint")).unwrap();
    refused_at(folder.path(), &ledger, &[], "log-incomplete", "checkpoint");
    for (bytes, says) in [("nonsense", "signature"), ("other/log\n5\nAAAA\n\n— a AAAAAAAA\n", "root")] {
        fs::write(log.join("checkpoint"), bytes).unwrap();
        refused_at(folder.path(), &ledger, &[], "checkpoint-malformed", says);
    }
}

/// Whoever holds the files can lay a whole new tree over fewer or other entries; what was signed does not go with it.
#[test]
fn leaves_taken_out_and_changed() {
    let folder = folder();
    let mut ledger = Ledger::found();
    (0..300).for_each(|nonce| {
        ledger.pair(1, nonce);
    });
    let (early, note) = (ledger.checkpoint(&[0, 1]), {
        ledger.pair(2, 0);
        ledger.checkpoint(&[0, 1])
    });
    let log = folder.path().join("log");
    let middle = ledger.leaves.len() - 100;
    let swapped =
        |leaf: &[u8]| String::from_utf8(leaf.to_vec()).unwrap().replace("value 2", "value 3").into_bytes();
    let edits: [(Change<'_, Ledger>, &str); 6] = [
        (&|it| drop(it.leaves.remove(middle)), "log-incomplete"),
        (&|it| drop(it.leaves.pop()), "log-incomplete"),
        (&|it| it.leaves[middle] = swapped(&it.leaves[middle]), "log-hash"),
        (&|it| it.leaves.swap(middle, middle + 1), "log-hash"),
        (&|it| it.leaves.insert(middle, it.leaves[middle].clone()), "log-incomplete"),
        // As many as were signed, and one of them another.
        (
            &|it| {
                let taken = it.leaves.remove(middle);
                it.leaves.push(taken);
            },
            "log-hash",
        ),
    ];
    for (edit, code) in edits {
        let mut other = ledger.clone();
        edit(&mut other);
        assert_ne!(other.leaves, ledger.leaves, "{code}");
        fs::remove_dir_all(&log).ok();
        other.write(&log, &note);
        refused_at(folder.path(), &ledger, &[], code, "");
    }

    // With q members' help it is a log like any other: what each surface counts shows a hole in it,
    let mut holed = ledger.clone();
    holed.leaves.remove(middle);
    refused(&holed, &holed.checkpoint(&[0, 1]), "ledger-seq", "comes next");
    // and at its end nothing does but a checkpoint that somebody kept.
    let mut shorter = ledger.clone();
    shorter.leaves.pop();
    let mut changed = ledger.clone();
    changed.leaves[middle] = swapped(&changed.leaves[middle]);
    fs::write(folder.path().join("kept.note"), &note).unwrap();
    fs::write(folder.path().join("early.note"), &early).unwrap();
    for (other, code, kept) in [
        (&shorter, "kept-truncated", "kept.note"),
        (&changed, "kept-fork", "kept.note"),
        (&changed, "kept-fork", "early.note"),
    ] {
        fs::remove_dir_all(&log).unwrap();
        other.write(&log, &other.checkpoint(&[0, 1]));
        let (json, ran) = audit(folder.path(), other, &[]);
        assert_eq!(ran.code, 0, "{json:#}");
        refused_at(folder.path(), other, &["--checkpoint", kept], code, kept);
    }
}

/// A client needs no more than what it was given for its write.
#[test]
fn receipts() {
    let folder = folder();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let kept = |name: &'static str| ["--checkpoint", name];
    let mut ledger = Ledger::found();
    let at = ledger.pair(1, 0);
    put("receipt.json", &ledger.receipt(at, &[0, 1]));
    put("other-entry.json", &ledger.receipt(at, &[0, 1]).replace("value 0", "value 1"));
    put("no-entry.json", r#"{"outcome":"pending"}"#);
    let mut forgetful = Ledger::found();
    let mut forked = Ledger::found();
    forked.pair(2, 0);
    ledger.pair(1, 1);

    let log = folder.path().join("log");
    ledger.write(&log, &ledger.checkpoint(&[0, 1]));
    let (json, ran) = audit(folder.path(), &ledger, &kept("receipt.json"));
    assert_eq!(ran.code, 0, "{json:#}");
    assert!(ran.out.contains("1 of 1 from elsewhere are of this history"), "{json:#}");
    // What nobody signed says nothing of the log.
    for (name, says) in [("other-entry.json", "the receipt's own"), ("no-entry.json", "not a receipt")] {
        let (json, ran) = audit(folder.path(), &ledger, &kept(name));
        assert_eq!((json["verdict"].as_str(), ran.code), (Some("undecided"), 2), "{json:#}");
        assert!(ran.err.contains(says), "{}", ran.err);
    }

    forgetful.snapshot();
    for (other, code) in
        [(&forgetful, "kept-fork"), (&forked, "kept-fork"), (&Ledger::found(), "kept-truncated")]
    {
        fs::remove_dir_all(&log).unwrap();
        other.write(&log, &other.checkpoint(&[1, 2]));
        refused_at(folder.path(), other, &kept("receipt.json"), code, "slot 1 (node ");
    }
}

#[test]
fn checkpoints() {
    let ledger = Ledger::found();
    refused(&ledger, &ledger.checkpoint(&[1]), "checkpoint-quorum", "1 members signed, 2 are needed");
    // One signature twice is one signature.
    let one = ledger.checkpoint(&[1]);
    let line = one.lines().find(|line| line.contains("/1/")).unwrap();
    refused(&ledger, &format!("{one}{line}\n"), "checkpoint-quorum", "1 members signed");
    // A signature under a member's name, by another key.
    let mut forger = ledger.clone();
    forger.seeds.insert(0, 77);
    let by_another = forger.sign(ledger.head(), &[1], &ledger.roster);
    let member = &ledger.roster.members[&0];
    let name = cosigner_name(&ledger.origin(), 0, member.node);
    let forged = member_key(77).cosign(&ledger.head(), 0, member.node, NOW);
    let value = [
        &CosignerKey::new(&name, member.cosign_key).unwrap().id()[..],
        &NOW.to_be_bytes(),
        &forged.cosignature().signature,
    ]
    .concat();
    let forged = format!("{by_another}— {name} {}\n", STANDARD.encode(value));
    refused(&ledger, &forged, "checkpoint-cosignature", "slot 0");

    // A stranger beside one member: somebody who was never admitted, with a good signature of their own.
    let (head_, key) = (ledger.head(), member_key(99));
    let name = cosigner_name(&head_.origin, 1, 77);
    let signed = key.cosign(&head_, 1, 77, NOW);
    let value = [
        &CosignerKey::new(&name, key.public()).unwrap().id()[..],
        &NOW.to_be_bytes(),
        &signed.cosignature().signature,
    ]
    .concat();
    let stranger = format!("{}— {name} {}\n", ledger.checkpoint(&[1]), STANDARD.encode(value));
    refused(&ledger, &stranger, "checkpoint-quorum", "1 members signed");

    // A member's line with one bit changed is damage, however many others signed.
    let note = ledger.checkpoint(&[0, 1, 2]);
    let line = note.lines().find(|line| line.contains(&format!("{}/0/", head_.origin))).unwrap();
    let (before, value) = line.rsplit_once(' ').unwrap();
    let mut value = STANDARD.decode(value).unwrap();
    *value.last_mut().unwrap() ^= 1;
    let damaged = note.replace(line, &format!("{before} {}", STANDARD.encode(value)));
    refused(&ledger, &damaged, "checkpoint-cosignature", "slot 0");

    let forger = Signer::from_seed(&head_.origin, &[0; 32]).unwrap();
    let signers: Vec<_> = [0, 1]
        .map(|slot| {
            member_key(ledger.seeds[&slot]).cosign(&head_, slot, ledger.roster.members[&slot].node, NOW)
        })
        .into();
    let note = SignedCheckpoint::assemble(head_, &forger, &signers, &ledger.roster, 2).unwrap();
    refused(&ledger, note.note(), "checkpoint-log-key", "no signature by the log key");

    head(
        |_, signer| signer.roster.members.get_mut(&2).unwrap().spki_sha256 = [0; 32],
        "checkpoint-roster",
        "roster",
    );
    head(|head, signer| (head.epoch, signer.roster.epoch) = (1, 1), "checkpoint-epoch", "epoch 1");
    head(|head, _| head.recoveries = 5, "checkpoint-contradicts", "recoveries 5");
    head(
        |head, signer| {
            signer.epoch = 3;
            head.origin = signer.origin();
        },
        "checkpoint-origin",
        "origin",
    );
}

#[test]
fn beginnings() {
    let mut ledger = Ledger::unfounded();
    ledger.admit(ledger.applicant(0, 1));
    ledger.admit(ledger.applicant(1, 2));
    refused(&ledger, &ledger.checkpoint(&[0, 1]), "ledger-genesis", "the first entry");
    entry(Ledger::genesis, "ledger-genesis", "no other");

    let folder = folder();
    let ledger = Ledger::found();
    ledger.write(&folder.path().join("log"), &ledger.checkpoint(&[0, 1]));
    let mut other = ledger;
    other.group = hallmark_coalition::UniqueId::of_name("another");
    refused_at(folder.path(), &other, &[], "group-mismatch", "asked was");

    // Nothing was founded: a genesis and nobody in it.
    let mut empty = Ledger::unfounded();
    empty.genesis();
    let (head, full) = (empty.head(), Ledger::found());
    let note = full.sign(Checkpoint { roster: full.roster.hash(), ..head }, &[0, 1], &full.roster);
    refused(&empty, &note, "checkpoint-roster", "roster");
}

#[test]
fn entries() {
    entry(
        |ledger| {
            let draft = EntryDraft::new("pairs", &"x").unwrap();
            ledger.leaves.push(draft.encode(1).unwrap());
        },
        "ledger-seq",
        "seq 1, 0 comes next",
    );
    entry(|ledger| ledger.leaves.push(b"{ }".to_vec()), "entry-format", "entry ");
    entry(
        |ledger| {
            let draft = EntryDraft::new("committee.rumour", &"x").unwrap();
            ledger.push(&draft);
        },
        "ledger-body",
        "committee.rumour",
    );
    entry(
        |ledger| {
            ledger.pair(1, 7);
            ledger.pair(1, 8);
            ledger.pair(1, 7);
        },
        "ledger-submission-twice",
        ", 7) was answered already",
    );
    entry(
        |ledger| {
            let mut blob = Blob::split(b"evidence").unwrap().remove(0);
            blob.data[0] ^= 1;
            ledger.system(&SystemEntry::Blob(blob));
        },
        "ledger-blob",
        "do not come to its hash",
    );
    entry(
        |ledger| {
            ledger.retire();
            ledger.pair(1, 0);
        },
        "ledger-retired",
        "nothing comes behind",
    );
}

/// A ledger in which slot 1 is taken over by an applicant with something wrong.
fn applicant(change: impl FnOnce(&mut Applicant), code: &str, says: &str) {
    entry(
        |ledger| {
            let mut applicant = ledger.applicant(1, 11);
            change(&mut applicant);
            ledger.admit(applicant);
        },
        code,
        says,
    );
}

#[test]
fn admissions() {
    applicant(
        |a| a.signed_by = Some(operator(2)),
        "ledger-slot-signature",
        "slot 1: its operator did not sign",
    );
    applicant(|a| a.seed = 3, "ledger-key-reused", "the cosign key was admitted before");
    applicant(|a| a.spki = b"SIMULATED SPKI 2".to_vec(), "ledger-key-reused", "the channel key");
    applicant(|a| a.tree = (3, Hash::of("x")), "statement-root", "the tree of 3");
    applicant(|a| a.tree = (1 << 40, Hash::of("x")), "ledger-statement", "not before it");
    applicant(|a| a.quoted_key = Some([9; 32]), "statement-quote", "binding-mismatch");
    // Good evidence, of another machine that is a member: of slot 0.
    applicant(
        |a| a.quoted_of = Some((1, b"SIMULATED SPKI 1".to_vec())),
        "statement-quote",
        "binding-mismatch",
    );
    // Nobody signed.
    entry(
        |ledger| {
            let mut applicant = ledger.applicant(1, 11);
            applicant.signed_by = Some(member_key(200));
            ledger.admit(applicant);
        },
        "ledger-slot-signature",
        "slot 1",
    );
    applicant(
        |a| {
            let other = Image { initrd: "SIMULATED other initrd".into(), ..Image::default() };
            a.case.log = EventLog::new(LogKind::Ccel, other.events(LogKind::Ccel));
        },
        "statement-quote",
        "image-mismatch",
    );
    applicant(|a| a.case.quote.body.td_attributes |= 1, "statement-quote", "td-debug");
    applicant(
        |a| a.case.collateral.tcb_info.content.tcb_levels[0].tcb_status = "OutOfDate".into(),
        "statement-quote",
        "tcb",
    );
}

#[test]
fn what_operators_and_members_decide() {
    entry(
        |ledger| {
            ledger.endorse(&[2]);
        },
        "ledger-endorsement",
        "1 members, 2 are needed",
    );
    entry(
        |ledger| {
            ledger.recover(&[1], 1, [21, 22, 23]);
        },
        "ledger-operators",
        "1 slot operators signed, 2 are needed",
    );
    entry(
        |ledger| {
            ledger.recover(&[0, 1], 0, [21, 22, 23]);
        },
        "ledger-recovery",
        "epoch",
    );
    // A recovery that follows from another log than this one.
    let recoveries: [(Change<'_, Recovery>, &str, &str); 5] = [
        (
            &|it| it.old_log_key = log_key(&UniqueId::of_name("x"), 0).verifier().to_string(),
            "ledger-recovery",
            "old_log_key",
        ),
        (&|it| it.old_epoch = 5, "ledger-recovery", "old_epoch"),
        (&|it| it.root = Hash::of("another log"), "ledger-recovery", "root"),
        (&|it| it.size -= 1, "ledger-recovery", "size"),
        (&|it| it.recoveries = 7, "ledger-recovery", "recoveries"),
    ];
    for (change, code, says) in recoveries {
        entry(
            |ledger| {
                ledger.recover_as(&[0, 1], 1, [21, 22, 23], change);
            },
            code,
            says,
        );
    }
    // It bears another log's last checkpoint, cosigned by that log's members.
    entry(
        |ledger| {
            let mut other = Ledger::found();
            other.pair(3, 0);
            (other.epoch, other.roster.epoch) = (9, 9);
            let foreign = other.checkpoint(&[0, 1]);
            ledger.recover_as(&[0, 1], 1, [21, 22, 23], |it| it.checkpoint = foreign);
        },
        "checkpoint-origin",
        "origin",
    );
    // And one of this log's origin, of a tree that this log never was.
    entry(
        |ledger| {
            ledger.pair(1, 0);
            let head =
                Checkpoint { root: Hash::of("another tree"), size: ledger.size() - 1, ..ledger.head() };
            let foreign = ledger.sign(head, &[0, 1], &ledger.roster);
            ledger.recover_as(&[0, 1], 1, [21, 22, 23], |it| it.checkpoint = foreign);
        },
        "statement-root",
        "root",
    );
    entry(
        |ledger| {
            let mut retirement = Retirement { effective_at: 5, replacement: None, signatures: Vec::new() };
            retirement.signatures = Ledger::by_operators(&[0, 0], &retirement.message(&ledger.group, 0));
            ledger.system(&SystemEntry::Retirement(retirement));
        },
        "ledger-operators",
        "slot 0 signed twice",
    );
    entry(
        |ledger| {
            ledger.release(Hash::of("never came in"), ReleaseAction::Retire);
        },
        "ledger-release",
        "without having been admitted",
    );
}

#[test]
fn forks_and_truncations() {
    let folder = folder();
    let mut ledger = Ledger::found();
    ledger.pair(1, 0);
    let (early, mut other) = (ledger.checkpoint(&[0, 1]), ledger.clone());
    ledger.pair(1, 1);
    other.pair(2, 1);
    let forked = other.checkpoint(&[1, 2]);
    ledger.pair(1, 2);
    let note = ledger.checkpoint(&[0, 1]);
    let mut later = ledger.clone();
    later.pair(1, 3);
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    put("early.note", &early);
    put("forked.note", &forked);
    put("later.note", &later.checkpoint(&[0, 2]));
    put("later-one.note", &later.checkpoint(&[0]));
    ledger.write(&folder.path().join("log"), &note);

    let (json, ran) =
        audit(folder.path(), &ledger, &["--checkpoint", "early.note", "--checkpoint", "log/checkpoint"]);
    assert_eq!(ran.code, 0, "{json:#}");
    assert!(ran.out.contains("2 of 2 from elsewhere are of this history"), "{json:#}");
    // The one who signed both is named: slot 1.
    refused_at(folder.path(), &ledger, &["--checkpoint", "forked.note"], "kept-fork", "slot 1 (node ");
    refused_at(folder.path(), &ledger, &["--checkpoint", "later.note"], "kept-truncated", "this log has ");
    // What no quorum signed acknowledged nothing; what nobody signed says nothing.
    for (name, text) in
        [("later-one.note", "fewer than a quorum"), ("stranger.note", "no member that this log ever had")]
    {
        let mut strange = later.clone();
        strange.seeds.values_mut().for_each(|seed| *seed += 50);
        for member in strange.roster.members.values_mut() {
            member.cosign_key = member_key(strange.seeds[&member.slot]).public();
        }
        put("stranger.note", &strange.checkpoint(&[0, 1, 2]));
        let (json, ran) = audit(folder.path(), &ledger, &["--checkpoint", name]);
        assert_eq!((json["verdict"].as_str(), ran.code), (Some("undecided"), 2), "{json:#}");
        assert!(ran.err.contains(text), "{}", ran.err);
    }

    // A recovery from an older disk: what was acknowledged behind it is gone, and the old receipt shows it.
    let mut recovered = Ledger::found();
    recovered.pair(1, 0);
    recovered.recover(&[0, 1], 1, [21, 22, 23]);
    recovered.write(&folder.path().join("log"), &recovered.checkpoint(&[0, 1]));
    put("receipt.note", &note);
    refused_at(folder.path(), &recovered, &["--checkpoint", "receipt.note"], "kept-truncated", "in epoch 0");
    let (json, ran) = audit(folder.path(), &recovered, &["--checkpoint", "early.note"]);
    assert_eq!(ran.code, 0, "{json:#}");
}
