//! Orders to a committee that lives: `expel`, `release`.
//!
//! As with the ceremonies, an order can be signed in several runs: `--order FILE` keeps it, and with `--submit` whoever has the last signature hands it in.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hallmark_committee::member::{Change, ChangeOrder, bounded};
use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::{Expulsion, Release, ReleaseAction};

use super::orders::{keep, kept};
use super::{Visit, slot_key, visit};
use crate::complaint::Complaint;
use crate::progress::say;

/// The longest release.json that is hashed.
const LONGEST: u64 = 16 << 20;

/// Who signs, and what becomes of the order.
#[derive(Args)]
pub(crate) struct Signing {
    /// Slot operators' keys; a quorum has to sign
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// Keep the order here between runs
    #[arg(long, value_name = "FILE")]
    order: Option<PathBuf>,
    /// Hand it in once it is signed
    #[arg(long)]
    submit: bool,
}

/// A member is put out
#[derive(Args)]
#[command(after_help = "Examples:
  mint committee expel committee.toml --node 8 --why 'signed two histories' --key slot0.key --key slot1.key --submit
  mint committee expel committee.toml --node 8 --why 'signed two histories' --order expel.json --key slot0.key
  mint committee expel committee.toml --node 8 --why 'signed two histories' --order expel.json --key slot1.key --submit

What the node signs afterwards does not count. Its slot stays empty until its operator admits another machine there (`mint committee
admit`): with q of n needed, the others must be q at least.")]
pub(crate) struct Expel {
    /// committee.toml
    committee: PathBuf,
    /// The node's number, as `mint committee status` shows it
    #[arg(long)]
    node: u64,
    /// Why, for those who read the ledger
    #[arg(long, value_name = "TEXT")]
    why: String,
    #[command(flatten)]
    signing: Signing,
}

/// Machines of a release may be admitted, or may not any more
#[derive(Args)]
#[command(after_help = "Examples:
  mint committee release committee.toml admit release.json --key slot0.key --key slot1.key --submit
  mint committee release committee.toml retire old-release.json --order retire.json --key slot0.key

Machines that are members stay members.")]
pub(crate) struct Releases {
    /// committee.toml
    committee: PathBuf,
    /// Whether it comes in or goes out
    #[command(subcommand)]
    way: Way,
}

#[derive(Subcommand)]
pub(crate) enum Way {
    /// Let its machines be admitted
    Admit(Of),
    /// Admit none of its machines any more
    Retire(Of),
}

/// Which release
#[derive(Args)]
pub(crate) struct Of {
    /// release.json
    release: PathBuf,
    #[command(flatten)]
    signing: Signing,
}

/// Puts a member out.
pub(super) fn expel(options: &Expel) -> Result<(), Complaint> {
    let Expel { node, why, .. } = options;
    let expulsion = Expulsion { node: *node, why: why.clone(), signatures: Vec::new() };
    order(&options.committee, &Change::Expel(expulsion), &options.signing)
}

/// Changes what may be admitted.
pub(super) fn release(options: &Releases) -> Result<(), Complaint> {
    let (action, Of { release, signing }) = match &options.way {
        Way::Admit(of) => (ReleaseAction::Admit, of),
        Way::Retire(of) => (ReleaseAction::Retire, of),
    };
    let bytes = bounded(release, LONGEST).map_err(|e| {
        let what = format!("{} cannot be read", release.display());
        Complaint::unable("release", what, e, "give the release.json whose machines are meant")
    })?;
    let change = Release { sha256: Hash::of(&bytes), action, signatures: Vec::new() };
    order(&options.committee, &Change::Release(change), signing)
}

fn order(committee: &Path, change: &Change, signing: &Signing) -> Result<(), Complaint> {
    let Visit { visitor, runtime, .. } = Visit::open(committee)?;
    let failed = |e: &_| visit("nothing was changed", e);
    let mut order: ChangeOrder = match kept(signing.order.as_deref())? {
        Some(order) => order,
        None => runtime.block_on(visitor.change(change.clone())).map_err(|e| failed(&e))?,
    };
    if unsigned(&order.change) != *change {
        return Err(Complaint::no(
            "other-order",
            "the order that is kept is for another change",
            "its signatures would be on something else than what was asked for",
            "give a file that is not there yet, to begin anew",
        ));
    }
    for path in &signing.keys {
        let slot = visitor.sign_change(&mut order, &slot_key(path)?).map_err(|e| failed(&e))?;
        say(&format!("signed     slot {slot}"));
    }
    keep(signing.order.as_deref(), &order)?;
    let acl = visitor.committee().acl();
    let signatures = order.signatures().len();
    if !signing.submit {
        say(&format!("waiting    {signatures} of {} signatures; `--submit` hands it in", acl.quorum()));
        return Ok(());
    }
    let index = runtime.block_on(visitor.order_change(&order)).map_err(|e| failed(&e))?;
    say(&format!("ordered    entry {index}, under a quorum's checkpoint"));
    Ok(())
}

/// The change without its signatures.
fn unsigned(change: &Change) -> Change {
    let mut bare = change.clone();
    match &mut bare {
        Change::Expel(expulsion) => expulsion.signatures.clear(),
        Change::Release(release) => release.signatures.clear(),
        Change::Retire(retirement) => retirement.signatures.clear(),
        _ => {}
    }
    bare
}
