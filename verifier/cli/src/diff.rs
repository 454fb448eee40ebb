//! `assay diff RELEASE EVIDENCE`: the first measured event in which a machine differs, and the input behind it.

use std::path::PathBuf;

use hallmark_verifier::event_log::{EventLog, Kind};
use hallmark_verifier::evidence::{Enclosed, Evidence};
use hallmark_verifier::image;
use hallmark_verifier::release::{Expected, Family};

use crate::complaint::Complaint;
use crate::input;
use crate::output::Output;

/// What to compare
#[derive(clap::Args)]
#[command(after_help = "Example:
  assay diff release.json evidence.json

This compares logs and believes nothing: whether the log is the machine's own is what `assay verify` tells.

Exit: 0 every event is as predicted; 1 one is not; 2 there is nothing to compare.")]
pub(crate) struct Options {
    /// What was published
    release: PathBuf,
    /// What a machine says of itself
    evidence: PathBuf,
    /// Only this entry of the release
    #[arg(long, value_name = "P")]
    platform: Option<String>,
}

/// Prints every difference, the most telling first. True when there is none.
pub(crate) fn run(options: &Options, out: &mut Output) -> Result<bool, Complaint> {
    let release = input::release(&options.release)?;
    let bytes = input::judged(&options.evidence, "evidence")?;
    let evidence = Evidence::parse(&bytes).map_err(|e| {
        Complaint::no(
            "evidence-format",
            format!("{} is no evidence", options.evidence.display()),
            e,
            "see SPECIFICATION.md, section 1",
        )
    })?;
    let (family, enclosed) = enclosed(&evidence)?;
    let log =
        EventLog::parse(&enclosed.event_log, if family == Family::Tdx { Kind::Ccel } else { Kind::Tcg2 })
            .map_err(|e| {
                Complaint::no("event-log-format", "the event log cannot be read", e, "ask the machine again")
            })?;
    let wanted =
        |e: &&Expected| e.family() == family && options.platform.as_ref().is_none_or(|p| p == e.platform());
    let closest = release
        .expected()
        .iter()
        .filter(wanted)
        .map(|expected| (expected, image::diff(expected, &log, &enclosed.boot_events)))
        .min_by_key(|(_, divergences)| divergences.len());
    let Some((expected, divergences)) = closest else {
        return Err(Complaint::unable(
            "platform",
            "the release has no entry for this kind of machine",
            format!("the evidence is of {}", family.word()),
            "ask for a release that covers it",
        ));
    };
    let (platform, profile) = (expected.platform(), expected.profile());
    out.line(format_args!("{} {} on {platform} ({profile})", release.name(), release.version()));
    for (index, divergence) in divergences.iter().enumerate() {
        out.line(format_args!("{} {divergence}", if index == 0 { "first:" } else { "also: " }));
    }
    if divergences.is_empty() {
        out.line("every event is as predicted");
    }
    Ok(divergences.is_empty())
}

fn enclosed<'a>(evidence: &'a Evidence<'_>) -> Result<(Family, &'a Enclosed), Complaint> {
    match evidence {
        Evidence::Tdx(tdx) => tdx.enclosed.as_ref().map(|e| (Family::Tdx, e)),
        Evidence::Vtpm(vtpm) => Some((Family::Vtpm, &vtpm.enclosed)),
        _ => None,
    }
    .ok_or_else(|| {
        Complaint::unable(
            "event-log",
            "nothing to compare",
            "this evidence has no event log",
            "give evidence.json, not a raw quote",
        )
    })
}
