//! The platform's certificate chain.

use const_oid::ObjectIdentifier;

use super::collateral::{disowned, early, expired, revoke};
use super::{Row, meaningless, stranger, tdx};
use crate::certificate::{BasicConstraints, Certificate, USAGE_CA, USAGE_SIGN};
use crate::key::Key;
use crate::name::Name;
use crate::pck_extension::PckExtension;
use crate::pki::Pki;
use crate::tdx::TdxCase;

const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");

/// The quote's chain with another PCK certificate.
fn leaf(case: &mut TdxCase, certificate: Certificate) {
    case.quote_chain = Some(vec![certificate, case.pki.pck_ca.clone(), case.pki.root.clone()]);
}

/// The quote's chain with another CA certificate. The collateral keeps the right one.
fn middle(case: &mut TdxCase, certificate: Certificate) {
    case.quote_chain = Some(vec![case.pki.pck.clone(), certificate, case.pki.root.clone()]);
}

fn extension(case: &mut TdxCase, change: fn(&mut PckExtension)) {
    if let Some(extension) = &mut case.pki.pck.sgx {
        change(extension);
    }
}

/// The PCK certificate as another CA would have issued it.
fn issued_by(pck: &Certificate, issuer: &Certificate) -> Certificate {
    Certificate {
        issuer: issuer.subject.clone(),
        authority_key_id: Some(issuer.key.identifier()),
        signed_by: issuer.key.clone(),
        ..pck.clone()
    }
}

