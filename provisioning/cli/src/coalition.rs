//! `mint coalition`: what a coalition is called, and what an integrator has to know of it.

mod page;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use hallmark_coalition::{CitizenIds, CoalitionConfig, Document, DocumentError, Fingerprints};

use crate::complaint::Complaint;

/// What to do with a coalition's configuration: TOML, JSON, or hex of JSON
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print the identities: coalition, root, modules, citizens, and the fingerprint of all that is published
    #[command(after_help = "Example:\n  mint coalition fingerprint coalition.toml --json")]
    Fingerprint {
        /// The configuration
        file: PathBuf,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print one page (Markdown) with all that an integrator needs
    #[command(after_help = "Example:\n  mint coalition handshake coalition.toml > handshake.md")]
    Handshake {
        /// The configuration
        file: PathBuf,
    },
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<(), Complaint> {
    match command {
        Command::Fingerprint { file, json } => {
            let (_, ids) = read(file)?;
            if *json {
                println!("{}", ids.to_json().map_err(|e| refused(file, e))?);
            } else {
                print!("{}", listed(&ids));
            }
        }
        Command::Handshake { file } => {
            let (config, ids) = read(file)?;
            print!("{}", page::page(&config, &ids).map_err(|e| refused(file, e))?);
        }
    }
    Ok(())
}

fn refused(file: &Path, why: impl std::fmt::Display) -> Complaint {
    let what = format!("{} is no coalition", file.display());
    Complaint::no(
        "coalition-format",
        what,
        why,
        "see SPECIFICATION.md, and docs/operators/examples/coalition.toml",
    )
}

fn read(file: &Path) -> Result<(CoalitionConfig<'static>, Fingerprints), Complaint> {
    // Hex has two digits a byte; one byte more shows that there is too much.
    let most = 2 * CoalitionConfig::MAX_BYTES + 1;
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|f| f.take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut bytes))
        .map_err(|e| Complaint::file("read", file, &e))?;
    let config = parse(&bytes).map_err(|e| refused(file, e))?;
    let ids = Fingerprints::of(&config).map_err(|e| refused(file, e))?;
    Ok((config, ids))
}

/// JSON begins with a brace, hex is hex throughout, and TOML is neither.
fn parse(bytes: &[u8]) -> Result<CoalitionConfig<'static>, DocumentError> {
    let trimmed = bytes.trim_ascii();
    if trimmed.first() == Some(&b'{') {
        return CoalitionConfig::from_json(trimmed);
    }
    let text = std::str::from_utf8(trimmed).map_err(|e| DocumentError::Toml(e.to_string()))?;
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return CoalitionConfig::from_hex(text);
    }
    CoalitionConfig::from_toml(text)
}

/// One identity a line: what, its hash, its name.
fn listed(ids: &Fingerprints) -> String {
    let mut out = String::new();
    let mut line = |what: &str, id: &dyn std::fmt::Display, name: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{}", format!("{what:<18} {id} {name}").trim_end());
    };
    line("coalition", &ids.coalition, &ids.name);
    line("root", &ids.root, "");
    line("handshake", &ids.handshake, "");
    if let Some(tickets) = &ids.tickets_root {
        line("tickets", tickets, "");
    }
    for module in &ids.modules {
        match (&module.root, &module.committee) {
            (Some(root), Some(committee)) => {
                line("module", root, module.name);
                line("  committee", committee, "");
            }
            _ => line("module", &"not shipped", module.name),
        }
    }
    let mut citizens = |kind: &str, all: &[CitizenIds]| {
        for citizen in all {
            line(kind, &citizen.id, &citizen.name);
            line("  citizen", &citizen.citizen, "");
            if let Some(committee) = &citizen.committee {
                line("  committee", committee, "");
            }
        }
    };
    citizens("lattice", &ids.lattices);
    citizens("organism", &ids.organisms);
    citizens("confluence", &ids.confluences);
    out
}
