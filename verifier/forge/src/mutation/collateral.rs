//! Collateral: who signed it, what is revoked, whether it is current.

use serde_json::{Value, json};

use super::{Row, meaningless, stranger, tdx};
use crate::certificate::{Certificate, USAGE_CA};
use crate::collateral::Signed;
use crate::crl::{Crl, Revoked};
use crate::instant::{DAY, NOW, rfc3339};
use crate::key::Signature;
use crate::name::Name;
use crate::pki::{Pki, simulated_root};
use crate::tdx::TdxCase;

fn field(case: &mut TdxCase, name: &str, value: Value) {
    case.collateral.extra.insert(name.into(), value);
}

pub(super) fn expired(certificate: &Certificate) -> Certificate {
    Certificate { not_after: NOW - 1, ..certificate.clone() }
}

pub(super) fn early(certificate: &Certificate) -> Certificate {
    Certificate { not_before: NOW + 1, ..certificate.clone() }
}

/// The same certificate, signed by somebody else.
pub(super) fn disowned(certificate: &Certificate) -> Certificate {
    Certificate { signed_by: stranger(), ..certificate.clone() }
}

/// The chain of a TCB signer that is this certificate.
fn signer<T>(signed: &mut Signed<T>, pki: &Pki, certificate: Certificate) {
    signed.chain = Some(vec![certificate, pki.root.clone()]);
}

