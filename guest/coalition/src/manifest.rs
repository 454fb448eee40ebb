//! What an image is to be made of and what it needs, before it is built.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config_error::{ConfigError, Fault, each, number};
use crate::object::object;
use crate::preimage::Preimage;
use crate::sorted_map::SortedMap;
use crate::{Document, DocumentError, List, UniqueId, text};

const FORMAT: &str = "hallmark/compute-manifest/1";

object! {
    /// A crate that goes into an image.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct CrateRef<'a> {
        /// Its name.
        pub name: Cow<'a, str>,
        /// Its exact version, or the commit it is taken from.
        pub version: Cow<'a, str>,
        /// SHA-256 of its source: the registry's `.crate` file, or the tree's archive.
        pub sha256: UniqueId,
        /// Its features, ascending.
        pub features: List<'a, Cow<'a, str>> = "Default::default",
    }
}

impl<'a> CrateRef<'a> {
    /// That version with those features (ascending).
    #[must_use]
    pub const fn new(
        name: &'a str,
        version: &'a str,
        sha256: UniqueId,
        features: &'a [Cow<'a, str>],
    ) -> Self {
        let (name, version) = (Cow::Borrowed(name), Cow::Borrowed(version));
        Self { name, version, sha256, features: List::lent(features) }
    }

    fn check(&self) -> Result<(), ConfigError> {
        text::name("name", &self.name)?;
        text::line("version", &self.version)?;
        each("features", &self.features, |feature| text::name("feature", feature))?;
        ascending("features", self.features.iter().map(|feature| &**feature))
    }
}

/// Names that ascend, each once.
fn ascending<'n>(field: &str, names: impl Iterator<Item = &'n str>) -> Result<(), ConfigError> {
    let mut before: Option<&str> = None;
    for name in names {
        if before.is_some_and(|before| before >= name) {
            return Err(ConfigError::new(field, Fault::Order(name.to_owned())));
        }
        before = Some(name);
    }
    Ok(())
}

/// Whether it has to run in a TD. A need is never met with less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TdxRequirement {
    /// Any machine will do.
    None,
    /// A TD, or no machine at all.
    Required,
}

object! {
    /// What it may connect to. Enforced in the guest.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct NetworkPolicy<'a> {
        /// Which kind.
        pub kind: NetworkKind,
        /// Where to, as `host:port` or `address/prefix:port`, ascending; of an allow-list only.
        pub allow: List<'a, Cow<'a, str>> = "Default::default",
    }
}

/// The kinds of network policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkKind {
    /// Nothing.
    None,
    /// Its coalition's peers.
    Mosaik,
    /// What is listed.
    Allowlist,
}

impl<'a> NetworkPolicy<'a> {
    /// No network.
    pub const NONE: Self = Self { kind: NetworkKind::None, allow: List::EMPTY };

    /// Peers of the coalition only.
    pub const MOSAIK: Self = Self { kind: NetworkKind::Mosaik, allow: List::EMPTY };

    /// These destinations (ascending).
    #[must_use]
    pub const fn allowlist(allow: &'a [Cow<'a, str>]) -> Self {
        Self { kind: NetworkKind::Allowlist, allow: List::lent(allow) }
    }

    fn check(&self) -> Result<(), ConfigError> {
        each("allow", &self.allow, |destination| text::line("destination", destination))?;
        ascending("allow", self.allow.iter().map(|destination| &**destination))?;
        match (self.kind, self.allow.len()) {
            (NetworkKind::Allowlist, 0) => Err(ConfigError::new("allow", Fault::Empty("destination"))),
            (NetworkKind::Allowlist, _) | (_, 0) => Ok(()),
            (_, items) => Err(ConfigError::new("allow", Fault::TooMany { items, most: 0 })),
        }
    }
}

