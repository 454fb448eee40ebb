use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Family, Release, ReleaseError, Validated};
use crate::event_log::{Bank, Register};

/// The register's value after these events, in hex.
fn replay(bank: Bank, texts: &[&str]) -> String {
    texts
        .iter()
        .fold(bank.zero(), |value, text| value.extend(bank.hash(&[text.as_bytes()]).as_bytes()))
        .to_string()
}

fn digests(text: &str) -> Value {
    let hash = |bank: Bank| bank.hash(&[text.as_bytes()]).to_string();
    json!({"sha256": hash(Bank::Sha256), "sha384": hash(Bank::Sha384)})
}

fn event(register: &str, what: &str) -> Value {
    json!({"register": register, "event": "EV_IPL", "what": what, "digests": digests(what), "depends": [format!("uki:{what}")]})
}

fn release() -> Value {
    let hex = |digits: &str| digits.repeat(32);
    json!({
        "format": "hallmark/release/1", "name": "hallmark", "version": "0.1.0",
        "source": {"commit": "ab".repeat(20), "tree": "cd".repeat(20)},
        "artefacts": [{"name": "hallmark.efi", "sha256": hex("01"), "blake3": hex("02"), "size": 1}],
        "lock_sha256": hex("03"), "toolchain": "rustc 1.95.0", "builder": "mint build --out DIR",
        "expected": [
            {
                "platform": "qemu-vtpm", "profile": "p", "firmware_sha256": hex("04"),
                "registers": {
                    "pcr4": {"sha256": replay(Bank::Sha256, &["uki"]), "sha384": replay(Bank::Sha384, &["uki"])},
                    "pcr9": {"sha384": "09".repeat(48)},
                    "pcr11": {"sha384": replay(Bank::Sha384, &[".linux", ".initrd"])},
                    "pcr12": {"sha384": "00".repeat(48)},
                    "pcr13": {"sha384": "00".repeat(48)},
                },
                "validated": {"pcr4": "booted-vtpm", "pcr9": "none", "pcr11": "none", "pcr12": "none", "pcr13": "none"},
                "events": [event("pcr11", ".linux"), event("pcr4", "uki"), event("pcr11", ".initrd")],
            },
            {
                "platform": "qemu-tdx", "profile": "p", "firmware_sha256": hex("04"),
                "registers": {"mrtd": {"sha384": "05".repeat(48)}, "rtmr1": {"sha384": "06".repeat(48)}, "rtmr2": {"sha384": "07".repeat(48)}},
                "validated": {"mrtd": "none", "rtmr1": "ccel", "rtmr2": "ccel"},
                "events": [],
            },
        ],
        "manifest_prehash": null, "previous": hex("08"),
    })
}

fn parse(value: &Value) -> Result<Release, ReleaseError> {
    Release::parse(value.to_string().as_bytes())
}

fn with(path: &str, new: Value) -> Value {
    let mut value = release();
    *value.pointer_mut(path).expect(path) = new;
    value
}

fn error(path: &str, new: Value) -> String {
    parse(&with(path, new)).unwrap_err().to_string()
}

#[test]
fn a_release_is_read() {
    let bytes = release().to_string();
    let release = Release::parse(bytes.as_bytes()).unwrap();
    assert_eq!((release.name(), release.version()), ("hallmark", "0.1.0"));
    assert_eq!(release.sha256(), &crate::crypto::sha256(&[bytes.as_bytes()]));
    assert_eq!((release.commit().0, release.tree().0), ([0xab; 20], [0xcd; 20]));
    assert_eq!(release.artefacts()[0].size, 1);
    assert_eq!((release.manifest_prehash(), release.previous().map(|hex| hex.0)), (None, Some([8; 32])));
    let [vtpm, tdx] = release.expected() else { panic!() };
    assert_eq!((vtpm.family(), tdx.family()), (Family::Vtpm, Family::Tdx));
    assert_eq!(tdx.register(Register::Mrtd).unwrap().sha384, Some([5; 48]));
    let words: Vec<_> = vtpm.registers().map(|(register, _, validated)| (register, validated)).collect();
    let none = [9, 11, 12, 13].map(|pcr| (Register::Pcr(pcr), Validated::None));
    assert_eq!(words, [&[(Register::Pcr(4), Validated::BootedVtpm)], &none[..]].concat());
    let what: Vec<_> = vtpm.events_of(Register::Pcr(11)).map(|event| &event.what[..]).collect();
    assert_eq!(what, [".linux", ".initrd"]);
}

