//! A disk without room.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Between two tries of a write that found no room.
const AGAIN: Duration = Duration::from_millis(200);

/// Waits for room: what is to be written waits in its order, and so nothing that is not on disk is signed. Only a thread of its own may wait so.
///
/// A flush is never tried again: after one that failed nobody knows what the disk has.
#[derive(Debug, Default)]
pub(crate) struct Room {
    full: Mutex<Option<String>>,
    /// Off until a thread writes.
    waits: AtomicBool,
}

impl Room {
    /// What the disk said, while there is no room.
    pub(crate) fn full(&self) -> Option<String> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From here on a thread writes, which may wait.
    pub(crate) fn begin(&self) {
        self.waits.store(true, Ordering::Relaxed);
    }

    /// Ends the waiting: the write fails.
    pub(crate) fn give_up(&self) {
        self.waits.store(false, Ordering::Relaxed);
    }

    /// Writes, again while the only thing that is wrong is that there is no room.
    pub(crate) fn wait<T>(&self, mut write: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            let result = write();
            let full = result.as_ref().err().filter(|error| is_full(error)).map(ToString::to_string);
            let waits = full.is_some() && self.waits.load(Ordering::Relaxed);
            let before = std::mem::replace(
                &mut *self.full.lock().unwrap_or_else(PoisonError::into_inner),
                full.clone(),
            );
            match (&before, &full) {
                (None, Some(why)) => {
                    tracing::error!(why, "raft log: no room; nothing is signed until there is");
                }
                (Some(_), None) => tracing::info!("raft log: there is room again"),
                _ => {}
            }
            if !waits {
                return result;
            }
            std::thread::sleep(AGAIN);
        }
    }
}

/// Whether a disk says that it has no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_waits_for_room_and_for_nothing_else() {
        let room = Room::default();
        room.begin();
        let mut left = 2;
        let wrote = room.wait(|| {
            left -= 1;
            if left > 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(7) }
        });
        assert_eq!((wrote.unwrap(), room.full()), (7, None));
        let other = room.wait(|| Err::<(), _>(io::ErrorKind::InvalidData.into())).unwrap_err();
        assert_eq!(other.kind(), io::ErrorKind::InvalidData);
        room.give_up();
        let full = room.wait(|| Err::<(), _>(io::ErrorKind::QuotaExceeded.into())).unwrap_err();
        assert!(is_full(&full) && room.full().is_some());
    }
}