pub(super) const CHAINS: &[Row] = &[
    tdx("collateral-format", "a CRL that is not hex", |c| field(c, "pck_crl", json!("zz"))),
    tdx("collateral-format", "no TCB info", |c| field(c, "tcb_info", Value::Null)),
    tdx("collateral-format", "an unknown field", |c| field(c, "note", json!("SIMULATED"))),
    tdx("collateral-format", "no signer of TCB info", |c| c.collateral.tcb_info.chain = Some(Vec::new())),
    tdx("collateral-format", "no signer of QE identity", |c| {
        c.collateral.qe_identity.chain = Some(Vec::new());
    }),
    tdx("collateral-format", "no issuer of the PCK CRL", |c| c.collateral.pck_crl_chain = Some(Vec::new())),
    tdx("collateral-format", "a signer of X.509 version 1", |c| c.pki.tcb_signing.version = 0),
    tdx("collateral-format", "a CRL that never ends", |c| c.pki.pck_crl.next_update = None),
    tdx("collateral-format", "a CRL that is not DER", |c| {
        c.collateral.root_crl = Some(b"SIMULATED".to_vec());
    }),
    tdx("collateral-format", "a CRL with a critical extension that means nothing", |c| {
        c.pki.pck_crl.extra.push(meaningless());
    }),
    tdx("collateral-format", "a signature of 63 bytes", |c| {
        c.collateral.tcb_info.signature = Signature::Bytes(vec![1; 63]);
    }),
    tdx("collateral-format", "a TCB status that does not exist", |c| {
        if let Some(level) = c.collateral.tcb_info.content.tcb_levels.first_mut() {
            level.tcb_status = "Fine".into();
        }
    }),
    tdx("collateral-format", "fifteen SGX components", |c| {
        if let Some(level) = c.collateral.tcb_info.content.tcb_levels.first_mut() {
            level.tcb.sgxtcbcomponents.pop();
        }
    }),
    tdx("collateral-format", "a date in a time zone", |c| {
        c.collateral.tcb_info.content.issue_date = "2026-05-29T14:00:00+02:00".into();
    }),
    tdx("collateral-format", "not JSON", |c| c.collateral.raw = Some(b"SIMULATED".to_vec())),
    tdx("collateral-format", "empty", |c| c.collateral.raw = Some(Vec::new())),
    tdx("root-pinned", "a policy that names another root", |c| c.policy.simulated = Some(vec![[9; 32]])),
    tdx("root-pinned", "a policy that names none", |c| c.policy.simulated = Some(Vec::new())),
    tdx("root-pinned", "a policy that names Intel's alone", |c| {
        c.policy.simulated = Some(Vec::new());
        c.policy.intel = true;
    }),
    tdx("root-pinned", "another root by the same name", |c| {
        c.pki = Pki::under(stranger(), c.now);
        c.policy.simulated = Some(vec![simulated_root()]);
    }),
    tdx("root-pinned", "two roots in one collateral", |c| {
        c.collateral.qe_identity.chain = Some(Pki::under(stranger(), c.now).tcb_signing_chain());
    }),
    tdx("tcb-signing-chain", "an expired signer", |c| {
        signer(&mut c.collateral.tcb_info, &c.pki, expired(&c.pki.tcb_signing));
    }),
    tdx("tcb-signing-chain", "a signer of tomorrow", |c| {
        signer(&mut c.collateral.tcb_info, &c.pki, early(&c.pki.tcb_signing));
    }),
    tdx("tcb-signing-chain", "a signer that the root did not sign", |c| {
        signer(&mut c.collateral.tcb_info, &c.pki, disowned(&c.pki.tcb_signing));
    }),
    tdx("tcb-signing-chain", "a signer with another issuer's name", |c| {
        let issuer = c.pki.pck_ca.subject.clone();
        signer(&mut c.collateral.tcb_info, &c.pki, Certificate { issuer, ..c.pki.tcb_signing.clone() });
    }),
    tdx("tcb-signing-chain", "a CA as the signer", |c| {
        c.collateral.tcb_info.signed_by = Some(c.pki.pck_ca.key.clone());
        signer(&mut c.collateral.tcb_info, &c.pki, c.pki.pck_ca.clone());
    }),
    tdx("tcb-signing-chain", "a platform as the signer", |c| {
        c.collateral.tcb_info.signed_by = Some(c.pki.pck.key.clone());
        c.collateral.tcb_info.chain = Some(c.pki.pck_chain());
    }),
    tdx("tcb-signing-chain", "the root as the signer", |c| {
        c.collateral.tcb_info.signed_by = Some(c.pki.root.key.clone());
        c.collateral.tcb_info.chain = Some(vec![c.pki.root.clone()]);
    }),
    tdx("tcb-signing-chain", "a signer that may not sign", |c| {
        let certificate = Certificate { key_usage: Some(USAGE_CA), ..c.pki.tcb_signing.clone() };
        signer(&mut c.collateral.tcb_info, &c.pki, certificate);
    }),
    tdx("qe-identity-chain", "an expired signer", |c| {
        signer(&mut c.collateral.qe_identity, &c.pki, expired(&c.pki.tcb_signing));
    }),
    tdx("qe-identity-chain", "a signer that the root did not sign", |c| {
        signer(&mut c.collateral.qe_identity, &c.pki, disowned(&c.pki.tcb_signing));
    }),
    tdx("qe-identity-chain", "a platform as the signer", |c| {
        c.collateral.qe_identity.signed_by = Some(c.pki.pck.key.clone());
        c.collateral.qe_identity.chain = Some(c.pki.pck_chain());
    }),
    tdx("pck-crl-chain", "an expired CA", |c| {
        c.collateral.pck_crl_chain = Some(vec![expired(&c.pki.pck_ca), c.pki.root.clone()]);
    }),
    tdx("pck-crl-chain", "a CA that the root did not sign", |c| {
        c.collateral.pck_crl_chain = Some(vec![disowned(&c.pki.pck_ca), c.pki.root.clone()]);
    }),
    tdx("pck-crl-chain", "an end entity as the CA", |c| {
        c.pki.pck_crl.issuer = c.pki.tcb_signing.subject.clone();
        c.pki.pck_crl.signed_by = c.pki.tcb_signing.key.clone();
        c.collateral.pck_crl_chain = Some(c.pki.tcb_signing_chain());
    }),
];

