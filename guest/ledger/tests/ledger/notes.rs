//! Checkpoints and cosignatures: ours, another implementation's, and wrong ones.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hallmark_ledger::{
    checkpoint::{Checkpoint, CheckpointError, TreeHead, origin},
    cosignature::{CosignKey, Cosignature, CosignatureError, CosignerKey, Keys, SignedCheckpoint},
    hash::Hash,
    note::{Note, Signer},
};

use super::world::{World, seed};

/// C2SP's example of a checkpoint with a witness's cosignature. It comes without keys, so it is read and not verified.
#[test]
fn a_cosigned_checkpoint_of_another_log_is_read() {
    let root = std::env::var_os("HALLMARK_VECTORS").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        std::path::PathBuf::from,
    );
    let Ok(bytes) = std::fs::read(root.join("randomness/c2sp_checkpoint_cosigned.note")) else {
        println!("skipped: no vectors");
        return;
    };
    // The file is cut from a page of text: a line of three backquotes is left behind it.
    let bytes = bytes.strip_suffix(b"```\n").unwrap_or(&bytes);
    let note = Note::parse(bytes).unwrap();
    let head = TreeHead::parse(note.text()).unwrap();
    assert_eq!(
        (head.origin.as_str(), head.size, head.extensions.len()),
        ("example.com/behind-the-sofa", 20_852_163, 0)
    );
    assert_eq!(head.root.to_string(), "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=");
    assert_eq!(note.names().collect::<Vec<_>>(), ["example.com/behind-the-sofa", "witness.example.com/w1"]);
    assert_eq!(note.to_string().as_bytes(), bytes);
    // Not one of ours: it has no epoch.
    assert!(matches!(Checkpoint::parse(note.text()), Err(CheckpointError::Short { name: "epoch", .. })));
    // A key that did not sign is passed over.
    let stranger =
        CosignerKey::new("witness.example.com/w1", CosignKey::from_seed(&[5; 32]).public()).unwrap();
    assert_eq!(stranger.verify(&note).unwrap(), None);
}

#[test]
fn checkpoints_have_one_spelling() {
    let world = World::new(3, 2);
    let head = world.head();
    let text = head.text();
    assert_eq!(Checkpoint::parse(&text).unwrap(), head);
    let size = format!("\n{}\n", head.size);
    for bad in [
        text.replace(&size, "\n007\n"),
        text.replace(&size, "\n+7\n"),
        text.replace(&size, "\n\n"),
        text.replace(&size, "\n99999999999999999999\n"),
        text.replace("epoch 0", "epoch  0"),
        text.replace("epoch 0", "epoch 00"),
        text.replace("epoch 0\nrecoveries 0", "recoveries 0\nepoch 0"),
        text.replace('=', ""),
        text.trim_end().to_owned(),
        format!("{text}more 1\n"),
        format!("{text}\n"),
        String::new(),
        "\n\n\n".to_owned(),
    ] {
        assert!(Checkpoint::parse(&bad).is_err(), "{bad}");
    }
    assert_eq!(origin(&[0xab; 32], 7), "hallmark/abababababababab/7");
    assert!(TreeHead::parse(&format!("a\n1\n{}\n{}", head.root, "x\n".repeat(17))).is_err());
}

/// C2SP tlog-cosignature: the message and the line as they are written there, made here by hand.
#[test]
fn a_cosignature_is_what_the_specification_says() {
    use ed25519_dalek::Verifier as _;
    use sha2::{Digest as _, Sha256};
    let world = World::new(1, 1);
    let signed = world.checkpoint();
    let node = signed.cosignatures()[0].node;
    let line = signed.note().lines().last().unwrap();
    let name = format!("{}/0/{node}", world.log.verifier().name());
    let value = STANDARD.decode(line.strip_prefix(&format!("— {name} ")).unwrap()).unwrap();
    assert_eq!(value.len(), 4 + 8 + 64);
    let public = world.keys[&0].public();
    let id = Sha256::new().chain_update(&name).chain_update([0x0a, 0x04]).chain_update(public).finalize();
    assert_eq!(value[..4], id[..4]);
    assert_eq!(value[4..12], 1_700_000_000_u64.to_be_bytes());
    let message = format!("cosignature/v1\ntime 1700000000\n{}", signed.checkpoint().text());
    let signature = ed25519_dalek::Signature::from_slice(&value[12..]).unwrap();
    ed25519_dalek::VerifyingKey::from_bytes(&public).unwrap().verify(message.as_bytes(), &signature).unwrap();

    let key = CosignerKey::new(&name, public).unwrap();
    assert_eq!(CosignerKey::parse(&key.to_string()).unwrap(), key);
    let note = Note::parse(signed.note().as_bytes()).unwrap();
    assert_eq!(key.verify(&note).unwrap(), Some(1_700_000_000));
    // A log key is no cosigner's key.
    assert!(CosignerKey::parse(&world.log.verifier().to_string()).is_err());
    assert!(CosignerKey::new("a b", public).is_err() && CosignerKey::new("a", [0; 32]).is_err());
}

