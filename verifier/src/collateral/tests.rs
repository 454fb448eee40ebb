use super::{Collateral, CollateralError};
use crate::root::INTEL_SGX_ROOT;

fn pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn document(change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> Vec<u8> {
    let chain = pem(INTEL_SGX_ROOT);
    let mut document = serde_json::json!({
        "pck_crl_issuer_chain": chain,
        "tcb_info_issuer_chain": chain,
        "qe_identity_issuer_chain": chain,
        "root_ca_crl": "",
        "pck_crl": "",
        "tcb_info": "{}",
        "tcb_info_signature": "00".repeat(64),
        "qe_identity": "{}",
        "qe_identity_signature": "00".repeat(64),
    });
    change(document.as_object_mut().unwrap());
    serde_json::to_vec(&document).unwrap()
}

#[test]
fn every_field_must_be_there_and_no_other() {
    for field in [
        "pck_crl_issuer_chain",
        "tcb_info_issuer_chain",
        "qe_identity_issuer_chain",
        "root_ca_crl",
        "pck_crl",
        "tcb_info",
        "tcb_info_signature",
        "qe_identity",
        "qe_identity_signature",
    ] {
        let bytes = document(|fields| drop(fields.remove(field)));
        assert!(matches!(Collateral::parse(&bytes), Err(CollateralError::Json(_))), "{field}");
    }
    let bytes = document(|fields| drop(fields.insert("pck_certificate".into(), "".into())));
    assert!(matches!(Collateral::parse(&bytes), Err(CollateralError::Json(_))));
}

/// Another verifier skipped the signature where the chain was empty.
#[test]
fn an_empty_chain_is_not_a_chain() {
    for field in ["pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain"] {
        let bytes = document(|fields| drop(fields.insert(field.into(), "".into())));
        assert!(matches!(Collateral::parse(&bytes), Err(CollateralError::Empty { field: f }) if f == field));
    }
}

#[test]
fn size_is_bounded() {
    let bytes = vec![b' '; Collateral::MAX_LEN + 1];
    assert!(matches!(Collateral::parse(&bytes), Err(CollateralError::TooLong(_))));
}
