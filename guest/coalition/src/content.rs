//! What a citizen runs and under which rules, as far as others publish it.

use std::borrow::Cow;

use crate::config_error::{ConfigError, each, once};
use crate::object::object;
use crate::preimage::Preimage;
use crate::{List, UniqueId, text};

object! {
    /// A release that counts: its name, and SHA-256 of its release.json.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct Pin<'a> {
        /// Name and version, for people.
        pub release: Cow<'a, str>,
        /// SHA-256 of release.json.
        pub sha256: UniqueId,
    }
}

impl<'a> Pin<'a> {
    /// A pin.
    #[must_use]
    pub const fn new(release: &'a str, sha256: UniqueId) -> Self {
        Self { release: Cow::Borrowed(release), sha256 }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        text::line("release", &self.release)
    }
}

/// Each release is pinned once.
pub(crate) fn check_pins(field: &str, pins: &[Pin<'_>]) -> Result<(), ConfigError> {
    each(field, pins, Pin::check)?;
    once(field, pins.iter().map(|pin| pin.sha256))
}

object! {
    /// What a citizen runs and under which rules. It may change while the citizen stays the same.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct Content<'a> {
        /// Fingerprint of its access rules.
        pub acl: UniqueId,
        /// Releases that its members may run.
        pub pins: List<'a, Pin<'a>> = "Default::default",
        /// SHA-256 of the policy file by which its members judge one another.
        pub policy: UniqueId,
    }
}

impl<'a> Content<'a> {
    /// Access rules, releases and policy.
    #[must_use]
    pub const fn new(acl: UniqueId, pins: &'a [Pin<'a>], policy: UniqueId) -> Self {
        Self { acl, pins: List::lent(pins), policy }
    }

    /// `blake3("hallmark/content/1" || acl || pins || policy)`, a pin being its name and hash.
    #[must_use]
    pub fn hash(&self) -> UniqueId {
        let start = Preimage::new("hallmark/content/1").bare(self.acl);
        start.list(&self.pins, |p, pin| p.name(&pin.release).bare(pin.sha256)).bare(self.policy).finish()
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        check_pins("pins", &self.pins)
    }
}
