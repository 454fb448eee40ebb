//! One run of one seed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallmark_committee::{DiskState, Engine, Fault, Founding, Outcome, seed_thread};
use hallmark_ledger::hash::Hash;
use hallmark_machine::kv::Kv;

use super::chance::Chance;
use super::check::Seen;
use super::clerk;
use super::disk::{Faults, SlotDisk};
use super::group::{Boot, Group, host};
use super::history::{Done, Told};
use super::machine::{Begin, live};
use super::network::{set_folder, set_lag};
use super::plan::{Act, Plan};
use super::trace::Trace;

/// How long members are left alone at the end, in milliseconds, and how long where they do not agree by then.
const PEACE: u64 = 2_000;
const LONGEST_PEACE: u64 = 10_000;

/// Longest run, in virtual milliseconds.
const MOST: u64 = 90_000;
/// No growth of the cosigned ledger for so long, with clients waiting, and the operators recover.
const STALLED: u64 = 9_000;
const TICK: u64 = 5;
/// How long a message takes at most, in milliseconds, when nothing is wrong.
const USUAL: u64 = 12;

/// What hosts, clients and the driver share.
pub(crate) struct World {
    pub(crate) group: Group,
    pub(crate) folder: PathBuf,
    pub(crate) disks: Vec<SlotDisk>,
    pub(crate) skews: Vec<Arc<AtomicU64>>,
    pub(crate) snapshot_entries: u64,
    pub(crate) now: Arc<AtomicU64>,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    trace: Trace,
    up: BTreeMap<u16, Up>,
    begin: BTreeMap<u16, (Boot, Begin)>,
    reboot: Vec<u16>,
    done: Vec<Done>,
    wrong: Vec<String>,
    clerks_done: usize,
    seen: Seen,
}

/// A running member, as the driver sees it.
#[derive(Clone)]
struct Up {
    node: u64,
    epoch: u64,
    engine: Engine<Kv>,
}

impl World {
    fn with<T>(&self, act: impl FnOnce(&mut Shared) -> T) -> T {
        act(&mut self.shared.lock().unwrap())
    }

    pub(crate) fn time(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn say(&self, line: &str) {
        self.with(|shared| shared.trace.say(line));
    }

    pub(crate) fn wrong(&self, what: String) {
        self.with(|shared| {
            shared.trace.say(&format!("WRONG {what}"));
            shared.wrong.push(what);
        });
    }

    pub(crate) fn needs_boot(&self, slot: u16) {
        self.with(|shared| shared.reboot.push(slot));
    }

    pub(crate) fn up(&self, slot: u16, node: u64, epoch: u64, engine: Engine<Kv>) {
        self.say(&format!("slot {slot}: node {node} of epoch {epoch} runs"));
        self.with(|shared| shared.up.insert(slot, Up { node, epoch, engine }));
    }

    pub(crate) fn begun(&self, done: Done) -> usize {
        self.with(|shared| {
            shared
                .trace
                .say(&format!("clerk {} nonce {}: {:?} {}", done.clerk, done.nonce, done.op, done.key));
            shared.done.push(done);
            shared.done.len() - 1
        })
    }

    pub(crate) fn ended(&self, at: usize, told: Told) {
        let now = self.time();
        self.with(|shared| shared.done[at].end = Some((now, told)));
    }

    pub(crate) fn done(&self, done: Done) {
        self.with(|shared| {
            shared.trace.say(&format!("clerk {} {}: {:?} {:?}", done.clerk, done.nonce, done.op, done.end));
            shared.done.push(done);
        });
    }

    pub(crate) fn clerk_done(&self) {
        self.with(|shared| shared.clerks_done += 1);
    }

    /// A client was told a fate, under q cosignatures.
    pub(crate) fn told(&self, clerk: usize, nonce: u64, outcome: &Outcome, epoch: u64) {
        self.with(|shared| {
            shared.trace.say(&format!("clerk {clerk} nonce {nonce}: told {outcome:?}, epoch {epoch}"));
            if let Err(what) = shared.seen.told(clerk, nonce, outcome, epoch) {
                shared.trace.say(&format!("WRONG {what}"));
                shared.wrong.push(what);
            }
        });
    }
}

/// What a run came to.
pub(crate) struct Report {
    pub(crate) digest: String,
    pub(crate) lines: Vec<String>,
    pub(crate) wrong: Vec<String>,
    pub(crate) told: usize,
    pub(crate) recoveries: u64,
    pub(crate) linear: usize,
    pub(crate) leaves: u64,
    pub(crate) millis: u64,
    pub(crate) steps: usize,
}

struct Driver<'a> {
    sim: turmoil::Sim<'a>,
    world: Arc<World>,
    chance: Chance,
    log_seed: [u8; 32],
    lag: u64,
    plan: Plan,
    /// Slots whose machine is off.
    off: Vec<bool>,
    progress: (u64, u64),
    recoveries: u64,
    stalls: u64,
    lossy_since: Option<u64>,
    faulty_since: BTreeMap<u16, u64>,
}