#[test]
fn quorum_roster_and_keys() {
    let world = World::new(3, 2);
    let (roster, log) = (world.replay.roster().unwrap(), world.log.verifier());
    let keys = |quorum| Keys { log: &log, roster, quorum };
    let head = world.head();
    let all = world.cosignatures(&head);
    let assemble = |signatures: &[_], quorum| {
        SignedCheckpoint::assemble(head.clone(), &world.log, signatures, roster, quorum)
    };
    let two = assemble(&all[1..], 2).unwrap();
    assert_eq!(SignedCheckpoint::verify(two.note().as_bytes(), &keys(2)).unwrap(), two);
    assert_eq!(two.cosignatures().iter().map(|c| c.slot).collect::<Vec<_>>(), [1, 2]);
    let short = |result| matches!(result, Err(CosignatureError::Quorum { got: 2, want: 3, .. }));
    assert!(short(SignedCheckpoint::verify(two.note().as_bytes(), &keys(3))));
    assert!(short(assemble(&all[..2], 3)));
    // One member three times is one member.
    let thrice = [all[0].clone(), all[0].clone(), all[0].clone()];
    assert!(matches!(assemble(&thrice, 2), Err(CosignatureError::Quorum { got: 1, .. })));
    assert!(matches!(assemble(&[], 0), Err(CosignatureError::Quorum { want: 1, .. })));
    // Signatures of another checkpoint.
    let other = Checkpoint { size: head.size + 1, ..head.clone() };
    let of_other = world.cosignatures(&other);
    assert!(matches!(assemble(&of_other, 2), Err(CosignatureError::Quorum { got: 0, .. })));
    assert!(matches!(
        of_other[0].cosignature().clone().check(&head, roster),
        Err(CosignatureError::Wrong { slot: 0, .. })
    ));
    assert!(of_other[0].cosignature().clone().check(&other, roster).is_ok());
    let stranger = Cosignature { node: 999, ..all[0].cosignature().clone() };
    assert!(matches!(stranger.check(&head, roster), Err(CosignatureError::Stranger { node: 999, .. })));

    let text = two.note().as_bytes();
    let mut later = roster.clone();
    later.members.remove(&0);
    let verify = |keys: &Keys<'_>| SignedCheckpoint::verify(text, keys).unwrap_err();
    assert!(matches!(
        verify(&Keys { log: &log, roster: &later, quorum: 2 }),
        CosignatureError::Roster { .. }
    ));
    later.epoch = 1;
    assert!(matches!(verify(&Keys { log: &log, roster: &later, quorum: 2 }), CosignatureError::Epoch { .. }));
    let thief = Signer::from_seed(log.name(), &[8; 32]).unwrap().verifier();
    assert!(matches!(verify(&Keys { log: &thief, roster, quorum: 2 }), CosignatureError::Log { .. }));
    let elsewhere = Signer::from_seed("elsewhere", &seed(2, 0)).unwrap().verifier();
    assert!(matches!(verify(&Keys { log: &elsewhere, roster, quorum: 2 }), CosignatureError::Origin { .. }));
    // An outside witness's line changes nothing.
    let witness = "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    let more = format!("{}{witness}", two.note());
    assert_eq!(
        SignedCheckpoint::verify(more.as_bytes(), &keys(2)).unwrap().cosignatures(),
        two.cosignatures()
    );
}

