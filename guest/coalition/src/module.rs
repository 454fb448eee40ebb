//! The five modules that a coalition may ship: what each is told, and so what each is.
//!
//! A module's identity folds its access rules and everything here. What runs in it is not in this crate.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::acl_config::AclConfig;
use crate::committee::committee_id;
use crate::config_error::{ConfigError, each, number, once};
use crate::object::object;
use crate::preimage::Preimage;
use crate::{AclError, Committee, List, UniqueId, text};

const DAY_MS: u64 = 86_400_000;

object! {
    /// Who the members are.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct AtlasConfig<'a> {
        /// Who may be in it.
        pub acl: AclConfig<'a>,
    }
}

object! {
    /// A shared clock.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct AlmanacConfig<'a> {
        /// Milliseconds from one tick to the next: 50 to a day.
        pub cadence_ms: u32,
        /// Who may be in it.
        pub acl: AclConfig<'a>,
    }
}

object! {
    /// What was decided, kept and anchored outside.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct ChronicleConfig<'a> {
        /// Where its digest is anchored, if anywhere.
        pub anchor: Option<Anchor<'a>> = "Default::default",
        /// Who may be in it.
        pub acl: AclConfig<'a>,
    }
}

object! {
    /// A sink outside the coalition that holds the chronicle's digest from time to time.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct Anchor<'a> {
        /// Its address, as in `file:/var/anchor` or `eip155:1:0x...`.
        pub sink: Cow<'a, str>,
        /// Entries from one anchor to the next: 1 to 2^32 - 1.
        pub every_entries: u32,
    }
}

object! {
    /// Grants of machines.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct ComputeConfig<'a> {
        /// Shapes of settlement that are accepted; empty where none is asked.
        pub settlements: List<'a, Cow<'a, str>> = "Default::default",
        /// Shortest grant, in seconds: up to a year.
        pub minimum_seconds: u32,
        /// Largest image, in bytes: up to 2^40.
        pub maximum_image_bytes: u64,
        /// Ticks after which a provider's card lapses unless renewed: 1 to 2^32 - 1.
        pub renew_ticks: u32,
        /// Who may be in it.
        pub acl: AclConfig<'a>,
    }
}

/// Where a beacon's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// drand's threshold BLS signatures.
    ThresholdBls,
    /// RFC 9381.
    Vrf,
    /// An entry of a declared log.
    External,
    /// A measured machine's seed, committed a round before.
    TdxAttested,
}

object! {
    /// Random values that nobody chose.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct RandomnessConfig<'a> {
        /// Where values come from.
        pub scheme: Scheme,
        /// Hash of the chain, key or log that the scheme refers to; none where it makes its own.
        pub chain: Option<UniqueId> = "Default::default",
        /// Milliseconds from one round to the next: 50 to a day.
        pub cadence_ms: u32,
        /// Who may be in it.
        pub acl: AclConfig<'a>,
    }
}

impl<'a> AtlasConfig<'a> {
    /// An atlas.
    #[must_use]
    pub const fn new(acl: AclConfig<'a>) -> Self {
        Self { acl }
    }
}

impl<'a> AlmanacConfig<'a> {
    /// An almanac that ticks so often.
    #[must_use]
    pub const fn new(cadence_ms: u32, acl: AclConfig<'a>) -> Self {
        Self { cadence_ms, acl }
    }
}

impl<'a> Anchor<'a> {
    /// A sink and how often it is written to.
    #[must_use]
    pub const fn new(sink: &'a str, every_entries: u32) -> Self {
        Self { sink: Cow::Borrowed(sink), every_entries }
    }

    fn check(&self) -> Result<(), ConfigError> {
        text::line("sink", &self.sink)?;
        number("every_entries", u64::from(self.every_entries), 1, u64::from(u32::MAX))
    }
}

impl<'a> ChronicleConfig<'a> {
    /// A chronicle.
    #[must_use]
    pub const fn new(anchor: Option<Anchor<'a>>, acl: AclConfig<'a>) -> Self {
        Self { anchor, acl }
    }
}

