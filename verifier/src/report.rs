//! What became of every check.
//!
//! Checks report here and nowhere else. A check that failed stays failed, whatever is said of it
//! later; a check of which nothing was said is `not-run`. Details are only written out when somebody
//! will read them, so that the same code serves the full report and the fast path.

use std::fmt::{self, Display};

use crate::checks;

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It was not asked, or what it needs had failed before.
    NotRun,
}

impl Outcome {
    /// The word in a verdict's JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotRun => "not-run",
        }
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One check's line in a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The check's slug.
    pub slug: &'static str,
    /// What became of it.
    pub outcome: Outcome,
    /// What was found, or why it was not run.
    pub detail: String,
}

impl Line {
    pub(crate) fn failure(slug: &'static str, detail: &dyn Display) -> Self {
        Self { slug, outcome: Outcome::Fail, detail: legible(detail) }
    }
}

/// A detail may quote what it judges: whatever could move a reader's cursor, or turn their text around, is shown as its escape.
fn legible(detail: &dyn Display) -> String {
    let text = detail.to_string();
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return text;
    }
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if steers(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
        shown
    })
}

/// The lines of all checks that were run.
#[derive(Debug, Clone)]
pub struct Report {
    lines: Vec<Line>,
    terse: bool,
}

impl Default for Report {
    fn default() -> Self {
        Self::new()
    }
}

impl Report {
    /// A report that keeps everything.
    #[must_use]
    pub const fn new() -> Self {
        Self { lines: Vec::new(), terse: false }
    }

    /// A report that keeps failures only: what the fast path runs with. It allocates nothing while
    /// all is well.
    #[must_use]
    pub const fn failures_only() -> Self {
        Self { lines: Vec::new(), terse: true }
    }

    /// The check holds.
    pub fn pass(&mut self, slug: &'static str, detail: impl Display) {
        self.put(slug, Outcome::Pass, &detail);
    }

    /// The check does not hold.
    pub fn fail(&mut self, slug: &'static str, detail: impl Display) {
        self.put(slug, Outcome::Fail, &detail);
    }

    /// The check was not run, and why.
    pub fn not_run(&mut self, slug: &'static str, why: impl Display) {
        self.put(slug, Outcome::NotRun, &why);
    }

    /// The check was not run, and why, unless something was said of it already.
    pub(crate) fn not_run_unless_known(&mut self, slug: &'static str, why: impl Display) {
        if !self.lines.iter().any(|line| line.slug == slug) {
            self.not_run(slug, why);
        }
    }

    /// Passes with what was found, or fails with the error. Says whether it passed.
    pub fn record(&mut self, slug: &'static str, result: Result<impl Display, impl Display>) -> bool {
        match result {
            Ok(found) => self.pass(slug, found),
            Err(error) => {
                self.fail(slug, error);
                return false;
            }
        }
        true
    }

    fn put(&mut self, slug: &'static str, outcome: Outcome, detail: &dyn Display) {
        debug_assert!(checks::find(slug).is_some(), "no check is called {slug}");
        if self.terse && outcome != Outcome::Fail {
            return;
        }
        let line = Line { slug, outcome, detail: legible(detail) };
        match self.lines.iter_mut().find(|line| line.slug == slug) {
            // What failed once has failed; what passed is not forgotten for a `not-run`.
            Some(old) if old.outcome == Outcome::Fail => {}
            Some(old) if old.outcome == Outcome::Pass && outcome == Outcome::NotRun => {}
            Some(old) => *old = line,
            None => self.lines.push(line),
        }
    }

    /// What became of a check. One of which nothing was said was not run.
    #[must_use]
    pub fn outcome(&self, slug: &str) -> Outcome {
        self.lines.iter().find(|line| line.slug == slug).map_or(Outcome::NotRun, |line| line.outcome)
    }

    /// Whether every one of these checks passed.
    #[must_use]
    pub fn passed(&self, slugs: &[&str]) -> bool {
        slugs.iter().all(|slug| self.outcome(slug) == Outcome::Pass)
    }

    /// Whether any check failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.lines.iter().any(|line| line.outcome == Outcome::Fail)
    }

    /// The first failed line in the table's order.
    #[must_use]
    pub fn first_failure(&self) -> Option<&Line> {
        let failed = |slug: &str| self.lines.iter().find(|l| l.slug == slug && l.outcome == Outcome::Fail);
        // A slug that the table lacks would be a defect of ours; it refuses all the same.
        checks::table()
            .find_map(|check| failed(check.slug))
            .or_else(|| self.lines.iter().find(|line| line.outcome == Outcome::Fail))
    }

    /// The failed lines, in the table's order.
    pub(crate) fn into_failures(self) -> Vec<Line> {
        let mut failures = self.lines;
        failures.retain(|line| line.outcome == Outcome::Fail);
        let place = |slug: &str| checks::table().position(|check| check.slug == slug).unwrap_or(usize::MAX);
        failures.sort_by_cached_key(|line| place(line.slug));
        failures
    }

    /// Every check of the table in order, those of which nothing was said as `not-run`.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = checks::table()
            .map(|check| {
                self.lines.iter().find(|line| line.slug == check.slug).cloned().unwrap_or_else(|| Line {
                    slug: check.slug,
                    outcome: Outcome::NotRun,
                    detail: "does not apply".into(),
                })
            })
            .collect();
        lines.extend(self.lines.iter().filter(|line| checks::find(line.slug).is_none()).cloned());
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_as_its_escape() {
        let mut report = Report::new();
        report.fail("evidence-format", "field \u{1b}[2J, \u{202e}txet, naïve");
        let detail = report.first_failure().map(|line| line.detail.clone()).unwrap_or_default();
        assert_eq!(detail, "field \\u{1b}[2J, \\u{202e}txet, naïve");
    }
}
