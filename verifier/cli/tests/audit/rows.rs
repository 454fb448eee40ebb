//! What the committee says of itself, with one thing wrong; and that no row of the table is without a test that fails it.

use hallmark_coalition::UniqueId;
use hallmark_ledger::entry::Submission;
use hallmark_ledger::hash::{self, Hash};
use hallmark_ledger::system::{
    Admission, Equivocation, Expulsion, Rejection, SnapshotDigest, SystemEntry, slot_message,
};

use super::forged_ledger::{Ledger, NOW, member_key, operator};
use super::tampered::entry;
use super::{audit, folder};

/// An admission to slot 1 without evidence behind it, rightly signed.
fn bare(ledger: &Ledger, cosign_key: [u8; 32], replaces: Option<u64>) -> SystemEntry {
    let mut admission = Admission {
        slot: 1,
        cosign_key,
        spki: b"SIMULATED SPKI of nobody".to_vec(),
        hpke_key: None,
        checkpoint_size: 0,
        checkpoint_root: hash::EMPTY,
        evidence: hash::EMPTY,
        collateral: None,
        time: NOW,
        slot_signature: [0; 64],
        replaces,
    };
    let spki_sha256 = admission.spki_sha256();
    let message =
        slot_message(&ledger.group, ledger.epoch, 1, &cosign_key, &spki_sha256, &admission.evidence);
    admission.slot_signature = operator(1).sign(&message);
    SystemEntry::Admission(admission)
}

#[test]
fn members() {
    let here = |ledger: &Ledger| Some(ledger.roster.members[&1].node);
    entry(
        |ledger| {
            ledger.admit(ledger.applicant(7, 11));
        },
        "ledger-slot",
        "slot 7",
    );
    // RFC 8032, 5.1.3: a y that no point of the curve has.
    let no_point = std::array::from_fn(|at| if at == 0 { 2 } else { 0 });
    entry(
        |ledger| {
            ledger.system(&bare(ledger, no_point, here(ledger)));
        },
        "ledger-key",
        "slot 1",
    );
    for wrong in [None, Some(0)] {
        entry(
            |ledger| {
                ledger.system(&bare(ledger, member_key(11).public(), wrong));
            },
            "ledger-replaces",
            "slot 1",
        );
    }
    entry(
        |ledger| {
            ledger.system(&bare(ledger, member_key(11).public(), here(ledger)));
        },
        "ledger-blob",
        "",
    );
    entry(
        |ledger| {
            let mut expulsion = Expulsion { node: 99, why: "a test".into(), signatures: Vec::new() };
            expulsion.signatures = Ledger::by_operators(&[0, 1], &expulsion.message(&ledger.group, 0));
            ledger.system(&SystemEntry::Expulsion(expulsion));
        },
        "ledger-node",
        "99",
    );
    // One checkpoint twice convicts nobody, and neither do two that the member did not both sign.
    for (signers, says) in [([0, 1], "do not contradict"), ([0, 2], "did not sign both")] {
        entry(
            |ledger| {
                let first = ledger.checkpoint(&[0, 1]);
                let equivocation = Equivocation {
                    node: ledger.roster.members[&1].node,
                    first,
                    second: ledger.checkpoint(&signers),
                };
                ledger.system(&SystemEntry::Equivocation(equivocation));
            },
            "ledger-equivocation",
            says,
        );
    }
}

#[test]
fn answers_and_snapshots() {
    entry(
        |ledger| {
            let (client, nonce) = (UniqueId::new([1; 32]), 4);
            let rejection = Rejection { client, nonce, code: "no".into(), why: "a test".into() };
            let mut draft = SystemEntry::Rejection(rejection).draft().unwrap();
            draft.submission = Some(Submission { client: [1; 32], nonce: 5, command: Hash::of("command") });
            ledger.push(&draft);
        },
        "ledger-rejection",
        "4",
    );
    entry(
        |ledger| {
            let digest = SnapshotDigest { size: ledger.size() + 5, sha256: Hash::of("SIMULATED snapshot") };
            ledger.system(&SystemEntry::Snapshot(digest));
        },
        "ledger-snapshot",
        "",
    );
}

#[test]
fn endorsed_evidence_that_says_something_else() {
    entry(
        |ledger| {
            ledger.case.quote.body.td_attributes |= 1;
            ledger.endorse(&[0, 1]);
        },
        "endorsement-quote",
        "td-debug",
    );
    for said in ["accepted", "refused"] {
        entry(
            |ledger| {
                ledger.endorse_as(&[0, 1], said);
            },
            "endorsement-quote",
            said,
        );
    }
}

#[test]
fn who_begins_a_new_epoch() {
    let another = member_key(90).public();
    entry(
        |ledger| {
            ledger.recover_as(&[0, 1], 1, [21, 22, 23], |it| it.members[0].cosign_key = another);
        },
        "ledger-candidate",
        "slot 0",
    );
    // Of the three that the recovery names none is in yet.
    entry(
        |ledger| {
            let index = ledger.recover(&[0, 1], 1, [21, 22, 23]);
            ledger.leaves.truncate(usize::try_from(index).unwrap() + 1);
        },
        "checkpoint-early",
        "",
    );
}

/// Each row that an audit reports stands in a test above or in the files beside this one, as the code of a refusal.
#[test]
fn every_row_has_a_test_that_fails_it() {
    let folder = folder();
    let ledger = Ledger::found();
    ledger.write(&folder.path().join("log"), &ledger.checkpoint(&[0, 1]));
    let (json, _) = audit(folder.path(), &ledger, &[]);
    let sources = [include_str!("rows.rs"), include_str!("tampered.rs")].concat();
    // An audit numbers entries itself: there is no way for one to come out of turn.
    let unreachable = ["ledger-order"];
    for check in json["checks"].as_array().unwrap() {
        let slug = check["id"].as_str().unwrap();
        assert!(unreachable.contains(&slug) || sources.contains(&format!("\"{slug}\"")), "{slug}");
    }
}
