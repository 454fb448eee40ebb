//! A verdict for people: what holds, what does not, and what was not asked. `--json` has every check.

use hallmark_verifier::checks::{self, GROUPS};
use hallmark_verifier::event_log::{Bank, Measurements};
use hallmark_verifier::report::{Line, Outcome};
use hallmark_verifier::time::UnixSeconds;
use hallmark_verifier::verdict::{Verdict, Word};

use super::Options;
use crate::complaint::Complaint;
use crate::output::Output;

/// Writes the page.
pub(super) fn write(verdict: &Verdict, options: &Options, out: &mut Output) {
    out.line(format_args!("verdict: {}", verdict.word()));
    if verdict.word() == Word::Simulated {
        out.line("SIMULATED: under a test root; it proves nothing of any machine");
    }
    if let Some(at) = options.at {
        out.line(format_args!("historical: judged as at {} (--at)", UnixSeconds(at)));
    }
    if !verdict.trust().is_empty() {
        out.line(format_args!("trust: {}", verdict.trust().join(", ")));
    } else if verdict.word().exit_code() == 0 {
        out.line("trust: nobody beside the hardware's maker");
    }
    if let Some(tcb) = verdict.tcb() {
        let advisories: Vec<&str> = tcb.advisories.iter().map(String::as_str).collect();
        let advisories = if advisories.is_empty() { "none".to_owned() } else { advisories.join(", ") };
        out.line(format_args!("tcb: {} of {}; advisories: {advisories}", tcb.status, tcb.date));
    }
    measurements(verdict.measurements(), out);
    let lines = verdict.checks();
    for line in lines.iter().filter(|line| line.outcome == Outcome::Fail) {
        out.line(format_args!("fail {}: {}", line.slug, line.detail));
    }
    not_run(&lines, out);
    let questions = [
        (options.any_image, "which image runs (--any-image)"),
        (options.unbound, "what it is bound to (--unbound)"),
    ];
    let unasked: Vec<&str> =
        questions.iter().filter(|(skipped, _)| *skipped).map(|(_, question)| *question).collect();
    if !unasked.is_empty() {
        out.line(format_args!("not asked: {}", unasked.join("; ")));
    }
    let count = |outcome| lines.iter().filter(|line| line.outcome == outcome).count();
    out.line(format_args!("{} checks passed, {} failed", count(Outcome::Pass), count(Outcome::Fail)));
}

/// A TD's registers; of a TPM's the SHA-256 bank, and only what was extended.
fn measurements(measurements: &Measurements, out: &mut Output) {
    for (register, value) in measurements.iter() {
        let bank = if register.is_td() { Bank::Sha384 } else { Bank::Sha256 };
        let Some(digest) = value.get(bank).filter(|digest| register.is_td() || *digest != bank.zero()) else {
            continue;
        };
        out.line(format_args!("{register:<6} {bank} {digest}", register = register.to_string()));
    }
}

/// What was not run of the groups of which something was, and why; neighbours with one reason on one line.
fn not_run(lines: &[Line], out: &mut Output) {
    let open = open(lines);
    for group in open.chunk_by(|a, b| a.detail == b.detail) {
        let slugs: Vec<&str> = group.iter().map(|line| line.slug).collect();
        let why = group.first().map_or("", |line| line.detail.as_str());
        out.line(format_args!("not-run {}: {why}", slugs.join(", ")));
    }
}

/// The checks that were not run, without those of another layer or of a question that was not asked.
fn open(lines: &[Line]) -> Vec<&Line> {
    let find = |slug: &str| lines.iter().find(|line| line.slug == slug);
    GROUPS
        .iter()
        .map(|group| group.checks.iter().filter_map(|check| find(check.slug)).collect::<Vec<_>>())
        .filter(|group| group.iter().any(|line| line.outcome != Outcome::NotRun))
        .flatten()
        .filter(|line| line.outcome == Outcome::NotRun && !is_unasked(&line.detail))
        .collect()
}

/// Whether that is all there is to say: the page says it once for all such checks.
fn is_unasked(detail: &str) -> bool {
    detail.starts_with("not asked (") && detail.ends_with(')')
}

/// Why the verdict is `refused` or `undecided`, and what to do about it.
pub(super) fn complaint(verdict: &Verdict) -> Option<Complaint> {
    let lines = verdict.checks();
    match verdict.word() {
        Word::Refused => {
            let failed = lines.iter().find(|line| Some(line.slug) == verdict.code())?;
            let check = checks::find(failed.slug)?;
            Some(Complaint::no(check.slug, &failed.detail, check.explanation, check.hint))
        }
        Word::Undecided => Some(missing(&lines)),
        _ => None,
    }
}

/// Nothing failed, and yet something that the verdict needs was not run: the first such check, and its reason.
fn missing(lines: &[Line]) -> Complaint {
    let open = open(lines);
    let Some(first) = open.first() else {
        return Complaint::unable(
            "undecided",
            "no check was run",
            "there was nothing to run one on",
            "give evidence",
        );
    };
    let others =
        lines.iter().filter(|line| line.outcome == Outcome::NotRun && line.detail == first.detail).count();
    let why = match others.saturating_sub(1) {
        0 => format!("{} could not be run", first.slug),
        others => format!("{} and {others} other checks could not be run", first.slug),
    };
    let was_run = |slug| lines.iter().any(|line| line.slug == slug && line.outcome != Outcome::NotRun);
    let hint = if was_run("quote-format") && !was_run("collateral-format") {
        "give Intel's collateral for this platform with --collateral FILE (SPECIFICATION.md, section 5)"
            .to_owned()
    } else {
        format!("`assay explain {}` says what it needs", first.slug)
    };
    Complaint::unable("undecided", &first.detail, why, hint)
}