/// Runs a seed. Everything happens on this thread.
pub(crate) fn run(seed: u64) -> Report {
    let mut chance = Chance::new(seed);
    let plan = Plan::draw(&mut chance.fork(1));
    run_plan(seed, chance, plan)
}

pub(crate) fn run_plan(seed: u64, mut chance: Chance, plan: Plan) -> Report {
    seed_thread(Some(chance.next()));
    let folder = tempfile::Builder::new().prefix("hallmark-sim").tempdir_in(memory()).unwrap();
    let group = Group::new(plan.n, plan.q, &mut chance.fork(2));
    let world = Arc::new(World {
        group,
        folder: folder.path().to_owned(),
        disks: (0..plan.n).map(|_| SlotDisk::default()).collect(),
        skews: plan.skews.iter().map(|ahead| Arc::new(AtomicU64::new(*ahead))).collect(),
        snapshot_entries: plan.snapshot_entries,
        now: Arc::default(),
        shared: Mutex::default(),
    });
    let name = folder.path().to_string_lossy().into_owned();
    set_folder(&name);
    world.with(|shared| shared.trace.folder = name);
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .tick_duration(Duration::from_millis(TICK))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(1))
        .simulation_duration(Duration::from_millis(MOST * 2))
        .tcp_capacity(4096)
        .build();
    for slot in 0..plan.n as u16 {
        let world = Arc::clone(&world);
        sim.host(host(slot), move || {
            let begun = world.with(|shared| shared.begin.remove(&slot));
            let world = Arc::clone(&world);
            async move {
                match begun {
                    Some((boot, begin)) => live(world, slot, boot, begin).await,
                    None => std::future::pending().await,
                }
            }
        });
    }
    let off = vec![true; plan.n];
    let lag = chance.next();
    set_lag(lag, USUAL);
    let log_seed = chance.bytes();
    let mut driver = Driver {
        sim,
        world: Arc::clone(&world),
        chance,
        log_seed,
        lag,
        off,
        progress: (0, 0),
        recoveries: 0,
        stalls: 0,
        lossy_since: None,
        faulty_since: BTreeMap::new(),
        plan,
    };
    driver.begin();
    driver.drive();
    let report = driver.finish();
    seed_thread(None);
    report
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&path, &copied)?;
        } else {
            std::fs::copy(path, copied)?;
        }
    }
    Ok(())
}

/// A folder in memory where there is one: the ledger's files are real.
pub(crate) fn memory() -> PathBuf {
    let shm = PathBuf::from("/dev/shm");
    if shm.is_dir() { shm } else { std::env::temp_dir() }
}