#[test]
fn the_example_of_the_specification_has_the_fields_that_are_read() {
    let text = include_str!("../../../SPECIFICATION.md");
    let section = text.split("## 2. release.json").nth(1).unwrap();
    let example = section.split("```json").nth(1).unwrap().split("```").next().unwrap();
    let mut value: Value = serde_json::from_str(example).unwrap();
    // Where it names a number of digits, these.
    fn fill(value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(digits) = text.strip_suffix(" hex") {
                    *text = "1".repeat(digits.parse().unwrap());
                }
            }
            Value::Array(values) => values.iter_mut().for_each(fill),
            Value::Object(members) => members.values_mut().for_each(fill),
            _ => {}
        }
    }
    fill(&mut value);
    // The one event that is listed leads to its register.
    let pcr11 = Bank::Sha384.zero().extend(&[0x11; 48]).to_string();
    value["expected"][0]["registers"]["pcr11"]["sha384"] = json!(pcr11);
    assert_eq!(parse(&value).unwrap().expected()[0].platform(), "qemu-vtpm");
}

#[test]
fn registers_follow_from_their_events() {
    let pcr11 = "/expected/0/registers/pcr11/sha384";
    let message = error(pcr11, json!("09".repeat(48)));
    assert!(message.contains("expected[0].registers.pcr11.sha384"), "{message}");
    // The order counts; an event left out or doubled as well.
    let (linux, uki, initrd) = (event("pcr11", ".linux"), event("pcr4", "uki"), event("pcr11", ".initrd"));
    for events in
        [json!([initrd, uki, linux]), json!([linux, uki]), json!([linux, linux, uki, initrd]), json!([linux])]
    {
        assert!(matches!(parse(&with("/expected/0/events", events)), Err(ReleaseError::Replay { .. })));
    }
    // Events of a register that is not pinned, and a register without events, are held against nothing.
    assert!(parse(&with("/expected/0/events", json!([event("pcr5", "x")]))).is_ok());
    // An event lacks the bank of its register.
    let message = error("/expected/0/events/0/digests", json!({"sha256": "00".repeat(32)}));
    assert!(message.contains("each of pcr11 must have sha384"), "{message}");
}

#[test]
fn an_entry_names_an_image() {
    let tdx = |registers: &[&str]| {
        let value = json!({"sha384": "05".repeat(48)});
        let mut release = release();
        let entry = &mut release["expected"][1];
        entry["registers"] = registers.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
        entry["validated"] = registers.iter().map(|name| ((*name).to_owned(), json!("none"))).collect();
        parse(&release)
    };
    assert!(tdx(&["mrtd", "rtmr1", "rtmr2"]).is_ok());
    assert!(tdx(&["mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"]).is_ok());
    for (registers, missing) in [
        (&["mrtd"][..], Register::Rtmr(1)),
        (&["mrtd", "rtmr1"], Register::Rtmr(2)),
        (&["rtmr1", "rtmr2"], Register::Mrtd),
        (&["pcr11"], Register::Pcr(4)),
        (&["pcr4", "pcr9", "pcr11", "pcr13"], Register::Pcr(12)),
        (&["pcr4", "pcr9", "pcr11", "pcr12"], Register::Pcr(13)),
        (&["pcr4", "pcr11", "pcr12", "pcr13"], Register::Pcr(9)),
        (&["pcr4", "pcr9", "pcr12", "pcr13"], Register::Pcr(11)),
        (&[], Register::Pcr(4)),
    ] {
        let error = tdx(registers).unwrap_err();
        assert!(matches!(error, ReleaseError::Incomplete { register, .. } if register == missing), "{error}");
    }
    assert!(matches!(tdx(&["mrtd", "rtmr1", "rtmr2", "pcr4"]), Err(ReleaseError::Mixed { .. })));
    let foreign = parse(&with("/expected/0/events/0/register", json!("rtmr2")));
    assert!(matches!(foreign, Err(ReleaseError::Mixed { .. })));
    assert!(matches!(parse(&with("/expected", json!([]))), Err(ReleaseError::Empty)));
}

#[test]
fn what_every_boot_extends_is_not_zero() {
    let zero = |path: &str| {
        let mut release = with(path, json!({"sha384": "00".repeat(48)}));
        release["expected"][0]["events"] = json!([]);
        parse(&release)
    };
    for path in ["0/registers/pcr4", "0/registers/pcr11", "1/registers/rtmr1", "1/registers/rtmr2"] {
        assert!(matches!(zero(&format!("/expected/{path}")), Err(ReleaseError::Untouched { .. })), "{path}");
    }
    // Nothing beside the UKI is what is hoped for.
    assert!(zero("/expected/0/registers/pcr9").is_ok());
}

