//! What a side puts up with, and for how long.

use std::time::Duration;

/// Bounds on a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The time from the first byte to acceptance, a quote included on either side.
    pub handshake: Duration,
    /// The most bytes of the peer's evidence. A TD's with its log has about 100 KiB.
    pub evidence: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { handshake: Duration::from_secs(30), evidence: 1 << 20 }
    }
}

impl Limits {
    /// What a frame can carry at all.
    pub(crate) const EVIDENCE_MAX: usize = 4 << 20;

    /// A day at most: a sum of instants has to be one.
    pub(crate) fn handshake(&self) -> Duration {
        self.handshake.min(Duration::from_secs(24 * 3600))
    }

    pub(crate) fn proof(&self) -> usize {
        self.evidence.clamp(64, Self::EVIDENCE_MAX)
    }
}

/// When a peer proves itself anew, on a channel that stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// How old its evidence becomes before it is asked again; each time between three quarters of this and all of it, so
    /// that sessions do not ask in step.
    pub interval: Duration,
    /// How old its evidence may become: then the channel ends. [`Self::AGE_MAX`] at most.
    pub age: Duration,
    /// The least time between two challenges. A peer that challenges four times as fast is refused.
    pub spacing: Duration,
    /// How often a channel looks at the clocks and at the judge's generation.
    pub tick: Duration,
}

impl Renewal {
    /// No session lives longer on one piece of evidence.
    pub const AGE_MAX: Duration = Duration::from_secs(24 * 3600);

    pub(crate) fn age(&self) -> Duration {
        self.age.min(Self::AGE_MAX)
    }

    /// Between a thousand times a second and once a minute, whatever was asked for.
    pub(crate) fn tick(&self) -> Duration {
        self.tick.clamp(Duration::from_millis(1), Duration::from_secs(60))
    }
}

impl Default for Renewal {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(3600),
            age: Self::AGE_MAX,
            spacing: Duration::from_secs(20),
            tick: Duration::from_secs(1),
        }
    }
}
