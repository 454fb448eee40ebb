//! What the guest says: on the console, and in a bounded ring for `/status`.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::time::{ClockId, clock_gettime};

/// Lines kept.
const LINES: usize = 256;
/// Characters of a line kept.
const WIDTH: usize = 240;

/// A journal; clones share one ring.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    ring: Arc<Mutex<VecDeque<String>>>,
}

impl Journal {
    /// Says one line. Some of what is said comes from the host, so it is cut short and kept printable: a
    /// host must not write control sequences to an operator's terminal through us.
    pub fn line(&self, text: &str) {
        let text: String =
            text.chars().take(WIDTH).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        console(&format!("hallmark: {text}"));
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.len() >= LINES {
            ring.pop_front();
        }
        ring.push_back(format!("{:.2} {text}", seconds_since_boot()));
    }

    /// Says that a stage of the boot is reached, with seconds since boot.
    pub fn stage(&self, name: &str) {
        self.line(&format!("stage: {name} {:.2}s", seconds_since_boot()));
    }

    /// The newest lines, oldest first.
    #[must_use]
    pub fn tail(&self, lines: usize) -> Vec<String> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.iter().skip(ring.len().saturating_sub(lines)).cloned().collect()
    }
}

/// Writes a line to the console in one piece. A console that is gone is no reason to stop.
pub(crate) fn console(text: &str) {
    // Unit tests have no console; a test harness does not catch what goes past `print!`.
    if cfg!(test) {
        return;
    }
    let _ = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}

/// Seconds since the kernel started, suspended time included.
#[must_use]
pub fn seconds_since_boot() -> f64 {
    let now = clock_gettime(ClockId::Boottime);
    #[expect(clippy::cast_precision_loss, reason = "for people: hundredths of a second are enough")]
    let (seconds, nanoseconds) = (now.tv_sec as f64, now.tv_nsec as f64);
    seconds + nanoseconds / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_is_bounded_in_both_directions() {
        let journal = Journal::default();
        for n in 0..LINES + 10 {
            journal.line(&format!("{n} {}", "x".repeat(1000)));
        }
        let tail = journal.tail(usize::MAX);
        assert_eq!(tail.len(), LINES);
        assert!(tail.iter().all(|line| line.chars().count() < WIDTH + 16));
        assert!(tail.last().unwrap().contains(&format!(" {} ", LINES + 9)));
        assert_eq!(journal.tail(2).len(), 2);
    }

    #[test]
    fn control_characters_do_not_get_through() {
        let journal = Journal::default();
        journal.line("a\x1b[2J\nhallmark: ready: forged\r");
        let line = journal.tail(1).remove(0);
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}
