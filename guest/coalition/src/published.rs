//! What a coalition publishes beside its identities.

use std::borrow::Cow;

use crate::config_error::{ConfigError, each};
use crate::content::{Pin, check_pins};
use crate::endpoint::EndpointHint;
use crate::object::object;
use crate::{List, UniqueId, text};

object! {
    /// What an integrator is told beside the identities.
    #[derive(Debug, Clone, PartialEq, Eq, Default)]
    #[non_exhaustive]
    pub struct Published<'a> {
        /// Where changes are announced before they happen.
        pub change_channel: Option<Cow<'a, str>> = "Default::default",
        /// Releases that members run now.
        pub pins: List<'a, Pin<'a>> = "Default::default",
        /// SHA-256 of the policy file by which members judge one another.
        pub policy: Option<UniqueId> = "Default::default",
        /// Where to begin.
        pub peers: List<'a, EndpointHint<'a>> = "Default::default",
    }
}

impl<'a> Published<'a> {
    /// Nothing.
    pub const NONE: Self = Self { change_channel: None, pins: List::EMPTY, policy: None, peers: List::EMPTY };

    /// Change channel, releases, policy, peers.
    #[must_use]
    pub const fn new(
        change_channel: &'a str,
        pins: &'a [Pin<'a>],
        policy: Option<UniqueId>,
        peers: &'a [EndpointHint<'a>],
    ) -> Self {
        let change_channel = Some(Cow::Borrowed(change_channel));
        Self { change_channel, pins: List::lent(pins), policy, peers: List::lent(peers) }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        self.change_channel.as_ref().map_or(Ok(()), |channel| text::line("change_channel", channel))?;
        check_pins("pins", &self.pins)?;
        each("peers", &self.peers, EndpointHint::check)
    }
}
