//! The checks of collateral, each of them once for the full report and for the fast path.

use std::sync::Arc;

use super::{Collateral, Signatures};
use crate::certificate::Certificate;
use crate::chain::{self, ChainError, Role};
use crate::crl::Crl;
use crate::policy::{CollateralRules, Policy};
use crate::qe_identity::QeIdentity;
use crate::report::Report;
use crate::root::{RootError, TrustedRoot};
use crate::tcb_info::TcbInfo;
use crate::time::{UnixSeconds, Validity};

/// What of the collateral is proven. A part that is absent has failed a check, and what needs it is not run.
pub(crate) struct Believed<'a> {
    pub(crate) root: Option<TrustedRoot>,
    /// Who issues the PCK CRL.
    pub(crate) pck_ca: Option<&'a Arc<Certificate>>,
    pub(crate) root_crl: Option<&'a Crl>,
    pub(crate) pck_crl: Option<&'a Crl>,
    pub(crate) tcb_info: Option<&'a TcbInfo>,
    pub(crate) qe_identity: Option<&'a QeIdentity>,
    /// The PCK chain that came with the collateral. The quote's own is the one that counts.
    pub(crate) pck_chain: Option<&'a [Arc<Certificate>]>,
}

const UNTRUSTED_ROOT: &str = "the root is not trusted";

impl Collateral {
    pub(super) fn validity(&self) -> Validity {
        let chains = [&self.pck_crl_issuer, &self.tcb_signing, &self.qe_signing];
        let certificates = chains.into_iter().flatten().map(|certificate| certificate.validity());
        let documents = [
            self.root_crl.validity(),
            self.pck_crl.validity(),
            self.tcb_info.document.validity,
            self.qe_identity.document.validity,
        ];
        let start = Validity { from: UnixSeconds(0), to: UnixSeconds(u64::MAX) };
        certificates.chain(documents).fold(start, Validity::and)
    }

    /// Runs every check of the collateral that its parts allow.
    pub(super) fn check(
        &self,
        policy: &Policy,
        now: UnixSeconds,
        signatures: Signatures,
        report: &mut Report,
    ) -> Believed<'_> {
        let root = match self.find_root(policy, now) {
            Ok(root) => {
                let name = root.certificate().common_name();
                report.pass("root-pinned", format_args!("{name} ({:?})", root.kind()));
                root
            }
            Err(error) => {
                report.fail("root-pinned", error);
                for check in DEPENDENT {
                    report.not_run(check, UNTRUSTED_ROOT);
                }
                return Believed {
                    root: None,
                    pck_ca: None,
                    root_crl: None,
                    pck_crl: None,
                    tcb_info: None,
                    qe_identity: None,
                    pck_chain: None,
                };
            }
        };
        let signer = self.check_chain("tcb-signing-chain", &self.tcb_signing, &root, now, signatures, report);
        // One certificate signs both: its own signature is verified once.
        let known = match (signer, self.qe_signing.first()) {
            (Some(signer), Some(other)) if Arc::ptr_eq(signer, other) => Signatures::Known,
            _ => signatures,
        };
        let qe_signer = self.check_chain("qe-identity-chain", &self.qe_signing, &root, now, known, report);
        let pck_ca = self.check_pck_ca(&root, now, signatures, report);

        let root_crl = check_crl(ROOT_CRL, &self.root_crl, Some(root.certificate()), now, signatures, report);
        let pck_crl = check_crl(PCK_CRL, &self.pck_crl, pck_ca.map(|ca| &**ca), now, signatures, report);
        check_revoked("tcb-signing-revoked", root_crl, &[signer, qe_signer], report);
        check_revoked("pck-ca-revoked", root_crl, &[pck_ca], report);

