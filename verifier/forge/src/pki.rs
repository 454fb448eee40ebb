//! The test root and what it issues, in the shape that Intel's has:
//!
//! ```text
//! root CA -> PCK Platform CA -> PCK certificate      (signs the QE report)
//!        \-> TCB signing                             (signs TCB info and QE identity)
//! root CA -> root CA CRL;  PCK Platform CA -> PCK CRL
//! ```

use sha2::{Digest, Sha256};

use crate::certificate::{BasicConstraints, Certificate, ECDSA_WITH_SHA256, USAGE_CA, USAGE_SIGN};
use crate::crl::Crl;
use crate::instant::DAY;
use crate::key::{Key, Signature};
use crate::name::Name;
use crate::pck_extension::PckExtension;

/// 2018-05-21T10:45:10Z, the start of Intel's own root.
const ROOT_FROM: u64 = 1_526_899_510;
/// 2049-12-31T23:59:59Z, its end.
const ROOT_TO: u64 = 2_524_607_999;
const YEAR: u64 = 365 * DAY;

const ROOT_CRL_URI: &str = "https://simulated.invalid/SimulatedRootCA.der";
const PCK_CRL_URI: &str = "https://simulated.invalid/pckcrl?ca=platform&encoding=der";

/// The label of the simulated root's key.
const ROOT: &str = "root";

/// SHA-256 of the SubjectPublicKeyInfo of the simulated root: what a policy must name.
#[must_use]
pub fn simulated_root() -> [u8; 32] {
    Key::simulated(ROOT).spki_sha256()
}

/// All certificates and lists of a case.
#[derive(Debug, Clone)]
pub struct Pki {
    /// Self-signed.
    pub root: Certificate,
    /// PCK Platform CA.
    pub pck_ca: Certificate,
    /// PCK certificate: one platform at one TCB.
    pub pck: Certificate,
    /// Signs TCB info and QE identity.
    pub tcb_signing: Certificate,
    /// By the root: revoked CAs and TCB signers.
    pub root_crl: Crl,
    /// By the PCK CA: revoked platforms.
    pub pck_crl: Crl,
}

impl Pki {
    /// One that is valid at `now`, under the simulated root.
    #[must_use]
    pub fn at(now: u64) -> Self {
        Self::under(Key::simulated(ROOT), now)
    }

    /// The same names and keys below another root.
    #[must_use]
    pub fn under(root: Key, now: u64) -> Self {
        Self::new(root, "SGX PCK Platform CA", "pck-platform-ca", now)
    }

    /// One whose platform has a single processor package: the PCK Processor CA issues its certificate,
    /// which then says nothing of an instance or a configuration.
    #[must_use]
    pub fn processor(now: u64) -> Self {
        let mut pki = Self::new(Key::simulated(ROOT), "SGX PCK Processor CA", "pck-processor-ca", now);
        if let Some(sgx) = &mut pki.pck.sgx {
            sgx.platform_instance_id = None;
            sgx.configuration = None;
        }
        pki
    }

    fn new(root: Key, pck_ca: &str, pck_ca_label: &str, now: u64) -> Self {
        let root = ca("SGX Root CA", root, None, 1, (ROOT_FROM, ROOT_TO));
        let pck_ca = ca(
            pck_ca,
            Key::simulated(pck_ca_label),
            Some(&root),
            0,
            (ROOT_FROM + 300, ROOT_FROM + 300 + 15 * YEAR),
        );
        let pck = Certificate {
            crl_distribution_point: Some(PCK_CRL_URI.into()),
            sgx: Some(PckExtension::default()),
            ..leaf("SGX PCK Certificate", "pck", &pck_ca, now)
        };
        let tcb_signing = leaf("SGX TCB Signing", "tcb-signing", &root, now);
        let root_crl = crl(&root, now.saturating_sub(5 * DAY), 180);
        let pck_crl = crl(&pck_ca, now.saturating_sub(2 * DAY), 30);
        Self { root, pck_ca, pck, tcb_signing, root_crl, pck_crl }
    }