impl<'a> ComputeConfig<'a> {
    /// A market of machines.
    #[must_use]
    pub const fn new(
        settlements: &'a [Cow<'a, str>],
        minimum_seconds: u32,
        maximum_image_bytes: u64,
        renew_ticks: u32,
        acl: AclConfig<'a>,
    ) -> Self {
        Self { settlements: List::lent(settlements), minimum_seconds, maximum_image_bytes, renew_ticks, acl }
    }
}

impl<'a> RandomnessConfig<'a> {
    /// A beacon.
    #[must_use]
    pub const fn new(scheme: Scheme, chain: Option<UniqueId>, cadence_ms: u32, acl: AclConfig<'a>) -> Self {
        Self { scheme, chain, cadence_ms, acl }
    }
}

/// What a module is told, as far as identity goes.
pub(crate) trait Parameters {
    /// The module's name: the last step of its root's derivation.
    const NAME: &'static str;

    /// Its access rules.
    fn acl(&self) -> &AclConfig<'_>;

    /// Its own parameters, after `hallmark/module/NAME/1`.
    fn fields(&self, start: Preimage) -> Preimage;

    /// The rules of its own parameters.
    fn bounds(&self) -> Result<(), ConfigError>;

    /// The fingerprint of its parameters; access rules are not in it.
    fn content(&self) -> UniqueId {
        self.fields(Preimage::new(&format!("hallmark/module/{}/1", Self::NAME))).finish()
    }
}

impl Parameters for AtlasConfig<'_> {
    const NAME: &'static str = "atlas";

    fn acl(&self) -> &AclConfig<'_> {
        &self.acl
    }

    fn fields(&self, start: Preimage) -> Preimage {
        start
    }

    fn bounds(&self) -> Result<(), ConfigError> {
        Ok(())
    }
}

impl Parameters for AlmanacConfig<'_> {
    const NAME: &'static str = "almanac";

    fn acl(&self) -> &AclConfig<'_> {
        &self.acl
    }

    fn fields(&self, start: Preimage) -> Preimage {
        start.number(u64::from(self.cadence_ms))
    }

    fn bounds(&self) -> Result<(), ConfigError> {
        number("cadence_ms", u64::from(self.cadence_ms), 50, DAY_MS)
    }
}

impl Parameters for ChronicleConfig<'_> {
    const NAME: &'static str = "chronicle";

    fn acl(&self) -> &AclConfig<'_> {
        &self.acl
    }

    fn fields(&self, start: Preimage) -> Preimage {
        start.option(self.anchor.as_ref(), |p, anchor| {
            p.name(&anchor.sink).number(u64::from(anchor.every_entries))
        })
    }

    fn bounds(&self) -> Result<(), ConfigError> {
        self.anchor.as_ref().map_or(Ok(()), |anchor| anchor.check().map_err(|e| e.within("anchor")))
    }
}

impl Parameters for ComputeConfig<'_> {
    const NAME: &'static str = "compute";

    fn acl(&self) -> &AclConfig<'_> {
        &self.acl
    }

    fn fields(&self, start: Preimage) -> Preimage {
        let settlements = start.list(&self.settlements, |p, shape| p.name(shape));
        let limits = settlements.number(u64::from(self.minimum_seconds)).number(self.maximum_image_bytes);
        limits.number(u64::from(self.renew_ticks))
    }

    fn bounds(&self) -> Result<(), ConfigError> {
        each("settlements", &self.settlements, |shape| text::name("shape", shape))?;
        once("settlements", self.settlements.iter().cloned())?;
        number("minimum_seconds", u64::from(self.minimum_seconds), 1, 366 * 86_400)?;
        number("maximum_image_bytes", self.maximum_image_bytes, 1, 1 << 40)?;
        number("renew_ticks", u64::from(self.renew_ticks), 1, u64::from(u32::MAX))
    }
}

impl Parameters for RandomnessConfig<'_> {
    const NAME: &'static str = "randomness";

    fn acl(&self) -> &AclConfig<'_> {
        &self.acl
    }

    fn fields(&self, start: Preimage) -> Preimage {
        let scheme = match self.scheme {
            Scheme::ThresholdBls => 0,
            Scheme::Vrf => 1,
            Scheme::External => 2,
            Scheme::TdxAttested => 3,
        };
        start.bare([scheme]).option(self.chain, Preimage::bare).number(u64::from(self.cadence_ms))
    }

    fn bounds(&self) -> Result<(), ConfigError> {
        number("cadence_ms", u64::from(self.cadence_ms), 50, DAY_MS)
    }
}

