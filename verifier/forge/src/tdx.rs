//! A TDX case: everything settable, valid by default.

use crate::boot::Image;
use crate::certificate::{Certificate, chain_pem};
use crate::collateral::Collateral;
use crate::event_log::{Digests, EV_PLATFORM_CONFIG_FLAGS, Event, EventLog, LogKind};
use crate::evidence::{BootEvent, Edits, Parts, binding, bound};
use crate::forged::Forged;
use crate::instant::NOW;
use crate::pki::Pki;
use crate::policy::{Fit, Policy};
use crate::quote::Quote;
use crate::release::{Expected, Release};

/// Index of RTMR0 to RTMR3 in a CCEL: what a release pins.
const PINNED: [u32; 4] = [1, 2, 3, RTMR3];
/// Index of RTMR3 in a CCEL.
const RTMR3: u32 = 4;

/// Evidence of a TD, its collateral, a policy and a release. `None` stands for the value that is
/// right, computed from the rest, so that one change stays one change.
#[derive(Debug, Clone)]
pub struct TdxCase {
    /// The instant of the check, Unix seconds.
    pub now: u64,
    /// The nonce that is asked with.
    pub nonce: [u8; 32],
    /// The nonce that is answered with.
    pub answered_nonce: Option<[u8; 32]>,
    /// The file that is asked to be bound.
    pub bound_file: Option<Vec<u8>>,
    /// The file that is bound.
    pub answered_file: Option<Vec<u8>>,
    /// Certificates and lists.
    pub pki: Pki,
    /// The chain in the quote, leaf first.
    pub quote_chain: Option<Vec<Certificate>>,
    /// The quote.
    pub quote: Quote,
    /// The collateral.
    pub collateral: Collateral,
    /// The CCEL.
    pub log: EventLog,
    /// What the guest extended.
    pub boot_events: Vec<BootEvent>,
    /// What the release expects, where it is not what booted.
    pub released: Option<Vec<Event>>,
    /// What the release expects the guest to extend, where it is not what it did.
    pub released_boot_events: Option<Vec<BootEvent>>,
    /// MRTD in the release, where it is not the quote's.
    pub released_mr_td: Option<[u8; 48]>,
    /// The release.
    pub release: Release,
    /// The policy.
    pub policy: Policy,
    /// What is changed in evidence.json at last.
    pub evidence: Edits,
}

impl Default for TdxCase {
    fn default() -> Self {
        Self::at(NOW)
    }
}

impl TdxCase {
    /// One that is valid at `now`.
    #[must_use]
    pub fn at(now: u64) -> Self {
        Self {
            now,
            nonce: [0x5a; 32],
            answered_nonce: None,
            bound_file: None,
            answered_file: None,
            pki: Pki::at(now),
            quote_chain: None,
            quote: Quote::default(),
            collateral: Collateral::at(now),
            log: EventLog::new(LogKind::Ccel, Image::default().events(LogKind::Ccel)),
            boot_events: vec![BootEvent::boot_toml("rtmr3")],
            released: None,
            released_boot_events: None,
            released_mr_td: None,
            release: Release::default(),
            policy: Policy::default(),
            evidence: Edits::default(),
        }
    }

    /// RTMR0 to RTMR3 after log and boot events.
    #[must_use]
    pub fn registers(&self) -> [[u8; 48]; 4] {
        let mut registers = self.log.replay();
        for event in &self.boot_events {
            let rtmr3 = registers.entry(RTMR3).or_insert(Digests::ZERO);
            *rtmr3 = rtmr3.extended(&event.digests);
        }
        [1, 2, 3, RTMR3].map(|index| registers.get(&index).unwrap_or(&Digests::ZERO).sha384)
    }

    /// SHA-384 of the ACPI events of RTMR0.
    #[must_use]
    pub fn acpi(&self) -> Vec<[u8; 48]> {
        let acpi = |event: &&Event| event.register == 1 && event.kind == EV_PLATFORM_CONFIG_FLAGS;
        self.log.events.iter().filter(acpi).map(|event| event.digests.sha384).collect()
    }

    /// Signs and writes it all.
    #[must_use]
    pub fn make(&self) -> Forged {
        let asked = self.bound_file.as_deref().map(bound);
        let answered = self.answered_file.as_deref().map(bound).or(asked);
        let nonce = self.answered_nonce.unwrap_or(self.nonce);
        let binding = binding(&nonce, answered.as_ref());
        let quote = self.quote_over(&binding);
        let evidence = Parts {
            kind: "tdx",
            quote: &quote,
            event_log: &self.log.bytes(),
            ak: None,
            nonce: &nonce,
            binding: &binding,
            boot_events: &self.boot_events,
        };
        let mr_td = self.released_mr_td.unwrap_or(self.quote.body.mr_td);
        let mut events = self.released.as_ref().unwrap_or(&self.log.events).clone();
        events.extend(
            self.released_boot_events.as_ref().unwrap_or(&self.boot_events).iter().map(|it| it.event(RTMR3)),
        );
        let fit = Fit {
            simulated: vec![self.pki.root.key.spki_sha256()],
            tdx: true,
            acpi: self.acpi(),
            ..Fit::default()
        };
        Forged {
            evidence: evidence.bytes(&self.evidence),
            collateral: Some(self.collateral.bytes(&self.pki)),
            policy: self.policy.toml(&fit),
            release: self.release.bytes(Expected::of(LogKind::Ccel, Some(mr_td), &events, &PINNED)),
            nonce: self.nonce,
            bound: asked,
            now: self.now,
            quote,
        }
    }

    /// The quote alone, over this report_data where the case sets none itself.
    #[must_use]
    pub fn quote_over(&self, report_data: &[u8; 64]) -> Vec<u8> {
        let mut quote = self.quote.clone();
        let body = &mut quote.body;
        body.report_data = body.report_data.or(Some(*report_data));
        for (rtmr, replayed) in body.rtmr.iter_mut().zip(self.registers()) {
            *rtmr = rtmr.or(Some(replayed));
        }
        let chain = self.quote_chain.clone().unwrap_or_else(|| self.pki.pck_chain());
        quote.bytes(&self.pki.pck.key, &chain_pem(&chain))
    }
}
