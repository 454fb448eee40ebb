use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Evidence, EvidenceError, SIZE_MAX};
use crate::event_log::Register;

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn vtpm() -> Value {
    json!({
        "kind": "vtpm", "quote": base64(b"quote"), "event_log": base64(b"log"), "ak": base64(b"ak"),
        "ak_chain": [base64(b"leaf")], "hcl": base64(b"report"),
        "nonce": base64(&[1; 32]), "binding": base64(&[2; 64]),
        "boot_events": [{"register": "pcr14", "event": "boot.toml",
            "digests": {"sha256": "03".repeat(32), "sha384": "04".repeat(48)}}],
    })
}

fn tdx() -> Value {
    json!({
        "kind": "tdx", "quote": base64(b"quote"), "event_log": "",
        "nonce": base64(&[1; 32]), "binding": base64(&[2; 64]),
        "boot_events": [{"register": "rtmr3", "event": "boot.toml", "digests": {"sha384": "04".repeat(48)}}],
    })
}

fn error(value: &Value) -> EvidenceError {
    let bytes = value.to_string();
    Evidence::parse(bytes.as_bytes()).unwrap_err()
}

fn with(mut value: Value, path: &str, new: Value) -> Value {
    *value.pointer_mut(path).unwrap() = new;
    value
}

fn without(mut value: Value, field: &str) -> Value {
    value.as_object_mut().unwrap().remove(field).unwrap();
    value
}

#[test]
fn evidence_of_each_kind_is_read() {
    let bytes = vtpm().to_string();
    let Evidence::Vtpm(evidence) = Evidence::parse(bytes.as_bytes()).unwrap() else { panic!() };
    assert_eq!((&evidence.quote[..], &evidence.ak[..]), (&b"quote"[..], &b"ak"[..]));
    assert_eq!(evidence.ak_chain, [b"leaf"]);
    assert_eq!(evidence.enclosed.hcl.as_deref(), Some(&b"report"[..]));
    assert_eq!((evidence.enclosed.nonce, evidence.enclosed.binding), (Some([1; 32]), [2; 64]));
    let event = &evidence.enclosed.boot_events[0];
    assert_eq!((event.register(), event.name()), (Register::Pcr(14), "boot.toml"));
    assert_eq!((event.digests().sha256, event.digests().sha384), (Some([3; 32]), Some([4; 48])));

    let bytes = format!(" \n{}", tdx());
    let evidence = Evidence::parse(bytes.as_bytes()).unwrap();
    assert_eq!(evidence.kind(), "tdx");
    assert!(evidence.enclosed().unwrap().event_log.is_empty());

    let snp = with(with(tdx(), "/kind", json!("snp")), "/boot_events", json!([])).to_string();
    let Evidence::Snp(evidence) = Evidence::parse(snp.as_bytes()).unwrap() else { panic!() };
    assert_eq!(evidence.report, b"quote");
}

#[test]
fn a_raw_quote_is_borrowed() {
    for version in [3_u16, 4, 5, 6] {
        let bytes = [&version.to_le_bytes()[..], &[0; 60]].concat();
        let Evidence::Tdx(evidence) = Evidence::parse(&bytes).unwrap() else { panic!() };
        assert!(evidence.enclosed.is_none());
        assert!(std::ptr::eq(evidence.quote.as_ptr(), bytes.as_ptr()));
    }
    for bytes in
        [&b""[..], b"\x04", b"\x04\x01", b"\0\0\0\0", b"quote", b"[]", b"\"kind\"", b"\xef\xbb\xbf{}"]
    {
        assert!(matches!(Evidence::parse(bytes), Err(EvidenceError::Unknown { .. })), "{bytes:?}");
    }
    let large = vec![4; SIZE_MAX + 1];
    assert!(matches!(Evidence::parse(&large), Err(EvidenceError::Size { .. })));
}

