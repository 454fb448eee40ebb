//! A vTPM case: everything settable, valid by default.

use sha2::{Digest, Sha256};

use crate::boot::Image;
use crate::event_log::{Digests, Event, EventLog, LogKind, Registers};
use crate::evidence::{BootEvent, Edits, Parts, binding, bound};
use crate::forged::Forged;
use crate::instant::NOW;
use crate::policy::{Fit, Policy};
use crate::release::{Expected, Release};
use crate::tpm::{AttestationKey, TpmQuote};

/// The PCRs that a release pins.
const PINNED: [u32; 6] = [4, 9, 11, 12, 13, PCR14];
/// The PCR of boot events.
const PCR14: u32 = 14;

/// Evidence of a machine with a vTPM, a policy and a release. `None` stands for the value that is
/// right, computed from the rest, so that one change stays one change.
#[derive(Debug, Clone)]
pub struct VtpmCase {
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
    /// The attestation key that the evidence shows.
    pub ak: AttestationKey,
    /// The quote.
    pub quote: TpmQuote,
    /// The TCG2 log.
    pub log: EventLog,
    /// What the guest extended.
    pub boot_events: Vec<BootEvent>,
    /// The registers that are quoted, where they are not what log and boot events come to.
    pub registers: Option<Registers>,
    /// What the release expects, where it is not what booted.
    pub released: Option<Vec<Event>>,
    /// What the release expects the guest to extend, where it is not what it did.
    pub released_boot_events: Option<Vec<BootEvent>>,
    /// The release.
    pub release: Release,
    /// The policy.
    pub policy: Policy,
    /// What is changed in evidence.json at last.
    pub evidence: Edits,
}

impl Default for VtpmCase {
    fn default() -> Self {
        Self {
            now: NOW,
            nonce: [0xa5; 32],
            answered_nonce: None,
            bound_file: None,
            answered_file: None,
            ak: AttestationKey::default(),
            quote: TpmQuote::default(),
            log: EventLog::new(LogKind::Tcg2, Image::default().events(LogKind::Tcg2)),
            boot_events: vec![BootEvent::boot_toml("pcr14")],
            registers: None,
            released: None,
            released_boot_events: None,
            release: Release::default(),
            policy: Policy::default(),
            evidence: Edits::default(),
        }
    }
}

impl VtpmCase {
    /// The PCRs after log and boot events.
    #[must_use]
    pub fn registers(&self) -> Registers {
        let mut registers = self.log.replay();
        for event in &self.boot_events {
            let pcr14 = registers.entry(PCR14).or_insert(Digests::ZERO);
            *pcr14 = pcr14.extended(&event.digests);
        }
        registers
    }

    /// Signs and writes it all.
    #[must_use]
    pub fn make(&self) -> Forged {
        let asked = self.bound_file.as_deref().map(bound);
        let answered = self.answered_file.as_deref().map(bound).or(asked);
        let nonce = self.answered_nonce.unwrap_or(self.nonce);
        let binding = binding(&nonce, answered.as_ref());
        let registers = self.registers.clone().unwrap_or_else(|| self.registers());
        let quote = self.quote.bytes(&self.ak, &registers, &Sha256::digest(binding));
        let evidence = Parts {
            kind: "vtpm",
            quote: &quote,
            event_log: &self.log.bytes(),
            ak: Some(&self.ak.public()),
            nonce: &nonce,
            binding: &binding,
            boot_events: &self.boot_events,
        };
        let mut events = self.released.as_ref().unwrap_or(&self.log.events).clone();
        events.extend(
            self.released_boot_events.as_ref().unwrap_or(&self.boot_events).iter().map(|it| it.event(PCR14)),
        );
        let fit = Fit { vtpm: true, ak: vec![self.ak.name()], ..Fit::default() };
        Forged {
            evidence: evidence.bytes(&self.evidence),
            collateral: None,
            policy: self.policy.toml(&fit),
            release: self.release.bytes(Expected::of(LogKind::Tcg2, None, &events, &PINNED)),
            nonce: self.nonce,
            bound: asked,
            now: self.now,
            quote,
        }
    }
}
