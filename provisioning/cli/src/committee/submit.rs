//! `mint committee submit`: one command, and the proof of what became of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hallmark_committee::client::{Client, ClientError, Decided, Options as ClientOptions, Receipt};
use hallmark_committee::member::{CommitteeFile, bounded};

use super::{ticket, unusable};
use crate::complaint::Complaint;
use crate::progress::say;

/// A command for a committee
#[derive(Args)]
#[command(after_help = "Examples:
  mint committee submit committee.toml --at 127.0.0.1:8080 --key client.key --nonce 1 pairs '{\"op\":\"put\",\"key\":\"a\",\"value\":\"b\"}'
  mint committee submit committee.toml --at 127.0.0.1:8080 --key client.key --ticket client.ticket --nonce 2 pairs ...")]
pub(crate) struct Options {
    /// committee.toml: which committee it is. Nothing else of the answer is believed unproven
    committee: PathBuf,
    /// Where members serve clients. More than once for more than one
    #[arg(long = "at", value_name = "HOST:PORT", required = true)]
    addresses: Vec<String>,
    /// The key of whoever submits (`mint committee key --tickets`); its public half is the client's id
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The ticket, where the committee asks for one
    #[arg(long, value_name = "FILE")]
    ticket: Option<PathBuf>,
    /// The client's number for this command; a number names one command for ever
    #[arg(long)]
    nonce: u64,
    /// The surface
    surface: String,
    /// The command, as that surface takes it
    command: String,
}

/// Submits, verifies, prints. Exit 1 where the machine rejected it or a member refused it.
pub(super) fn run(options: &Options) -> Result<(), Complaint> {
    let path = &options.committee;
    let file = CommitteeFile::read(path).map_err(|e| unusable(path, &e))?;
    let key = ticket::key(&options.key)?;
    let mut how = ClientOptions::default();
    how.submit = Duration::from_secs(30);
    if let Some(path) = &options.ticket {
        let text = bounded(path, 4096).map_err(|e| unusable(path, &e))?;
        let text = String::from_utf8(text).map_err(|e| unusable(path, &e))?;
        how.credential = Some(key.credential(text.trim().to_owned()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| unusable(path, &e))?;
    let client = Client::new(file.committee, options.addresses.iter().cloned(), how);
    let submitted = client.submit(key.client(), options.nonce, &options.surface, options.command.clone());
    let receipt = runtime.block_on(submitted).map_err(|e| failed(&e))?;
    told(&receipt)
}

fn told(receipt: &Receipt) -> Result<(), Complaint> {
    let checkpoint = receipt.checkpoint.checkpoint();
    let place = format!(
        "entry {} of {}, root {}, epoch {}, cosigned by a quorum",
        receipt.index, checkpoint.size, checkpoint.root, checkpoint.epoch
    );
    match &receipt.decided {
        Decided::Committed => {
            say(&format!("committed  {place}"));
            Ok(())
        }
        Decided::Rejected { code, why } => Err(Complaint::no(
            "rejected",
            format!("the machine rejected it for good: {code} ({place})"),
            why,
            "submit something else under another number",
        )),
        _ => Err(Complaint::no(
            "invalid",
            format!("it was settled as never to be applied ({place})"),
            "somebody settled this number before it was ordered",
            "submit it under another number",
        )),
    }
}

fn failed(error: &ClientError) -> Complaint {
    let what = "nothing is proven to have become of it";
    match error {
        ClientError::Refused { document, .. } => {
            let why = format!("{}: {}", document.code, document.why);
            Complaint::no("refused", "a member refused it", why, document.hint.clone())
        }
        ClientError::Retired { .. } => {
            Complaint::no("retired", what, error, "submit to the committee that goes on, if one does")
        }
        ClientError::ConnectTimeout { .. } => {
            let hint = "is `--at` where a member serves clients, and the file that committee's?";
            Complaint::unable("connect-timeout", what, error, hint)
        }
        ClientError::Forked(_) => {
            Complaint::no("forked", what, error, "keep what was said: it proves that members lied")
        }
        _ => Complaint::unable(
            "unclear",
            what,
            error,
            "submit the same again under the same number: it is applied once",
        ),
    }
}
