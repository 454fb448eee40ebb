//! The file as it is written, and what must hold before it counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Artefact, Expected, ExpectedEvent, FORMAT, Family, Release, ReleaseError, Validated};
use crate::event_log::{Bank, Register, RegisterValue};
use crate::hex_bytes::HexBytes;

const TEXT_MAX: usize = 512;
const ARTEFACTS_MAX: usize = 256;
const EXPECTED_MAX: usize = 256;
const EVENTS_MAX: usize = 4096;
const DEPENDS_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    format: String,
    name: String,
    version: String,
    source: Source,
    artefacts: Vec<RawArtefact>,
    lock_sha256: String,
    toolchain: String,
    builder: String,
    expected: Vec<RawExpected>,
    // Null, or 64 digits; but never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    manifest_prehash: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    previous: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    commit: String,
    tree: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawArtefact {
    name: String,
    sha256: String,
    blake3: String,
    size: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpected {
    platform: String,
    profile: String,
    firmware_sha256: String,
    registers: Members<RawDigests>,
    validated: Members<String>,
    events: Vec<RawEvent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvent {
    register: String,
    event: String,
    what: String,
    digests: RawDigests,
    depends: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDigests {
    sha256: Option<String>,
    sha384: Option<String>,
}

/// The members of an object as they stand. A map would keep the last of two of one name in silence.
struct Members<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Visit<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one member a register")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<T>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Visit(PhantomData))
    }
}

impl Document {
    /// Everything that the format promises beyond its shape.
    pub(super) fn check(self, sha256: [u8; 32]) -> Result<Release, ReleaseError> {
        if self.format != FORMAT {
            return Err(ReleaseError::Format { found: self.format.chars().take(64).collect() });
        }
        count("artefacts", self.artefacts.len(), ARTEFACTS_MAX)?;
        count("expected", self.expected.len(), EXPECTED_MAX)?;
        if self.expected.is_empty() {
            return Err(ReleaseError::Empty);
        }
        let mut names = BTreeSet::new();
        let mut artefacts = Vec::new();
        for (index, artefact) in self.artefacts.into_iter().enumerate() {
            let path = format!("artefacts[{index}]");
            let artefact = artefact.check(&path)?;
            if !names.insert(artefact.name.clone()) {
                return Err(ReleaseError::Twice { path: format!("{path}.name") });
            }
            artefacts.push(artefact);
        }
        let mut platforms = BTreeSet::new();
        let mut expected = Vec::new();
        for (index, entry) in self.expected.into_iter().enumerate() {
            let path = format!("expected[{index}]");
            let entry = entry.check(&path)?;
            if !platforms.insert((entry.platform.clone(), entry.profile.clone())) {
                return Err(ReleaseError::Twice { path: format!("{path}: its platform and profile") });
            }
            expected.push(entry);
        }
        let null_or_hex = |path: &str, text: Option<String>| text.map(|text| hex(path, &text)).transpose();
        Ok(Release {
            sha256,
            name: text("name", self.name)?,
            version: text("version", self.version)?,
            commit: hex("source.commit", &self.source.commit)?,
            tree: hex("source.tree", &self.source.tree)?,
            artefacts,
            lock_sha256: hex("lock_sha256", &self.lock_sha256)?,
            toolchain: text("toolchain", self.toolchain)?,
            builder: text("builder", self.builder)?,
            expected,
            manifest_prehash: null_or_hex("manifest_prehash", self.manifest_prehash)?,
            previous: null_or_hex("previous", self.previous)?,
        })
    }
}

impl RawArtefact {
    fn check(self, path: &str) -> Result<Artefact, ReleaseError> {
        Ok(Artefact {
            name: text(&format!("{path}.name"), self.name)?,
            sha256: hex(&format!("{path}.sha256"), &self.sha256)?,
            blake3: hex(&format!("{path}.blake3"), &self.blake3)?,
            size: self.size,
        })
    }
}

impl RawExpected {
    fn check(self, path: &str) -> Result<Expected, ReleaseError> {
        let at = |field: &str| format!("{path}.{field}");
        let mut values = BTreeMap::new();
        for (name, digests) in self.registers.0 {
            let path = format!("{path}.registers.{}", shown(&name));
            let register = register(&path, &name)?;
            if values.insert(register, digests.check(&path, register)?).is_some() {
                return Err(ReleaseError::Twice { path });
            }
        }
        let mut registers = BTreeMap::new();
        for (name, word) in self.validated.0 {
            let path = format!("{path}.validated.{}", shown(&name));
            let register = register(&path, &name)?;
            let validated = word
                .parse()
                .map_err(|()| ReleaseError::Validated { path: path.clone(), found: shown(&word) })?;
            if registers.contains_key(&register) {
                return Err(ReleaseError::Twice { path });
            }
            let value = values.remove(&register).ok_or(ReleaseError::ValidatedRegisters { path })?;
            registers.insert(register, (value, validated));
        }
        if let Some(register) = values.keys().next() {
            return Err(ReleaseError::ValidatedRegisters { path: format!("{path}.registers.{register}") });
        }
        let family = family(path, &registers)?;
        let entry = Expected {
            family,
            platform: text(&at("platform"), self.platform)?,
            profile: text(&at("profile"), self.profile)?,
            firmware_sha256: hex(&at("firmware_sha256"), &self.firmware_sha256)?,
            registers,
            events: events(path, family, self.events)?,
        };
        replay(path, &entry)?;
        Ok(entry)
    }
}

impl RawDigests {
    fn check(self, path: &str, register: Register) -> Result<RegisterValue, ReleaseError> {
        let banks = |must| ReleaseError::Banks { path: path.to_owned(), must };
        let value = RegisterValue {
            sha256: self
                .sha256
                .map(|text| hex(&format!("{path}.sha256"), &text))
                .transpose()?
                .map(|hex| hex.0),
            sha384: self
                .sha384
                .map(|text| hex(&format!("{path}.sha384"), &text))
                .transpose()?
                .map(|hex| hex.0),
        };
        match (register.is_td(), value.sha256, value.sha384) {
            (true, None, Some(_)) => Ok(value),
            (true, ..) => Err(banks("sha384 and nothing else: a TD has no other bank")),
            (false, None, None) => Err(banks("sha256, sha384 or both")),
            (false, ..) => Ok(value),
        }
    }
}

/// What kind of machine the registers are of, and whether they are enough to name an image. MRTD is the firmware
/// alone, kernel and initrd are in RTMR1 and RTMR2. PCR 4 is the UKI; but initrds, load options, credentials and addons
/// from beside it are in PCRs 9, 12 and 13, which say that there were none.
fn family(
    path: &str,
    registers: &BTreeMap<Register, (RegisterValue, Validated)>,
) -> Result<Family, ReleaseError> {
    let td = registers.keys().any(|register| register.is_td());
    if let Some(other) = registers.keys().find(|register| register.is_td() != td) {
        return Err(ReleaseError::Mixed { path: format!("{path}.registers.{other}") });
    }
    let (family, needed): (_, &[Register]) = if td {
        (Family::Tdx, &[Register::Mrtd, Register::Rtmr(1), Register::Rtmr(2)])
    } else {
        (Family::Vtpm, &[4, 9, 11, 12, 13].map(Register::Pcr))
    };
    if let Some(register) = needed.iter().find(|register| !registers.contains_key(register)) {
        return Err(ReleaseError::Incomplete { path: format!("{path}.registers"), register: *register });
    }
    // What every boot of an image extends: without an event there, the image is measured elsewhere or not at all.
    let booted = [Register::Rtmr(1), Register::Rtmr(2), Register::Pcr(4), Register::Pcr(11)];
    let zero = |register: &&Register| {
        registers
            .get(register)
            .is_some_and(|(value, _)| value.iter().any(|digest| digest == digest.bank().zero()))
    };
    match booted.iter().find(zero) {
        Some(register) => Err(ReleaseError::Untouched { path: format!("{path}.registers.{register}") }),
        None => Ok(family),
    }
}

fn events(path: &str, family: Family, raw: Vec<RawEvent>) -> Result<Vec<ExpectedEvent>, ReleaseError> {
    count(&format!("{path}.events"), raw.len(), EVENTS_MAX)?;
    let mut events = Vec::new();
    for (index, event) in raw.into_iter().enumerate() {
        let path = format!("{path}.events[{index}]");
        let register = register(&format!("{path}.register"), &event.register)?;
        if register.is_td() != (family == Family::Tdx) {
            return Err(ReleaseError::Mixed { path: format!("{path}.register") });
        }
        count(&format!("{path}.depends"), event.depends.len(), DEPENDS_MAX)?;
        let depend = |(index, depend)| text(&format!("{path}.depends[{index}]"), depend);
        events.push(ExpectedEvent {
            register,
            event: text(&format!("{path}.event"), event.event)?,
            what: text(&format!("{path}.what"), event.what)?,
            digests: event.digests.check(&format!("{path}.digests"), register)?,
            depends: event.depends.into_iter().enumerate().map(depend).collect::<Result<_, _>>()?,
        });
    }
    Ok(events)
}

/// A register of which events are listed has the value that they lead to, from zero, in each of its banks. MRTD is not
/// extended by events.
fn replay(path: &str, entry: &Expected) -> Result<(), ReleaseError> {
    for (register, value, _) in entry.registers() {
        if register == Register::Mrtd || entry.events_of(register).next().is_none() {
            continue;
        }
        for stated in value.iter() {
            let bank = stated.bank();
            let mut replayed = bank.zero();
            for event in entry.events_of(register) {
                let digest = event.digests.get(bank).ok_or_else(|| ReleaseError::Banks {
                    path: format!("{path}.events: each of {register}"),
                    must: if bank == Bank::Sha256 {
                        "sha256, as the register has"
                    } else {
                        "sha384, as the register has"
                    },
                })?;
                replayed = replayed.extend(digest.as_bytes());
            }
            if replayed != stated {
                let path = format!("{path}.registers.{register}");
                let (stated, replayed) = (Box::new(stated), Box::new(replayed));
                return Err(ReleaseError::Replay { path, bank, stated, replayed });
            }
        }
    }
    Ok(())
}

fn register(path: &str, name: &str) -> Result<Register, ReleaseError> {
    name.parse().map_err(|_| ReleaseError::Register { path: path.to_owned() })
}

fn hex<const N: usize>(path: &str, text: &str) -> Result<HexBytes<N>, ReleaseError> {
    HexBytes::parse(text).map_err(|source| ReleaseError::Hex { path: path.to_owned(), source })
}

fn text(path: &str, text: String) -> Result<String, ReleaseError> {
    if text.is_empty() || text.len() > TEXT_MAX || text.chars().any(char::is_control) {
        return Err(ReleaseError::Text { path: path.to_owned(), most: TEXT_MAX });
    }
    Ok(text)
}

fn count(path: &str, count: usize, most: usize) -> Result<(), ReleaseError> {
    if count > most {
        return Err(ReleaseError::Count { path: path.to_owned(), count, most });
    }
    Ok(())
}

/// What a message may show of a name from outside.
fn shown(name: &str) -> String {
    name.chars().take(32).map(|c| if c.is_control() { '?' } else { c }).collect()
}
