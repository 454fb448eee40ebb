//! release.json (SPECIFICATION §2).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::collateral::{document, edit};
use crate::event_log::{Digests, Event, LogKind, replay, type_name};

/// A release to be written.
#[derive(Debug, Clone, Serialize)]
pub struct Release {
    /// `hallmark/release/1`.
    pub format: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Commit and tree, 40 hex digits each.
    pub source: Source,
    /// Files.
    pub artefacts: Vec<Artefact>,
    /// SHA-256 of the lock file.
    pub lock_sha256: String,
    /// Toolchain.
    pub toolchain: String,
    /// Command.
    pub builder: String,
    /// What it measures to; a case fills in one entry where this is empty.
    pub expected: Vec<Expected>,
    /// Pre-hash of a manifest.
    pub manifest_prehash: Option<String>,
    /// Hash of the release before.
    pub previous: Option<String>,
    /// Fields set last: they replace what is there. A null takes a field out.
    #[serde(skip)]
    pub extra: Map<String, Value>,
    /// The whole file.
    #[serde(skip)]
    pub raw: Option<Vec<u8>>,
}

/// Where the source is.
#[derive(Debug, Clone, Serialize)]
pub struct Source {
    /// 40 hex digits.
    pub commit: String,
    /// 40 hex digits.
    pub tree: String,
}

/// A file of a release.
#[derive(Debug, Clone, Serialize)]
pub struct Artefact {
    /// File name.
    pub name: String,
    /// 64 hex digits.
    pub sha256: String,
    /// 64 hex digits.
    pub blake3: String,
    /// Bytes.
    pub size: u64,
}

/// What a release measures to on one platform.
#[derive(Debug, Clone, Serialize)]
pub struct Expected {
    /// Platform.
    pub platform: String,
    /// Profile.
    pub profile: String,
    /// SHA-256 of the firmware.
    pub firmware_sha256: String,
    /// Values.
    pub registers: BTreeMap<String, Banks>,
    /// How each value was validated.
    pub validated: BTreeMap<String, String>,
    /// Events.
    pub events: Vec<ExpectedEvent>,
}

/// A digest in one bank or two, in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Banks {
    /// 64 hex digits; not of a TD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// 96 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha384: Option<String>,
}

/// An event that is expected.
#[derive(Debug, Clone, Serialize)]
pub struct ExpectedEvent {
    /// Register.
    pub register: String,
    /// Event type.
    pub event: String,
    /// What is measured.
    pub what: String,
    /// Digests.
    pub digests: Banks,
    /// What it changes with.
    pub depends: Vec<String>,
}

impl Default for Release {
    fn default() -> Self {
        let sha256 = |text: &str| hex::encode(Sha256::digest(text));
        Self {
            format: "hallmark/release/1".into(),
            name: "SIMULATED".into(),
            version: "0.1.0".into(),
            source: Source { commit: "0".repeat(40), tree: "0".repeat(40) },
            artefacts: vec![Artefact {
                name: "SIMULATED.efi".into(),
                sha256: sha256("SIMULATED image"),
                // No hash of anything: this file does not exist.
                blake3: sha256("SIMULATED image, other hash"),
                size: 1,
            }],
            lock_sha256: sha256("SIMULATED lock"),
            toolchain: "SIMULATED".into(),
            builder: "SIMULATED".into(),
            expected: Vec::new(),
            manifest_prehash: None,
            previous: None,
            extra: Map::new(),
            raw: None,
        }
    }
}

impl Release {
    /// The file, with `expected` where the release has none of its own.
    #[must_use]
    pub fn bytes(&self, expected: Expected) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut release = self.clone();
        if release.expected.is_empty() {
            release.expected.push(expected);
        }
        let mut value = serde_json::to_value(&release).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            edit(object, &self.extra);
        }
        document(&value)
    }
}

impl Expected {
    /// What these events come to in the registers named.
    #[must_use]
    pub fn of(kind: LogKind, mr_td: Option<[u8; 48]>, events: &[Event], registers: &[u32]) -> Self {
        let platform = match kind {
            LogKind::Ccel => "simulated-tdx",
            LogKind::Tcg2 => "simulated-vtpm",
        };
        let chosen: Vec<&Event> = events.iter().filter(|event| registers.contains(&event.register)).collect();
        let replayed = replay(events);
        let value = |register| replayed.get(register).unwrap_or(&Digests::ZERO);
        let mut values: BTreeMap<String, Banks> = registers
            .iter()
            .map(|register| (kind.register(*register), Banks::of(kind, value(register))))
            .collect();
        values.extend(
            mr_td.map(|mr_td| ("mrtd".into(), Banks { sha256: None, sha384: Some(hex::encode(mr_td)) })),
        );
        Self {
            platform: platform.into(),
            profile: "SIMULATED".into(),
            firmware_sha256: hex::encode(Sha256::digest("SIMULATED firmware")),
            validated: values.keys().map(|register| (register.clone(), "none".into())).collect(),
            registers: values,
            events: chosen.into_iter().map(|event| ExpectedEvent::of(kind, event)).collect(),
        }
    }
}

impl Banks {
    fn of(kind: LogKind, digests: &Digests) -> Self {
        Self {
            sha256: (kind == LogKind::Tcg2).then(|| hex::encode(digests.sha256)),
            sha384: Some(hex::encode(digests.sha384)),
        }
    }
}

impl ExpectedEvent {
    fn of(kind: LogKind, event: &Event) -> Self {
        Self {
            register: kind.register(event.register),
            event: type_name(event.kind),
            what: event.what.clone(),
            digests: Banks::of(kind, &event.digests),
            depends: event.depends.clone(),
        }
    }
}
