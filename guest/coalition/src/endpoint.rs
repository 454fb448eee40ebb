//! Where somebody may be found.

use std::borrow::Cow;

use crate::config_error::ConfigError;
use crate::object::object;
use crate::text;

object! {
    /// Where somebody may be found. A hint: who answers there still has to prove who it is.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct EndpointHint<'a> {
        /// Whose, for people.
        pub name: Cow<'a, str>,
        /// Address or URL.
        pub address: Cow<'a, str>,
    }
}

impl<'a> EndpointHint<'a> {
    /// That address, which is said to be so-and-so's.
    #[must_use]
    pub const fn new(name: &'a str, address: &'a str) -> Self {
        Self { name: Cow::Borrowed(name), address: Cow::Borrowed(address) }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        text::line("name", &self.name)?;
        text::line("address", &self.address)
    }
}
