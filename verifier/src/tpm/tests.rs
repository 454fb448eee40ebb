// Sizes here are small.
#![allow(clippy::cast_possible_truncation)]

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use proptest::prelude::*;

use super::{AttestationKey, Quote, TpmError};
use crate::crypto;
use crate::event_log::tests::{Log, vector};
use crate::event_log::{Bank, EventLog, Kind};

const ATTRIBUTES: u32 = 0x0005_0072;

fn key() -> SigningKey {
    SigningKey::from_slice(&[0x42; 32]).unwrap()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn public(attributes: u32) -> Vec<u8> {
    let point = key().verifying_key().to_sec1_point(false);
    let mut public = words(&[0x23, 0x0b]);
    public.extend(attributes.to_be_bytes());
    public.extend(sized(&[]));
    public.extend(words(&[0x10, 0x18, 0x0b, 0x03, 0x10]));
    public.extend(sized(point.x().unwrap()));
    public.extend(sized(point.y().unwrap()));
    public
}

/// TPMS_ATTEST of a quote over PCRs 0 to 15 of both banks, or of other banks.
fn attest(selection: &[(u16, &[u8])], digest: &[u8]) -> Vec<u8> {
    let mut attest = 0xff54_4347_u32.to_be_bytes().to_vec();
    attest.extend(words(&[0x8018]));
    attest.extend(sized(&[&[0, 0x0b][..], &[7; 32]].concat()));
    attest.extend(sized(&[9; 32]));
    attest.extend(60_000_u64.to_be_bytes());
    attest.extend(5_u32.to_be_bytes());
    attest.extend(1_u32.to_be_bytes());
    attest.push(1);
    attest.extend(0x1234_u64.to_be_bytes());
    attest.extend((selection.len() as u32).to_be_bytes());
    for (bank, bits) in selection {
        attest.extend(bank.to_be_bytes());
        attest.push(bits.len() as u8);
        attest.extend(*bits);
    }
    attest.extend(sized(digest));
    attest
}

const BOTH: &[(u16, &[u8])] = &[(0x0b, &[0xff, 0xff, 0]), (0x0c, &[0xff, 0xff, 0])];

fn quote(attest: &[u8]) -> Vec<u8> {
    let signature: Signature = key().sign(attest);
    let mut quote = sized(attest);
    quote.extend(words(&[0x18, 0x0b]));
    quote.extend(sized(&signature.r().to_bytes()));
    quote.extend(sized(&signature.s().to_bytes()));
    quote
}

#[test]
fn a_quote_is_read_and_verified() {
    let bytes = quote(&attest(BOTH, &[8; 32]));
    let quote = Quote::parse(&bytes).unwrap();
    let attest = quote.attest();
    assert_eq!(attest.extra_data, [9; 32]);
    assert_eq!(attest.qualified_signer.len(), 34);
    assert_eq!((attest.clock.clock, attest.clock.reset_count, attest.clock.restart_count), (60_000, 5, 1));
    assert!(attest.clock.safe && attest.firmware_version == 0x1234);
    assert_eq!(attest.pcr_digest, [8; 32]);
    assert!(attest.selection.is_complete());
    let ak = AttestationKey::parse(&public(ATTRIBUTES)).unwrap();
    assert!(quote.verify(&ak));
    let name = [&[0, 0x0b][..], &crypto::sha256(&[&public(ATTRIBUTES)])].concat();
    assert_eq!(ak.name()[..], name);
}

#[test]
fn no_flipped_byte_is_accepted_and_no_cut_is_read() {
    let ak = AttestationKey::parse(&public(ATTRIBUTES)).unwrap();
    let good = quote(&attest(BOTH, &[8; 32]));
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        assert!(!Quote::parse(&bytes).is_ok_and(|quote| quote.verify(&ak)), "byte {at}");
        assert!(Quote::parse(&good[..at]).is_err(), "cut at {at}");
    }
    assert!(matches!(Quote::parse(&[&good[..], &[0]].concat()), Err(TpmError::Trailing { left: 1, .. })));
}

