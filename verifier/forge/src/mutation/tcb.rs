//! Trusted computing base: platform, TDX module, quoting enclave.

use super::quote::version_5;
use super::{Row, tdx};
use crate::tcb_info::TcbLevel;
use crate::td_body::Layout;
use crate::tdx::TdxCase;

/// Changes TEE_TCB_SVN: module SVN, module version, microcode SVN, ...
fn tee_tcb_svn(case: &mut TdxCase, first: [u8; 3]) {
    let svns = &mut case.quote.body.tee_tcb_svn;
    svns.iter_mut().zip(first).for_each(|(to, from)| *to = from);
}

/// Changes the level that the platform is at.
fn level(case: &mut TdxCase, change: fn(&mut TcbLevel)) {
    if let Some(level) = case.collateral.tcb_info.content.tcb_levels.first_mut() {
        change(level);
    }
}

fn status(case: &mut TdxCase, status: &str) {
    if let Some(level) = case.collateral.tcb_info.content.tcb_levels.first_mut() {
        level.tcb_status = status.into();
    }
}

fn first_component(case: &mut TdxCase, svn: u8) {
    if let Some(sgx) = &mut case.pki.pck.sgx {
        for list in [&mut sgx.components, &mut sgx.cpu_svn] {
            list.iter_mut().take(1).for_each(|first| *first = svn);
        }
    }
}

/// A platform at the second level, whose advisories the policy tolerates.
fn older(case: &mut TdxCase) {
    first_component(case, 2);
    let until = || "2026-06-02T00:00:00Z".to_owned();
    case.policy.advisories = vec![("INTEL-SA-00106".into(), until()), ("INTEL-SA-00115".into(), until())];
}

/// A TD 1.5 whose module was replaced as it ran: TEE_TCB_SVN_2 begins so.
fn running(case: &mut TdxCase, first: [u8; 3]) {
    version_5(case, Layout::Td15);
    let mut svns = case.quote.body.tee_tcb_svn;
    svns.iter_mut().zip(first).for_each(|(to, from)| *to = from);
    case.quote.body.tee_tcb_svn2 = Some(svns);
}

/// A level with an advisory, of a status that the policy takes.
pub(super) fn advised(case: &mut TdxCase) {
    case.policy.tcb.push("SWHardeningNeeded".into());
    level(case, |level| {
        level.tcb_status = "SWHardeningNeeded".into();
        level.advisory_ids = vec!["INTEL-SA-00615".into()];
    });
}

pub(super) const ROWS: &[Row] = &[
    tdx("tdx-module", "another signer", |c| c.quote.body.mr_signer_seam = [9; 48]),
    tdx("tdx-module", "other attributes", |c| c.quote.body.seam_attributes = 1),
    tdx("tdx-module", "a version without an identity", |c| tee_tcb_svn(c, [5, 9, 2])),
    tdx("tdx-module", "below every level", |c| tee_tcb_svn(c, [1, 1, 2])),
    tdx("tdx-module", "no identities", |c| c.collateral.tcb_info.content.tdx_module_identities = None),
    tdx("tdx-module", "version 0 and another signer", |c| {
        tee_tcb_svn(c, [5, 0, 2]);
        c.quote.body.mr_signer_seam = [9; 48];
    }),
    tdx("tdx-module", "the one that runs now is below every level", |c| running(c, [1, 1, 2])),
    tdx("tdx-module", "the one that runs now has no identity", |c| running(c, [5, 9, 2])),
    tdx("tcb-level", "an SGX component below every level", |c| first_component(c, 1)),
    tdx("tcb-level", "PCESVN below every level", |c| {
        if let Some(sgx) = &mut c.pki.pck.sgx {
            sgx.pce_svn = 4;
        }
    }),
    tdx("tcb-level", "a TDX component below every level", |c| tee_tcb_svn(c, [5, 1, 0])),
    tdx("tcb-level", "a TDX component that is below every level now", |c| running(c, [5, 1, 0])),
    tdx("tcb-level", "levels without TDX components", |c| {
        for level in &mut c.collateral.tcb_info.content.tcb_levels {
            level.tcb.tdxtcbcomponents.clear();
        }
    }),
    tdx("tcb-level", "no levels", |c| c.collateral.tcb_info.content.tcb_levels.clear()),
    tdx("tcb-status", "a platform out of date, its module not", |c| status(c, "OutOfDate")),
    tdx("tcb-status", "a platform at an older level", older),
    tdx("tcb-status", "an older level that stands first", |c| {
        older(c);
        c.collateral.tcb_info.content.tcb_levels.reverse();
    }),
    tdx("tcb-status", "a module out of date, its platform not", |c| tee_tcb_svn(c, [3, 1, 2])),
    tdx("tcb-status", "the module that runs now is out of date", |c| running(c, [3, 1, 2])),
    tdx("tcb-status", "a quoting enclave out of date, its platform not", |c| c.quote.qe_report.isv_svn = 3),
    tdx("tcb-status", "configuration needed", |c| status(c, "ConfigurationNeeded")),
    tdx("tcb-status", "software hardening needed", |c| status(c, "SWHardeningNeeded")),
    tdx("tcb-status", "revoked", |c| status(c, "Revoked")),
    tdx("tcb-advisories", "one that the policy does not tolerate", advised),
    tdx("tcb-advisories", "one that the policy tolerated until yesterday", |c| {
        advised(c);
        c.policy.advisories = vec![("INTEL-SA-00615".into(), "2026-05-31T12:00:00Z".into())];
    }),
];
