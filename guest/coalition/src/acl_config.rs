//! Access rules as a document publishes them: with the operators' names.

use std::borrow::Cow;

use crate::acl::{self, Acl, Recovery};
use crate::config_error::{ConfigError, Fault, each, once};
use crate::object::object;
use crate::{AclError, List, UniqueId, text, validator};

object! {
    /// Who holds a slot.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct Operator<'a> {
        /// The operator's name, for people.
        pub name: Cow<'a, str>,
        /// The slot's Ed25519 public key.
        pub key: UniqueId,
    }
}

impl<'a> Operator<'a> {
    /// A name and a key.
    #[must_use]
    pub const fn new(name: &'a str, key: UniqueId) -> Self {
        Self { name: Cow::Borrowed(name), key }
    }

    fn check(&self) -> Result<(), ConfigError> {
        text::line("name", &self.name)
    }
}

object! {
    /// A committee's access rules, with names. The slot's number is its place in the list.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct AclConfig<'a> {
        /// Who holds which slot.
        pub operators: List<'a, Operator<'a>>,
        /// How many members speak for the committee.
        pub quorum: u16,
        /// What happens when a quorum is lost.
        pub recovery: Recovery = "Default::default",
        /// Signature of the ticket validator; none where nothing is asked.
        pub tickets: Option<UniqueId> = "Default::default",
    }
}

impl<'a> AclConfig<'a> {
    /// Access rules.
    #[must_use]
    pub const fn new(
        operators: &'a [Operator<'a>],
        quorum: u16,
        recovery: Recovery,
        tickets: Option<UniqueId>,
    ) -> Self {
        Self { operators: List::lent(operators), quorum, recovery, tickets }
    }

    fn slots(&self) -> Vec<[u8; 32]> {
        self.operators.iter().map(|operator| *operator.key.as_bytes()).collect()
    }

    /// The rules themselves, without the names.
    ///
    /// # Errors
    /// [`AclError`], where no committee can have them.
    pub fn acl(&self) -> Result<Acl, AclError> {
        Acl::new(self.slots(), self.quorum, self.recovery, self.asked())
    }

    fn asked(&self) -> UniqueId {
        self.tickets.unwrap_or_else(validator::nothing_asked)
    }

    /// The fingerprint of [`acl`](Self::acl); names are no part of it.
    #[must_use]
    pub fn fingerprint(&self) -> UniqueId {
        acl::fingerprint(&self.slots(), self.quorum, self.recovery, self.asked())
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        each("operators", &self.operators, Operator::check)?;
        once("operators", self.operators.iter().map(|operator| operator.name.clone()))?;
        acl::check(&self.slots(), self.quorum).map_err(|e| ConfigError::new("operators", Fault::Acl(e)))
    }
}