#[test]
fn short_coordinates_are_padded() {
    // A TPM may leave leading zeros out; the number is the same.
    let attest = attest(BOTH, &[8; 32]);
    let (mut message, mut found) = (attest.clone(), None);
    // Clock values until r begins with a zero byte.
    for clock in 0_u64..5000 {
        message[4 + 2 + 2 + 34 + 2 + 32..][..8].copy_from_slice(&clock.to_be_bytes());
        let signature: Signature = key().sign(&message);
        if signature.r().to_bytes()[0] == 0 {
            found = Some((message.clone(), signature));
            break;
        }
    }
    let (message, signature) = found.unwrap();
    let mut bytes = sized(&message);
    bytes.extend(words(&[0x18, 0x0b]));
    bytes.extend(sized(&signature.r().to_bytes()[1..]));
    bytes.extend(sized(&signature.s().to_bytes()));
    let ak = AttestationKey::parse(&public(ATTRIBUTES)).unwrap();
    assert!(Quote::parse(&bytes).unwrap().verify(&ak));
}

#[test]
fn another_magic_or_type_is_no_quote() {
    let good = attest(BOTH, &[8; 32]);
    for (at, field) in [(0, "magic"), (3, "magic"), (4, "type"), (5, "type")] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        let error = Quote::parse(&quote(&bytes)).unwrap_err();
        assert!(matches!(error, TpmError::Value { field: f, .. } if f == field), "{error}");
    }
    let long = [&good[..], &[0]].concat();
    assert!(matches!(Quote::parse(&quote(&long)), Err(TpmError::Trailing { structure: "TPMS_ATTEST", .. })));
    let mut unsafe_clock = good.clone();
    unsafe_clock[4 + 2 + 2 + 34 + 2 + 32 + 16] = 2;
    assert!(matches!(
        Quote::parse(&quote(&unsafe_clock)),
        Err(TpmError::Value { field: "clockInfo.safe", .. })
    ));
}

#[test]
fn an_rsa_signature_is_named() {
    let Some(json) =
        vector("by-source/confidential-containers+trustee/deps/verifier/test_data/tpm_evidence.json")
    else {
        return;
    };
    use base64::Engine as _;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let message = json["tpm_quote"]["message"].as_str().unwrap();
    let message = base64::engine::general_purpose::STANDARD.decode(message).unwrap();
    let mut bytes = sized(&message);
    bytes.extend(words(&[0x14, 0x0b]));
    bytes.extend(sized(&[1; 256]));
    let error = Quote::parse(&bytes).unwrap_err();
    assert!(matches!(error, TpmError::Scheme { scheme: 0x14, name: "RSASSA", .. }), "{error}");
    // The same TPMS_ATTEST, of a real TPM, is read once the signature is of our kind.
    let bytes = quote(&message);
    let quote = Quote::parse(&bytes).unwrap();
    assert_eq!(quote.attest().selection.to_string().split(':').next(), Some("sha256"));
    assert!(!quote.attest().selection.is_complete());
}

#[test]
fn selections_are_exact() {
    let parse = |selection: &[(u16, &[u8])]| {
        let bytes = quote(&attest(selection, &[8; 32]));
        let quote = Quote::parse(&bytes).unwrap();
        (quote.attest().selection.is_complete(), quote.attest().selection.to_string())
    };
    assert!(parse(&[(0x0b, &[0xff, 0xff]), (0x0c, &[0xff, 0xff, 0, 0])]).0);
    assert_eq!(parse(&[]), (false, "nothing".into()));
    assert_eq!(parse(&[(0x0b, &[0x03, 0x80, 0])]), (false, "sha256:0-1+15".into()));
    assert_eq!(parse(BOTH), (true, "sha256:0-15, sha384:0-15".into()));
    assert_eq!(parse(&[(0x0b, &[0, 0x42, 0, 0xff])]), (false, "sha256:9+14+24-31".into()));
    assert_eq!(parse(&[(0x12, &[])]), (false, "0x0012:none".into()));
    for wrong in [
        &[(0x0c, &[0xff, 0xff, 0][..]), (0x0b, &[0xff, 0xff, 0])][..],
        &[(0x0b, &[0xff, 0xff, 0])],
        &[(0x0b, &[0xff, 0xff, 0]), (0x0c, &[0xff, 0xff, 1])],
        &[(0x0b, &[0xff, 0x7f, 0]), (0x0c, &[0xff, 0xff, 0])],
        &[(0x0b, &[0xff, 0xff, 0]), (0x0b, &[0xff, 0xff, 0])],
    ] {
        assert!(!parse(wrong).0, "{wrong:?}");
    }
    let many: Vec<_> = (0..17).map(|_| (0x0b, &[0xff_u8][..])).collect();
    let bytes = quote(&attest(&many, &[8; 32]));
    assert!(matches!(Quote::parse(&bytes), Err(TpmError::Size { field: "pcrSelect.count", .. })));
    let bytes = quote(&attest(&[(0x0b, &[0xff; 5])], &[8; 32]));
    assert!(matches!(Quote::parse(&bytes), Err(TpmError::Size { field: "pcrSelect.sizeofSelect", .. })));
}

