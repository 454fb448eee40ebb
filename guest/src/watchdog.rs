//! The machine's watchdog, where there is one: a guest that hangs is reset by its host's timer.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::journal::Journal;

/// Devices start with half a minute or more (i6300esb: 30 s).
const INTERVAL: Duration = Duration::from_secs(10);

/// Opens `/dev/watchdog`, which arms it, and writes to it from the event loop: if that hangs, the machine is
/// reset. Returns at once where there is no device.
pub async fn pet(root: &Path, journal: &Journal) {
    let Ok(mut device) = OpenOptions::new().write(true).open(root.join("dev/watchdog")) else { return };
    journal.line("watchdog: armed");
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        if let Err(error) = device.write_all(&[0]) {
            journal.line(&format!("watchdog: {error}"));
            return;
        }
    }
}
