//! Waiting for the guest to say that it is ready.

use std::time::{Duration, Instant};

use super::{Vm, WaitError};
use crate::progress::{Event, Mark, Stage};

/// What a guest that is ready said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// What follows `hallmark: ready:` on the console, such as `http 8080 ip 10.0.2.15`.
    pub detail: String,
    /// How long this wait took.
    pub took: Duration,
}

/// How often the transcript is looked at.
const POLL: Duration = Duration::from_millis(50);
/// A guest that has printed this much and is not ready never will be.
const FLOOD: u64 = 16 << 20;
/// How long a panicking kernel may take to finish its text.
const LAST_WORDS: Duration = Duration::from_millis(500);

impl Vm {
    /// Waits until the guest says `hallmark: ready` on the console. `tell` hears of every stage.
    ///
    /// # Errors
    /// When it ends, panics, has nothing to boot, or is not ready within `limit`; each with the console's
    /// last lines. After a timeout the machine still runs and may be waited for again.
    pub fn wait_ready(&mut self, limit: Duration, tell: &mut dyn FnMut(&Event)) -> Result<Ready, WaitError> {
        let started = Instant::now();
        loop {
            // The end is looked at before the console, so that what was printed before it is read.
            let ended = self.qemu.exited();
            if let Some(detail) = self.read_console(tell)? {
                return Ok(Ready { detail, took: started.elapsed() });
            }
            let (stage, tail) = (self.clock.stage(), self.console.tail());
            if let Some(status) = ended {
                return Err(WaitError::Ended { stage, status, output: self.qemu.output(), tail });
            }
            if self.console.bytes_read() > FLOOD {
                return Err(WaitError::Flooded { limit: FLOOD, tail });
            }
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(WaitError::TimedOut { stage, waited: started.elapsed(), tail });
            }
            let _ = self.qemu.wait(POLL.min(left));
        }
    }

    /// Reads what is new on the console; what the guest says of itself if it is ready.
    fn read_console(&mut self, tell: &mut dyn FnMut(&Event)) -> Result<Option<String>, WaitError> {
        let mut ready = None;
        for line in self.poll()? {
            match Mark::of(&line) {
                Some(Mark::Loading(_)) => self.clock.advance(Stage::Kernel, "handed over to the disk", tell),
                Some(Mark::Said(said)) => {
                    self.clock.advance(Stage::Guest, "the guest program runs", tell);
                    tell(&Event::Said(said.into()));
                }
                Some(Mark::Ready(detail)) => {
                    self.clock.advance(Stage::Guest, "the guest program runs", tell);
                    self.clock.finish("ready", tell);
                    ready = Some(detail.to_owned());
                }
                Some(Mark::NotBootable(_)) => {
                    return Err(WaitError::NotBootable { tail: self.console.tail() });
                }
                Some(Mark::Panicked(line)) => {
                    let _ = self.qemu.wait(LAST_WORDS);
                    let _ = self.poll()?;
                    return Err(WaitError::Panicked { line: line.into(), tail: self.console.tail() });
                }
                None => {}
            }
        }
        Ok(ready)
    }

    fn poll(&mut self) -> Result<Vec<String>, WaitError> {
        self.console.poll().map_err(|source| WaitError::Console { path: self.console.path().into(), source })
    }
}
