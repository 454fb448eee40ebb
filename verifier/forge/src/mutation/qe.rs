//! The quoting enclave.

use sha2::{Digest, Sha256};

use super::{Row, stranger, tdx};
use crate::key::Signature;
use crate::tdx::TdxCase;

/// A digest and 32 more bytes as report data.
fn report_data(case: &mut TdxCase, digest: impl IntoIterator<Item = u8>, tail: u8) {
    let mut data = [tail; 64];
    data.iter_mut().take(32).zip(digest).for_each(|(to, from)| *to = from);
    case.quote.qe_report.report_data = Some(data);
}

pub(super) const ROWS: &[Row] = &[
    tdx("qe-report-signature", "a bit flipped", |c| c.quote.qe_report_signature = Signature::FlipBit(300)),
    tdx("qe-report-signature", "by another key", |c| c.quote.qe_report_signature = Signature::By(stranger())),
    tdx("qe-report-signature", "by the attestation key", |c| {
        c.quote.qe_report_signature = Signature::By(c.quote.attestation_key.clone());
    }),
    tdx("qe-report-binding", "something else in the report", |c| {
        c.quote.qe_report.report_data = Some([1; 64]);
    }),
    tdx("qe-report-binding", "another attestation key", |c| {
        let point = stranger().point();
        report_data(c, Sha256::new().chain_update(point).chain_update(&c.quote.auth_data).finalize(), 0);
    }),
    tdx("qe-report-binding", "the authentication data left out", |c| {
        report_data(c, Sha256::digest(c.quote.attestation_key.point()), 0);
    }),
    tdx("qe-report-binding", "something after the hash", |c| {
        let point = c.quote.attestation_key.point();
        report_data(c, Sha256::new().chain_update(point).chain_update(&c.quote.auth_data).finalize(), 1);
    }),
    tdx("qe-identity-match", "another signer", |c| c.quote.qe_report.mr_signer = [9; 32]),
    tdx("qe-identity-match", "another product", |c| c.quote.qe_report.isv_prod_id = 1),
    tdx("qe-identity-match", "another MISCSELECT", |c| c.quote.qe_report.misc_select = 1),
    tdx("qe-identity-match", "other ATTRIBUTES", |c| attributes(c, |first| first & !0x01)),
    tdx("qe-identity-match", "debug", |c| attributes(c, |first| first | 0x02)),
    tdx("qe-identity-match", "debug, where the mask does not look", |c| {
        attributes(c, |first| first | 0x02);
        c.collateral.qe_identity.content.attributes_mask = "F9FFFFFFFFFFFFFF0000000000000000".into();
    }),
    tdx("qe-tcb-level", "below every level", |c| c.quote.qe_report.isv_svn = 1),
    tdx("qe-tcb-level", "no levels", |c| c.collateral.qe_identity.content.tcb_levels.clear()),
];

/// Changes the first byte of ATTRIBUTES: INIT, DEBUG, MODE64BIT, -, PROVISIONKEY, ...
fn attributes(case: &mut TdxCase, change: fn(u8) -> u8) {
    if let Some(first) = case.quote.qe_report.attributes.first_mut() {
        *first = change(*first);
    }
}
