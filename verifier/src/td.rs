//! The trust domain itself: what its report says that a relying party must not shrug off.

use crate::hex_bytes::Hex;
use crate::policy::{Measured, SeptVeDisable, Tdx};
use crate::quote::TdReport;
use crate::report::Report;
use crate::tdx::Terms;

/// TUD, "TD under debug": with any of these bits the host sees into the TD (Intel TDX Module ABI, ATTRIBUTES).
const TUD: u64 = 0xff;
/// ICSSD: the module defends the TD against single-stepping.
const ICSSD: u64 = 1 << 16;
/// LASS: the TD may use linear address space separation.
const LASS: u64 = 1 << 27;
/// SEPT_VE_DISABLE: a missing page ends the TD instead of raising an exception in it.
const SEPT_VE_DISABLE: u64 = 1 << 28;
/// PKS: the TD may use supervisor protection keys.
const PKS: u64 = 1 << 30;
/// KL: the TD may use Key Locker (reserved in later modules).
const KL: u64 = 1 << 31;
/// The bits that a TD may have. The others let something in (MIGRATABLE 29: a migration TD; SERVTD_EXT 17: service
/// TDs; TPA 62, a device agent), leak (PERFMON 63) or are reserved and must be zero.
const ALLOWED: u64 = ICSSD | LASS | SEPT_VE_DISABLE | PKS | KL;

/// XFAM bits that every TD has: x87 and SSE (Intel TDX Module ABI, XFAM).
const XFAM_ALWAYS: u64 = 0x3;
/// XFAM bits that a TD may have.
const XFAM_ALLOWED: u64 = 0x0006_dbe7;

/// The checks that need the TD report alone.
const CHECKS: [&str; 9] = [
    "td-debug",
    "td-attributes",
    "td-sept-ve-disable",
    "td-xfam",
    "mr-seam",
    "mr-config-id",
    "mr-owner",
    "mr-owner-config",
    "service-td",
];

/// Runs the checks of the TD. An unsigned report says nothing, good or bad.
pub(crate) fn check(td: &TdReport<'_>, signed: bool, terms: &Terms<'_>, report: &mut Report) {
    let policy = &terms.policy.tdx;
    if !signed {
        for slug in CHECKS {
            report.not_run(slug, "the quote is not proven genuine");
        }
        return;
    }
    check_attributes(td.attributes(), policy.sept_ve_disable, report);
    let xfam = u64::from_le_bytes(*td.xfam);
    if xfam & XFAM_ALWAYS == XFAM_ALWAYS && xfam & !XFAM_ALLOWED == 0 {
        report.pass("td-xfam", format_args!("{xfam:#x}"));
    } else {
        report.fail(
            "td-xfam",
            format_args!("XFAM {xfam:#x}: bits {XFAM_ALWAYS:#x} must and bits {XFAM_ALLOWED:#x} may be set"),
        );
    }
    let seam = Hex(td.mr_seam);
    if policy.mr_seam.is_empty() {
        report.not_run("mr-seam", format_args!("the policy names none; it is {seam}"));
    } else if policy.mr_seam.iter().any(|named| named.0 == *td.mr_seam) {
        report.pass("mr-seam", seam);
    } else {
        report.fail("mr-seam", format_args!("{seam} is not in the policy's `tdx.mr_seam`"));
    }
    for (slug, got, wanted) in [
        ("mr-config-id", td.mr_config_id, policy.mr_config_id),
        ("mr-owner", td.mr_owner, policy.mr_owner),
        ("mr-owner-config", td.mr_owner_config, policy.mr_owner_config),
    ] {
        // They say which TD it is: part of the question which image it runs, unless the policy asks anyway.
        match wanted.or(terms.image.then_some(Measured::Zero)) {
            Some(wanted) => check_measured(slug, got, wanted, report),
            None => report.not_run(slug, format_args!("not asked (--any-image); it is {}", Hex(got))),
        }
    }
    check_service_td(td, report);
}

/// Whether the policy wants this platform.
pub(crate) fn check_platform(id: &[u8; 32], policy: &Tdx, report: &mut Report) {
    let shown = Hex(id);
    if policy.platforms.is_empty() {
        report.not_run("platform-allowed", format_args!("the policy names none; it is {shown}"));
    } else if policy.platforms.iter().any(|named| named.0 == *id) {
        report.pass("platform-allowed", shown);
    } else {
        report.fail("platform-allowed", format_args!("{shown} is not in the policy's `tdx.platforms`"));
    }
}

fn check_attributes(attributes: u64, sept_ve_disable: SeptVeDisable, report: &mut Report) {
    match attributes & TUD {
        0 => report.pass("td-debug", "not under debug"),
        bits => {
            report.fail("td-debug", format_args!("debug bits {bits:#x} are set: the host sees into the TD"));
        }
    }
    match attributes & !TUD & !ALLOWED {
        0 => report.pass("td-attributes", format_args!("{attributes:#018x}")),
        bits => {
            report.fail("td-attributes", format_args!("bits {bits:#x} of {attributes:#018x} must be zero"));
        }
    }
    match (attributes & SEPT_VE_DISABLE != 0, sept_ve_disable) {
        (true, _) => report.pass("td-sept-ve-disable", "set"),
        (false, SeptVeDisable::Any) => report.pass("td-sept-ve-disable", "not set; the policy says any"),
        (false, SeptVeDisable::Require) => report.fail("td-sept-ve-disable", "not set"),
    }
}

fn check_measured(slug: &'static str, got: &[u8; 48], wanted: Measured, report: &mut Report) {
    let shown = Hex(got);
    match wanted {
        Measured::Any => report.pass(slug, format_args!("{shown}; the policy says any")),
        Measured::Zero if got.iter().all(|byte| *byte == 0) => report.pass(slug, "zero"),
        Measured::Zero => report.fail(slug, format_args!("{shown}: the policy wants zero")),
        Measured::Exactly(due) if due.0 == *got => report.pass(slug, shown),
        Measured::Exactly(due) => report.fail(slug, format_args!("{shown}: the policy wants {due}")),
    }
}

/// A service TD, such as one that migrates others, can change what was measured.
fn check_service_td(td: &TdReport<'_>, report: &mut Report) {
    let zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    let Some(current) = td.current else {
        return report.not_run("service-td", "TDX 1.0 does not report service TDs");
    };
    let bound = td.service_td.is_some_and(|service| {
        let (initial, now) = (service.initial, service.now);
        !(zero(initial.0) && zero(initial.1) && zero(now.0) && zero(now.1))
    });
    if zero(current.mr_service_td) && !bound {
        report.pass("service-td", "none is bound");
    } else {
        let shown = Hex(current.mr_service_td);
        report.fail("service-td", format_args!("a service TD is bound (MRSERVICETD {shown})"));
    }
}
