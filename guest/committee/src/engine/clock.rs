//! The clock of a member.

use std::time::{SystemTime, UNIX_EPOCH};

/// Wall-clock time. Used for the time that stands in a cosignature and for nothing that decides anything.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970-01-01 UTC.
    fn unix_millis(&self) -> u64;
}

/// This machine's clock, which its host sets.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_millis(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