impl Driver<'_> {
    fn now(&self) -> u64 {
        u64::try_from(self.sim.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn say(&self, line: &str) {
        self.world.say(line);
    }

    fn begin(&mut self) {
        let n = self.plan.n as u16;
        let boots: Vec<_> = (0..n).map(|slot| Boot::new(slot, &mut self.chance)).collect();
        let founding = self.world.group.genesis(&boots, &self.log_seed);
        self.found(founding, boots);
        for clerk in 0..self.plan.clerks {
            let (world, chance) = (Arc::clone(&self.world), self.chance.fork(100 + clerk as u64));
            self.sim.client(format!("clerk{clerk}"), clerk::work(world, clerk, self.plan.ops, chance));
        }
    }

    /// Boots the machines of a new epoch.
    fn found(&mut self, founding: Founding, boots: Vec<Boot>) {
        let roster = founding.roster::<Kv>(self.world.group.id()).unwrap();
        self.world.with(|shared| shared.seen.founded(&roster, self.plan.q));
        let (first, epoch) = (boots[0].slot, roster.epoch);
        for boot in boots {
            let slot = boot.slot;
            let begin = Begin::Found {
                founding: Box::new(founding.clone()),
                log_seed: self.log_seed,
                epoch,
                node: roster.members[&slot].node,
                initialise: slot == first,
            };
            self.boot_as(slot, boot, begin);
        }
    }

    fn boot_as(&mut self, slot: u16, boot: Boot, begin: Begin) {
        self.off[usize::from(slot)] = false;
        self.faulty_since.remove(&slot);
        self.world.with(|shared| shared.begin.insert(slot, (boot, begin)));
        self.sim.bounce(host(slot));
    }

    fn boot(&mut self, slot: u16) {
        if self.off[usize::from(slot)] {
            self.say(&format!("slot {slot}: boots"));
            let boot = Boot::new(slot, &mut self.chance);
            self.boot_as(slot, boot, Begin::Join);
        }
    }

    fn crash(&mut self, slot: u16, roll_back: bool) {
        if self.off[usize::from(slot)] {
            return;
        }
        self.off[usize::from(slot)] = true;
        // The driver's handle would keep the ledger's folder locked.
        self.world.with(|shared| shared.up.remove(&slot));
        self.sim.crash(host(slot));
        let rolled = self.world.disks[usize::from(slot)].crash(roll_back, &mut self.chance);
        self.say(&format!("slot {slot}: crashes{}", if rolled { ", its disk rolled back" } else { "" }));
        if rolled {
            // What is served from the files goes back with it.
            let (ledger, kept) = self.ledger(slot);
            let _ = std::fs::remove_dir_all(&ledger);
            let _ = std::fs::rename(kept, ledger);
        }
    }

    /// A slot's ledger, and where a copy of it is kept.
    fn ledger(&self, slot: u16) -> (PathBuf, PathBuf) {
        let folder = &self.world.folder;
        (folder.join(host(slot)).join("ledger"), folder.join(format!("kept-{}", host(slot))))
    }

    /// Keeps a slot's disk, to be rolled back to: Raft's file and the ledger's.
    fn keep(&mut self, slot: u16) {
        self.world.disks[usize::from(slot)].keep();
        let (ledger, kept) = self.ledger(slot);
        let _ = std::fs::remove_dir_all(&kept);
        if ledger.is_dir() {
            copy(&ledger, &kept).unwrap();
        }
    }

    fn act(&mut self, act: Act) {
        if !matches!(act, Act::Crash { .. } | Act::Boot { .. }) {
            self.say(&format!("{act:?}"));
        }
        match act {
            Act::Cut { a, b, oneway: true } => self.sim.partition_oneway(host(a), host(b)),
            Act::Cut { a, b, oneway: false } => self.sim.partition(host(a), host(b)),
            Act::Mend { a, b } => self.sim.repair(host(a), host(b)),
            Act::Hold { a, b } => self.sim.hold(host(a), host(b)),
            Act::Release { a, b } => self.sim.release(host(a), host(b)),
            Act::Slow { most } => set_lag(self.lag, most),
            Act::Disk { slot, faults } => self.world.disks[usize::from(slot)].set(faults),
            Act::Clock { slot, ahead } => self.world.skews[usize::from(slot)].store(ahead, Ordering::Relaxed),
            Act::Keep { slot } => self.keep(slot),
            Act::Crash { slot, roll_back } => self.crash(slot, roll_back),
            Act::Boot { slot } => self.boot(slot),
        }
    }

    fn drive(&mut self) {
        let mut acts = std::mem::take(&mut self.plan.acts).into_iter().peekable();
        let mut calm = false;
        let mut after = 0;
        loop {
            let now = self.now();
            self.world.now.store(now, Ordering::Relaxed);
            self.world.with(|shared| shared.trace.now = now);
            while let Some((_, act)) = acts.next_if(|(at, _)| *at <= now && *at < self.plan.calm) {
                self.act(act);
            }
            if !calm && now >= self.plan.calm {
                calm = true;
                self.calm();
            }
            if let Err(error) = self.sim.step() {
                self.world.wrong(format!("a host ended: {error}"));
                return;
            }
            self.look();
            self.operate(calm);
            if calm && self.settled() {
                after += TICK;
                // A member that was cut off comes back with a later term and a shorter log, and may spoil more than one election.
                if after > PEACE && (self.agreed() || after > LONGEST_PEACE) {
                    return;
                }
            }
            if now > MOST {
                self.world.wrong("clients are not done".into());
                return;
            }
        }
    }

    /// Clients know what they wanted to know, and every slot has its member.
    fn settled(&self) -> bool {
        self.world.with(|shared| shared.clerks_done == self.plan.clerks && shared.up.len() == self.plan.n)
    }

    /// Every member knows the same checkpoint.
    fn agreed(&self) -> bool {
        self.world.with(|shared| {
            let mut sizes = shared.up.values().map(|up| up.engine.status().cosigned);
            let first = sizes.next();
            sizes.all(|size| Some(size) == first)
        })
    }

    /// Mends everything.
    fn calm(&mut self) {
        self.say("calm");
        let n = self.plan.n as u16;
        for a in 0..n {
            for b in a + 1..n {
                self.sim.repair(host(a), host(b));
                self.sim.release(host(a), host(b));
            }
        }
        set_lag(self.lag, USUAL);
        for slot in 0..n {
            self.world.disks[usize::from(slot)].set(Faults::default());
            self.boot(slot);
        }
    }

    /// Reads every running member.
    fn look(&mut self) {
        let mut best = self.progress.1;
        self.world.with(|shared| {
            let up: Vec<_> = shared.up.iter().map(|(slot, up)| (*slot, up.clone())).collect();
            for (slot, up) in up {
                let lines = shared.seen.look(slot, up.node, up.epoch, &up.engine);
                for line in lines {
                    match line {
                        Ok(line) => shared.trace.say(&line),
                        Err(what) => {
                            shared.trace.say(&format!("WRONG {what}"));
                            shared.wrong.push(what);
                        }
                    }
                }
            }
            for what in shared.seen.settle() {
                shared.trace.say(&format!("WRONG {what}"));
                shared.wrong.push(what);
            }
            best = best.max(shared.seen.grown());
        });
        if best > self.progress.1 {
            self.progress = (self.now(), best);
        }
    }

    /// What operators do: machines with a fault are booted again; a committee that stands still is recovered.
    fn operate(&mut self, calm: bool) {
        let now = self.now();
        let reboot = self.world.with(|shared| std::mem::take(&mut shared.reboot));
        let faulty: Vec<u16> = self.world.with(|shared| shared.seen.faulty());
        for slot in reboot.into_iter().chain(faulty) {
            self.faulty_since.entry(slot).or_insert(now);
        }
        let due: Vec<u16> = self
            .faulty_since
            .iter()
            .filter(|(_, since)| now - **since > 1_000)
            .map(|(slot, _)| *slot)
            .collect();
        for slot in due {
            self.faulty_since.remove(&slot);
            self.crash(slot, false);
            self.world.disks[usize::from(slot)].set(Faults::default());
            self.boot(slot);
        }
        let waiting = !self.settled();
        if waiting
            && calm
            && now.saturating_sub(self.progress.0.max(self.plan.calm)) > STALLED
            && self.recoveries < 4
        {
            let lively = self.world.with(|shared| shared.up.len()) == self.plan.n;
            if lively && self.world.with(|shared| shared.seen.whole()) {
                self.stalls += 1;
                self.say("STALL: all members run and nothing is cosigned");
            }
            self.progress.0 = now;
            self.recover();
        }
    }

    /// Stops every machine, takes the best disk, begins an epoch.
    fn recover(&mut self) {
        let n = self.plan.n as u16;
        for slot in 0..n {
            self.crash(slot, false);
        }
        let mut disks: BTreeMap<u16, DiskState> = BTreeMap::new();
        for slot in 0..n {
            let disk = &self.world.disks[usize::from(slot)];
            for path in disk.files() {
                match DiskState::of_file::<Kv>(&path, self.world.group.id(), &disk.storage()) {
                    Ok(Some(state)) => {
                        if disks.get(&slot).is_none_or(|best| *best < state) {
                            disks.insert(slot, state);
                        }
                    }
                    Ok(None) => {}
                    Err(error) => self.say(&format!("slot {slot}: disk: {error}")),
                }
            }
        }
        let Some(best) = disks.values().max().cloned() else {
            self.world.wrong("no disk can be read".into());
            return;
        };
        // Fresh: holds all that the slot's machines of the last epoch signed.
        let fresh = self
            .world
            .with(|shared| (0..n).filter(|slot| shared.seen.is_fresh(*slot, disks.get(slot))).count());
        let excused = fresh < self.plan.n - self.plan.q + 1;
        let lost = self.world.with(|shared| shared.seen.recovered(&best, excused));
        self.say(&format!(
            "recovery from slot {} at {:?}, size {}: {fresh} fresh disks, {} acknowledged lost",
            best.slot,
            best.last,
            best.size,
            lost.told.len()
        ));
        if !lost.told.is_empty() || lost.cosigned.is_some() {
            if excused {
                self.lossy_since.get_or_insert(self.now());
            } else {
                let states: Vec<_> = disks.iter().map(|(slot, disk)| (*slot, disk.last, disk.size)).collect();
                self.world.wrong(format!("{fresh} fresh disks lost {lost:?}; disks: {states:?}"));
            }
        }
        self.recoveries += 1;
        self.log_seed = self.chance.bytes();
        let boots: Vec<_> = (0..n).map(|slot| Boot::new(slot, &mut self.chance)).collect();
        let founding = self.world.group.recovery(&best, &boots, &self.log_seed);
        self.found(founding, boots);
    }

    fn finish(mut self) -> Report {
        let millis = self.now();
        let (mut wrong, done) = self.world.with(|shared| {
            let up: Vec<_> = shared.up.values().cloned().collect();
            let engines: Vec<_> = up.iter().map(|up| &up.engine).collect();
            let mut wrong = std::mem::take(&mut shared.wrong);
            wrong.extend(shared.seen.last(&engines));
            (wrong, std::mem::take(&mut shared.done))
        });
        let linear = match super::history::linearizable(&done, self.lossy_since) {
            Ok(checked) => checked,
            Err(what) => {
                wrong.push(what);
                0
            }
        };
        if self.stalls > 0 {
            wrong.push(format!("{} stalls of a whole committee", self.stalls));
        }
        for slot in 0..self.plan.n as u16 {
            self.crash(slot, false);
        }
        self.world.with(|shared| Report {
            digest: shared.trace.digest(),
            lines: shared.trace.lines().to_vec(),
            wrong,
            told: shared.seen.told_count(),
            recoveries: self.recoveries,
            linear,
            leaves: shared.seen.size(),
            millis,
            steps: shared.seen.steps(),
        })
    }
}

/// Whether a fault is one that this world's disks explain.
pub(crate) fn explained(fault: &Fault) -> bool {
    matches!(fault, Fault::Storage { .. } | Fault::NotInRoster { .. })
}

/// A root at a size of an epoch.
pub(crate) type Roots = BTreeMap<(u64, u64), Hash>;
