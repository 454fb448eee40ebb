//! A coalition: citizens who say in one document what they share.

use std::borrow::Cow;

use crate::config_error::{ConfigError, Fault, each, once};
use crate::confluence::ConfluenceConfig;
use crate::lattice::LatticeConfig;
use crate::module::{Module, Modules};
use crate::object::object;
use crate::organism::OrganismRef;
use crate::preimage::Preimage;
use crate::published::Published;
use crate::ticket_issuer::TicketIssuerConfig;
use crate::{Document, DocumentError, Issuer, List, UniqueId, text};

/// Version of the derivations, folded into every identity.
pub const SCHEMA_VERSION: u8 = 1;

const FORMAT: &str = "hallmark/coalition/1";

#[cfg(test)]
mod tests;

/// The root: four lists of identifiers, none of which can give one to another.
fn fold(
    coalition: &UniqueId,
    lattices: &[UniqueId],
    organisms: &[UniqueId],
    confluences: &[UniqueId],
    issuer: Option<&UniqueId>,
) -> UniqueId {
    let start = Preimage::new("").bare(coalition).ids(lattices).ids(organisms).ids(confluences);
    start.option(issuer, Preimage::bare).finish()
}

object! {
    /// A coalition.
    ///
    /// Derivations are total, so a `const` has its identities without ceremony; a document that was read has been through
    /// [`check`](Document::check) too. The identities are not `const`: BLAKE3's interface is not.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct CoalitionConfig<'a> {
        /// `hallmark/coalition/1`.
        pub format: Cow<'a, str>,
        /// Its name.
        pub name: Cow<'a, str>,
        /// The lattices in it, in order.
        pub lattices: List<'a, LatticeConfig<'a>> = "Default::default",
        /// The organisms in it, in order.
        pub organisms: List<'a, OrganismRef<'a>> = "Default::default",
        /// The confluences in it, in order.
        pub confluences: List<'a, ConfluenceConfig<'a>> = "Default::default",
        /// Who gives out its tickets.
        pub ticket_issuer: Option<TicketIssuerConfig<'a>> = "Default::default",
        /// The modules that it ships.
        pub modules: Modules<'a> = "Default::default",
        /// What it publishes beside.
        pub published: Published<'a> = "Default::default",
    }
}

