//! PID 1 is the parent of every orphan: it must wait for them.

use rustix::process::{WaitOptions, waitpid};
use tokio::signal::unix::{SignalKind, signal};

/// Waits for ended children for as long as the guest runs.
///
/// # Errors
/// SIGCHLD cannot be watched.
pub async fn reap() -> std::io::Result<()> {
    let mut children = signal(SignalKind::child())?;
    while children.recv().await.is_some() {
        // One signal may stand for many children. ECHILD (none left) ends the round as well.
        while let Ok(Some(_)) = waitpid(None, WaitOptions::NOHANG) {}
    }
    Ok(())
}