#[test]
fn the_digest_is_of_the_selected_values_in_order() {
    let bytes = Log::new(Kind::Tcg2).with(4, 5, b"a", b"a").bytes();
    let log = EventLog::parse(&bytes, Kind::Tcg2).unwrap();
    let replays = [log.replay(Bank::Sha256).unwrap(), log.replay(Bank::Sha384).unwrap()];
    let digest = |selection: &[(u16, &[u8])]| {
        let bytes = quote(&attest(selection, &[8; 32]));
        Quote::parse(&bytes).unwrap().attest().selection.digest(&replays)
    };
    let sha256 = Bank::Sha256.zero().extend(Bank::Sha256.hash(&[b"a"]).as_bytes());
    let sha384 = Bank::Sha384.zero().extend(Bank::Sha384.hash(&[b"a"]).as_bytes());
    let expected = crypto::sha256(&[
        &[0; 4 * 32],
        sha256.as_bytes(),
        &[0; 11 * 32],
        &[0; 4 * 48],
        sha384.as_bytes(),
        &[0; 11 * 48],
    ]);
    assert_eq!(digest(BOTH), Some(expected));
    let expected = crypto::sha256(&[sha384.as_bytes(), sha256.as_bytes()]);
    assert_eq!(digest(&[(0x0c, &[0x10]), (0x0b, &[0x10])]), Some(expected));
    // A bank that was not replayed, a register that no log leads to.
    assert_eq!(digest(&[(0x04, &[0x10])]), None);
    assert_eq!(digest(&[(0x0b, &[0, 0, 1])]), None);
}

#[test]
fn an_attestation_key_has_its_attributes() {
    for bit in [1, 4, 5, 16, 18] {
        let error = AttestationKey::parse(&public(ATTRIBUTES & !(1 << bit))).unwrap_err();
        assert!(
            matches!(error, TpmError::AttributesMissing { missing, .. } if missing == 1 << bit),
            "{error}"
        );
    }
    for bit in [0, 3, 8, 9, 11, 12, 15, 17, 19, 20, 31] {
        let error = AttestationKey::parse(&public(ATTRIBUTES | 1 << bit)).unwrap_err();
        assert!(
            matches!(error, TpmError::AttributesSurplus { surplus, .. } if surplus == 1 << bit),
            "{error}"
        );
    }
    for bit in [2, 7, 10] {
        assert!(AttestationKey::parse(&public(ATTRIBUTES | 1 << bit)).is_ok());
    }
    let good = public(ATTRIBUTES);
    for at in 0..good.len() {
        assert!(AttestationKey::parse(&good[..at]).is_err(), "cut at {at}");
        let mut bytes = good.clone();
        bytes[at] ^= 0x02;
        let name = AttestationKey::parse(&bytes).map(|key| *key.name());
        assert_ne!(name.ok(), Some(*AttestationKey::parse(&good).unwrap().name()), "byte {at}");
    }
    let mut off_curve = good.clone();
    *off_curve.last_mut().unwrap() ^= 1;
    assert_eq!(AttestationKey::parse(&off_curve), Err(TpmError::Point));
    assert!(matches!(AttestationKey::parse(&[&good[..], &[0]].concat()), Err(TpmError::Trailing { .. })));
    // An RSA key.
    let mut rsa = good.clone();
    rsa[1] = 0x01;
    assert!(matches!(AttestationKey::parse(&rsa), Err(TpmError::Value { field: "type", value: 1, .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn random_bytes_do_not_panic(tail in proptest::collection::vec(any::<u8>(), 0..200), keep in 0_usize..250) {
        for mut bytes in [quote(&attest(BOTH, &[8; 32])), public(ATTRIBUTES)] {
            bytes.truncate(keep);
            bytes.extend(&tail);
            let _ = Quote::parse(&bytes);
            let _ = AttestationKey::parse(&bytes);
        }
    }
}
