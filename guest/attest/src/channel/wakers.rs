//! One waker for two tasks.
//!
//! A channel may be read by one task and written by another, and either may have to do the other's work: reading answers
//! challenges, writing looks at the clock. The connection below remembers one waker a direction, so it is given one that wakes
//! both.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

/// Who polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Read,
    Write,
}

/// The tasks that wait.
#[derive(Debug, Default)]
pub(super) struct Wakers([Mutex<Option<Waker>>; 2]);

impl Wakers {
    const fn slot(&self, side: Side) -> &Mutex<Option<Waker>> {
        let Self([read, write]) = self;
        match side {
            Side::Read => read,
            Side::Write => write,
        }
    }

    /// The task waits from here on.
    pub(super) fn wait(&self, side: Side, context: &Context<'_>) {
        let mut slot = self.slot(side).lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *slot {
            Some(waker) => waker.clone_from(context.waker()),
            None => *slot = Some(context.waker().clone()),
        }
    }

    /// The task does not wait any longer.
    pub(super) fn done(&self, side: Side) {
        *self.slot(side).lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Wakes who waits.
    pub(super) fn wake_all(&self) {
        for side in [Side::Read, Side::Write] {
            let waker = self.slot(side).lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