        let tcb_info = self.check_tcb_info(signer, now, signatures, report);
        let qe_identity = self.check_qe_identity(qe_signer, now, signatures, report);
        check_rules(&policy.collateral, (tcb_info, qe_identity, pck_crl), now, report);
        Believed {
            root: Some(root),
            pck_ca,
            root_crl,
            pck_crl,
            tcb_info,
            qe_identity,
            pck_chain: self.pck_chain.as_deref(),
        }
    }

    /// The one root in which all chains end.
    fn find_root(&self, policy: &Policy, now: UnixSeconds) -> Result<TrustedRoot, RootError> {
        let chains = [&self.tcb_signing, &self.qe_signing, &self.pck_crl_issuer];
        let mut roots = chains.into_iter().filter_map(|chain| chain.last());
        let first = roots.next().ok_or(RootError::Several)?;
        let trusted = TrustedRoot::find(first, &policy.roots, now)?;
        if roots.any(|root| root != first) {
            return Err(RootError::Several);
        }
        Ok(trusted)
    }

    /// A chain of TCB signing certificate and root.
    fn check_chain<'a>(
        &self,
        slug: &'static str,
        chain: &'a [Arc<Certificate>],
        root: &TrustedRoot,
        now: UnixSeconds,
        signatures: Signatures,
        report: &mut Report,
    ) -> Option<&'a Arc<Certificate>> {
        match check_under_root(chain, Role::TcbSigning, root, now, signatures) {
            Ok(certificate) => {
                report.pass(slug, format_args!("{}, {}", certificate.common_name(), certificate.validity()));
                Some(certificate)
            }
            Err(error) => {
                report.fail(slug, error);
                None
            }
        }
    }

    fn check_pck_ca(
        &self,
        root: &TrustedRoot,
        now: UnixSeconds,
        signatures: Signatures,
        report: &mut Report,
    ) -> Option<&Arc<Certificate>> {
        match check_under_root(&self.pck_crl_issuer, Role::PckCa, root, now, signatures) {
            Ok(ca) => {
                report.pass("pck-crl-chain", format_args!("{}, {}", ca.common_name(), ca.validity()));
                Some(ca)
            }
            Err(error) => {
                report.fail("pck-crl-chain", error);
                None
            }
        }
    }

    fn check_tcb_info(
        &self,
        signer: Option<&Arc<Certificate>>,
        now: UnixSeconds,
        signatures: Signatures,
        report: &mut Report,
    ) -> Option<&TcbInfo> {
        let info = &self.tcb_info.document;
        let slugs = ["tcb-info-signature", "tcb-info-identity", "tcb-info-fresh"];
        if !check_signed(slugs, &self.tcb_info, signer, signatures, report) {
            return None;
        }
        let found = format_args!("id {}, version {}, tcbType {}", info.id, info.version, info.tcb_type);
        let is_ours = info.id == "TDX" && info.version == 3 && info.tcb_type == 0;
        if is_ours {
            report.pass("tcb-info-identity", found);
        } else {
            report.fail("tcb-info-identity", format_args!("{found}: id TDX, version 3, tcbType 0 are due"));
        }
        check_fresh("tcb-info-fresh", info.validity, now, report);
        is_ours.then_some(info)
    }

    fn check_qe_identity(
        &self,
        signer: Option<&Arc<Certificate>>,
        now: UnixSeconds,
        signatures: Signatures,
        report: &mut Report,
    ) -> Option<&QeIdentity> {
        let identity = &self.qe_identity.document;
        let slugs = ["qe-identity-signature", "qe-identity-identity", "qe-identity-fresh"];
        if !check_signed(slugs, &self.qe_identity, signer, signatures, report) {
            return None;
        }
        let found = format_args!("id {}, version {}", identity.id, identity.version);
        let is_ours = identity.id == "TD_QE" && identity.version == 2;
        if is_ours {
            report.pass("qe-identity-identity", found);
        } else {
            report.fail("qe-identity-identity", format_args!("{found}: id TD_QE, version 2 are due"));
        }
        check_fresh("qe-identity-fresh", identity.validity, now, report);
        is_ours.then_some(identity)
    }
}

/// What needs a trusted root.
const DEPENDENT: [&str; 17] = [
    "tcb-signing-chain",
    "qe-identity-chain",
    "pck-crl-chain",
    "root-crl",
    "root-crl-fresh",
    "pck-crl",
    "pck-crl-fresh",
    "tcb-signing-revoked",
    "pck-ca-revoked",
    "tcb-info-signature",
    "tcb-info-identity",
    "tcb-info-fresh",
    "qe-identity-signature",
    "qe-identity-identity",
    "qe-identity-fresh",
    "tcb-evaluation-number",
    "collateral-age",
];

const ROOT_CRL: [&str; 2] = ["root-crl", "root-crl-fresh"];
const PCK_CRL: [&str; 2] = ["pck-crl", "pck-crl-fresh"];

/// Whether the chain has as many certificates as its shape.
pub(crate) fn check_chain_length<'a, const N: usize>(
    chain: &'a [Arc<Certificate>],
    shape: &'static str,
) -> Result<&'a [Arc<Certificate>; N], ChainError> {
    chain.try_into().map_err(|_| ChainError::Length { got: chain.len(), due: N, shape })
}

/// A chain of one certificate directly under the root.
fn check_under_root<'a>(
    chain: &'a [Arc<Certificate>],
    role: Role,
    root: &TrustedRoot,
    now: UnixSeconds,
    signatures: Signatures,
) -> Result<&'a Arc<Certificate>, ChainError> {
    let [certificate, _root] = check_chain_length(chain, "certificate, root")?;
    chain::check_place(certificate, role, root.certificate(), now)?;
    if signatures == Signatures::Unknown {
        chain::check_signature(certificate, role, root.certificate())?;
    }
    Ok(certificate)
}

