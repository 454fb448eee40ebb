//! Organisms: services of one instance in one network.

use std::borrow::Cow;

use crate::config_error::ConfigError;
use crate::content::Content;
use crate::object::object;
use crate::preimage::Preimage;
use crate::{CitizenId, Document, UniqueId, text};

object! {
    /// Which organism: the name of an instance, and its network.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct Instance<'a> {
        /// Its name.
        pub instance: Cow<'a, str>,
        /// The network it lives in; none is the universe.
        pub network: Option<UniqueId> = "Default::default",
    }
}

fn stable_id(instance: &str, network: Option<UniqueId>) -> UniqueId {
    Preimage::new("").name(instance).bare(network.unwrap_or_else(UniqueId::universe)).finish()
}

impl<'a> Instance<'a> {
    /// That instance in that network.
    #[must_use]
    pub const fn new(instance: &'a str, network: Option<UniqueId>) -> Self {
        Self { instance: Cow::Borrowed(instance), network }
    }

    /// `blake3(instance || network_id)`.
    #[must_use]
    pub fn stable_id(&self) -> UniqueId {
        stable_id(&self.instance, self.network)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        text::name("instance", &self.instance)
    }
}

object! {
    /// An organism as a coalition lists it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct OrganismRef<'a> {
        /// What it does for the coalition. No part of its id.
        pub role: Cow<'a, str>,
        /// The name of the instance.
        pub instance: Cow<'a, str>,
        /// The network it lives in; none is the universe.
        pub network: Option<UniqueId> = "Default::default",
        /// What it runs, if that is published. No part of its id.
        pub content: Option<Content<'a>> = "Default::default",
    }
}

impl<'a> OrganismRef<'a> {
    /// That instance in that network, for that role.
    #[must_use]
    pub const fn new(
        role: &'a str,
        instance: &'a str,
        network: Option<UniqueId>,
        content: Option<Content<'a>>,
    ) -> Self {
        Self { role: Cow::Borrowed(role), instance: Cow::Borrowed(instance), network, content }
    }

    /// `blake3(instance || network_id)`.
    #[must_use]
    pub fn stable_id(&self) -> UniqueId {
        stable_id(&self.instance, self.network)
    }

    /// Its id where evidence points to it.
    #[must_use]
    pub fn citizen(&self) -> CitizenId {
        CitizenId::of(&self.stable_id())
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        text::name("role", &self.role)?;
        text::name("instance", &self.instance)?;
        self.content.as_ref().map_or(Ok(()), |content| content.check().map_err(|e| e.within("content")))
    }
}

impl Document for OrganismRef<'static> {
    const MAX_BYTES: usize = 1 << 16;

    fn check(&self) -> Result<(), ConfigError> {
        self.check()
    }
}
