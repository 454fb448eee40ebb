//! `mint committee ticket`: an issuer gives out a ticket.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use hallmark_coalition::{Claims, Ticket, UniqueId};
use hallmark_committee::client::TicketKey;
use hallmark_committee::member::{CommitteeFile, TicketRule};

use super::unusable;
use crate::complaint::Complaint;

/// A ticket
#[derive(Args)]
#[command(after_help = "Example:
  mint committee key --tickets client.key                 # prints the subject
  mint committee ticket committee.toml --issuer issuer.key --subject $SUBJECT --scope submit-pairs --scope settle > client.ticket")]
pub(crate) struct Options {
    /// committee.toml
    pub(super) committee: PathBuf,
    /// A key of one of its issuers
    #[arg(long, value_name = "FILE")]
    pub(super) issuer: PathBuf,
    /// Whose ticket it is: an Ed25519 public key, 64 hex digits
    #[arg(long, value_name = "HEX")]
    pub(super) subject: UniqueId,
    /// What for: `submit-SURFACE`, or `settle`. More than once for more than one
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    pub(super) scopes: Vec<String>,
    /// For how many seconds from now. Default: an hour, or less where the issuer may give less
    #[arg(long)]
    pub(super) seconds: Option<u32>,
}

/// Signs it and prints it.
pub(super) fn run(options: &Options) -> Result<(), Complaint> {
    let path = &options.committee;
    let file = CommitteeFile::read(path).map_err(|e| unusable(path, &e))?;
    let key = key(&options.issuer)?;
    println!("{}", issue(&file.tickets, &key, options, now())?);
    Ok(())
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A ticket that members who have this rule take, from `now` on.
pub(super) fn issue(
    rule: &TicketRule,
    key: &TicketKey,
    options: &Options,
    now: u64,
) -> Result<String, Complaint> {
    let (root, most) = rule.signed_by(&key.public()).next().ok_or_else(|| {
        Complaint::no(
            "no-issuer",
            "no ticket was given out",
            format!(
                "{} is no key of an issuer that this committee recognises; tickets: {rule}",
                hex::encode(key.public())
            ),
            "`mint committee show` says whose tickets are taken",
        )
    })?;
    let seconds = options.seconds.unwrap_or(most.min(3600));
    let scopes: Vec<&str> = options.scopes.iter().map(String::as_str).collect();
    let claims =
        Claims::new(root, *options.subject.as_bytes(), &scopes, now, now.saturating_add(seconds.into()));
    // As the members will read it: what they would refuse is not given out.
    let issued = key.issue(&claims).and_then(|text| Ticket::verify(&text, rule.issuers(), now).map(|_| text));
    issued
        .map_err(|e| Complaint::no(e.slug(), "no ticket was given out", &e, "give what the issuer may give"))
}

/// Reads a key for tickets.
pub(super) fn key(path: &Path) -> Result<TicketKey, Complaint> {
    TicketKey::read(path).map_err(|e| {
        Complaint::unable(
            "ticket-key",
            "no key for tickets",
            e,
            "make one with `mint committee key --tickets FILE`",
        )
    })
}
