//! Wakes those who send to peers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Tells any number of tasks that there may be something to do. Clones are the same.
///
/// Those who wait are woken in the order in which they began to. A simulation that follows from its seed needs that, and tokio's `watch` has not got it: it spreads
/// its receivers over eight lists by a draw of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beat(Arc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    count: AtomicU64,
    waiting: Notify,
}

/// One who waits for beats.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    beat: Beat,
    seen: u64,
}

impl Beat {
    /// One who has seen all beats so far.
    pub(crate) fn listen(&self) -> Listener {
        Listener { beat: self.clone(), seen: self.0.count.load(Ordering::Acquire) }
    }

    /// Wakes all who listen.
    pub(crate) fn strike(&self) {
        self.0.count.fetch_add(1, Ordering::AcqRel);
        self.0.waiting.notify_waiters();
    }
}

impl Listener {
    /// Takes note of all beats so far: what there is to do is looked at from here on.
    pub(crate) fn look(&mut self) {
        self.seen = self.beat.0.count.load(Ordering::Acquire);
    }

    /// Waits for a beat that was not seen.
    pub(crate) async fn changed(&mut self) {
        loop {
            // Made before the count is read: it hears of every beat from here on, polled or not.
            let woken = self.beat.0.waiting.notified();
            let count = self.beat.0.count.load(Ordering::Acquire);
            if count != self.seen {
                self.seen = count;
                return;
            }
            woken.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// So few that all of them wait before the beat: tokio looks after its timers every 61 tasks.
    const LISTENERS: u32 = 32;

    #[tokio::test]
    async fn listeners_are_woken_in_the_order_in_which_they_wait() {
        let (beat, order) = (Beat::default(), Arc::new(Mutex::new(Vec::new())));
        let tasks: Vec<_> = (0..LISTENERS)
            .map(|number| {
                let (mut listener, order) = (beat.listen(), Arc::clone(&order));
                tokio::spawn(async move {
                    listener.changed().await;
                    order.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(number);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        beat.strike();
        for task in tasks {
            assert!(task.await.is_ok());
        }
        let order = order.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        assert_eq!(order, (0..LISTENERS).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_beat_between_look_and_wait_is_not_missed() {
        let beat = Beat::default();
        let mut listener = beat.listen();
        beat.strike();
        listener.changed().await;
        listener.look();
        let (waits, strikes) = (listener.changed(), async { beat.strike() });
        tokio::join!(waits, strikes);
    }
}