/// Lines that somebody adds to a note can spoil it, and never make it count for more.
#[test]
fn lines_that_are_added_never_count() {
    let world = World::new(3, 2);
    let (roster, log) = (world.replay.roster().unwrap(), world.log.verifier());
    let head = world.head();
    let one = &world.cosignatures(&head)[..1];
    let alone = SignedCheckpoint::assemble(head.clone(), &world.log, one, roster, 1).unwrap();
    let two = Keys { log: &log, roster, quorum: 2 };
    let verify = |note: &str, keys: &Keys<'_>| SignedCheckpoint::verify(note.as_bytes(), keys);
    let line = alone.note().lines().last().unwrap();
    // The same signature again is the same member.
    let twice = format!("{}{line}\n", alone.note());
    assert!(matches!(verify(&twice, &two), Err(CosignatureError::Quorum { got: 1, want: 2, .. })));
    assert_eq!(verify(&twice, &Keys { quorum: 1, ..two }).unwrap().cosignatures().len(), 1);
    // Under another member's name and key id it is that member's, and wrong: an id of four bytes may be anybody's.
    let (name, value) = line.strip_prefix("— ").unwrap().split_once(' ').unwrap();
    let other = &roster.members[&1];
    let other_name = hallmark_ledger::cosignature::cosigner_name(&head.origin, 1, other.node);
    let id = CosignerKey::new(&other_name, other.cosign_key).unwrap().id();
    let mut bytes = STANDARD.decode(value).unwrap();
    bytes[..4].copy_from_slice(&id);
    let forged = format!("{}— {other_name} {}\n", alone.note(), STANDARD.encode(&bytes));
    assert!(matches!(verify(&forged, &two), Err(CosignatureError::Wrong { slot: 1, .. })));
    // Under the first one's id and another name it is a stranger's.
    let renamed = format!("{}— {name}x {value}\n", alone.note());
    assert!(matches!(verify(&renamed, &two), Err(CosignatureError::Quorum { got: 1, .. })));
    // A signature has one spelling, and a note no control character.
    let (loose, unpadded) = (value.replace("==", "="), value.trim_end_matches('='));
    let mut bits = value.trim_end_matches('=').to_owned();
    let last = bits.pop().unwrap();
    bits.push(if last == 'A' { 'B' } else { char::from(last as u8 + 1) });
    let padded = "=".repeat(value.len() - bits.len());
    for spelling in
        [&loose, unpadded, &format!("{bits}{padded}"), &format!("{value} "), &format!("{value}\r")]
    {
        let note = alone.note().replace(value, spelling);
        let refused = spelling == value
            || SignedCheckpoint::verify(note.as_bytes(), &Keys { quorum: 1, ..two }).is_err();
        assert!(refused, "{spelling:?}");
    }
    for control in ['\0', '\u{7}', '\r', '\u{7f}', '\u{85}'] {
        let note = alone.note().replacen("epoch", &format!("{control}epoch"), 1);
        assert!(Note::parse(note.as_bytes()).is_err(), "{control:?}");
    }
    let many = format!("{}{}", alone.note(), format!("{line}\n").repeat(100));
    assert!(matches!(verify(&many, &Keys { quorum: 1, ..two }), Err(CosignatureError::Note(_))));
}

#[test]
fn every_flipped_bit_of_a_signed_checkpoint_is_noticed() {
    let world = World::new(2, 2);
    let signed = world.checkpoint();
    let log = world.log.verifier();
    let keys = Keys { log: &log, roster: world.replay.roster().unwrap(), quorum: 2 };
    let bytes = signed.note().as_bytes();
    for at in 0..bytes.len() {
        let mut bad = bytes.to_vec();
        bad[at] ^= 1 << (at % 7);
        assert!(SignedCheckpoint::verify(&bad, &keys).is_err(), "byte {at}");
        assert!(SignedCheckpoint::verify(&bytes[..at], &keys).is_err(), "cut at {at}");
    }
    assert_eq!(
        format!("{:?}", world.keys[&0]),
        format!("CosignKey({})", hex::encode(world.keys[&0].public()))
    );
    let mut roster = world.replay.roster().unwrap().clone();
    assert_eq!(roster.hash(), Hash::of(roster.json()));
    roster.members.clear();
    assert_eq!(roster.json(), r#"{"epoch":0,"members":{}}"#);
}
