//! `mint committee simulate DIR`: the files of a committee that runs on this machine, all of it SIMULATED.
//!
//! The measured image is a synthetic one and every machine is forged; keys of all slots lie side by side. It is for trying
//! the ceremonies out and for tests.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hallmark_coalition::UniqueId;
use hallmark_committee::client::TicketKey;
use hallmark_committee::member::{CommitteeFile, SlotKey};
use hallmark_image::initrd;
use hallmark_image::release::Release;
use hallmark_simulated::SimulatedTd;

use super::ticket;
use crate::complaint::Complaint;
use crate::demo;
use crate::progress::{self, say};

/// What to write
#[derive(Args)]
#[command(after_help = "Example:
  mint committee simulate demo
  for n in 0 1 2; do mint committee run demo/member$n.toml --simulated demo/release.json & done
  mint committee init demo/committee.toml --key demo/slot0.key --key demo/slot1.key --key demo/slot2.key")]
pub(crate) struct Options {
    /// A folder that is not there yet
    directory: PathBuf,
    /// How many slots
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=31))]
    members: u16,
    /// How many must cosign. Default: the smallest majority
    #[arg(long)]
    quorum: Option<u16>,
    /// What happens when a quorum is lost
    #[arg(long, value_enum, default_value_t = Recovery::Operators)]
    recovery: Recovery,
    /// Give each member its slot's key, so that it needs no `mint committee admit` after a restart
    #[arg(long)]
    hand_out_keys: bool,
    /// Ask for tickets: with an issuer's key, a client's, and a ticket of an hour
    #[arg(long)]
    tickets: bool,
}

/// What happens when a quorum is lost
#[derive(Clone, Copy, ValueEnum)]
enum Recovery {
    /// A quorum of slot operators signs
    Operators,
    /// Members with their slots' keys sign by themselves; it trusts the hosts' disks
    Automatic,
}

/// Writes it.
pub(super) fn run(options: &Options) -> Result<(), Complaint> {
    progress::simulate();
    let directory = &options.directory;
    fs::create_dir(directory).map_err(|e| Complaint::file("create", directory, &e))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.join(name);
        fs::write(&path, bytes).map_err(|e| Complaint::file("write", &path, &e))
    };

    let release = release(b"SIMULATED guest")?;
    let wrong = self::release(b"SIMULATED other")?;
    write("release.json", release.to_json().map_err(broken)?.as_bytes())?;
    write("other-release.json", wrong.to_json().map_err(broken)?.as_bytes())?;
    write("policy.toml", SimulatedTd::policy().as_bytes())?;
    write("collateral.json", &machine(&directory.join("release.json"))?.collateral())?;

    let mut slots = Vec::new();
    for slot in 0..options.members {
        let key = SlotKey::generate().map_err(broken)?;
        let path = directory.join(format!("slot{slot}.key"));
        key.write(&path).map_err(broken)?;
        slots.push(key.public());
    }
    // Bound for a moment and let go: free now, and nothing here needs more than that.
    let ports = free_ports(usize::from(options.members) * 2)?;
    let (peers, http) = ports.split_at(usize::from(options.members));
    let issuer = TicketKey::generate().map_err(broken)?;
    write("committee.toml", committee(options, &slots, peers, &issuer).as_bytes())?;
    if options.tickets {
        tickets(directory, &issuer)?;
    }
    for (slot, (peer, http)) in peers.iter().zip(http).enumerate() {
        let mut text = format!(
            "# SIMULATED\nformat = \"hallmark/member/1\"\ncommittee = \"committee.toml\"\nslot = {slot}\n\
             listen = \"127.0.0.1:{peer}\"\nhttp = \"127.0.0.1:{http}\"\ndata = \"data{slot}\"\n"
        );
        if options.hand_out_keys || matches!(options.recovery, Recovery::Automatic) {
            let _ = writeln!(text, "slot_key = \"slot{slot}.key\"");
        }
        write(&format!("member{slot}.toml"), text.as_bytes())?;
        say(&format!("member     {slot}: members 127.0.0.1:{peer}, clients http://127.0.0.1:{http}"));
    }
    say(&format!("wrote      {}", directory.display()));
    Ok(())
}

