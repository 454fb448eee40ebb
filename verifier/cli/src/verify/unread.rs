//! The verdict's JSON where an input could not be read, so that a script always finds one (SPECIFICATION, section 4).

use std::collections::BTreeMap;

use hallmark_verifier::checks;
use hallmark_verifier::report::Outcome;
use hallmark_verifier::verdict::Word;
use serde::Serialize;

use crate::complaint::Complaint;

/// The fields of SPECIFICATION, section 4, in its order, where nothing is known.
#[derive(Serialize)]
struct Unread<'a> {
    verdict: &'static str,
    code: Option<&'a str>,
    historical: bool,
    trust: [&'a str; 0],
    tcb: Option<&'a str>,
    measurements: BTreeMap<&'a str, &'a str>,
    report_data: Option<&'a str>,
    checks: Vec<NotRun<'a>>,
}

#[derive(Serialize)]
struct NotRun<'a> {
    id: &'static str,
    result: &'static str,
    detail: &'a str,
}

/// `undecided`, with what could not be read as the reason that no check was run.
pub(super) fn verdict(historical: bool, complaint: &Complaint) -> String {
    let detail = format!("{}: {}", complaint.what, complaint.why);
    let not_run = |slug| NotRun { id: slug, result: Outcome::NotRun.word(), detail: &detail };
    let unread = Unread {
        verdict: Word::Undecided.as_str(),
        code: None,
        historical,
        trust: [],
        tcb: None,
        measurements: BTreeMap::new(),
        report_data: None,
        checks: checks::table().map(|check| not_run(check.slug)).collect(),
    };
    // Strings and empty lists: there is nothing in it that JSON cannot say.
    serde_json::to_string(&unread).unwrap_or_default()
}