pub(super) const LISTS: &[Row] = &[
    tdx("root-crl", "signed by another key", |c| c.pki.root_crl.signed_by = stranger()),
    tdx("root-crl", "a bit of the signature flipped", |c| c.pki.root_crl.signature = Signature::FlipBit(9)),
    tdx("root-crl", "issued by another name", |c| c.pki.root_crl.issuer = Name::simulated("SGX Other CA")),
    tdx("root-crl", "the PCK CRL in its place", |c| c.collateral.root_crl = Some(c.pki.pck_crl.der())),
    tdx("root-crl-fresh", "out of date", |c| dates(&mut c.pki.root_crl, NOW - 10 * DAY, NOW - DAY)),
    tdx("root-crl-fresh", "out of date by a second", |c| dates(&mut c.pki.root_crl, NOW - DAY, NOW - 1)),
    tdx("root-crl-fresh", "of the future", |c| dates(&mut c.pki.root_crl, NOW + DAY, NOW + 2 * DAY)),
    tdx("root-crl-fresh", "of the next second", |c| dates(&mut c.pki.root_crl, NOW + 1, NOW + DAY)),
    tdx("pck-crl", "signed by another key", |c| c.pki.pck_crl.signed_by = stranger()),
    tdx("pck-crl", "signed by the root", |c| c.pki.pck_crl.signed_by = c.pki.root.key.clone()),
    tdx("pck-crl", "issued by another name", |c| c.pki.pck_crl.issuer = Name::simulated("SGX Other CA")),
    tdx("pck-crl", "the root CRL in its place", |c| c.collateral.pck_crl = Some(c.pki.root_crl.der())),
    tdx("pck-crl", "another CA's, chain and all", |c| {
        let processor = Pki::processor(c.now);
        c.collateral.pck_crl_chain = Some(processor.pck_crl_chain());
        c.collateral.pck_crl = Some(processor.pck_crl.der());
    }),
    tdx("pck-crl-fresh", "out of date", |c| dates(&mut c.pki.pck_crl, NOW - 10 * DAY, NOW - DAY)),
    tdx("pck-crl-fresh", "out of date by a second", |c| dates(&mut c.pki.pck_crl, NOW - DAY, NOW - 1)),
    tdx("pck-crl-fresh", "of the future", |c| dates(&mut c.pki.pck_crl, NOW + DAY, NOW + 2 * DAY)),
    tdx("pck-crl-fresh", "of the next second", |c| dates(&mut c.pki.pck_crl, NOW + 1, NOW + DAY)),
    tdx("tcb-signing-revoked", "by the root", |c| {
        let serial = c.pki.tcb_signing.serial.clone();
        revoke(&mut c.pki.root_crl, serial);
    }),
    tdx("pck-ca-revoked", "by the root", |c| {
        let serial = c.pki.pck_ca.serial.clone();
        revoke(&mut c.pki.root_crl, serial);
    }),
];

fn dates(crl: &mut Crl, this_update: u64, next_update: u64) {
    crl.this_update = this_update;
    crl.next_update = Some(next_update);
}

/// Revokes a certificate, among others.
pub(super) fn revoke(crl: &mut Crl, serial: Vec<u8>) {
    let date = crl.this_update - DAY;
    crl.revoked = [vec![0x11; 20], serial, vec![0x77; 20]].map(|serial| Revoked { serial, date }).into();
}

