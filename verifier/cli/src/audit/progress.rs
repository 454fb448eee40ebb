//! How far a long audit is.

use std::time::{Duration, Instant};

use crate::output::talk;

/// Between two lines.
const PAUSE: Duration = Duration::from_secs(5);

/// A line on standard error every few seconds; none for a short log.
pub(super) struct Progress {
    start: Instant,
    last: Instant,
    total: u64,
}

impl Progress {
    pub(super) fn new(total: u64) -> Self {
        let now = Instant::now();
        Self { start: now, last: now, total }
    }

    /// So many entries are done.
    pub(super) fn at(&mut self, done: u64) {
        // The clock is asked once a bundle, not once an entry.
        if done.is_multiple_of(256) && self.last.elapsed() >= PAUSE {
            self.last = Instant::now();
            talk(format_args!("{done} of {} entries, {} s", self.total, self.start.elapsed().as_secs()));
        }
    }
}
