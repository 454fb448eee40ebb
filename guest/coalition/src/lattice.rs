//! Lattices: builders of one chain's blocks.

use std::borrow::Cow;

use crate::config_error::ConfigError;
use crate::content::Content;
use crate::object::object;
use crate::preimage::Preimage;
use crate::{CitizenId, Document, UniqueId, text};

object! {
    /// Which lattice: the name of an instance, and the chain it builds for.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct LatticeRef<'a> {
        /// Its name.
        pub instance: Cow<'a, str>,
        /// The chain's number (EIP-155).
        pub chain_id: u64,
    }
}

fn id(instance: &str, chain_id: u64) -> UniqueId {
    Preimage::new("builder|").name(instance).bare("|chain=").number(chain_id).finish()
}

impl<'a> LatticeRef<'a> {
    /// That instance for that chain.
    #[must_use]
    pub const fn new(instance: &'a str, chain_id: u64) -> Self {
        Self { instance: Cow::Borrowed(instance), chain_id }
    }

    /// Its stable id, `blake3("builder|" || instance || "|chain=" || chain_id)`.
    #[must_use]
    pub fn id(&self) -> UniqueId {
        id(&self.instance, self.chain_id)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        text::name("instance", &self.instance)
    }
}

object! {
    /// A lattice as a coalition lists it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct LatticeConfig<'a> {
        /// Its name.
        pub instance: Cow<'a, str>,
        /// The chain's number (EIP-155).
        pub chain_id: u64,
        /// What it runs, if that is published. No part of its id.
        pub content: Option<Content<'a>> = "Default::default",
    }
}

impl<'a> LatticeConfig<'a> {
    /// That instance for that chain.
    #[must_use]
    pub const fn new(instance: &'a str, chain_id: u64, content: Option<Content<'a>>) -> Self {
        Self { instance: Cow::Borrowed(instance), chain_id, content }
    }

    /// Its stable id, `blake3("builder|" || instance || "|chain=" || chain_id)`.
    #[must_use]
    pub fn id(&self) -> UniqueId {
        id(&self.instance, self.chain_id)
    }

    /// Its id where evidence points to it.
    #[must_use]
    pub fn citizen(&self) -> CitizenId {
        CitizenId::of(&self.id())
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        text::name("instance", &self.instance)?;
        self.content.as_ref().map_or(Ok(()), |content| content.check().map_err(|e| e.within("content")))
    }
}

impl Document for LatticeConfig<'static> {
    const MAX_BYTES: usize = 1 << 16;

    fn check(&self) -> Result<(), ConfigError> {
        self.check()
    }
}