/// The issuer's key, a client's, and the client's ticket.
fn tickets(directory: &Path, issuer: &TicketKey) -> Result<(), Complaint> {
    let client = TicketKey::generate().map_err(broken)?;
    issuer.write(&directory.join("issuer.key")).map_err(broken)?;
    client.write(&directory.join("client.key")).map_err(broken)?;
    let path = directory.join("committee.toml");
    let file = CommitteeFile::read(&path).map_err(broken)?;
    // Said twice: whoever changes the rule and not this is told so.
    let text = fs::read_to_string(&path).map_err(|e| Complaint::file("read", &path, &e))?;
    let pinned = format!("[acl]\ntickets = \"{}\"\n", file.committee.acl().tickets());
    fs::write(&path, text.replace("[acl]\n", &pinned)).map_err(|e| Complaint::file("write", &path, &e))?;
    let options = ticket::Options {
        committee: directory.join("committee.toml"),
        issuer: directory.join("issuer.key"),
        subject: UniqueId::new(client.public()),
        scopes: vec!["submit-pairs".into(), "settle".into()],
        seconds: None,
    };
    let path = directory.join("client.ticket");
    let text = ticket::issue(&file.tickets, issuer, &options, ticket::now())?;
    fs::write(&path, text + "\n").map_err(|e| Complaint::file("write", &path, &e))?;
    say(&format!("tickets    {}", file.tickets));
    Ok(())
}

fn committee(options: &Options, slots: &[[u8; 32]], ports: &[u16], issuer: &TicketKey) -> String {
    let quorum = options.quorum.unwrap_or(options.members / 2 + 1);
    let recovery = match options.recovery {
        Recovery::Operators => "operators",
        Recovery::Automatic => "automatic",
    };
    let keys: Vec<String> = slots.iter().map(|key| format!("    \"{}\",\n", hex::encode(key))).collect();
    let id = hex::encode(slots.first().copied().unwrap_or_default());
    let mut text = format!(
        "# SIMULATED\nformat = \"hallmark/committee/1\"\nmachine = \"kv\"\n\n[committee]\nroot = \"{id}\"\ncontent = \"{id}\"\n\n\
         [acl]\nquorum = {quorum}\nrecovery = \"{recovery}\"\nslots = [\n{}]\n",
        keys.concat()
    );
    if options.tickets {
        let key = hex::encode(issuer.public());
        let _ = write!(
            text,
            "\n[[tickets.issuers]]\nroot = \"{id}\"\nname = \"simulated desk\"\nkeys = [\"{key}\"]\n\
             scopes = [\"submit-pairs\", \"settle\"]\nmax_lifetime = 86400\n"
        );
    }
    for (slot, port) in ports.iter().enumerate() {
        let _ = write!(text, "\n[[peers]]\nslot = {slot}\naddress = \"127.0.0.1:{port}\"\n");
    }
    text.push_str(
        "\n[trust]\npolicy = \"policy.toml\"\nreleases = [\"release.json\"]\ncollateral = \"collateral.json\"\n",
    );
    text
}

fn free_ports(count: usize) -> Result<Vec<u16>, Complaint> {
    let held: Vec<_> = std::iter::repeat_with(|| TcpListener::bind("127.0.0.1:0"))
        .take(count)
        .collect::<Result<_, _>>()
        .map_err(broken)?;
    held.iter().map(|listener| Ok(listener.local_addr().map_err(broken)?.port())).collect()
}

/// A release of a synthetic image with this guest in it.
fn release(guest: &[u8]) -> Result<Release, Complaint> {
    let initrd = initrd::initrd(guest, &[]).map_err(broken)?;
    demo::release(&demo::image(&initrd)?, "mint committee simulate")
}

/// A simulated machine that booted the image of this release.
pub(super) fn machine(release: &Path) -> Result<SimulatedTd, Complaint> {
    let bytes = fs::read(release).map_err(|e| Complaint::file("read", release, &e))?;
    let release = Release::parse(&bytes).map_err(broken)?;
    demo::machine(&release)
}

fn broken(why: impl std::fmt::Display) -> Complaint {
    Complaint::unable(
        "simulate",
        "nothing could be simulated",
        why,
        "give a release.json for TDX and an empty folder",
    )
}
