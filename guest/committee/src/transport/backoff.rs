//! When to dial again.

use std::sync::Arc;
use std::time::Duration;

/// A source of randomness that a simulation can seed.
pub type Random = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Randomness of the operating system, for what needs no more than to differ between members.
#[must_use]
pub fn system_random() -> Random {
    // Jitter is not a secret: where the system has no randomness, members dial at the same instant, which is no more than slow.
    Arc::new(|| getrandom::u64().unwrap_or_default())
}

/// Exponential backoff whose waits lie between half and all of the current step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    step: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, step: first }
    }

    /// The next wait.
    pub(crate) fn next(&mut self, random: u64) -> Duration {
        let step = self.step.min(self.most);
        self.step = step.saturating_mul(2).min(self.most);
        let half = step / 2;
        let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
        half.saturating_add(Duration::from_micros(random.checked_rem(micros.saturating_add(1)).unwrap_or(0)))
    }

    /// After a success.
    pub(crate) const fn reset(&mut self) {
        self.step = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_start_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(300));
        let waits: Vec<_> = (0..4).map(|_| backoff.next(0).as_millis()).collect();
        assert_eq!(waits, [50, 100, 150, 150]);
        backoff.reset();
        for random in [0, 1, 77_777, u64::MAX] {
            let wait = backoff.next(random);
            backoff.reset();
            assert!(wait >= Duration::from_millis(50) && wait <= Duration::from_millis(100), "{wait:?}");
        }
    }
}
