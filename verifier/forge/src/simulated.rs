//! Evidence for measurements that somebody else computed: what the demonstration runs on.

use crate::certificate::chain_pem;
use crate::collateral::Collateral;
use crate::pki::{Pki, simulated_root};
use crate::policy::{Fit, Policy};
use crate::quote::Quote;

/// What a TD measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measurements {
    /// MRTD.
    pub mr_td: [u8; 48],
    /// RTMR0 to RTMR3.
    pub rtmr: [[u8; 48]; 4],
}

/// A quote under the simulated root, and what is needed to check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// The quote.
    pub quote: Vec<u8>,
    /// Collateral, good for some weeks around the instant it was made for.
    pub collateral: Vec<u8>,
}

/// A quote that claims these measurements, with `binding` as report_data, and collateral that is
/// valid at `now` (Unix seconds). The event log that explains the measurements stays with the caller:
/// nothing in a quote names it.
#[must_use]
pub fn simulated_tdx(measurements: &Measurements, binding: &[u8; 64], now: u64) -> Simulated {
    let pki = Pki::at(now);
    let mut quote = Quote::default();
    quote.body.mr_td = measurements.mr_td;
    quote.body.rtmr = measurements.rtmr.map(Some);
    quote.body.report_data = Some(*binding);
    Simulated {
        quote: quote.bytes(&pki.pck.key, &chain_pem(&pki.pck_chain())),
        collateral: Collateral::at(now).bytes(&pki),
    }
}

/// A policy that names the simulated root, pins these ACPI digests (none: ACPI stays unpinned) and is
/// otherwise the strictest.
#[must_use]
pub fn simulated_policy(acpi: &[[u8; 48]]) -> String {
    let fit = Fit { simulated: vec![simulated_root()], tdx: true, acpi: acpi.to_vec(), ..Fit::default() };
    Policy::default().toml(&fit)
}
