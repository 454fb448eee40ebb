//! Ways to end: the power button, SIGTERM, SIGINT (Ctrl-Alt-Del), a panic. All end in power-off.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rustix::system::{RebootCommand, reboot};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::journal::{Journal, console};

/// Length of `struct input_event` where `time_t` has 64 bits (Linux, include/uapi/linux/input.h): two i64 of time,
/// u16 type, u16 code, i32 value.
const EVENT: usize = 24;
/// EV_KEY.
const KEY: u16 = 1;
/// KEY_POWER.
const KEY_POWER: u16 = 116;
/// Input devices watched at most.
const DEVICES: usize = 32;

/// Whether an input event is the power key going down.
#[must_use]
pub fn is_power_key(event: &[u8; EVENT]) -> bool {
    let [_time @ .., t0, t1, c0, c1, v0, v1, v2, v3] = event;
    u16::from_ne_bytes([*t0, *t1]) == KEY
        && u16::from_ne_bytes([*c0, *c1]) == KEY_POWER
        && i32::from_ne_bytes([*v0, *v1, *v2, *v3]) == 1
}

/// Watches every input device under `root` for the power key, each in a thread of its own (reads of evdev block).
pub fn watch_button(root: &Path, pressed: &mpsc::Sender<()>, journal: &Journal) {
    let Ok(entries) = std::fs::read_dir(root.join("dev/input")) else { return };
    let devices = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("event"));
    for entry in devices.take(DEVICES) {
        let Ok(mut file) = File::open(entry.path()) else { continue };
        let pressed = pressed.clone();
        let watch = move || {
            let mut event = [0; EVENT];
            while file.read_exact(&mut event).is_ok() {
                if is_power_key(&event) {
                    let _ = pressed.try_send(());
                }
            }
        };
        let thread =
            std::thread::Builder::new().name("power-button".into()).stack_size(64 << 10).spawn(watch);
        if let Err(error) = thread {
            journal.line(&format!("power: cannot watch {}: {error}", entry.path().display()));
        }
    }
}

/// Waits until something asks for the end, and says what.
///
/// # Errors
/// Signals cannot be watched.
pub async fn requested(mut pressed: mpsc::Receiver<()>) -> std::io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        // All senders gone means no button: wait for the signals alone.
        Some(()) = pressed.recv() => "power button",
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// Has Ctrl-Alt-Del send SIGINT instead of resetting at once.
pub fn tame_ctrl_alt_del(journal: &Journal) {
    if let Err(error) = reboot(RebootCommand::CadOff) {
        journal.line(&format!("power: ctrl-alt-del: {error}"));
    }
}

/// Writes out what there is and powers the machine off. PID 1 must not return, so neither does this.
pub fn off(why: &str) -> ! {
    console(&format!("hallmark: power-off: {why}"));
    rustix::fs::sync();
    for command in [RebootCommand::PowerOff, RebootCommand::Halt] {
        if let Err(error) = reboot(command) {
            console(&format!("hallmark: power-off: {error}"));
        }
    }
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// From now on a panic, in any thread, is said on the console and powers the machine off.
pub fn off_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        console(&format!("hallmark: panic: {panic}"));
        off("panic");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u16, code: u16, value: i32) -> [u8; EVENT] {
        let mut bytes = [0xaa; EVENT];
        bytes[16..18].copy_from_slice(&kind.to_ne_bytes());
        bytes[18..20].copy_from_slice(&code.to_ne_bytes());
        bytes[20..].copy_from_slice(&value.to_ne_bytes());
        bytes
    }

    #[test]
    fn only_the_power_key_going_down_counts() {
        assert!(is_power_key(&event(KEY, KEY_POWER, 1)));
        for (kind, code, value) in [(KEY, KEY_POWER, 0), (KEY, 30, 1), (2, KEY_POWER, 1), (0, 0, 0)] {
            assert!(!is_power_key(&event(kind, code, value)));
        }
    }

    #[test]
    fn a_press_reaches_the_loop() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("dev/input");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("mouse0"), event(KEY, KEY_POWER, 1)).unwrap();
        std::fs::write(folder.join("event0"), [event(0, 0, 0), event(KEY, KEY_POWER, 1)].concat()).unwrap();
        let (sender, receiver) = mpsc::channel(1);
        watch_button(root.path(), &sender, &Journal::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(requested(receiver)).unwrap(), "power button");
    }

    #[test]
    fn without_a_button_signals_still_end_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let why = runtime.block_on(async {
            let (sender, receiver) = mpsc::channel(1);
            drop(sender);
            let waiting = tokio::spawn(requested(receiver));
            tokio::task::yield_now().await; // the handlers are in place now
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
            waiting.await.unwrap().unwrap()
        });
        assert_eq!(why, "SIGTERM");
    }
}
