//! What time it is, for whoever has to believe it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hallmark_verifier::time::UnixSeconds;

/// Two clocks: one that says which day it is, which in a TD is the host's word, and one that only runs forward, by
/// which ages are measured.
pub trait Clock: Send + Sync {
    /// The instant at which certificates and collateral are judged.
    fn now(&self) -> UnixSeconds;

    /// Time since some instant that stays the same. Never runs backwards.
    fn uptime(&self) -> Duration;
}

/// The clocks of this machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Clocks whose uptime begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> UnixSeconds {
        // Before 1970 nothing is valid: the verifier refuses all of it.
        UnixSeconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }

    fn uptime(&self) -> Duration {
        self.start.elapsed()
    }
}
