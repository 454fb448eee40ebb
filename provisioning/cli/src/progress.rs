//! Progress for people: on standard output a line a stage, downloads on standard error.

use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;

use hallmark_image::fetch::Progress;
use hallmark_provisioning::progress::Event;

/// What every line of a simulation begins with.
static PREFIX: OnceLock<&'static str> = OnceLock::new();

/// From now on every line says that it is simulated.
pub(crate) fn simulate() {
    PREFIX.get_or_init(|| "SIMULATED  ");
}

/// A line on standard output.
pub(crate) fn say(line: &str) {
    println!("{}{line}", PREFIX.get().unwrap_or(&""));
}

/// A finished stage is a line; that one began is said only on a terminal, and overwritten.
pub(crate) fn line(event: &Event) {
    let terminal = std::io::stdout().is_terminal();
    match event {
        Event::Started(_) if terminal => {
            print!("{event}\r");
            let _ = std::io::stdout().flush();
        }
        Event::Finished { .. } => say(&event.to_string()),
        _ => {}
    }
}

/// Every eighth of a download, or the running count on a terminal.
pub(crate) fn download(progress: Progress<'_>) {
    let Progress { package, done, total, .. } = progress;
    let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
    if std::io::stderr().is_terminal() {
        eprint!("\r{package}: {percent} %{}", if done >= total { "\n" } else { "" });
    } else if done >= total {
        eprintln!("{package}: {total} bytes");
    }
}
