//! The last word of a log.

use crate::UniqueId;
use crate::config_error::ConfigError;
use crate::object::object;

object! {
    /// The last entry of a log that is given up: from when, and what takes its place.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct RetirementMarker {
        /// Milliseconds since 1970.
        pub effective_at: u64,
        /// The id of the committee that goes on; none where nobody does.
        pub replacement: Option<UniqueId> = "Default::default",
    }
}

impl RetirementMarker {
    /// From when, and what takes its place.
    #[must_use]
    pub const fn new(effective_at: u64, replacement: Option<UniqueId>) -> Self {
        Self { effective_at, replacement }
    }

    #[allow(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "what every object offers: any marker will do"
    )]
    fn check(self) -> Result<(), ConfigError> {
        Ok(())
    }
}
