//! The ceremonies: `init`, `admit`, `recover`.
//!
//! An order can be signed in several runs: `--order FILE` keeps it, each operator adds a signature with a key of theirs, and whoever comes
//! last hands it in.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use hallmark_committee::member::ceremony::{Application, GenesisOrder, RecoveryOrder};
use hallmark_committee::member::choice::Choice;
use hallmark_committee::member::{Visitor, bounded};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Visit, slot_key, visit};
use crate::complaint::Complaint;
use crate::progress::say;

/// The longest order that is read: 31 machines' evidence and collateral.
const LONGEST: u64 = 64 << 20;
/// Between two looks at a machine that is being admitted.
const LOOK: Duration = Duration::from_millis(200);

/// A beginning
#[derive(Args)]
#[command(after_help = "Examples:
  mint committee init committee.toml --key slot0.key --key slot1.key --key slot2.key
  mint committee init committee.toml --order genesis.json --key slot0.key   # then the file goes to the next operator
  mint committee init committee.toml --order genesis.json --key slot2.key   # the last signature: it is handed in")]
pub(crate) struct Init {
    /// committee.toml
    committee: PathBuf,
    /// Slot operators' keys; every slot's has to sign
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    /// Keep the order here between runs. Without it all keys must be given at once
    #[arg(long, value_name = "FILE")]
    order: Option<PathBuf>,
}

/// A new beginning
#[derive(Args)]
#[command(after_help = "Examples:
  mint committee recover committee.toml --order recovery.json               # shows what survives; signs nothing
  mint committee recover committee.toml --order recovery.json --key slot0.key
  mint committee recover committee.toml --order recovery.json --key slot1.key --submit

What survives: every acknowledged write, if n - q + 1 of the disks seen are the latest that their machines wrote. A host can show an
older disk, and no count and no signature can tell. Look at sizes and times before you sign.")]
pub(crate) struct Recover {
    /// committee.toml
    committee: PathBuf,
    /// Slot operators' keys. A quorum has to sign, and the operator of every machine that is to take part
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// Keep the order here between runs
    #[arg(long, value_name = "FILE")]
    order: Option<PathBuf>,
    /// Go on from this slot's disk, instead of the one that goes furthest
    #[arg(long, value_name = "SLOT")]
    from: Option<u16>,
    /// Only these slots' machines take part; others are admitted later. Default: all that answer
    #[arg(long, value_name = "SLOT", value_delimiter = ',')]
    only: Vec<u16>,
    /// Hand it in once it is signed
    #[arg(long)]
    submit: bool,
}

/// An admission
#[derive(Args)]
#[command(after_help = "Examples:
  mint committee admit committee.toml --key slot1.key
  mint committee admit committee.toml --key slot1.key --wait 0   # signs, and does not look what becomes of it

Do not stop another machine before this one counts: until then its slot is as good as empty.")]
pub(crate) struct Admit {
    /// committee.toml
    committee: PathBuf,
    /// The slot operator's key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// How long to wait until it counts, in votes and cosignatures. 0: not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    wait: u64,
}

/// Signs for the machine that waits in a slot, and waits until it counts.
pub(super) fn admit(options: &Admit) -> Result<(), Complaint> {
    let Visit { visitor, runtime, .. } = Visit::open(&options.committee)?;
    let key = slot_key(&options.key)?;
    let application = runtime.block_on(visitor.admit(&key)).map_err(|e| visit("nothing was signed", &e))?;
    let slot = application.admission.slot;
    say(&format!(
        "signed     slot {slot} epoch {} machine {}",
        application.epoch,
        hex::encode(application.admission.spki_sha256())
    ));
    let begun = Instant::now();
    let mut said = String::new();
    while begun.elapsed().as_secs() < options.wait {
        let standing = runtime.block_on(visitor.standing_of(&application));
        match standing {
            Ok(Some(standing)) if standing.counts() => {
                let node = standing.node.map_or_else(String::new, |node| format!(" node {node}"));
                say(&format!("admitted   slot {slot}{node}: it votes, and may cosign"));
                return Ok(());
            }
            Ok(Some(standing)) => {
                let now = super::status::phase(slot, &standing);
                if now != said {
                    say(&now);
                    said = now;
                }
            }
            Ok(None) => {
                let what = format!("slot {slot} has another machine than was signed for");
                let why = "it started again, with new keys";
                return Err(Complaint::no("restarted", what, why, "sign for it: the same command again"));
            }
            // It may be busy: the time runs.
            Err(error) => said = format!("silent: {error}"),
        }
        std::thread::sleep(LOOK);
    }
    if options.wait == 0 {
        return Ok(());
    }
    Err(Complaint::unable(
        "not-yet",
        format!("slot {slot} does not count after {} s", options.wait),
        said.trim(),
        "the signature stands: `mint committee status` says how it goes on. Stop no other machine before it counts",
    ))
}

