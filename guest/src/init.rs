//! PID 1: from the kernel's hand-over to power-off.
//!
//! The stages are said on the console in this order, each with seconds since boot: `start`, `mounts`, `modules`,
//! `evidence`, `http`, `network`; then `ready: http PORT ip ADDRESS`, the last line of a boot that went well.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::evidence::{Source, detect};
use crate::http::{self, Answerer, Limits};
use crate::journal::Journal;
use crate::status::Status;
use crate::version::GUEST_VERSION;
use crate::{kernel_modules, mounts, network, power, reaper, watchdog};

/// The machine's name.
const HOSTNAME: &[u8] = b"hallmark";

/// Runs the guest. Only for PID 1: it mounts, loads, and in the end powers the machine off. Never returns.
pub fn run() -> ! {
    power::off_on_panic();
    let root = Path::new("/");
    let journal = Journal::default();
    journal.stage("start");
    journal.line(&format!("version {GUEST_VERSION}"));
    mounts::mount_all(root, &mounts::EARLY, &journal);
    journal.stage("mounts");
    let modules = kernel_modules::load_all(root, &journal, kernel_modules::finit);
    kernel_modules::lock(root, &journal);
    mounts::mount_all(root, &mounts::LATE, &journal);
    if let Err(error) = rustix::system::sethostname(HOSTNAME) {
        journal.line(&format!("hostname: {error}"));
    }
    power::tame_ctrl_alt_del(&journal);
    journal.stage("modules");
    let source = detect(root).unwrap_or_else(|error| {
        journal.line(&format!("evidence: {error}"));
        None
    });
    let kind = source.as_ref().map(|source| source.kind());
    journal
        .line(&format!("evidence from {}", kind.map_or("nothing: no platform found", |kind| kind.as_str())));
    journal.stage("evidence");

    let status = Arc::new(Status::new(journal.clone(), kind, modules));
    let ended =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(2).build().and_then(
            |runtime| {
                let why = runtime.block_on(live(root, &journal, status, source))?;
                // A quote that is under way is not waited for.
                runtime.shutdown_background();
                Ok(why)
            },
        );
    match ended {
        Ok(why) => power::off(why),
        Err(error) => power::off(&format!("cannot go on: {error}")),
    }
}

/// Serves until something asks for the end, and says what.
async fn live(
    root: &Path,
    journal: &Journal,
    status: Arc<Status>,
    source: Option<Box<dyn Source>>,
) -> io::Result<&'static str> {
    let (press, pressed) = mpsc::channel(1);
    power::watch_button(root, &press, journal);
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, http::PORT)).await?;
    journal.stage("http");
    let answerer = Arc::new(Answerer::new(Arc::clone(&status), source));
    let (address, changes) = watch::channel(None);
    // Whichever ends first ends all: the listener and its connections are dropped with this.
    tokio::select! {
        why = power::requested(pressed) => why,
        () = http::serve(listener, answerer, Limits::default()) => Ok("the server ended"),
        () = network::keep_up(root, journal, &address) => Ok("the network ended"),
        () = announce(journal, &status, changes) => Ok("the network ended"),
        Err(error) = reaper::reap() => Err(error),
        () = async { watchdog::pet(root, journal).await; std::future::pending().await } => Ok("the watchdog ended"),
    }
}

/// Says each change of address, and that the guest is ready when there is one.
async fn announce(journal: &Journal, status: &Status, mut changes: watch::Receiver<Option<Ipv4Addr>>) {
    let mut said = None;
    while changes.changed().await.is_ok() {
        let address = *changes.borrow_and_update();
        status.set_addresses(address.into_iter().collect());
        match address {
            // A renewal that keeps the address is no news.
            _ if address == said => {}
            Some(address) => {
                journal.stage("network");
                journal.line(&format!("ready: http {} ip {address}", http::PORT));
            }
            None => journal.line("network: the address is lost"),
        }
        said = address;
    }
}
