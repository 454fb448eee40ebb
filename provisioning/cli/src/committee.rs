//! `mint committee`: an operator's side of a committee's ceremonies, and a member as a process.

mod change;
mod key;
mod orders;
mod run;
mod show;
mod simulate;
mod status;
mod submit;
mod ticket;

use std::path::PathBuf;

use clap::Subcommand;
use hallmark_committee::member::{CommitteeFile, SlotKey, TicketRule, VisitError, Visitor};

use crate::complaint::Complaint;
use crate::progress;

/// What to do with a committee
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a slot operator's key and print its public half, for `slots` of the access rules
    #[command(
        after_help = "Examples:\n  mint committee key slot0.key\n  mint committee key --tickets client.key"
    )]
    Key {
        /// Where the private half goes, readable by its owner alone; never overwritten
        file: PathBuf,
        /// Make a key for tickets instead: an issuer's, or that of one who submits
        #[arg(long)]
        tickets: bool,
    },
    /// What a committee file says, offline: the group's id, slots, quorum, recovery, and which tickets are asked for
    #[command(after_help = "Example:\n  mint committee show committee.toml")]
    Show {
        /// committee.toml
        committee: PathBuf,
    },
    /// Begin: collect and check all slots' machines, sign, hand out the genesis
    Init(orders::Init),
    /// How each slot's machine stands. Exit 1 when no quorum of them lives
    Status(status::Options),
    /// Sign for the machine that waits in a slot, and let it in
    Admit(orders::Admit),
    /// Go on in a new epoch after a quorum was lost, signed by a quorum of slot operators
    Recover(orders::Recover),
    /// Put a member out, signed by a quorum of slot operators
    Expel(change::Expel),
    /// Let a release's machines be admitted, or not any more, signed by a quorum of slot operators
    Release(change::Releases),
    /// Give out a ticket: who holds a key may write. For whoever holds an issuer's key
    Ticket(ticket::Options),
    /// Submit one command, and print what became of it once its proof was verified
    Submit(submit::Options),
    /// Run a member as a process on this machine
    Run(run::Options),
    /// Write the files of a committee that runs on this machine, SIMULATED, to try all this out
    Simulate(simulate::Options),
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<(), Complaint> {
    match command {
        Command::Key { file, tickets } => key::make(file, *tickets),
        Command::Show { committee } => show::run(committee),
        Command::Ticket(options) => ticket::run(options),
        Command::Submit(options) => submit::run(options),
        Command::Init(options) => orders::init(options),
        Command::Status(options) => status::run(options),
        Command::Admit(options) => orders::admit(options),
        Command::Recover(options) => orders::recover(options),
        Command::Expel(options) => change::expel(options),
        Command::Release(options) => change::release(options),
        Command::Run(options) => run::run(options),
        Command::Simulate(options) => simulate::run(options),
    }
}

/// An operator's way to the machines of a committee file, and the runtime to go it on.
struct Visit {
    visitor: Visitor,
    runtime: tokio::runtime::Runtime,
    tickets: TicketRule,
}

impl Visit {
    fn open(path: &std::path::Path) -> Result<Self, Complaint> {
        let unusable = |why: &dyn std::fmt::Display| unusable(path, why);
        let file = CommitteeFile::read(path).map_err(|e| unusable(&e))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| unusable(&e))?;
        let visitor = {
            let _inside = runtime.enter();
            Visitor::open(&file).map_err(|e| unusable(&e))?
        };
        if visitor.is_simulated() {
            progress::simulate();
        }
        Ok(Self { visitor, runtime, tickets: file.tickets })
    }
}

fn unusable(path: &std::path::Path, why: &dyn std::fmt::Display) -> Complaint {
    let what = format!("{} cannot be used", path.display());
    Complaint::unable("committee-file", what, why, "see docs/operators/committee.md")
}

fn slot_key(path: &std::path::Path) -> Result<SlotKey, Complaint> {
    SlotKey::read(path).map_err(|e| {
        Complaint::unable("slot-key", "no slot key", e, "make one with `mint committee key FILE`")
    })
}

/// What an error of a ceremony is to the operator: a machine that does not answer is "could not tell", all else is "no".
fn visit(what: &str, error: &VisitError) -> Complaint {
    let hint = match error {
        VisitError::Call { .. } => "is that slot's machine running? `mint committee status` says",
        VisitError::Check(_) => {
            "that machine must run a release of the committee file and be signed for by its own slot's key"
        }
        VisitError::Stranger(_) => "the key must be one of `slots` in the access rules",
        VisitError::Lives { .. } => "a machine that restarted needs `mint committee admit`, not a recovery",
        VisitError::Short { .. } => {
            "if the missing machines are lost, stop those members and start them again: they then wait with their disks, and can be recovered"
        }
        VisitError::Witnesses { .. } => {
            "`mint committee status` says what each lacks: wait for those that join, start those that are down. Where as many are lost as must not be, recover"
        }
        VisitError::NotLive => "a committee that lost its quorum needs `mint committee recover` first",
        VisitError::TooFew { .. } => "`mint committee status` says how each stands",
        VisitError::NotFresh(_) => "see `mint committee recover --help`",
        _ => "`mint committee status` says how each slot's machine stands",
    };
    match error {
        VisitError::Call { .. } | VisitError::TooFew { .. } => {
            Complaint::unable(error.slug(), what, error, hint)
        }
        _ => Complaint::no(error.slug(), what, error, hint),
    }
}