#[test]
fn fields_are_neither_missing_nor_more() {
    for field in ["kind", "quote", "event_log", "binding", "boot_events"] {
        assert!(matches!(error(&without(vtpm(), field)), EvidenceError::Json(_)), "{field}");
    }
    assert!(matches!(error(&without(vtpm(), "ak")), EvidenceError::Missing { field: "ak", .. }));
    for (field, value) in [("ak", json!("")), ("ak_chain", json!([]))] {
        let mut value_of = tdx();
        value_of[field] = value;
        assert!(matches!(error(&value_of), EvidenceError::Surplus { field: f, .. } if f == field));
    }
    let mut unknown = tdx();
    unknown["qoute"] = json!("");
    assert!(matches!(error(&unknown), EvidenceError::Json(_)));
    let twice = tdx().to_string().replacen('{', "{\"kind\":\"vtpm\",", 1);
    assert!(matches!(Evidence::parse(twice.as_bytes()), Err(EvidenceError::Json(_))));
    let trailing = format!("{} {{}}", tdx());
    assert!(matches!(Evidence::parse(trailing.as_bytes()), Err(EvidenceError::Json(_))));
    for kind in ["TDX", "sgx", ""] {
        assert!(matches!(error(&with(tdx(), "/kind", json!(kind))), EvidenceError::Json(_)));
    }
}

#[test]
fn values_have_their_form() {
    for wrong in ["AAA", "AA==\n", " AAAA", "AAAB====", "AA-_", "AB=="] {
        assert!(
            matches!(error(&with(tdx(), "/quote", json!(wrong))), EvidenceError::Base64 { .. }),
            "{wrong}"
        );
    }
    let bad = error(&with(vtpm(), "/ak_chain/0", json!("*")));
    assert!(bad.to_string().contains("ak_chain[0]"), "{bad}");
    for (path, length) in [("/nonce", 31), ("/nonce", 33), ("/binding", 63), ("/binding", 32)] {
        let bad = error(&with(tdx(), path, json!(base64(&vec![0; length]))));
        assert!(matches!(bad, EvidenceError::Length { length: l, .. } if l == length), "{bad}");
    }
    let chain = json!(vec![""; 9]);
    assert!(matches!(
        error(&with(vtpm(), "/ak_chain", chain)),
        EvidenceError::Count { field: "ak_chain", .. }
    ));
}

#[test]
fn boot_events_have_the_guests_register() {
    let event = "/boot_events/0";
    for (value, register) in
        [(tdx(), "rtmr2"), (tdx(), "pcr14"), (vtpm(), "rtmr3"), (vtpm(), "pcr11"), (tdx(), "")]
    {
        let bad = error(&with(value, &format!("{event}/register"), json!(register)));
        assert!(matches!(bad, EvidenceError::Register { .. }), "{bad}");
    }
    for name in ["", "a\nb", &"x".repeat(257)] {
        let bad = error(&with(tdx(), &format!("{event}/event"), json!(name)));
        assert!(matches!(bad, EvidenceError::EventName { index: 0 }), "{bad}");
    }
    for digest in ["", "00", &"0G".repeat(48), &"AB".repeat(48)] {
        let bad = error(&with(tdx(), &format!("{event}/digests/sha384"), json!(digest)));
        assert!(matches!(bad, EvidenceError::Digest { .. }), "{bad}");
    }
    let one = with(vtpm(), &format!("{event}/digests"), json!({"sha384": "04".repeat(48)}));
    assert!(matches!(error(&one), EvidenceError::Bank { index: 0 }));
    let snp = with(with(tdx(), "/kind", json!("snp")), event, tdx()["boot_events"][0].clone());
    assert!(matches!(error(&snp), EvidenceError::Count { .. }));
    let many = vec![tdx()["boot_events"][0].clone(); 1025];
    assert!(matches!(error(&with(tdx(), "/boot_events", json!(many))), EvidenceError::Count { .. }));
}

#[test]
fn a_bomb_of_brackets_is_an_error() {
    let bytes = format!("{{\"kind\":{}", "[".repeat(1 << 20));
    assert!(matches!(Evidence::parse(bytes.as_bytes()), Err(EvidenceError::Json(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cut_and_flipped_documents_do_not_panic(at in 0_usize..700, byte in any::<u8>()) {
        let mut bytes = vtpm().to_string().into_bytes();
        let _ = Evidence::parse(&bytes[..at.min(bytes.len())]);
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let _ = Evidence::parse(&bytes);
    }
}
