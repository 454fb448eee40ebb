//! Predicted registers and events, for people and as JSON.

use std::collections::BTreeMap;

use hallmark_measurement::{Digests, Log, Profile, Register};
use serde::Serialize;

use super::of_bank;
use crate::output::Output;

/// Every event with what it depends on, then every register.
pub(super) fn write(registers: &BTreeMap<Register, Digests>, log: &Log, out: &mut Output) {
    for event in log.events() {
        let digest = of_bank(&event.digests, "sha384").unwrap_or_else(|| "unknown".to_owned());
        let (register, short) = (event.register.to_string(), digest.get(..16).unwrap_or(&digest));
        let line = format!("{register:<6} {short:<16} {:<30} {}", event.what, event.depends.join(", "));
        out.line(line.trim_end());
    }
    out.line("");
    for (register, value) in registers {
        for bank in ["sha256", "sha384"] {
            if let Some(digest) = of_bank(value, bank) {
                out.line(format_args!("{:<6} {bank} {digest}", register.to_string()));
            }
        }
    }
}

/// One object: `platform`, `profile`, and `registers` and `events` as an entry of release.json has them.
#[derive(Serialize)]
struct Document<'a> {
    platform: &'a str,
    profile: String,
    registers: BTreeMap<String, Banks>,
    events: Vec<Event<'a>>,
}

#[derive(Serialize)]
struct Event<'a> {
    register: String,
    event: &'static str,
    what: &'a str,
    digests: Banks,
    depends: &'a [String],
}

#[derive(Serialize)]
struct Banks {
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha384: Option<String>,
}

impl Banks {
    fn of(digests: &Digests) -> Self {
        Self { sha256: of_bank(digests, "sha256"), sha384: of_bank(digests, "sha384") }
    }
}

/// The JSON of it.
pub(super) fn document(
    platform: &str,
    profile: &Profile,
    registers: &BTreeMap<Register, Digests>,
    log: &Log,
) -> String {
    let events = log.events().iter().map(|event| Event {
        register: event.register.to_string(),
        event: event.kind.name(),
        what: &event.what,
        digests: Banks::of(&event.digests),
        depends: &event.depends,
    });
    let document = Document {
        platform,
        profile: profile.to_string(),
        registers: registers.iter().map(|(r, d)| (r.to_string(), Banks::of(d))).collect(),
        events: events.collect(),
    };
    // Strings, lists and maps with string keys: there is nothing in it that JSON cannot say.
    serde_json::to_string(&document).unwrap_or_default()
}
