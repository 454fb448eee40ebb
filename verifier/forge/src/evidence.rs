//! evidence.json (SPECIFICATION §1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256, Sha512};

use crate::collateral::{document, edit};
use crate::event_log::{Digests, EV_EVENT_TAG, Event};

/// `SHA-512("hallmark/evidence/1" || nonce || bound)`; `bound` is 32 zero bytes where nothing is.
#[must_use]
pub fn binding(nonce: &[u8; 32], bound: Option<&[u8; 32]>) -> [u8; 64] {
    Sha512::new()
        .chain_update(b"hallmark/evidence/1")
        .chain_update(nonce)
        .chain_update(bound.unwrap_or(&[0; 32]))
        .finalize()
        .into()
}

/// What a guest extended after the firmware's log had ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootEvent {
    /// `rtmr3` or `pcr14`.
    pub register: String,
    /// A name.
    pub event: String,
    /// What was extended.
    pub digests: Digests,
    /// Whether the SHA-256 digest is written: a TD has none.
    pub sha256: bool,
}

impl BootEvent {
    /// The event of a boot.toml, for a TD or a TPM.
    #[must_use]
    pub fn boot_toml(register: &str) -> Self {
        Self {
            register: register.into(),
            event: "SIMULATED boot.toml".into(),
            digests: Digests::of(b"SIMULATED boot.toml"),
            sha256: register.starts_with("pcr"),
        }
    }

    /// The same event as a release lists it, in the register of that index in the log.
    pub(crate) fn event(&self, register: u32) -> Event {
        let (digests, what) = (self.digests, self.event.clone());
        Event { register, kind: EV_EVENT_TAG, data: Vec::new(), digests, what, depends: vec!["boot".into()] }
    }

    fn json(&self) -> Value {
        let mut digests = json!({ "sha384": hex::encode(self.digests.sha384) });
        if let Some(object) = digests.as_object_mut().filter(|_| self.sha256) {
            object.insert("sha256".into(), hex::encode(self.digests.sha256).into());
        }
        json!({ "register": self.register, "event": self.event, "digests": digests })
    }
}

/// What is changed in evidence.json after all else is in its place.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    /// `nonce`.
    pub nonce: Option<Vec<u8>>,
    /// `binding`.
    pub binding: Option<Vec<u8>>,
    /// Fields set last: they replace what is there. A null takes a field out.
    pub extra: Map<String, Value>,
    /// The whole file.
    pub raw: Option<Vec<u8>>,
}

/// The parts of evidence.json.
pub(crate) struct Parts<'a> {
    pub(crate) kind: &'a str,
    pub(crate) quote: &'a [u8],
    pub(crate) event_log: &'a [u8],
    pub(crate) ak: Option<&'a [u8]>,
    pub(crate) nonce: &'a [u8; 32],
    pub(crate) binding: &'a [u8; 64],
    pub(crate) boot_events: &'a [BootEvent],
}

impl Parts<'_> {
    pub(crate) fn bytes(&self, edits: &Edits) -> Vec<u8> {
        if let Some(raw) = &edits.raw {
            return raw.clone();
        }
        let boot_events: Vec<Value> = self.boot_events.iter().map(BootEvent::json).collect();
        let mut object = json!({
            "kind": self.kind,
            "quote": STANDARD.encode(self.quote),
            "event_log": STANDARD.encode(self.event_log),
            "nonce": STANDARD.encode(edits.nonce.as_deref().unwrap_or(self.nonce)),
            "binding": STANDARD.encode(edits.binding.as_deref().unwrap_or(self.binding)),
            "boot_events": boot_events,
        });
        if let Some(object) = object.as_object_mut() {
            if let Some(ak) = self.ak {
                object.insert("ak".into(), STANDARD.encode(ak).into());
            }
            edit(object, &edits.extra);
        }
        document(&object)
    }
}

/// A file that evidence binds, by its SHA-256.
#[must_use]
pub fn bound(file: &[u8]) -> [u8; 32] {
    Sha256::digest(file).into()
}
