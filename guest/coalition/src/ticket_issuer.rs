//! Who gives out a coalition's tickets.

use std::borrow::Cow;

use crate::acl::public_key;
use crate::config_error::{ConfigError, Fault, each, number, once};
use crate::object::object;
use crate::preimage::Preimage;
use crate::{Document, List, UniqueId, text};

/// Longest life of a ticket that any issuer may give: 90 days, in seconds.
pub const MAX_LIFETIME: u32 = 90 * 86_400;

/// Most keys of one issuer: each of them is tried on a ticket that is no good.
const MAX_KEYS: usize = 16;

object! {
    /// Who gives out a coalition's tickets, for what, and for how long at most.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct TicketIssuerConfig<'a> {
        /// The issuer's name, for people.
        pub name: Cow<'a, str>,
        /// Ed25519 public keys, any of which signs.
        pub keys: List<'a, UniqueId>,
        /// Scopes that it may give.
        pub scopes: List<'a, Cow<'a, str>>,
        /// Longest life of a ticket, from nbf to exp, in seconds.
        pub max_lifetime: u32,
    }
}

impl<'a> TicketIssuerConfig<'a> {
    /// An issuer with these keys.
    #[must_use]
    pub const fn new(
        name: &'a str,
        keys: &'a [UniqueId],
        scopes: &'a [Cow<'a, str>],
        max_lifetime: u32,
    ) -> Self {
        Self { name: Cow::Borrowed(name), keys: List::lent(keys), scopes: List::lent(scopes), max_lifetime }
    }

    /// `blake3("hallmark/ticket-issuer/1" || name || keys || scopes || max_lifetime u64)`.
    #[must_use]
    pub fn fingerprint(&self) -> UniqueId {
        let start = Preimage::new("hallmark/ticket-issuer/1").name(&self.name).ids(&self.keys);
        let scopes = start.list(&self.scopes, |p, scope| p.name(scope));
        scopes.number(u64::from(self.max_lifetime)).finish()
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        text::line("name", &self.name)?;
        if self.keys.is_empty() {
            return Err(ConfigError::new("keys", Fault::Empty("key")));
        }
        if self.keys.len() > MAX_KEYS {
            let fault = Fault::TooMany { items: self.keys.len(), most: MAX_KEYS };
            return Err(ConfigError::new("keys", fault));
        }
        each("keys", &self.keys, |key| match public_key(key.as_bytes()) {
            Some(_) => Ok(()),
            None => Err(ConfigError::new("key", Fault::Key(*key))),
        })?;
        once("keys", self.keys.iter().copied())?;
        if self.scopes.is_empty() {
            return Err(ConfigError::new("scopes", Fault::Empty("scope")));
        }
        each("scopes", &self.scopes, |scope| text::name("scope", scope))?;
        once("scopes", self.scopes.iter().cloned())?;
        number("max_lifetime", u64::from(self.max_lifetime), 1, u64::from(MAX_LIFETIME))
    }
}

impl Document for TicketIssuerConfig<'static> {
    const MAX_BYTES: usize = 1 << 16;

    fn check(&self) -> Result<(), ConfigError> {
        self.check()
    }
}
