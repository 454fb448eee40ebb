//! Evidence, logs, release and policy are what SPECIFICATION.md says, read by other code.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallmark_forge::{DAY, Forged, NOW, TdxCase, VtpmCase, mutations, simulated_policy, valid, variants};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest, Sha256, Sha384, Sha512};

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap()
}

fn decoded(evidence: &serde_json::Value, field: &str) -> Vec<u8> {
    STANDARD.decode(evidence[field].as_str().unwrap()).unwrap()
}

fn binding(forged: &Forged) -> [u8; 64] {
    let bound = forged.bound.unwrap_or_default();
    Sha512::digest([b"hallmark/evidence/1", &forged.nonce[..], &bound].concat()).into()
}

/// Replays one bank of a crypto-agile log: register index to value.
fn replay(log: &[u8], bank: u16) -> Vec<Vec<u8>> {
    let u32_at = |at: usize| u32::from_le_bytes(log[at..at + 4].try_into().unwrap());
    let u16_at = |at: usize| u16::from_le_bytes(log[at..at + 2].try_into().unwrap());
    let mut registers = vec![vec![0; if bank == 0x0b { 32 } else { 48 }]; 17];
    let mut at = 32 + u32_at(28) as usize;
    while at < log.len() && u32_at(at) != u32::MAX {
        let (register, count) = (u32_at(at) as usize, u32_at(at + 8));
        at += 12;
        for _ in 0..count {
            let algorithm = u16_at(at);
            let size = if algorithm == 0x0b { 32 } else { 48 };
            let digest = &log[at + 2..at + 2 + size];
            if algorithm == bank {
                let both = [&registers[register][..], digest].concat();
                registers[register] =
                    if bank == 0x0b { Sha256::digest(both).to_vec() } else { Sha384::digest(both).to_vec() };
            }
            at += 2 + size;
        }
        at += 4 + u32_at(at) as usize;
    }
    registers
}

#[test]
fn a_td_quotes_its_log_its_binding_and_its_release() {
    let forged = TdxCase::default().make();
    let evidence = json(&forged.evidence);
    assert_eq!(evidence["kind"], "tdx");
    assert_eq!(decoded(&evidence, "quote"), forged.quote);
    assert_eq!(decoded(&evidence, "binding"), binding(&forged));
    let body = &forged.quote[48..632];
    assert_eq!(body[520..], binding(&forged));

    let registers = replay(&decoded(&evidence, "event_log"), 0x0c);
    let expected = &json(&forged.release)["expected"][0]["registers"];
    assert_eq!(expected["mrtd"]["sha384"], hex::encode(&body[136..184]));
    for i in 0..3 {
        let quoted = &body[328 + 48 * i..376 + 48 * i];
        assert_eq!(quoted, registers[i + 1], "RTMR{i}");
        assert_eq!(expected[format!("rtmr{i}")]["sha384"], hex::encode(quoted));
    }
    let boot = hex::decode(evidence["boot_events"][0]["digests"]["sha384"].as_str().unwrap()).unwrap();
    assert_eq!(body[472..520], *Sha384::digest([vec![0; 48], boot].concat()));
}

