//! dcap-qvl 0.7.1's word.

use std::collections::BTreeSet;

use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::verify::QuoteVerifier;

use super::case::{Case, Root};
use super::word::Word;

/// What it says with its defaults: no debug TD, no service TD, any status but `Revoked`.
pub(crate) fn word(case: &Case) -> Word {
    let collateral: QuoteCollateralV3 = match serde_json::from_slice(&case.collateral) {
        Ok(collateral) => collateral,
        Err(error) => return Word::refused(format!("collateral: {error}")),
    };
    let (verifier, quote) = match &*case.root {
        Root::Intel => (QuoteVerifier::new_prod(), &case.quote),
        Root::Simulated { der, twin, .. } => (QuoteVerifier::new(der.clone()), twin),
    };
    match verifier.verify(quote, &collateral, case.now) {
        Ok(report) => Word::Holds {
            status: report.status,
            advisories: report.advisory_ids.into_iter().collect::<BTreeSet<_>>(),
        },
        Err(error) => Word::refused(format!("{error:#}")),
    }
}