    /// PCK, PCK CA, root.
    #[must_use]
    pub fn pck_chain(&self) -> Vec<Certificate> {
        vec![self.pck.clone(), self.pck_ca.clone(), self.root.clone()]
    }

    /// PCK CA, root: who issues the PCK CRL.
    #[must_use]
    pub fn pck_crl_chain(&self) -> Vec<Certificate> {
        vec![self.pck_ca.clone(), self.root.clone()]
    }

    /// TCB signing, root.
    #[must_use]
    pub fn tcb_signing_chain(&self) -> Vec<Certificate> {
        vec![self.tcb_signing.clone(), self.root.clone()]
    }

    /// The platform's identity: SHA-256 of a tag, PPID and PCEID (SPECIFICATION §3, `tdx.platforms`).
    #[must_use]
    pub fn platform(&self) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix("hallmark/platform/1");
        if let Some(sgx) = &self.pck.sgx {
            hash.update(&sgx.ppid);
            hash.update(&sgx.pce_id);
        }
        hash.finalize().into()
    }
}

impl Default for PckExtension {
    fn default() -> Self {
        let components = vec![3, 3, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0];
        Self {
            ppid: Sha256::digest("SIMULATED PPID").into_iter().take(16).collect(),
            cpu_svn: components.clone(),
            components,
            pce_svn: 13,
            pce_id: vec![0, 0],
            fmspc: vec![0x51, 0x4d, 0, 0, 0, 0],
            sgx_type: 1,
            platform_instance_id: Some(Sha256::digest("SIMULATED instance").into_iter().take(16).collect()),
            configuration: Some([true, false, false]),
            raw: None,
        }
    }
}

/// A CA under `issuer`, or under itself.
fn ca(
    role: &str,
    key: Key,
    issuer: Option<&Certificate>,
    path_len: u8,
    (from, to): (u64, u64),
) -> Certificate {
    let subject = Name::simulated(role);
    Certificate {
        version: 2,
        // As Intel does: a CA's serial number is its key identifier.
        serial: key.identifier(),
        issuer: issuer.map_or_else(|| subject.clone(), |issuer| issuer.subject.clone()),
        not_before: from,
        not_after: to,
        subject,
        authority_key_id: Some(issuer.map_or_else(|| key.identifier(), |issuer| issuer.key.identifier())),
        crl_distribution_point: Some(ROOT_CRL_URI.into()),
        subject_key_id: Some(key.identifier()),
        key_usage: Some(USAGE_CA),
        basic_constraints: Some(BasicConstraints { ca: true, path_len: Some(path_len) }),
        sgx: None,
        extra: Vec::new(),
        signed_by: issuer.map_or_else(|| key.clone(), |issuer| issuer.key.clone()),
        signature: Signature::Valid,
        algorithm: ECDSA_WITH_SHA256,
        key,
    }
}

/// An end entity under `issuer`, a year old and good for six more.
fn leaf(role: &str, label: &str, issuer: &Certificate, now: u64) -> Certificate {
    let key = Key::simulated(label);
    Certificate {
        key_usage: Some(USAGE_SIGN),
        basic_constraints: Some(BasicConstraints { ca: false, path_len: None }),
        ..ca(role, key, Some(issuer), 0, (now.saturating_sub(YEAR), now.saturating_add(6 * YEAR)))
    }
}

fn crl(issuer: &Certificate, this_update: u64, days: u64) -> Crl {
    Crl {
        issuer: issuer.subject.clone(),
        this_update,
        next_update: Some(this_update.saturating_add(days * DAY)),
        revoked: Vec::new(),
        number: 1,
        authority_key_id: Some(issuer.key.identifier()),
        extra: Vec::new(),
        signed_by: issuer.key.clone(),
        signature: Signature::Valid,
    }
}
