//! SIMULATED evidence: a source under the forge's root, for the demonstration and for tests.
//!
//! It proves nothing about any machine, and never claims to: the vendor id is not Intel's, the certificates say
//! SIMULATED, and a verifier takes the root only from a policy that names it, with `simulated` as its best word. The
//! guest binary does not link this crate; a test of the workspace sees to that.

use hallmark_evidence::{Binding, BootEvent, Kind, Source, SourceError, Statement};
use hallmark_forge::simulated_tdx;

mod boot;
mod forged;

pub use boot::Measured;
pub use forged::ForgedTd;
pub use hallmark_forge::{Measurements, simulated_policy};

/// A TD that does not exist, with measurements that the caller computed.
#[derive(Debug, Clone)]
pub struct SimulatedTd {
    measurements: Measurements,
    event_log: Vec<u8>,
    boot_events: Vec<BootEvent>,
    now: u64,
}

impl SimulatedTd {
    /// A TD with these registers and the CCEL data that explains them. `now` (Unix seconds) is when it speaks: its
    /// collateral is valid around then.
    #[must_use]
    pub const fn new(measurements: Measurements, event_log: Vec<u8>, now: u64) -> Self {
        Self { measurements, event_log, boot_events: Vec::new(), now }
    }

    /// What its guest extended after boot, in order. RTMR3 of the measurements must hold them.
    #[must_use]
    pub fn with_boot_events(mut self, boot_events: Vec<BootEvent>) -> Self {
        self.boot_events = boot_events;
        self
    }

    /// The collateral (SPECIFICATION §5) that its quotes are checked with.
    #[must_use]
    pub fn collateral(&self) -> Vec<u8> {
        // Collateral is of the platform: the binding does not come into it.
        simulated_tdx(&self.measurements, &[0; 64], self.now).collateral
    }
}

impl Source for SimulatedTd {
    fn kind(&self) -> Kind {
        Kind::Tdx
    }

    fn state(&mut self, binding: &Binding) -> Result<Statement, SourceError> {
        Ok(Statement {
            quote: simulated_tdx(&self.measurements, binding.report_data(), self.now).quote,
            event_log: self.event_log.clone(),
            boot_events: self.boot_events.clone(),
            ..Statement::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hallmark_evidence::{NOTHING_BOUND, Nonce, evidence_json};

    const NOW: u64 = 1_780_000_000;

    fn source() -> SimulatedTd {
        let measurements =
            Measurements { mr_td: [0x11; 48], rtmr: [[0x20; 48], [0x21; 48], [0x22; 48], [0; 48]] };
        SimulatedTd::new(measurements, b"ccel".to_vec(), NOW)
    }

    fn contains(haystack: &[u8], needle: &[u8]) -> bool {
        haystack.windows(needle.len()).any(|window| window == needle)
    }

    #[test]
    fn the_quote_carries_measurements_and_binding() {
        let binding = Binding::new(&Nonce::new([3; 32]), &NOTHING_BOUND);
        let statement = source().state(&binding).unwrap();
        // Intel TDX DCAP Quoting Library API, A.3.2: a v4 TD 1.0 body begins at 48.
        assert_eq!(statement.quote[48 + 0x88..][..48], [0x11; 48]);
        assert_eq!(statement.quote[48 + 0x208..][..64], *binding.report_data());
        assert_eq!(statement.event_log, b"ccel");
        assert_eq!(statement, source().state(&binding).unwrap(), "the same question has the same answer");
    }

    #[test]
    fn everything_says_simulated() {
        let json = evidence_json(&mut source(), &Nonce::new([3; 32]), &NOTHING_BOUND).unwrap();
        assert!(contains(&json, br#""kind":"tdx""#));
        let statement = source().state(&Binding::new(&Nonce::new([3; 32]), &NOTHING_BOUND)).unwrap();
        let intel =
            [0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07];
        assert!(!contains(&statement.quote, &intel), "the vendor id is not Intel's");
        assert!(contains(&source().collateral(), b"-----BEGIN CERTIFICATE-----"));
        assert!(simulated_policy(&[]).contains("simulated"));
    }
}