#[test]
fn a_tpm_quotes_its_log_and_its_binding() {
    let case = VtpmCase { bound_file: Some(b"file".to_vec()), ..VtpmCase::default() };
    let forged = case.make();
    assert_eq!(forged.bound, Some(Sha256::digest("file").into()));
    let evidence = json(&forged.evidence);
    let quote = decoded(&evidence, "quote");
    let size = usize::from(u16::from_be_bytes([quote[0], quote[1]]));
    let (attest, signature) = quote[2..].split_at(size);

    assert_eq!(attest[..6], [0xff, 0x54, 0x43, 0x47, 0x80, 0x18]);
    // magic, type, a Name of 34 bytes with its length: then extraData.
    let extra = 6 + 2 + 34;
    assert_eq!(attest[extra..extra + 2], [0, 32]);
    assert_eq!(attest[extra + 2..extra + 34], *Sha256::digest(binding(&forged)));
    let selection = extra + 34 + 17 + 8;
    assert_eq!(
        attest[selection..selection + 16],
        [0, 0, 0, 2, 0, 0x0b, 3, 0xff, 0xff, 0, 0, 0x0c, 3, 0xff, 0xff, 0]
    );

    let mut values = Sha256::new();
    for (bank, size) in [(0x0b, 32), (0x0c, 48)] {
        let mut registers = replay(&decoded(&evidence, "event_log"), bank);
        let name = if size == 32 { "sha256" } else { "sha384" };
        let boot = hex::decode(evidence["boot_events"][0]["digests"][name].as_str().unwrap()).unwrap();
        let both = [&registers[14][..], &boot].concat();
        registers[14] =
            if size == 32 { Sha256::digest(both).to_vec() } else { Sha384::digest(both).to_vec() };
        values.update(registers[..16].concat());
    }
    assert_eq!(attest[selection + 16..], [&[0, 32], &values.finalize()[..]].concat());

    let ak = decoded(&evidence, "ak");
    assert_eq!(signature[..6], [0, 0x18, 0, 0x0b, 0, 32]);
    let signature = Signature::from_slice(&[&signature[6..38], &signature[40..72]].concat()).unwrap();
    let point = [&[4], &ak[ak.len() - 66..ak.len() - 34], &ak[ak.len() - 32..]].concat();
    VerifyingKey::from_sec1_bytes(&point).unwrap().verify(attest, &signature).unwrap();

    let policy: toml::Table = forged.policy.parse().unwrap();
    let name = hex::encode([&[0, 0x0b], &Sha256::digest(&ak)[..]].concat());
    assert_eq!(policy["vtpm"]["ak"][0].as_str(), Some(&name[..]));
    assert_eq!(policy["vtpm"]["accept"].as_bool(), Some(true));
}

#[test]
fn policies_are_toml_and_name_the_root() {
    let forged = TdxCase::default().make();
    let policy: toml::Table = forged.policy.parse().unwrap();
    let root = hex::encode(hallmark_forge::simulated_root());
    assert_eq!(policy["roots"]["simulated"][0].as_str(), Some(&root[..]));
    assert_eq!(policy["tdx"]["acpi"].as_array().unwrap().len(), 3);
    assert_eq!(policy["vtpm"]["accept"].as_bool(), Some(false));
    for (_, _, forged) in variants() {
        forged.policy.parse::<toml::Table>().unwrap();
    }
    simulated_policy(&[[1; 48]]).parse::<toml::Table>().unwrap();
}

#[test]
fn everything_says_that_it_is_simulated() {
    for (name, forged) in valid() {
        assert!(forged.policy.contains("SIMULATED"), "{name}");
        assert!(String::from_utf8_lossy(&forged.release).contains("SIMULATED"), "{name}");
        if let Some(collateral) = &forged.collateral {
            assert!(String::from_utf8_lossy(collateral).contains("SIMULATED"), "{name}");
            assert_ne!(forged.quote[12..28], hallmark_forge::quote::INTEL_VENDOR);
        }
    }
}

/// The checks of the verifier, by name. The two crates do not know each other, so the names stand here
/// a second time; the verifier's own test holds the table against [`mutations`].
#[test]
fn slugs_are_names() {
    assert!(mutations().len() >= 60);
    for slug in mutations() {
        assert!(slug.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{slug}");
    }
}

/// No field of a case makes the forge panic.
#[test]
fn odd_cases_are_made() {
    for now in [0, 1, DAY, NOW, u64::from(u32::MAX), 253_402_300_800] {
        let mut case = TdxCase::at(now);
        case.quote.truncate = Some(usize::MAX);
        case.log.truncate = Some(0);
        case.quote.auth_data = vec![0; 70_000];
        assert!(!case.make().evidence.is_empty());
    }
    let mut case = VtpmCase::default();
    case.quote.selection[0].pcrs = vec![u32::MAX, 400];
    case.ak.auth_policy = vec![0; 70_000];
    assert!(!case.make().evidence.is_empty());
}