impl<'a> CoalitionConfig<'a> {
    /// A coalition of these.
    #[must_use]
    pub const fn new(
        name: &'a str,
        lattices: &'a [LatticeConfig<'a>],
        organisms: &'a [OrganismRef<'a>],
        confluences: &'a [ConfluenceConfig<'a>],
        ticket_issuer: Option<TicketIssuerConfig<'a>>,
        modules: Modules<'a>,
        published: Published<'a>,
    ) -> Self {
        Self {
            format: Cow::Borrowed(FORMAT),
            name: Cow::Borrowed(name),
            lattices: List::lent(lattices),
            organisms: List::lent(organisms),
            confluences: List::lent(confluences),
            ticket_issuer,
            modules,
            published,
        }
    }

    /// `blake3("coalition|" || SCHEMA_VERSION u8 || "|" || name)`: the name alone, whoever is in it.
    #[must_use]
    pub fn coalition_id(&self) -> UniqueId {
        Preimage::new("coalition|").bare([SCHEMA_VERSION]).bare("|").bare(&*self.name).finish()
    }

    /// `blake3(COALITION || lattice ids || organism ids || confluence fingerprints || ticket issuer)`: each a list.
    #[must_use]
    pub fn root(&self) -> UniqueId {
        let lattices = self.lattices.iter().map(LatticeConfig::id).collect::<Vec<_>>();
        let organisms = self.organisms.iter().map(OrganismRef::stable_id).collect::<Vec<_>>();
        let confluences = self.confluences.iter().map(ConfluenceConfig::fingerprint).collect::<Vec<_>>();
        let issuer = self.ticket_issuer.as_ref().map(TicketIssuerConfig::fingerprint);
        fold(&self.coalition_id(), &lattices, &organisms, &confluences, issuer.as_ref())
    }

    /// `COALITION_ROOT.derive("tickets")`: the `iss` of its tickets.
    #[must_use]
    pub fn tickets_root(&self) -> UniqueId {
        self.root().derive("tickets")
    }

    /// Whose tickets count in it; none where it has no issuer.
    ///
    /// # Errors
    /// [`ConfigError`], where the issuer's configuration breaks a rule.
    pub fn issuer(&self) -> Result<Option<Issuer>, ConfigError> {
        let issuer = self.ticket_issuer.as_ref();
        issuer.map(|issuer| Issuer::new(self.tickets_root(), issuer)).transpose()
    }

    /// Its atlas, if it ships one.
    #[must_use]
    pub fn atlas(&self) -> Option<Module<'_>> {
        self.modules.atlas.as_ref().map(|module| Module::of(&self.root(), module))
    }

    /// Its almanac, if it ships one.
    #[must_use]
    pub fn almanac(&self) -> Option<Module<'_>> {
        self.modules.almanac.as_ref().map(|module| Module::of(&self.root(), module))
    }

    /// Its chronicle, if it ships one.
    #[must_use]
    pub fn chronicle(&self) -> Option<Module<'_>> {
        self.modules.chronicle.as_ref().map(|module| Module::of(&self.root(), module))
    }

    /// Its compute module, if it ships one.
    #[must_use]
    pub fn compute(&self) -> Option<Module<'_>> {
        self.modules.compute.as_ref().map(|module| Module::of(&self.root(), module))
    }

    /// Its randomness module, if it ships one.
    #[must_use]
    pub fn randomness(&self) -> Option<Module<'_>> {
        self.modules.randomness.as_ref().map(|module| Module::of(&self.root(), module))
    }

    /// All five modules by name, with what is shipped of them.
    #[must_use]
    pub fn modules(&self) -> [(&'static str, Option<Module<'_>>); 5] {
        [
            ("atlas", self.atlas()),
            ("almanac", self.almanac()),
            ("chronicle", self.chronicle()),
            ("compute", self.compute()),
            ("randomness", self.randomness()),
        ]
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.format != FORMAT {
            let found = self.format.chars().take(64).collect();
            return Err(ConfigError::new("format", Fault::Format { found, expected: FORMAT }));
        }
        text::name("name", &self.name)?;
        each("lattices", &self.lattices, LatticeConfig::check)?;
        once("lattices", self.lattices.iter().map(LatticeConfig::id))?;
        each("organisms", &self.organisms, OrganismRef::check)?;
        once("organisms", self.organisms.iter().map(OrganismRef::stable_id))?;
        each("confluences", &self.confluences, ConfluenceConfig::check)?;
        once("confluences", self.confluences.iter().map(|confluence| confluence.name.clone()))?;
        let issuer = self.ticket_issuer.as_ref();
        issuer.map_or(Ok(()), |issuer| issuer.check().map_err(|e| e.within("ticket_issuer")))?;
        self.modules.check().map_err(|e| e.within("modules"))?;
        self.published.check().map_err(|e| e.within("published"))
    }
}

impl Document for CoalitionConfig<'static> {
    const MAX_BYTES: usize = 1 << 20;

    fn check(&self) -> Result<(), ConfigError> {
        self.check()
    }
}

impl CoalitionConfig<'static> {
    /// Covers everything published: `blake3("hallmark/handshake/1" || canonical JSON)`, whether or not the root folds it.
    ///
    /// # Errors
    /// [`DocumentError`], where the configuration breaks a rule: it is not to be published then.
    pub fn handshake(&self) -> Result<UniqueId, DocumentError> {
        Ok(Preimage::new("hallmark/handshake/1").bare(self.to_json()?).finish())
    }
}
