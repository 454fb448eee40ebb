//! The document's JSON, and the rules that its shape alone does not hold.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use hallmark_measurement::{Digests, Register};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor},
};

use super::{Artefact, Event, Expected, MAX_DOCUMENT, Release, ReleaseError, Source, Validated};

const FORMAT: &str = "hallmark/release/1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    name: String,
    version: String,
    source: Names,
    artefacts: Vec<File>,
    lock_sha256: String,
    toolchain: String,
    builder: String,
    expected: Vec<Entry>,
    // Null, or hex; never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    manifest_prehash: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    previous: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    commit: String,
    tree: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    sha256: String,
    blake3: String,
    size: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    platform: String,
    profile: String,
    firmware_sha256: String,
    registers: Once<Banks>,
    validated: Once<String>,
    events: Vec<Measured>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured {
    register: String,
    event: String,
    what: String,
    digests: Banks,
    depends: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Banks {
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha384: Option<String>,
}

/// A JSON object in which no name stands twice.
#[derive(Serialize)]
#[serde(transparent)]
struct Once<T>(BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Once<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Once<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of registers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    if members.contains_key(&name) {
                        return Err(de::Error::custom(format_args!("{name} stands there twice")));
                    }
                    members.insert(name, value);
                }
                Ok(Once(members))
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<Release, ReleaseError> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(ReleaseError::TooLarge(bytes.len()));
    }
    let document: Document = serde_json::from_slice(bytes)?;
    if document.format != FORMAT {
        return Err(ReleaseError::Format(document.format));
    }
    let hash = |path: &str, value: Option<String>| value.map(|v| hex::<32>(path, &v)).transpose();
    let release = Release {
        name: document.name,
        version: document.version,
        source: Source {
            commit: hex("source.commit", &document.source.commit)?,
            tree: hex("source.tree", &document.source.tree)?,
        },
        artefacts: document.artefacts.into_iter().map(Artefact::try_from).collect::<Result<_, _>>()?,
        lock_sha256: hex("lock_sha256", &document.lock_sha256)?,
        toolchain: document.toolchain,
        builder: document.builder,
        expected: document.expected.into_iter().map(Expected::try_from).collect::<Result<_, _>>()?,
        manifest_prehash: hash("manifest_prehash", document.manifest_prehash)?,
        previous: hash("previous", document.previous)?,
    };
    check(&release)?;
    Ok(release)
}

pub(super) fn write(release: &Release) -> Result<String, ReleaseError> {
    check(release)?;
    let document = Document {
        format: FORMAT.to_owned(),
        name: release.name.clone(),
        version: release.version.clone(),
        source: Names { commit: hex::encode(release.source.commit), tree: hex::encode(release.source.tree) },
        artefacts: release.artefacts.iter().map(File::from).collect(),
        lock_sha256: hex::encode(release.lock_sha256),
        toolchain: release.toolchain.clone(),
        builder: release.builder.clone(),
        expected: release.expected.iter().map(Entry::from).collect(),
        manifest_prehash: release.manifest_prehash.map(hex::encode),
        previous: release.previous.map(hex::encode),
    };
    let mut json = serde_json::to_string_pretty(&document)?;
    json.push('\n');
    Ok(json)
}

/// What holds for a release beyond the types of its fields.
fn check(release: &Release) -> Result<(), ReleaseError> {
    let text = |path: &str, value: &str| {
        let good = !value.is_empty() && value.len() <= 512 && !value.chars().any(char::is_control);
        if good { Ok(()) } else { Err(refused(path, value, "1 to 512 bytes of printable text")) }
    };
    text("name", &release.name)?;
    text("version", &release.version)?;
    text("toolchain", &release.toolchain)?;
    text("builder", &release.builder)?;
    for (index, artefact) in release.artefacts.iter().enumerate() {
        let path = format!("artefacts[{index}].name");
        text(&path, &artefact.name)?;
        if artefact.name.contains(['/', '\\']) || artefact.name.starts_with('.') {
            return Err(refused(&path, &artefact.name, "a file name"));
        }
        if release.artefacts.iter().take(index).any(|other| other.name == artefact.name) {
            return Err(refused(&path, &artefact.name, "named once"));
        }
    }
    for (index, entry) in release.expected.iter().enumerate() {
        let path = format!("expected[{index}]");
        text(&format!("{path}.platform"), &entry.platform)?;
        text(&format!("{path}.profile"), &entry.profile)?;
        for event in &entry.events {
            text(&format!("{path}.events.event"), &event.event)?;
            text(&format!("{path}.events.what"), &event.what)?;
            banks(&format!("{path}.events.digests"), event.register, &event.digests)?;
            event.depends.iter().try_for_each(|d| text(&format!("{path}.events.depends"), d))?;
        }
        for (register, (value, _)) in &entry.registers {
            banks(&format!("{path}.registers.{register}"), *register, value)?;
        }
        let same = |other: &&Expected| (&other.platform, &other.profile) == (&entry.platform, &entry.profile);
        if release.expected.iter().take(index).any(|other| same(&other)) {
            return Err(refused(&path, &entry.platform, "a platform and profile that stands there once"));
        }
    }
    Ok(())
}