pub(super) const ROWS: &[Row] = &[
    tdx("pck-chain", "an expired leaf", |c| leaf(c, expired(&c.pki.pck))),
    tdx("pck-chain", "a leaf of the next second", |c| leaf(c, early(&c.pki.pck))),
    tdx("pck-chain", "a leaf that the CA did not sign", |c| leaf(c, disowned(&c.pki.pck))),
    tdx("pck-chain", "a leaf with another issuer's name", |c| {
        leaf(c, Certificate { issuer: Name::simulated("SGX Other CA"), ..c.pki.pck.clone() });
    }),
    tdx("pck-chain", "a leaf that the root issued, the CA beside it", |c| {
        leaf(c, issued_by(&c.pki.pck, &c.pki.root));
    }),
    tdx("pck-chain", "a leaf that the root issued", |c| {
        c.quote_chain = Some(vec![issued_by(&c.pki.pck, &c.pki.root), c.pki.root.clone()]);
    }),
    tdx("pck-chain", "a leaf that is a CA", |c| {
        let basic_constraints = Some(BasicConstraints { ca: true, path_len: None });
        leaf(c, Certificate { basic_constraints, ..c.pki.pck.clone() });
    }),
    tdx("pck-chain", "a leaf that may not sign", |c| {
        leaf(c, Certificate { key_usage: Some(USAGE_CA), ..c.pki.pck.clone() });
    }),
    tdx("pck-chain", "a leaf with a critical extension that means nothing", |c| {
        let extra = vec![meaningless()];
        leaf(c, Certificate { extra, ..c.pki.pck.clone() });
    }),
    tdx("pck-chain", "the TCB signer as the leaf", |c| {
        leaf(c, issued_by(&c.pki.tcb_signing, &c.pki.pck_ca));
    }),
    tdx("pck-chain", "an expired CA", |c| middle(c, expired(&c.pki.pck_ca))),
    tdx("pck-chain", "a CA of the next second", |c| middle(c, early(&c.pki.pck_ca))),
    tdx("pck-chain", "a CA that the root did not sign", |c| middle(c, disowned(&c.pki.pck_ca))),
    tdx("pck-chain", "a CA without the CA bit", |c| {
        let basic_constraints = Some(BasicConstraints { ca: false, path_len: None });
        middle(c, Certificate { basic_constraints, ..c.pki.pck_ca.clone() });
    }),
    tdx("pck-chain", "a CA without basic constraints", |c| {
        middle(c, Certificate { basic_constraints: None, ..c.pki.pck_ca.clone() });
    }),
    tdx("pck-chain", "a CA that may not sign certificates", |c| {
        middle(c, Certificate { key_usage: Some(USAGE_SIGN), ..c.pki.pck_ca.clone() });
    }),
    tdx("pck-chain", "another root by the same name", |c| {
        c.quote_chain = Some(Pki::under(stranger(), c.now).pck_chain());
    }),
    tdx("pck-chain", "another root at the end", |c| {
        let root = Pki::under(stranger(), c.now).root;
        c.quote_chain = Some(vec![c.pki.pck.clone(), c.pki.pck_ca.clone(), root]);
    }),
    tdx("pck-chain", "a leaf that signed itself, alone", |c| {
        let pck = Certificate {
            issuer: c.pki.pck.subject.clone(),
            signed_by: c.pki.pck.key.clone(),
            ..c.pki.pck.clone()
        };
        c.quote_chain = Some(vec![pck]);
    }),
    tdx("pck-chain", "the other way round", |c| {
        let mut chain = c.pki.pck_chain();
        chain.reverse();
        c.quote_chain = Some(chain);
    }),
    tdx("pck-chain", "no root", |c| c.quote_chain = Some(vec![c.pki.pck.clone(), c.pki.pck_ca.clone()])),
    tdx("pck-chain", "empty", |c| c.quote_chain = Some(Vec::new())),
    tdx("pck-chain", "a leaf without the SGX extension", |c| {
        leaf(c, Certificate { sgx: None, ..c.pki.pck.clone() });
    }),
    tdx("pck-chain", "a leaf of X.509 version 1", |c| {
        leaf(c, Certificate { version: 0, ..c.pki.pck.clone() });
    }),
    tdx("pck-chain", "a leaf signed with SHA-384, as it says", |c| {
        leaf(c, Certificate { algorithm: ECDSA_WITH_SHA384, ..c.pki.pck.clone() });
    }),
    tdx("pck-chain", "four certificates", |c| {
        let mut chain = c.pki.pck_chain();
        chain.push(c.pki.root.clone());
        c.quote_chain = Some(chain);
    }),
    tdx("pck-chain", "the right one is in the collateral alone", |c| {
        c.quote_chain =
            Some(vec![issued_by(&c.pki.pck, &c.pki.root), c.pki.pck_ca.clone(), c.pki.root.clone()]);
        c.collateral.pck_chain = Some(c.pki.pck_chain());
    }),
    tdx("pck-chain", "not PEM", |c| c.quote.certification_data = Some(b"SIMULATED".to_vec())),
    tdx("pck-chain-agrees", "the collateral has another platform's", |c| {
        let key = Key::simulated("pck-of-another-platform");
        let pck = Certificate {
            serial: key.identifier(),
            subject_key_id: Some(key.identifier()),
            key,
            ..c.pki.pck.clone()
        };
        c.collateral.pck_chain = Some(vec![pck, c.pki.pck_ca.clone(), c.pki.root.clone()]);
    }),
    tdx("pck-chain-agrees", "the collateral has the leaf alone", |c| {
        c.collateral.pck_chain = Some(vec![c.pki.pck.clone()]);
    }),
    tdx("pck-revoked", "by its CA", |c| {
        let serial = c.pki.pck.serial.clone();
        revoke(&mut c.pki.pck_crl, serial);
    }),
    tdx("pck-extension", "a CPUSVN of 15 bytes", |c| extension(c, |e| e.cpu_svn.truncate(15))),
    tdx("pck-extension", "an FMSPC of 5 bytes", |c| extension(c, |e| e.fmspc.truncate(5))),
    tdx("pck-extension", "a PCEID of one byte", |c| extension(c, |e| e.pce_id.truncate(1))),
    tdx("pck-extension", "a component missing", |c| extension(c, |e| e.components.truncate(15))),
    tdx("pck-extension", "not DER", |c| extension(c, |e| e.raw = Some(b"SIMULATED".to_vec()))),
    tdx("fmspc", "TCB info of another model", |c| {
        c.collateral.tcb_info.content.fmspc = "00806F050000".into();
    }),
    tdx("pceid", "TCB info of another PCE", |c| c.collateral.tcb_info.content.pce_id = "0001".into()),
];