/// Begins.
pub(super) fn init(options: &Init) -> Result<(), Complaint> {
    let Visit { visitor, runtime, .. } = Visit::open(&options.committee)?;
    let failed = |e: &_| visit("the committee did not begin", e);
    let mut order: GenesisOrder = match kept(options.order.as_deref())? {
        Some(order) => order,
        None => runtime.block_on(visitor.genesis()).map_err(|e| failed(&e))?,
    };
    show(&visitor, &order.applications);
    for path in &options.keys {
        let slot = visitor.sign_genesis(&mut order, &slot_key(path)?).map_err(|e| failed(&e))?;
        say(&format!("signed     slot {slot}"));
    }
    keep(options.order.as_deref(), &order)?;
    let unsigned = visitor.unsigned(&order.applications);
    if !unsigned.is_empty() {
        return waiting("init", options.order.as_deref(), &unsigned);
    }
    runtime.block_on(visitor.begin(&order)).map_err(|e| failed(&e))?;
    say(&format!("begun      group {} with slot {} first", visitor.committee().id(), order.begins));
    Ok(())
}

/// Goes on in a new epoch.
pub(super) fn recover(options: &Recover) -> Result<(), Complaint> {
    let Visit { visitor, runtime, .. } = Visit::open(&options.committee)?;
    let failed = |e: &_| visit("the committee was not recovered", e);
    let mut order: RecoveryOrder = match kept(options.order.as_deref())? {
        Some(order) => order,
        None => {
            let plan =
                runtime.block_on(visitor.recovery(options.from, &options.only)).map_err(|e| failed(&e))?;
            survives(&plan.choice);
            plan.order
        }
    };
    let recovery = &order.recovery;
    say(&format!("from       slot {}'s disk, epoch {}", order.begins, recovery.old_epoch));
    say(&format!("survives   {} entries, root {}", recovery.size, recovery.root));
    say(&format!("new        epoch {}, recovery {}", recovery.new_epoch, recovery.recoveries));
    show(&visitor, &order.applications);
    for path in &options.keys {
        let slot = visitor.sign_recovery(&mut order, &slot_key(path)?).map_err(|e| failed(&e))?;
        say(&format!("signed     slot {slot}"));
    }
    keep(options.order.as_deref(), &order)?;
    let mut unsigned = visitor.unsigned(&order.applications);
    let missing = visitor.committee().acl().quorum().saturating_sub(order.recovery.signatures.len());
    if !options.submit {
        say(if unsigned.is_empty() && missing == 0 {
            "ready      hand it in with --submit"
        } else {
            "kept       not signed by all yet"
        });
        return Ok(());
    }
    if unsigned.is_empty() && missing > 0 {
        let slots = (0..).take(visitor.committee().acl().slots().len());
        unsigned = slots.filter(|slot| order.recovery.signatures.iter().all(|s| s.slot != *slot)).collect();
    }
    if !unsigned.is_empty() {
        return waiting("recover", options.order.as_deref(), &unsigned);
    }
    for missed in runtime.block_on(visitor.recover(&order)).map_err(|e| failed(&e))? {
        say(&format!("missed     {missed}"));
    }
    say(&format!("recovered  group {} in epoch {}", visitor.committee().id(), order.recovery.new_epoch));
    Ok(())
}

/// What a recovery keeps and what it may cost, before anybody signs.
fn survives(choice: &Choice) {
    let (seen, enough) = choice.seen;
    say(&format!(
        "disks      {seen} of former epochs seen; {enough} are enough, if each has all that its slot's machines signed"
    ));
    if !choice.enough {
        say(
            "AT RISK    acknowledged writes may be lost: bring up more machines with their disks, if there are any",
        );
    }
    for (slot, size) in &choice.lost {
        say(&format!(
            "LOST       slot {slot} shows a quorum's checkpoint of {size} entries, more than survives"
        ));
    }
}

fn show(visitor: &Visitor, applications: &[Application]) {
    for application in applications {
        let admission = &application.admission;
        say(&format!(
            "machine    slot {} at {} key {} {}",
            admission.slot,
            application.address,
            hex::encode(admission.spki_sha256()),
            if application.is_signed(visitor.committee()) { "signed" } else { "unsigned" }
        ));
    }
}

/// Some operators have still to sign: that is no failure where the order is kept for them.
fn waiting(verb: &str, order: Option<&Path>, unsigned: &[u16]) -> Result<(), Complaint> {
    let slots = unsigned.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match order {
        Some(path) if verb == "init" => {
            say(&format!("waiting    {} needs the operators of slots {slots}", path.display()));
            Ok(())
        }
        _ => Err(Complaint::no(
            "unsigned",
            format!("the operators of slots {slots} have not signed"),
            "an order counts with all its signatures only",
            "give their keys with --key, or keep the order with --order FILE and pass it on",
        )),
    }
}

pub(super) fn kept<T: DeserializeOwned>(path: Option<&Path>) -> Result<Option<T>, Complaint> {
    let Some(path) = path.filter(|path| path.exists()) else { return Ok(None) };
    let unusable = |why: &dyn std::fmt::Display| {
        let what = format!("{} is no order of this kind", path.display());
        Complaint::unable("order", what, why, "give a file that is not there yet, to begin anew")
    };
    let bytes = bounded(path, LONGEST).map_err(|e| unusable(&e))?;
    serde_json::from_slice(&bytes).map(Some).map_err(|e| unusable(&e))
}

pub(super) fn keep(path: Option<&Path>, order: &impl Serialize) -> Result<(), Complaint> {
    let Some(path) = path else { return Ok(()) };
    let failed = |e: std::io::Error| Complaint::file("write", path, &e);
    let bytes = serde_json::to_vec_pretty(order).map_err(|e| failed(e.into()))?;
    let next = path.with_extension("next");
    fs::write(&next, bytes).and_then(|()| fs::rename(&next, path)).map_err(failed)
}