fn check_crl<'a>(
    [slug, fresh]: [&'static str; 2],
    crl: &'a Crl,
    issuer: Option<&Certificate>,
    now: UnixSeconds,
    signatures: Signatures,
    report: &mut Report,
) -> Option<&'a Crl> {
    let Some(issuer) = issuer else {
        report.not_run(slug, "its issuer's chain does not hold");
        report.not_run(fresh, "its issuer's chain does not hold");
        return None;
    };
    if signatures == Signatures::Unknown
        && let Err(error) = crl.check_issuer(issuer)
    {
        report.fail(slug, error);
        report.not_run(fresh, "the CRL is not its issuer's");
        return None;
    }
    report.pass(slug, format_args!("{} revoked certificates", crl.len()));
    check_fresh(fresh, crl.validity(), now, report);
    Some(crl)
}

/// Whether the root's list has any of these.
fn check_revoked(
    slug: &'static str,
    crl: Option<&Crl>,
    certificates: &[Option<&Arc<Certificate>>],
    report: &mut Report,
) {
    let Some(crl) = crl else {
        return report.not_run(slug, "there is no root CRL that holds");
    };
    let mut asked = certificates.iter().flatten().peekable();
    if asked.peek().is_none() {
        return report.not_run(slug, "the chain does not hold");
    }
    match asked.find(|certificate| crl.revokes(certificate.serial())) {
        Some(revoked) => {
            let (name, serial) = (revoked.common_name(), hex::encode(revoked.serial()));
            report.fail(slug, format_args!("{name} (serial {serial}) is on the root's CRL"));
        }
        None => report.pass(slug, "not on the root's CRL"),
    }
}

/// Whether `signer` signed the bytes as they came. The document's other checks need it.
fn check_signed<T>(
    [slug, others @ ..]: [&'static str; 3],
    signed: &super::Signed<T>,
    signer: Option<&Arc<Certificate>>,
    signatures: Signatures,
    report: &mut Report,
) -> bool {
    let why = match signer {
        None => {
            report.not_run(slug, "its signer's chain does not hold");
            "its signer's chain does not hold"
        }
        Some(signer)
            if signatures == Signatures::Unknown
                && !signer.key().verify(signed.bytes.as_bytes(), &signed.signature) =>
        {
            report.fail(slug, format_args!("not signed by the key of `{}`", signer.common_name()));
            "its signature does not hold"
        }
        Some(signer) => {
            report.pass(slug, format_args!("signed by `{}`", signer.common_name()));
            return true;
        }
    };
    for slug in others {
        report.not_run(slug, why);
    }
    false
}

fn check_fresh(slug: &'static str, validity: Validity, now: UnixSeconds, report: &mut Report) {
    match validity.check(now) {
        Ok(()) => report.pass(slug, validity),
        Err(error) => report.fail(slug, error),
    }
}

/// What the policy asks of collateral beyond what Intel says of it.
fn check_rules(
    rules: &CollateralRules,
    (tcb_info, qe_identity, pck_crl): (Option<&TcbInfo>, Option<&QeIdentity>, Option<&Crl>),
    now: UnixSeconds,
    report: &mut Report,
) {
    let (Some(tcb_info), Some(qe_identity)) = (tcb_info, qe_identity) else {
        report.not_run("tcb-evaluation-number", "TCB info or QE identity does not hold");
        report.not_run("collateral-age", "TCB info or QE identity does not hold");
        return;
    };
    let least = rules.min_tcb_evaluation_data_number;
    let (info, qe) = (tcb_info.evaluation_data_number, qe_identity.evaluation_data_number);
    let found = format_args!("TCB info {info}, QE identity {qe}, at least {least} wanted");
    if info.min(qe) >= least {
        report.pass("tcb-evaluation-number", found);
    } else {
        report.fail("tcb-evaluation-number", found);
    }

    let Some(pck_crl) = pck_crl else {
        return report.not_run("collateral-age", "the PCK CRL does not hold");
    };
    let documents = [
        ("TCB info", tcb_info.validity.from),
        ("QE identity", qe_identity.validity.from),
        ("PCK CRL", pck_crl.validity().from),
    ];
    let days = rules.max_age_days;
    let most = u64::from(days).saturating_mul(86_400);
    // What is issued later than now has no age: the checks of freshness refuse it.
    let old = documents.iter().find(|(_, issued)| now.since(*issued).is_some_and(|age| age > most));
    match old {
        Some((name, issued)) => report.fail(
            "collateral-age",
            format_args!("{name} was issued {issued}: more than the policy's {days} days ago"),
        ),
        None => report.pass("collateral-age", format_args!("all issued within {days} days")),
    }
}
