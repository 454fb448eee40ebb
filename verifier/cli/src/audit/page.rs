//! What an audit found, for people and for programs.

use std::collections::BTreeMap;

use hallmark_verifier::report::Outcome;
use hallmark_verifier::verdict::Word;
use serde::Serialize;

use super::findings::{self, Check, Finding, Findings};
use crate::complaint::Complaint;
use crate::output::{Output, printable};

/// What the log is, as far as it was read.
#[derive(Debug, Default, Serialize)]
pub(super) struct Log {
    pub(super) group: String,
    pub(super) origin: String,
    pub(super) size: u64,
    pub(super) root: String,
    pub(super) epoch: u64,
    pub(super) recoveries: u64,
    pub(super) slots: usize,
    pub(super) quorum: usize,
    /// `operators` or `automatic`.
    pub(super) recovery: &'static str,
    /// Entries by surface.
    pub(super) surfaces: BTreeMap<String, u64>,
    /// The members at the end, slots ascending.
    pub(super) members: Vec<Member>,
    /// Slots whose members are proven to be on one platform, where that is so.
    pub(super) shared_platform: Vec<Vec<u16>>,
}

/// Who is in a slot.
#[derive(Debug, Serialize)]
pub(super) struct Member {
    pub(super) slot: u16,
    /// Index of its admission.
    pub(super) node: u64,
    /// Instant of the cosignature of the newest checkpoint, Unix seconds, by the member's clock; null where it did not sign.
    pub(super) cosigned: Option<u64>,
    /// The word of its quote's verdict; null where it was not judged.
    pub(super) quote: Option<&'static str>,
}

#[derive(Serialize)]
struct Document<'a> {
    verdict: &'static str,
    code: Option<&'static str>,
    log: Option<&'a Log>,
    not_asked: &'a [String],
    not_shown: [&'static str; findings::NOT_SHOWN.len()],
    checks: Vec<Check<'a>>,
}

/// One object on one line.
pub(super) fn json(findings: &Findings, log: Option<&Log>) -> String {
    let document = Document {
        verdict: findings.word().as_str(),
        code: findings.first_failure().map(|finding| finding.slug),
        log,
        not_asked: findings.left_out(),
        not_shown: findings::NOT_SHOWN,
        checks: findings.checks(),
    };
    // Strings, numbers and lists, and a map with string keys: JSON can say all of it.
    serde_json::to_string(&document).unwrap_or_default()
}

/// The page.
pub(super) fn write(findings: &Findings, log: Option<&Log>, out: &mut Output) {
    let word = findings.word();
    out.line(format_args!("verdict: {word}"));
    if word == Word::Simulated {
        out.line("SIMULATED: quotes under a test root; they prove nothing of any machine");
    }
    if let Some(log) = log {
        let Log { group, slots, quorum, recovery, origin, size, root, epoch, recoveries, .. } = log;
        out.line(format_args!("committee {group}: {slots} slots, quorum {quorum}, recovery by {recovery}"));
        out.line(format_args!(
            "log {origin}: {size} entries, root {root}, epoch {epoch}, recoveries {recoveries}"
        ));
    }
    let unreached: Vec<&str> = findings::steps().filter(|step| !write_step(step, findings, out)).collect();
    if !unreached.is_empty() {
        out.line(format_args!("not-run {}: {}", unreached.join(", "), findings::UNREACHED));
    }
    for member in log.iter().flat_map(|log| &log.members) {
        let cosigned =
            member.cosigned.map_or_else(|| "did not cosign".to_owned(), |time| format!("cosigned at {time}"));
        let quote = member.quote.unwrap_or("not judged");
        out.line(format_args!(
            "member slot {}: node {}, quote {quote}, {cosigned}",
            member.slot, member.node
        ));
    }
    for slots in log.iter().flat_map(|log| &log.shared_platform) {
        let slots: Vec<String> = slots.iter().map(ToString::to_string).collect();
        out.line(format_args!(
            "shared-platform: slots {}: they fail, and are broken into, together",
            slots.join(", ")
        ));
    }
    if !findings.left_out().is_empty() {
        out.line(format_args!("not asked: {}", findings.left_out().join("; ")));
    }
    // Who was told no has other things to read.
    if word.exit_code() == 0 {
        for what in findings::NOT_SHOWN {
            out.line(format_args!("not shown: {what}"));
        }
    }
    let count = |outcome| findings.list().iter().filter(|finding| finding.outcome == outcome).count();
    out.line(format_args!("{} checks passed, {} failed", count(Outcome::Pass), count(Outcome::Fail)));
}

/// One line for what holds of a step, one for each row that does not or was not run; neighbours with one reason together. False where
/// some of it was not reached.
fn write_step(step: &str, findings: &Findings, out: &mut Output) -> bool {
    let of_step = |f: &&Finding| findings::find(f.slug).is_some_and(|row| row.step == step);
    let rows: Vec<&Finding> = findings.list().iter().filter(of_step).collect();
    let failed = rows.iter().any(|f| f.outcome == Outcome::Fail);
    if let Some(passed) = rows.iter().find(|f| f.outcome == Outcome::Pass && !failed) {
        out.line(format_args!("pass    {step}: {}", passed.detail));
    }
    let unreached = |f: &Finding| f.outcome == Outcome::NotRun && f.detail == findings::UNREACHED;
    let open: Vec<_> = rows.iter().filter(|f| f.outcome != Outcome::Pass && !unreached(f)).collect();
    for group in open.chunk_by(|a, b| (a.outcome, &a.detail) == (b.outcome, &b.detail)) {
        let slugs: Vec<&str> = group.iter().map(|f| f.slug).collect();
        if let Some(f) = group.first() {
            out.line(format_args!("{:<7} {step}: {}: {}", f.outcome.word(), slugs.join(", "), f.detail));
        }
    }
    !rows.iter().any(|f| unreached(f))
}

/// Why the answer is no, or could not be told.
pub(super) fn complaint(findings: &Findings) -> Option<Complaint> {
    let (finding, row) = match findings.word() {
        Word::Refused => findings.first_failure(),
        Word::Undecided => findings.first_gap(),
        _ => None,
    }
    .and_then(|finding| Some((finding, findings::find(finding.slug)?)))?;
    let what = printable(&finding.detail);
    Some(if finding.outcome == Outcome::Fail {
        Complaint::no(row.slug, what, format_args!("it does not hold that {}", row.holds), row.hint)
    } else {
        let why = format!("{} could not be asked: whether {}", row.slug, row.holds);
        Complaint::unable("undecided", what, why, row.hint)
    })
}