object! {
    /// The modules that a coalition ships. One that it does not ship has no identity.
    #[derive(Debug, Clone, PartialEq, Eq, Default)]
    #[non_exhaustive]
    pub struct Modules<'a> {
        /// Who the members are.
        pub atlas: Option<AtlasConfig<'a>> = "Default::default",
        /// A shared clock.
        pub almanac: Option<AlmanacConfig<'a>> = "Default::default",
        /// What was decided, kept and anchored outside.
        pub chronicle: Option<ChronicleConfig<'a>> = "Default::default",
        /// Grants of machines.
        pub compute: Option<ComputeConfig<'a>> = "Default::default",
        /// Random values that nobody chose.
        pub randomness: Option<RandomnessConfig<'a>> = "Default::default",
    }
}

fn check<P: Parameters>(module: Option<&P>) -> Result<(), ConfigError> {
    let Some(module) = module else { return Ok(()) };
    let checked = module.bounds().and_then(|()| module.acl().check().map_err(|e| e.within("acl")));
    checked.map_err(|e| e.within(P::NAME))
}

/// A module's own fields, when it is read by itself or within others.
macro_rules! checked {
    ($($type:ident),*) => {
        $(impl $type<'_> {
            fn check(&self) -> Result<(), ConfigError> {
                self.bounds()?;
                self.acl.check().map_err(|e| e.within("acl"))
            }
        })*
    };
}

checked!(AtlasConfig, AlmanacConfig, ChronicleConfig, ComputeConfig, RandomnessConfig);

impl<'a> Modules<'a> {
    /// None of them.
    pub const NONE: Self =
        Self { atlas: None, almanac: None, chronicle: None, compute: None, randomness: None };

    /// These.
    #[must_use]
    pub const fn new(
        atlas: Option<AtlasConfig<'a>>,
        almanac: Option<AlmanacConfig<'a>>,
        chronicle: Option<ChronicleConfig<'a>>,
        compute: Option<ComputeConfig<'a>>,
        randomness: Option<RandomnessConfig<'a>>,
    ) -> Self {
        Self { atlas, almanac, chronicle, compute, randomness }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        check(self.atlas.as_ref())?;
        check(self.almanac.as_ref())?;
        check(self.chronicle.as_ref())?;
        check(self.compute.as_ref())?;
        check(self.randomness.as_ref())
    }
}

/// A module of one coalition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module<'c> {
    name: &'static str,
    root: UniqueId,
    content: UniqueId,
    acl: &'c AclConfig<'c>,
}

impl<'c> Module<'c> {
    pub(crate) fn of<P: Parameters>(coalition_root: &UniqueId, parameters: &'c P) -> Self {
        let root = module_root(coalition_root, P::NAME);
        Self { name: P::NAME, root, content: parameters.content(), acl: parameters.acl() }
    }

    /// `atlas`, `almanac`, `chronicle`, `compute` or `randomness`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// `COALITION_ROOT.derive("module").derive(name)`.
    #[must_use]
    pub fn root(&self) -> UniqueId {
        self.root
    }

    /// Fingerprint of its parameters.
    #[must_use]
    pub fn content(&self) -> UniqueId {
        self.content
    }

    /// Its access rules, with the operators' names.
    #[must_use]
    pub fn acl(&self) -> &'c AclConfig<'c> {
        self.acl
    }

    /// The id of its committee.
    #[must_use]
    pub fn committee_id(&self) -> UniqueId {
        committee_id(&self.root, &[], &self.content, &self.acl.fingerprint())
    }

    /// Its committee: under its root, with no refs.
    ///
    /// # Errors
    /// [`AclError`], where no committee can have its access rules.
    pub fn committee(&self) -> Result<Committee, AclError> {
        Ok(Committee::new(self.root, Vec::new(), self.content, self.acl.acl()?))
    }
}

/// `COALITION_ROOT.derive("module").derive(name)`.
pub(crate) fn module_root(coalition_root: &UniqueId, name: &str) -> UniqueId {
    coalition_root.derive("module").derive(name)
}