pub(super) const DOCUMENTS: &[Row] = &[
    tdx("tcb-info-signature", "a bit flipped", |c| c.collateral.tcb_info.signature = Signature::FlipBit(77)),
    tdx("tcb-info-signature", "by another key", |c| c.collateral.tcb_info.signed_by = Some(stranger())),
    tdx("tcb-info-signature", "zeros", |c| c.collateral.tcb_info.signature = Signature::Bytes(vec![0; 64])),
    tdx("tcb-info-signature", "the same document, spelt otherwise", |c| {
        let text = c.collateral.tcb_info.content.json();
        c.collateral.tcb_info.text = Some(text.replace("\":", "\": "));
        c.collateral.tcb_info.signed_text = Some(text);
    }),
    tdx("tcb-info-signature", "edited after signing", |c| {
        c.collateral.tcb_info.signed_text = Some(c.collateral.tcb_info.content.json());
        c.collateral.tcb_info.content.tcb_evaluation_data_number += 1;
    }),
    tdx("tcb-info-identity", "of SGX", |c| c.collateral.tcb_info.content.id = "SGX".into()),
    tdx("tcb-info-identity", "another version", |c| c.collateral.tcb_info.content.version = 4),
    tdx("tcb-info-fresh", "out of date", |c| tcb_info_dates(c, NOW - 10 * DAY, NOW - DAY)),
    tdx("tcb-info-fresh", "out of date by a second", |c| tcb_info_dates(c, NOW - DAY, NOW - 1)),
    tdx("tcb-info-fresh", "of the future", |c| tcb_info_dates(c, NOW + DAY, NOW + 2 * DAY)),
    tdx("tcb-info-fresh", "of the next second", |c| tcb_info_dates(c, NOW + 1, NOW + DAY)),
    tdx("qe-identity-signature", "a bit flipped", |c| {
        c.collateral.qe_identity.signature = Signature::FlipBit(77);
    }),
    tdx("qe-identity-signature", "by another key", |c| c.collateral.qe_identity.signed_by = Some(stranger())),
    tdx("qe-identity-signature", "edited after signing", |c| {
        c.collateral.qe_identity.signed_text = Some(c.collateral.qe_identity.content.json());
        c.collateral.qe_identity.content.tcb_evaluation_data_number += 1;
    }),
    tdx("qe-identity-signature", "TCB info's signature", |c| {
        c.collateral.qe_identity.signed_text = Some(c.collateral.tcb_info.content.json());
    }),
    tdx("qe-identity-identity", "of SGX", |c| c.collateral.qe_identity.content.id = "QE".into()),
    tdx("qe-identity-identity", "of the quote verification enclave", |c| {
        c.collateral.qe_identity.content.id = "QVE".into();
    }),
    tdx("qe-identity-identity", "another version", |c| c.collateral.qe_identity.content.version = 1),
    tdx("qe-identity-fresh", "out of date", |c| qe_identity_dates(c, NOW - 10 * DAY, NOW - DAY)),
    tdx("qe-identity-fresh", "out of date by a second", |c| qe_identity_dates(c, NOW - DAY, NOW - 1)),
    tdx("qe-identity-fresh", "of the future", |c| qe_identity_dates(c, NOW + DAY, NOW + 2 * DAY)),
    tdx("qe-identity-fresh", "of the next second", |c| qe_identity_dates(c, NOW + 1, NOW + DAY)),
    tdx("tcb-evaluation-number", "the policy wants a later recovery", |c| {
        c.policy.min_tcb_evaluation_data_number = 18;
    }),
    tdx("tcb-evaluation-number", "QE identity of an earlier recovery", |c| {
        c.policy.min_tcb_evaluation_data_number = 17;
        c.collateral.qe_identity.content.tcb_evaluation_data_number = 16;
    }),
    tdx("tcb-evaluation-number", "TCB info of an earlier recovery", |c| {
        c.policy.min_tcb_evaluation_data_number = 17;
        c.collateral.tcb_info.content.tcb_evaluation_data_number = 16;
    }),
    tdx("collateral-age", "TCB info of forty days", |c| tcb_info_dates(c, NOW - 40 * DAY, NOW + DAY)),
    tdx("collateral-age", "QE identity of forty days", |c| qe_identity_dates(c, NOW - 40 * DAY, NOW + DAY)),
    tdx("collateral-age", "PCK CRL of forty days", |c| dates(&mut c.pki.pck_crl, NOW - 40 * DAY, NOW + DAY)),
];

pub(super) fn tcb_info_dates(case: &mut TdxCase, issued: u64, next: u64) {
    case.collateral.tcb_info.content.issue_date = rfc3339(issued);
    case.collateral.tcb_info.content.next_update = rfc3339(next);
}

pub(super) fn qe_identity_dates(case: &mut TdxCase, issued: u64, next: u64) {
    case.collateral.qe_identity.content.issue_date = rfc3339(issued);
    case.collateral.qe_identity.content.next_update = rfc3339(next);
}
