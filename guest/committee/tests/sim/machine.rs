//! The life of a slot's machine from boot to crash.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hallmark_committee::{
    Caller, Clock, Engine, EngineConfig, Founding, Limits, MemberKeys, Outcome, PeerRequest, PeerResponse,
    Receipt, Start, Timing,
};
use hallmark_ledger::entry::Entry;
use hallmark_machine::kv::{Kv, Pair};
use tokio::time::sleep;
use turmoil::net::{TcpListener, TcpStream};

use super::chance::Chance;
use super::group::{Boot, host};
use super::network::{ANYONE, Net, PORT, ask, receive, send, travel};
use super::run::World;
use super::wire::{Answer, Ask};

/// How a machine begins.
#[derive(Debug, Clone)]
pub(crate) enum Begin {
    /// With an epoch.
    Found { founding: Box<Founding>, log_seed: [u8; 32], epoch: u64, node: u64, initialise: bool },
    /// By asking the others.
    Join,
}

/// A clock that is wrong, and may jump.
struct Skewed {
    now: Arc<AtomicU64>,
    ahead: Arc<AtomicU64>,
}

impl Clock for Skewed {
    fn unix_millis(&self) -> u64 {
        1_800_000_000_000 + self.now.load(Ordering::Relaxed) + self.ahead.load(Ordering::Relaxed)
    }
}

pub(crate) fn timing() -> Timing {
    Timing {
        heartbeat: Duration::from_millis(100),
        election_min: Duration::from_millis(500),
        election_max: Duration::from_millis(1000),
        call: Duration::from_millis(400),
        submit: Duration::from_millis(3000),
        retry: Duration::from_millis(100),
        catch_up: Duration::from_secs(5),
    }
}

/// Runs until the host is crashed.
pub(crate) async fn live(world: Arc<World>, slot: u16, boot: Boot, begin: Begin) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    let me = boot.spki_sha256();
    let (start, log_seed, epoch, node) = match begin {
        Begin::Found { founding, log_seed, epoch, node, initialise } => {
            (Start::Found { founding, initialise }, log_seed, epoch, node)
        }
        Begin::Join => {
            let (node, epoch, log_seed) = join(&world, slot, &boot).await;
            (Start::Join, log_seed, epoch, node)
        }
    };
    let keys = MemberKeys { cosign: boot.cosign(), log: world.group.log(epoch, &log_seed) };
    let folder = world.folder.join(host(slot));
    let mut config = EngineConfig::new(world.group.id(), (epoch, node, slot), keys, start, folder);
    config.storage = world.disks[usize::from(slot)].storage();
    config.clock =
        Arc::new(Skewed { now: Arc::clone(&world.now), ahead: Arc::clone(&world.skews[usize::from(slot)]) });
    config.timing = timing();
    config.limits = Limits { snapshot_entries: world.snapshot_entries, keep_entries: 4, ..Limits::default() };
    let engine = match Engine::<Kv>::start(config, Arc::new(Net { me })).await {
        Ok(engine) => engine,
        Err(error) => {
            // The operator sees a machine that did not come up, and boots it again.
            world.say(&format!("slot {slot}: does not start: {error}"));
            world.needs_boot(slot);
            std::future::pending().await
        }
    };
    world.up(slot, node, epoch, engine.clone());
    loop {
        let (stream, _) = listener.accept().await?;
        let (world, engine) = (Arc::clone(&world), engine.clone());
        tokio::spawn(async move {
            let _ = serve(&world, &engine, me, stream).await;
        });
    }
}

