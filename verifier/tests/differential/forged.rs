//! What only a signer could bring about: forged with and without it.

use std::sync::Arc;

use const_oid::ObjectIdentifier;
use hallmark_forge::certificate::{BasicConstraints, Certificate, Extension, USAGE_SIGN};
use hallmark_forge::key::{Key, Signature};
use hallmark_forge::name::Name;
use hallmark_forge::pki::Pki;
use hallmark_forge::quote::{INTEL_VENDOR, simulated_vendor};
use hallmark_forge::td_body::Layout as Body;
use hallmark_forge::{Forged, TdxCase};

use super::case::{Case, Root};
use super::layout::Layout;

/// A name and a change.
pub(crate) type Changes = &'static [(&'static str, fn(&mut TdxCase))];

/// The case as both are asked it.
pub(crate) fn case(what: &str, change: impl FnOnce(&mut TdxCase)) -> Case {
    let mut case = TdxCase::default();
    change(&mut case);
    from(what, &case.make(), &case.pki)
}

/// A forged case that somebody else made, under the root of the default one.
pub(crate) fn of(what: &str, forged: &Forged) -> Case {
    from(what, forged, &Pki::at(forged.now))
}

fn from(what: &str, forged: &Forged, pki: &Pki) -> Case {
    Case {
        what: format!("forged: {what}"),
        root: Arc::new(Root::Simulated {
            der: pki.root.der(),
            spki_sha256: pki.root.key.spki_sha256(),
            twin: twin(&forged.quote),
        }),
        quote: forged.quote.clone(),
        collateral: forged.collateral.clone().unwrap_or_default(),
        now: forged.now,
    }
}

/// The same quote with Intel's vendor id, signed again if it was signed.
fn twin(quote: &[u8]) -> Vec<u8> {
    let mut twin = quote.to_vec();
    match twin.get_mut(12..28) {
        Some(vendor) if *vendor == simulated_vendor() => vendor.copy_from_slice(&INTEL_VENDOR),
        _ => return twin,
    }
    let Some(at) = Layout::of(quote).map(|layout| layout.signature_length) else { return twin };
    let key = Key::simulated("attestation-key");
    for signature in [Signature::Valid, Signature::Complement] {
        if quote[at + 4..at + 68] == signature.raw(&key, &quote[..at]) {
            let again = signature.raw(&key, &twin[..at]);
            twin[at + 4..at + 68].copy_from_slice(&again);
        }
    }
    twin
}

/// One that must hold, for the others to differ from.
pub(crate) fn plain() -> Case {
    case("nothing changed", |_| ())
}

pub(crate) const PCEID: Changes =
    &[("TCB info of another PCE", |c| c.collateral.tcb_info.content.pce_id = "0001".into())];

/// A private arc that nobody has given a meaning.
const MEANINGLESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.1");

/// `certificate` as `issuer` would have issued it.
fn issued_by(certificate: &Certificate, issuer: &Certificate) -> Certificate {
    Certificate {
        issuer: issuer.subject.clone(),
        authority_key_id: Some(issuer.key.identifier()),
        signed_by: issuer.key.clone(),
        ..certificate.clone()
    }
}

pub(crate) const PROFILE: Changes = &[
    ("a PCK certificate that the root issued", |c| {
        c.quote_chain = Some(vec![issued_by(&c.pki.pck, &c.pki.root), c.pki.root.clone()]);
    }),
    ("a PCK certificate by another name", |c| c.pki.pck.subject = Name::simulated("SGX Other Certificate")),
    ("a PCK certificate that may not sign", |c| c.pki.pck.key_usage = Some(0b0001_0000)),
    ("a PCK certificate without key usage", |c| c.pki.pck.key_usage = None),
    ("another key identifier than the CA's", |c| c.pki.pck.authority_key_id = Some(vec![7; 20])),
    ("a TCB signer with the SGX extension", |c| c.pki.tcb_signing.sgx = Some(c.pki.pck.sgx.clone().unwrap())),
    ("a TCB signer by another name", |c| c.pki.tcb_signing.subject = Name::simulated("SGX Other Signing")),
    ("a PCK certificate with a component missing", |c| {
        c.pki.pck.sgx.as_mut().unwrap().components.truncate(15);
    }),
];

