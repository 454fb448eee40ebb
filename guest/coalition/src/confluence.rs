//! Confluences: committees that read several citizens' ledgers.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::acl_config::AclConfig;
use crate::coalition::SCHEMA_VERSION;
use crate::committee::committee_id;
use crate::config_error::{ConfigError, Fault, each, once};
use crate::lattice::LatticeRef;
use crate::object::object;
use crate::organism::Instance;
use crate::preimage::Preimage;
use crate::{AclError, CitizenId, Committee, Document, List, UniqueId, text};

/// What a confluence does while one of the ledgers that it reads stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stall {
    /// It goes on with the others, and says so.
    Partial,
    /// It stands still too.
    Stall,
}

object! {
    /// A confluence: what it reads, what it does, and who may be in it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct ConfluenceConfig<'a> {
        /// Its name.
        pub name: Cow<'a, str>,
        /// The lattices that it reads.
        pub lattices: List<'a, LatticeRef<'a>> = "Default::default",
        /// The organisms that it reads.
        pub organisms: List<'a, Instance<'a>> = "Default::default",
        /// What it does when one of them stands still.
        pub stall: Stall,
        /// Fingerprint of its machine's own parameters; none where it has none.
        pub parameters: Option<UniqueId> = "Default::default",
        /// Who may be in it.
        pub acl: AclConfig<'a>,
    }
}

impl<'a> ConfluenceConfig<'a> {
    /// A confluence of these citizens.
    #[must_use]
    pub const fn new(
        name: &'a str,
        lattices: &'a [LatticeRef<'a>],
        organisms: &'a [Instance<'a>],
        stall: Stall,
        parameters: Option<UniqueId>,
        acl: AclConfig<'a>,
    ) -> Self {
        Self {
            name: Cow::Borrowed(name),
            lattices: List::lent(lattices),
            organisms: List::lent(organisms),
            stall,
            parameters,
            acl,
        }
    }

    fn lattice_ids(&self) -> Vec<UniqueId> {
        self.lattices.iter().map(LatticeRef::id).collect()
    }

    fn organism_ids(&self) -> Vec<UniqueId> {
        self.organisms.iter().map(Instance::stable_id).collect()
    }

    /// `blake3("hallmark/confluence-content/1" || stall u8 || parameters)`, the parameters being a list of none or one.
    #[must_use]
    pub fn content(&self) -> UniqueId {
        let stall = match self.stall {
            Stall::Partial => 0,
            Stall::Stall => 1,
        };
        let start = Preimage::new("hallmark/confluence-content/1").bare([stall]);
        start.option(self.parameters, Preimage::bare).finish()
    }

    /// `blake3("confluence|" || SCHEMA_VERSION u8 || "|" || name || lattices || organisms || content || acl)`.
    #[must_use]
    pub fn fingerprint(&self) -> UniqueId {
        let start = Preimage::new("confluence|").bare([SCHEMA_VERSION]).bare("|").name(&self.name);
        let spans = start.ids(&self.lattice_ids()).ids(&self.organism_ids());
        spans.bare(self.content()).bare(self.acl.fingerprint()).finish()
    }

    /// Its id where evidence points to it.
    #[must_use]
    pub fn citizen(&self) -> CitizenId {
        CitizenId::of(&self.fingerprint())
    }

    fn refs(&self) -> Vec<UniqueId> {
        [self.lattice_ids(), self.organism_ids()].concat()
    }

    /// The id of its committee.
    #[must_use]
    pub fn committee_id(&self) -> UniqueId {
        committee_id(&self.fingerprint(), &self.refs(), &self.content(), &self.acl.fingerprint())
    }

    /// Its committee: root is the fingerprint, refs are lattices, then organisms.
    ///
    /// # Errors
    /// [`AclError`], where no committee can have its access rules.
    pub fn committee(&self) -> Result<Committee, AclError> {
        Ok(Committee::new(self.fingerprint(), self.refs(), self.content(), self.acl.acl()?))
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        text::name("name", &self.name)?;
        each("lattices", &self.lattices, LatticeRef::check)?;
        once("lattices", self.lattice_ids().into_iter())?;
        each("organisms", &self.organisms, Instance::check)?;
        once("organisms", self.organism_ids().into_iter())?;
        let spanned = self.lattices.len() + self.organisms.len();
        if spanned < 2 {
            return Err(ConfigError::new("lattices", Fault::Span(spanned)));
        }
        self.acl.check().map_err(|e| e.within("acl"))
    }
}

impl Document for ConfluenceConfig<'static> {
    const MAX_BYTES: usize = 1 << 17;

    fn check(&self) -> Result<(), ConfigError> {
        self.check()
    }
}