/// Asks whoever answers, until this machine is admitted and has the epoch's log key.
async fn join(world: &World, slot: u16, boot: &Boot) -> (u64, u64, [u8; 32]) {
    let me = boot.spki_sha256();
    let mut chance = Chance::new(u64::from_le_bytes(me[..8].try_into().unwrap()));
    let within = Duration::from_millis(1500);
    loop {
        sleep(Duration::from_millis(chance.between(50, 300))).await;
        let to = host(chance.below(world.disks.len() as u64) as u16);
        if to == host(slot) {
            continue;
        }
        let Ok(Answer::Peer(PeerResponse::Description(found))) =
            ask(&to, me, &Ask::Peer(PeerRequest::Describe), within).await
        else {
            continue;
        };
        if !found.members.iter().any(|(_, node)| node.spki_sha256 == me) {
            let replaces = found.members.iter().find(|(_, node)| node.slot == slot).map(|(node, _)| *node);
            let admitting = world.group.admitting(boot, found.epoch, replaces);
            // Whatever comes back, or does not: the next description tells.
            let _ = ask(&to, me, &Ask::Admit(Box::new(admitting)), Duration::from_secs(4)).await;
            continue;
        }
        if let Ok(Answer::Peer(PeerResponse::Join(welcome))) =
            ask(&to, me, &Ask::Peer(PeerRequest::Join), within).await
        {
            return (welcome.node, welcome.epoch, welcome.log_seed);
        }
    }
}

fn told(receipt: &Receipt) -> (Outcome, u64, u64) {
    let checkpoint = receipt.checkpoint.checkpoint();
    (receipt.outcome.clone(), checkpoint.epoch, checkpoint.size)
}

async fn serve(
    world: &World,
    engine: &Engine<Kv>,
    me: [u8; 32],
    mut stream: TcpStream,
) -> std::io::Result<()> {
    let bytes = receive(&mut stream).await?;
    let (spki, body) = bytes.split_first_chunk().ok_or(std::io::ErrorKind::InvalidData)?;
    let (whom, body) = body.split_first_chunk::<32>().ok_or(std::io::ErrorKind::InvalidData)?;
    if *whom != me && *whom != ANYONE {
        // Meant for the machine that the slot had before.
        return Err(std::io::ErrorKind::ConnectionRefused.into());
    }
    let ask: Ask = postcard::from_bytes(body).map_err(std::io::Error::other)?;
    let answer = match ask {
        Ask::Peer(request) => Answer::Peer(engine.handle(Caller { spki_sha256: *spki }, request).await),
        Ask::Admit(admitting) => {
            let admitted = engine.admit(*admitting).await;
            Answer::Admitted(admitted.map(|done| done.node).map_err(|error| error.to_string()))
        }
        Ask::Submit(submission) => Answer::Receipt(engine.submit(submission).await.map(|done| told(&done))),
        Ask::Settle { client, nonce } => {
            Answer::Settled(engine.settle(client, nonce).await.map(|fate| match fate {
                hallmark_committee::Fate::Settled(receipt) => Some(told(&receipt)),
                _ => None,
            }))
        }
        Ask::Challenge(nonce) => Answer::Fresh(engine.freshness(&nonce).map(|fresh| fresh.size)),
        Ask::Read { key, size } => read(world, engine, &key, size).await,
    };
    let answer = postcard::to_allocvec(&answer).map_err(std::io::Error::other)?;
    travel(&answer, "").await;
    send(&mut stream, &answer).await
}

/// The last entry of a key under a cosigned checkpoint of at least `size` leaves.
async fn read(world: &World, engine: &Engine<Kv>, key: &str, size: u64) -> Answer {
    let _ = world;
    let mut checkpoint = engine.checkpoint();
    for _ in 0..40 {
        let known = checkpoint.borrow_and_update().clone();
        if let Some(known) = known
            && known.checkpoint().size >= size
        {
            let (size, epoch) = (known.checkpoint().size, known.checkpoint().epoch);
            let value = engine.ledger(|log| {
                if log.size() < size {
                    return None;
                }
                let mut value = None;
                for index in (0..size).rev() {
                    let Ok(bytes) = log.entry(index) else { return None };
                    let entry = Entry::of(bytes).ok()?;
                    if entry.surface() == "pairs" && entry.key() == Some(key) {
                        value = serde_json::from_str::<Pair>(entry.body().get()).ok()?.value;
                        break;
                    }
                }
                Some(value)
            });
            match value {
                Some(value) => return Answer::Value { value, size, epoch },
                None => return Answer::NotReady,
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    Answer::NotReady
}