/// What both refuse, or both accept, of certificates: no class, but worth asking.
pub(crate) const SAME: Changes = &[
    ("a PCK certificate that is a CA", |c| {
        c.pki.pck.basic_constraints = Some(BasicConstraints { ca: true, path_len: None });
    }),
    ("a CA that is none", |c| {
        c.pki.pck_ca.basic_constraints = Some(BasicConstraints { ca: false, path_len: None });
    }),
    ("a CA that may not sign lists", |c| c.pki.pck_ca.key_usage = Some(USAGE_SIGN)),
    ("a critical extension that means nothing", |c| {
        c.pki.pck.extra = vec![Extension { oid: MEANINGLESS, critical: true, value: vec![5, 0] }];
    }),
    ("an extension that means nothing", |c| {
        c.pki.pck.extra = vec![Extension { oid: MEANINGLESS, critical: false, value: vec![5, 0] }];
    }),
    ("a CRL that never ends", |c| c.pki.pck_crl.next_update = None),
    ("a partial CRL", |c| {
        let oid = ObjectIdentifier::new_unwrap("2.5.29.27");
        c.pki.pck_crl.extra = vec![Extension { oid, critical: true, value: vec![2, 1, 1] }];
    }),
    ("the platform is revoked", |c| revoke(&mut c.pki.pck_crl, &c.pki.pck.serial.clone())),
    ("the CA is revoked", |c| revoke(&mut c.pki.root_crl, &c.pki.pck_ca.serial.clone())),
    ("the TCB signer is revoked", |c| revoke(&mut c.pki.root_crl, &c.pki.tcb_signing.serial.clone())),
    ("the root's serial number on the PCK CRL", |c| revoke(&mut c.pki.pck_crl, &c.pki.root.serial.clone())),
    ("the platform's serial number on the root CRL", |c| {
        revoke(&mut c.pki.root_crl, &c.pki.pck.serial.clone());
    }),
    ("levels in another order", |c| c.collateral.tcb_info.content.tcb_levels.reverse()),
    ("no levels", |c| c.collateral.tcb_info.content.tcb_levels.clear()),
    ("a debug TD", |c| c.quote.body.td_attributes |= 1),
    ("a migratable TD", |c| c.quote.body.td_attributes |= 1 << 29),
    ("a TD that takes #VE", |c| c.quote.body.td_attributes = 0),
    ("a reserved attribute", |c| c.quote.body.td_attributes |= 1 << 40),
    ("a profiled TD", |c| c.quote.body.td_attributes |= 1 << 4),
    ("a TD with service TDs", |c| {
        version_5(c, Body::Td15);
        c.quote.body.mr_service_td = [1; 48];
    }),
    ("a TD 1.0 body in version 5", |c| version_5(c, Body::Td10)),
    ("a TD 1.5 body", |c| version_5(c, Body::Td15)),
    ("a TD 1.5ex body", |c| version_5(c, Body::Td15Ex)),
    ("a running module that no level reaches", |c| {
        version_5(c, Body::Td15);
        c.quote.body.tee_tcb_svn2 = Some([0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }),
    ("a TDX module of another signer", |c| c.quote.body.mr_signer_seam = [1; 48]),
    ("a TDX module with attributes", |c| c.quote.body.seam_attributes = 1),
    ("a TDX module that no level reaches", |c| c.quote.body.tee_tcb_svn[0] = 0),
    ("a TDX module without identity", |c| c.quote.body.tee_tcb_svn[1] = 9),
    ("a quoting enclave in debug mode", |c| c.quote.qe_report.attributes[0] |= 2),
    ("a quoting enclave of another signer", |c| c.quote.qe_report.mr_signer = [1; 32]),
    ("a quoting enclave of another product", |c| c.quote.qe_report.isv_prod_id = 1),
    ("a quoting enclave that no level reaches", |c| c.quote.qe_report.isv_svn = 0),
    ("the SGX quoting enclave's identity", |c| c.collateral.qe_identity.content.id = "QE".into()),
    ("an enclave's TCB info", |c| c.collateral.tcb_info.content.id = "SGX".into()),
    ("another model's TCB info", |c| c.collateral.tcb_info.content.fmspc = "00806F050000".into()),
];

fn revoke(list: &mut hallmark_forge::crl::Crl, serial: &[u8]) {
    list.revoked.push(hallmark_forge::crl::Revoked { serial: serial.to_vec(), date: list.this_update });
}

pub(crate) fn version_5(case: &mut TdxCase, body: Body) {
    case.quote.header.version = 5;
    case.quote.layout = body;
}

pub(crate) const QE_REPORT_DATA: Changes = &[("a byte in the second half", |c| {
    use sha2::{Digest, Sha256};
    let bound = Sha256::new().chain_update(c.quote.attestation_key.point()).chain_update(&c.quote.auth_data);
    let mut data = [0; 64];
    data[..32].copy_from_slice(&bound.finalize());
    data[63] = 1;
    c.quote.qe_report.report_data = Some(data);
})];

pub(crate) const QE_AUTH_DATA: Changes = &[
    ("none", |c| c.quote.auth_data.clear()),
    ("31 bytes", |c| c.quote.auth_data.truncate(31)),
    ("33 bytes", |c| c.quote.auth_data.push(1)),
];

pub(crate) const VERSIONS: Changes = &[
    ("TCB info of version 4", |c| c.collateral.tcb_info.content.version = 4),
    ("QE identity of version 3", |c| c.collateral.qe_identity.content.version = 3),
    ("TCB info of another type", |c| c.collateral.tcb_info.content.tcb_type = 1),
];

pub(crate) const ATTRIBUTES: Changes = &[
    ("PERFMON", |c| c.quote.body.td_attributes |= 1 << 63),
    ("TPA", |c| c.quote.body.td_attributes |= 1 << 62),
    ("a bit of the latest module", |c| c.quote.body.td_attributes |= 1 << 18),
];

pub(crate) const XFAM: Changes = &[
    ("no x87", |c| c.quote.body.xfam &= !1),
    ("a bit that no processor has", |c| c.quote.body.xfam |= 1 << 60),
];

pub(crate) const SERVICE_TD: Changes = &[
    ("a service TD when the TD was made", |c| {
        version_5(c, Body::Td15Ex);
        c.quote.body.extended.initial_service_td_hash = [1; 48];
    }),
    ("a service TD now", |c| {
        version_5(c, Body::Td15Ex);
        c.quote.body.extended.current_service_td_attributes = [1; 8];
    }),
];

pub(crate) const VENDOR: Changes = &[("Intel's vendor id", |c| c.quote.header.vendor = INTEL_VENDOR)];

pub(crate) const DATES: Changes = &[
    ("an offset", |c| offset(&mut c.collateral.tcb_info.content.issue_date)),
    ("another offset", |c| offset(&mut c.collateral.qe_identity.content.next_update)),
];

fn offset(date: &mut String) {
    *date = date.replace('Z', "+00:00");
}

pub(crate) const COMPONENT_STATUS: Changes = &[
    ("a TDX module that needs configuration", |c| {
        for identity in c.collateral.tcb_info.content.tdx_module_identities.iter_mut().flatten() {
            for level in &mut identity.tcb_levels {
                level.tcb_status = "ConfigurationNeeded".into();
            }
        }
    }),
    ("a quoting enclave that needs hardening", |c| {
        for level in &mut c.collateral.qe_identity.content.tcb_levels {
            level.tcb_status = "SWHardeningNeeded".into();
        }
    }),
];

pub(crate) const STATUS: Changes = &[("a quoting enclave that needs configuration", |c| {
    for level in &mut c.collateral.qe_identity.content.tcb_levels {
        level.tcb_status = "ConfigurationNeeded".into();
    }
})];

/// A TD that was made under an old module, on a machine that has a new one by now.
pub(crate) const RELAUNCH: Changes = &[("an old module at launch", |c| {
    version_5(c, Body::Td15);
    let now = c.quote.body.tee_tcb_svn;
    c.quote.body.tee_tcb_svn2 = Some(now);
    for identity in c.collateral.tcb_info.content.tdx_module_identities.iter_mut().flatten() {
        let mut old = identity.tcb_levels[0].clone();
        old.tcb.isvsvn = u16::from(now[0]) - 1;
        old.tcb_status = "OutOfDate".into();
        identity.tcb_levels[0].tcb.isvsvn = u16::from(now[0]);
        identity.tcb_levels.truncate(1);
        identity.tcb_levels.push(old);
    }
    c.quote.body.tee_tcb_svn[0] = now[0] - 1;
})];

pub(crate) const CPU_SVN: Changes = &[("a CPUSVN that is not the components", |c| {
    c.pki.pck.sgx.as_mut().unwrap().cpu_svn[0] = 0;
})];

pub(crate) const COMPONENTS: Changes = &[("components below the CPUSVN", |c| {
    c.pki.pck.sgx.as_mut().unwrap().components[0] = 0;
})];

pub(crate) const LEVEL_ORDER: Changes = &[
    ("levels of the quoting enclave, lowest first", |c| {
        c.collateral.qe_identity.content.tcb_levels.reverse();
    }),
    ("levels of the TDX module, lowest first", |c| {
        for identity in c.collateral.tcb_info.content.tdx_module_identities.iter_mut().flatten() {
            identity.tcb_levels.reverse();
        }
    }),
];