#[test]
fn every_register_says_how_it_was_validated() {
    let validated = "/expected/0/validated";
    for wrong in
        [json!({"pcr4": "none"}), json!({"pcr4": "none", "pcr11": "none", "pcr5": "none"}), json!({})]
    {
        assert!(matches!(parse(&with(validated, wrong)), Err(ReleaseError::ValidatedRegisters { .. })));
    }
    let message = error(&format!("{validated}/pcr4"), json!("booted"));
    assert!(message.contains("expected[0].validated.pcr4") && message.contains("\"booted\""), "{message}");
}

#[test]
fn values_have_their_form() {
    let hex64 = "0".repeat(64);
    for (path, value, place) in [
        ("/format", json!("hallmark/release/2"), "format"),
        ("/name", json!(""), "name"),
        ("/version", json!("a\u{1b}[2J"), "version"),
        ("/builder", json!("x".repeat(513)), "builder"),
        ("/source/commit", json!("0".repeat(39)), "source.commit"),
        ("/source/tree", json!("A".repeat(40)), "source.tree"),
        ("/lock_sha256", json!("0"), "lock_sha256"),
        ("/previous", json!(""), "previous"),
        ("/artefacts/0/blake3", json!("0"), "artefacts[0].blake3"),
        ("/expected/0/firmware_sha256", json!("0"), "expected[0].firmware_sha256"),
        ("/expected/0/registers/pcr4/sha256", json!(hex64 + "0"), "expected[0].registers.pcr4.sha256"),
        ("/expected/0/registers/pcr4", json!({}), "expected[0].registers.pcr4"),
        ("/expected/1/registers/mrtd/sha384", json!("0"), "expected[1].registers.mrtd.sha384"),
        ("/expected/0/events/1/register", json!("pcr16"), "expected[0].events[1].register"),
        ("/expected/0/events/1/what", json!(""), "expected[0].events[1].what"),
        ("/expected/0/events/1/depends/0", json!(""), "expected[0].events[1].depends[0]"),
        ("/expected/0/events/1/depends", json!(vec!["x"; 65]), "expected[0].events[1].depends"),
    ] {
        let message = error(path, value);
        assert!(message.contains(place), "{path}: {message}");
    }
    let sha256 = json!({"sha256": "00".repeat(32), "sha384": "00".repeat(48)});
    assert!(matches!(parse(&with("/expected/1/registers/mrtd", sha256)), Err(ReleaseError::Banks { .. })));
    let artefact = release()["artefacts"][0].clone();
    assert!(matches!(
        parse(&with("/artefacts", json!([artefact, artefact]))),
        Err(ReleaseError::Twice { .. })
    ));
    let entry = release()["expected"][0].clone();
    assert!(matches!(parse(&with("/expected", json!([entry, entry]))), Err(ReleaseError::Twice { .. })));
}

#[test]
fn fields_are_neither_missing_nor_more_nor_twice() {
    fn objects(value: &Value, path: String, all: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| objects(value, format!("{path}/{name}"), all));
                all.push(path);
            }
            Value::Array(values) => {
                values
                    .iter()
                    .enumerate()
                    .for_each(|(index, value)| objects(value, format!("{path}/{index}"), all));
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    objects(&release(), String::new(), &mut all);
    assert!(all.len() > 15);
    for path in all {
        let mut more = release();
        more.pointer_mut(&path).unwrap()["unknown"] = json!(null);
        assert!(parse(&more).is_err(), "{path} takes an unknown field");
        let names: Vec<_> = release().pointer(&path).unwrap().as_object().unwrap().keys().cloned().collect();
        for name in names {
            // One bank of two may be left out, where the events then lead to the other.
            if path.contains("/digests") || path.contains("/registers/pcr4") {
                continue;
            }
            let mut less = release();
            less.pointer_mut(&path).unwrap().as_object_mut().unwrap().remove(&name);
            assert!(parse(&less).is_err(), "{path} does without {name}");
        }
    }
    // A second register of the same name does not replace the first in silence.
    for (from, to) in [
        ("\"pcr4\":{", "\"pcr4\":{},\"pcr4\":{"),
        ("\"pcr4\":\"booted", "\"pcr4\":\"none\",\"pcr4\":\"booted"),
    ] {
        let twice = release().to_string().replacen(from, to, 1);
        assert!(Release::parse(twice.as_bytes()).is_err());
    }
    assert!(matches!(Release::parse(b""), Err(ReleaseError::Json(_))));
    assert!(matches!(Release::parse(&vec![b' '; (4 << 20) + 1]), Err(ReleaseError::Size { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cut_and_flipped_documents_do_not_panic(at in 0_usize..2500, byte in any::<u8>()) {
        let mut bytes = release().to_string().into_bytes();
        prop_assert!(Release::parse(&bytes[..at.min(bytes.len() - 1)]).is_err());
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let _ = Release::parse(&bytes);
    }
}
