//! `mint committee status`.

use std::path::PathBuf;

use clap::Args;
use hallmark_committee::member::Standings;
use hallmark_committee::member::ceremony::{Phase, Standing};

use super::Visit;
use crate::complaint::Complaint;
use crate::progress::say;

/// Which committee
#[derive(Args)]
#[command(after_help = "Example:\n  mint committee status committee.toml")]
pub(crate) struct Options {
    /// committee.toml
    committee: PathBuf,
    /// Print one JSON object a slot
    #[arg(long)]
    json: bool,
}

/// Asks and prints.
pub(super) fn run(options: &Options) -> Result<(), Complaint> {
    let Visit { visitor, runtime, tickets } = Visit::open(&options.committee)?;
    if !options.json {
        say(&format!("tickets    {tickets}"));
    }
    let standings = runtime.block_on(visitor.standings());
    for (slot, standing) in &standings {
        if options.json {
            println!("{}", json(*slot, standing.as_ref()));
        } else {
            say(&line(*slot, standing.as_ref()));
        }
    }
    let (live, quorum) = (live(&standings), visitor.committee().acl().quorum());
    if live >= quorum {
        return Ok(());
    }
    Err(Complaint::no(
        "no-quorum",
        "the committee does not acknowledge writes",
        format!("{live} members live and know a leader; {quorum} are needed"),
        if live > 0 && live.saturating_mul(2) > standings.len() {
            "more must cosign than are left: if the others are lost, stop the members, start them again, and `mint committee recover`"
        } else {
            "`waiting` machines need `mint committee recover`, `unsigned` ones `admit`, `founding` ones `init`"
        },
    ))
}

fn live(standings: &Standings) -> usize {
    standings.values().filter(|standing| standing.as_ref().is_ok_and(Standing::is_live)).count()
}

fn line(slot: u16, standing: Result<&Standing, &impl std::fmt::Display>) -> String {
    let standing = match standing {
        Ok(standing) => standing,
        Err(error) => return format!("slot {slot:<3} silent    {error}"),
    };
    let mut text = format!("slot {slot:<3} {:<9}", word(standing.phase));
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!(" {name} {value}"));
        }
    };
    add("epoch", standing.epoch.map(|n| n.to_string()));
    add("node", standing.node.map(|n| n.to_string()));
    add("role", standing.role.clone());
    if standing.node.is_some() {
        add("leader", Some(standing.leader.map_or_else(|| "none".into(), |n| n.to_string())));
        add("size", Some(standing.applied.to_string()));
        add("cosigned", Some(standing.cosigned.to_string()));
    }
    if let Some(disk) = &standing.disk {
        add("disk", Some(format!("size {} cosigned {}", disk.found.size, disk.found.cosigned)));
    }
    add("lacks", standing.lacks.clone());
    add("FAULT", standing.fault.clone());
    text
}

/// The line of a member's own process, when its phase changes.
pub(super) fn phase(slot: u16, standing: &Standing) -> String {
    let mut text = format!("{:<10} slot {slot}", word(standing.phase));
    if let Some(epoch) = standing.epoch {
        text.push_str(&format!(" epoch {epoch}"));
    }
    if let Some(node) = standing.node {
        text.push_str(&format!(" node {node}"));
    }
    if let Some(lacks) = &standing.lacks {
        text.push_str(&format!(" lacks {lacks}"));
    }
    if let Some(fault) = &standing.fault {
        text.push_str(&format!(" FAULT {fault}"));
    }
    text
}

const fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Founding => "founding",
        Phase::Waiting => "waiting",
        Phase::Unsigned => "unsigned",
        Phase::Joining => "joining",
        Phase::Running => "member",
    }
}

fn json(slot: u16, standing: Result<&Standing, &impl std::fmt::Display>) -> String {
    let value = match standing {
        Ok(standing) => serde_json::to_string(standing),
        Err(error) => serde_json::to_string(&Silent { slot, silent: error.to_string() }),
    };
    value.unwrap_or_default()
}

#[derive(serde::Serialize)]
struct Silent {
    slot: u16,
    silent: String,
}