object! {
    /// What an image is to be made of and what it needs.
    ///
    /// Its canonical form is [`Document::to_json`]: compact JSON, fields in this order, crates, features and destinations
    /// ascending, extensions an object with ascending names.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct ComputeManifest<'a> {
        /// `hallmark/compute-manifest/1`.
        pub format: Cow<'a, str>,
        /// Its name.
        pub name: Cow<'a, str>,
        /// Its version.
        pub version: Cow<'a, str>,
        /// What it is made of, ascending by name and version.
        pub crates: List<'a, CrateRef<'a>> = "Default::default",
        /// Whether it has to run in a TD.
        pub tdx: TdxRequirement,
        /// What it may connect to.
        pub network: NetworkPolicy<'a>,
        /// Processors: 1 to 4096.
        pub cpus: u32,
        /// Memory, in MiB: 1 to 2^26.
        pub memory_mib: u64,
        /// Disk, in MiB: 0 to 2^30.
        pub disk_mib: u64 = "Default::default",
        /// What others understand beyond this.
        pub extensions: SortedMap<'a> = "Default::default",
    }
}

/// What a manifest needs of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Whether it has to be a TD.
    pub tdx: TdxRequirement,
    /// Processors.
    pub cpus: u32,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Disk, in MiB.
    pub disk_mib: u64,
}

impl<'a> ComputeManifest<'a> {
    /// A manifest.
    #[must_use]
    pub const fn new(
        name: &'a str,
        version: &'a str,
        crates: &'a [CrateRef<'a>],
        needs: Needs,
        network: NetworkPolicy<'a>,
        extensions: SortedMap<'a>,
    ) -> Self {
        Self {
            format: Cow::Borrowed(FORMAT),
            name: Cow::Borrowed(name),
            version: Cow::Borrowed(version),
            crates: List::lent(crates),
            tdx: needs.tdx,
            network,
            cpus: needs.cpus,
            memory_mib: needs.memory_mib,
            disk_mib: needs.disk_mib,
            extensions,
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.format != FORMAT {
            let found = self.format.chars().take(64).collect();
            return Err(ConfigError::new("format", Fault::Format { found, expected: FORMAT }));
        }
        text::name("name", &self.name)?;
        text::line("version", &self.version)?;
        if self.crates.len() > MAX_CRATES {
            let fault = Fault::TooMany { items: self.crates.len(), most: MAX_CRATES };
            return Err(ConfigError::new("crates", fault));
        }
        for (index, each) in self.crates.iter().enumerate() {
            each.check().map_err(|e| e.within(&format!("crates[{index}]")))?;
        }
        let names = self.crates.windows(2).find_map(|pair| match pair {
            [a, b] if (&a.name, &a.version) >= (&b.name, &b.version) => Some(b),
            _ => None,
        });
        if let Some(crate_) = names {
            let name = format!("{} {}", crate_.name, crate_.version);
            return Err(ConfigError::new("crates", Fault::Order(name)));
        }
        self.network.check().map_err(|e| e.within("network"))?;
        number("cpus", u64::from(self.cpus), 1, 4096)?;
        number("memory_mib", self.memory_mib, 1, 1 << 26)?;
        number("disk_mib", self.disk_mib, 0, 1 << 30)?;
        self.extensions.check("extensions")
    }
}

/// Most crates of an image.
const MAX_CRATES: usize = 4096;

impl Document for ComputeManifest<'static> {
    const MAX_BYTES: usize = 1 << 20;

    fn check(&self) -> Result<(), ConfigError> {
        self.check()
    }
}

impl ComputeManifest<'static> {
    /// `blake3("hallmark/pre-hash/1" || canonical JSON)`: what an image is called before it is built.
    ///
    /// # Errors
    /// [`DocumentError`], where the manifest breaks a rule.
    pub fn prehash(&self) -> Result<UniqueId, DocumentError> {
        Ok(Preimage::new("hallmark/pre-hash/1").bare(self.to_json()?).finish())
    }
}

/// `blake3("hallmark/post-hash/1" || prehash || uki_sha256 || platform || registers)`: what an image that was built is called
/// on one platform.
///
/// `registers` are the expected values by tag, such as `mrtd`, `rtmr1` or `pcr11:sha256`; they go in as a list, in ascending
/// order of the tags, each with the lengths of tag and value.
#[must_use]
pub fn post_hash(
    prehash: &UniqueId,
    uki_sha256: &[u8; 32],
    platform: &str,
    registers: &BTreeMap<String, Vec<u8>>,
) -> UniqueId {
    let start = Preimage::new("hallmark/post-hash/1").bare(prehash).bare(uki_sha256).name(platform);
    start.list(registers, |p, (tag, value)| p.name(tag).bytes(value)).finish()
}
