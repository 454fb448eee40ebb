//! Signed documents of every kind: levels, versions and statuses by chance, and all of it signed again, so that it
//! is the rules that are compared and not the signatures.

use hallmark_forge::TdxCase;
use hallmark_forge::tcb_info::{SvnLevel, TcbInfo, TdxModuleIdentity};
use hallmark_forge::td_body::Layout as Body;

use super::case::Case;
use super::forged::{self, version_5};
use super::random::Random;

/// What both take for the status of a TDX module or a quoting enclave: other words are a class of their own.
const COMPONENT: [&str; 3] = ["UpToDate", "OutOfDate", "Revoked"];

const PLATFORM: [&str; 8] = [
    "UpToDate",
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
];

/// The case of that seed.
pub(crate) fn case(seed: u64) -> Case {
    forged::case(&format!("documents of seed {seed}"), |case| spoil(case, &mut Random::new(seed)))
}

fn spoil(case: &mut TdxCase, random: &mut Random) {
    match random.below(5) {
        0 | 1 => {}
        2 => version_5(case, Body::Td10),
        3 => version_5(case, Body::Td15),
        _ => version_5(case, Body::Td15Ex),
    }
    case.quote.body.tee_tcb_svn = module_svn(random);
    case.quote.body.tee_tcb_svn2 = (random.below(2) == 0).then(|| module_svn(random));
    case.quote.qe_report.isv_svn = small(random).into();
    if let Some(sgx) = &mut case.pki.pck.sgx {
        sgx.components = (0..16).map(|_| 2 + small(random)).collect();
        sgx.cpu_svn.clone_from(&sgx.components);
        sgx.pce_svn = 4 + u16::from(small(random));
    }
    tcb_info(&mut case.collateral.tcb_info.content, random);
    case.collateral.qe_identity.content.tcb_levels = svn_levels(random);
}

/// Near enough to each other that levels are missed and reached.
fn small(random: &mut Random) -> u8 {
    random.byte() % 5
}

fn module_svn(random: &mut Random) -> [u8; 16] {
    let mut svn = [0; 16];
    svn[..4].copy_from_slice(&[
        small(random),
        *random.pick(&[0, 1, 1, 1, 3, 3, 3, 2]),
        small(random),
        small(random),
    ]);
    svn
}

fn tcb_info(info: &mut TcbInfo, random: &mut Random) {
    let template = info.tcb_levels[0].clone();
    info.tcb_levels = (0..1 + random.below(5))
        .map(|_| {
            let mut level = template.clone();
            // Mostly low ones: sixteen components each could be too high.
            let high = random.below(3);
            for component in &mut level.tcb.sgxtcbcomponents {
                component.svn = small(random).min(u8::try_from(high).unwrap());
            }
            for component in &mut level.tcb.tdxtcbcomponents {
                component.svn = if random.below(16) == 0 { small(random) } else { 0 };
            }
            level.tcb.pcesvn = small(random).into();
            level.tcb_status = (*random.pick(&PLATFORM)).into();
            level.advisory_ids = advisories(random);
            level
        })
        .collect();
    info.tdx_module_identities =
        Some([1, 3].map(|version| TdxModuleIdentity::new(version, svn_levels(random))).to_vec());
}

fn svn_levels(random: &mut Random) -> Vec<SvnLevel> {
    let mut levels: Vec<SvnLevel> = (0..2 + random.below(2))
        .map(|_| {
            let status = if random.below(12) == 0 { COMPONENT[2] } else { COMPONENT[random.below(2)] };
            let svn = small(random).saturating_sub(1);
            let mut level = SvnLevel::new(svn.into(), status);
            level.advisory_ids = advisories(random);
            level
        })
        .collect();
    // Highest first, as Intel writes them: another order is a class of its own.
    levels.sort_by_key(|level| std::cmp::Reverse(level.tcb.isvsvn));
    levels.dedup_by_key(|level| level.tcb.isvsvn);
    levels
}

fn advisories(random: &mut Random) -> Vec<String> {
    (0..random.below(3)).map(|_| format!("INTEL-SA-0000{}", random.below(5))).collect()
}