/// A TDX register has SHA-384 alone, a PCR one bank at least.
fn banks(path: &str, register: Register, value: &Digests) -> Result<(), ReleaseError> {
    let good = match register {
        Register::Pcr(_) => !value.is_unknown(),
        _ => value.sha256.is_none() && value.sha384.is_some(),
    };
    if good { Ok(()) } else { Err(refused(path, &register.to_string(), "given in the banks that it has")) }
}

impl TryFrom<File> for Artefact {
    type Error = ReleaseError;

    fn try_from(file: File) -> Result<Self, ReleaseError> {
        Ok(Self {
            sha256: hex("artefacts.sha256", &file.sha256)?,
            blake3: hex("artefacts.blake3", &file.blake3)?,
            name: file.name,
            size: file.size,
        })
    }
}

impl From<&Artefact> for File {
    fn from(artefact: &Artefact) -> Self {
        Self {
            name: artefact.name.clone(),
            sha256: hex::encode(artefact.sha256),
            blake3: hex::encode(artefact.blake3),
            size: artefact.size,
        }
    }
}

impl TryFrom<Entry> for Expected {
    type Error = ReleaseError;

    fn try_from(entry: Entry) -> Result<Self, ReleaseError> {
        let mut words = entry.validated.0;
        let mut registers = BTreeMap::new();
        for (name, value) in entry.registers.0 {
            let word = words
                .remove(&name)
                .ok_or_else(|| refused("validated", &name, "one word for every register"))?;
            registers.insert(register(&name)?, (Digests::try_from(value)?, validated(&word)?));
        }
        if let Some((name, _)) = words.pop_first() {
            return Err(refused("validated", &name, "one word for every register, and no other"));
        }
        let events = entry.events.into_iter().map(|event| {
            Ok(Event {
                register: register(&event.register)?,
                event: event.event,
                what: event.what,
                digests: Digests::try_from(event.digests)?,
                depends: event.depends,
            })
        });
        Ok(Self {
            platform: entry.platform,
            profile: entry.profile,
            firmware_sha256: hex("expected.firmware_sha256", &entry.firmware_sha256)?,
            registers,
            events: events.collect::<Result<_, ReleaseError>>()?,
        })
    }
}

impl From<&Expected> for Entry {
    fn from(entry: &Expected) -> Self {
        let named = || entry.registers.iter().map(|(register, both)| (register.to_string(), both));
        let events = entry.events.iter().map(|event| Measured {
            register: event.register.to_string(),
            event: event.event.clone(),
            what: event.what.clone(),
            digests: Banks::from(&event.digests),
            depends: event.depends.clone(),
        });
        Self {
            platform: entry.platform.clone(),
            profile: entry.profile.clone(),
            firmware_sha256: hex::encode(entry.firmware_sha256),
            registers: Once(named().map(|(name, (value, _))| (name, Banks::from(value))).collect()),
            validated: Once(named().map(|(name, (_, word))| (name, word.as_str().to_owned())).collect()),
            events: events.collect(),
        }
    }
}

impl TryFrom<Banks> for Digests {
    type Error = ReleaseError;

    fn try_from(banks: Banks) -> Result<Self, ReleaseError> {
        Ok(Self {
            sha256: banks.sha256.map(|v| hex("sha256", &v)).transpose()?,
            sha384: banks.sha384.map(|v| hex("sha384", &v)).transpose()?,
        })
    }
}

impl From<&Digests> for Banks {
    fn from(digests: &Digests) -> Self {
        Self { sha256: digests.sha256.map(hex::encode), sha384: digests.sha384.map(hex::encode) }
    }
}

impl Validated {
    /// The word in the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ccel => "ccel",
            Self::BootedVtpm => "booted-vtpm",
        }
    }
}

fn validated(word: &str) -> Result<Validated, ReleaseError> {
    let all = [Validated::None, Validated::Ccel, Validated::BootedVtpm];
    let found = all.into_iter().find(|v| v.as_str() == word);
    found.ok_or_else(|| refused("validated", word, "none, ccel or booted-vtpm"))
}

fn register(name: &str) -> Result<Register, ReleaseError> {
    name.parse().map_err(|_| refused("register", name, "a register"))
}

fn hex<const N: usize>(path: &str, value: &str) -> Result<[u8; N], ReleaseError> {
    let mut bytes = [0; N];
    if value.bytes().any(|b| b.is_ascii_uppercase()) || hex::decode_to_slice(value, &mut bytes).is_err() {
        return Err(refused(path, value, "lower-case hex of the right length"));
    }
    Ok(bytes)
}

fn refused(path: &str, value: &str, rule: &'static str) -> ReleaseError {
    ReleaseError::Field { path: path.to_owned(), value: value.chars().take(128).collect(), rule }
}
