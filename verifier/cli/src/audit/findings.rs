//! What became of every question that an audit asks: the table, and the word that follows from it.

use hallmark_verifier::report::Outcome;
use hallmark_verifier::verdict::Word;
use serde::Serialize;

use crate::output::printable;

/// One question.
#[derive(Debug)]
pub(super) struct Row {
    /// The step that it belongs to: what the page has one line for.
    pub(super) step: &'static str,
    /// Its slug. Those of the replay are `hallmark-ledger`'s.
    pub(super) slug: &'static str,
    /// What holds where it passes.
    pub(super) holds: &'static str,
    /// What to do where it does not.
    pub(super) hint: &'static str,
}

const fn row(step: &'static str, slug: &'static str, holds: &'static str, hint: &'static str) -> Row {
    Row { step, slug, holds, hint }
}

const ANOTHER_COPY: &str =
    "take the log from another member or mirror; if all have it so, its members wrote it so";
const KEEP: &str =
    "keep the log and the checkpoint, they are evidence; ask the operators, and do not rely on it";
const FORK: &str =
    "keep the log and both checkpoints, they are the proof; compare with other readers and witnesses";
const LATER: &str = "fetch the log again, after the checkpoint; if it still lacks them, keep log and checkpoint, they are the proof";
const QUOTE: &str = "give every release.json that the log names (--release), and what you accept (--policy)";
const WAIT: &str =
    "wait for the next checkpoint, or ask another member: without a quorum nothing was acknowledged";
const GROUP: &str = "check --group, and whose log that is";

pub(super) const CHECKPOINT: &str = "checkpoint";
pub(super) const LOG: &str = "log";
pub(super) const GENESIS: &str = "genesis";
pub(super) const ENTRIES: &str = "entries";
pub(super) const MEMBERS: &str = "members";
pub(super) const STATEMENTS: &str = "statements";
pub(super) const OPERATORS: &str = "operators";
pub(super) const ENDORSEMENTS: &str = "endorsements";
pub(super) const RECOVERIES: &str = "recoveries";
pub(super) const SNAPSHOTS: &str = "snapshots";
pub(super) const RETIREMENT: &str = "retirement";
pub(super) const COSIGNATURES: &str = "cosignatures";
pub(super) const KEPT: &str = "kept";

/// What no log shows of itself, however much of it holds.
pub(super) const NOT_SHOWN: [&str; 4] = [
    "that there is no other history, or a later one than this checkpoint's (what others kept is held against it with --checkpoint)",
    "that the machine's own entries and snapshots follow from their commands: its rules are not run here",
    "that platforms which were sound at an admission are sound now",
    "that slots are in different hands",
];

/// Why a row was not run of which nothing was said.
pub(super) const UNREACHED: &str = "what it needs was not reached";

/// The table, in the order in which the code of a refusal is looked for.
pub(super) const TABLE: &[Row] = &[
    row(CHECKPOINT, "checkpoint-malformed", "the checkpoint is a signed note of a committee", ANOTHER_COPY),
    row(LOG, "log-incomplete", "every tile and entry that the checkpoint covers is there", ANOTHER_COPY),
    row(LOG, "log-hash", "every entry and tile is what the checkpoint's root leads to", ANOTHER_COPY),
    row(LOG, "entry-format", "every leaf is an entry, in its one spelling", KEEP),
    row(
        GENESIS,
        "ledger-genesis",
        "the first entry is a genesis that does not contradict itself, and no other is",
        KEEP,
    ),
    row(GENESIS, "group-mismatch", "the group that the genesis derives is the one asked for", GROUP),
    row(ENTRIES, "ledger-order", "entries follow each other by the rules of a ledger", KEEP),
    row(ENTRIES, "ledger-body", "what the committee says of itself has the form of it", KEEP),
    row(ENTRIES, "ledger-seq", "each surface counts from 0 without gaps", KEEP),
    row(ENTRIES, "ledger-submission-twice", "each submission was answered once", KEEP),
    row(ENTRIES, "ledger-rejection", "a rejection is of the submission that led to it", KEEP),
    row(ENTRIES, "ledger-blob", "evidence and collateral come to the hashes that name them", KEEP),
    row(MEMBERS, "ledger-slot", "each admission is to a slot that there is", KEEP),
    row(MEMBERS, "ledger-slot-signature", "each admission is signed by the slot's operator", KEEP),
    row(MEMBERS, "ledger-key", "keys are keys", KEEP),
    row(MEMBERS, "ledger-key-reused", "no key was admitted twice", KEEP),
    row(MEMBERS, "ledger-replaces", "each admission replaces the slot's member", KEEP),
    row(MEMBERS, "ledger-node", "who is expelled is a member", KEEP),
    row(
        MEMBERS,
        "ledger-equivocation",
        "each equivocation is two contradicting checkpoints that the member signed",
        KEEP,
    ),
    row(STATEMENTS, "ledger-statement", "each statement names a tree that was before it", KEEP),
    row(STATEMENTS, "statement-root", "each statement names that tree's root", KEEP),
    row(
        STATEMENTS,
        "statement-quote",
        "each member's quote binds its statement, and is of a release that counted",
        QUOTE,
    ),
    row(OPERATORS, "ledger-operators", "what operators decide, a quorum of them signed", KEEP),
    row(OPERATORS, "ledger-release", "releases come in once, and go out once", KEEP),
    row(ENDORSEMENTS, "ledger-endorsement", "each endorsed fact has a quorum of members' signatures", KEEP),
    row(
        ENDORSEMENTS,
        "endorsement-quote",
        "the evidence of each endorsed fact gives the verdict that members signed",
        QUOTE,
    ),
    row(RECOVERIES, "ledger-recovery", "each recovery follows from the epoch that ended", KEEP),
    row(RECOVERIES, "ledger-candidate", "who starts the new epoch is who the recovery names", KEEP),
    row(SNAPSHOTS, "ledger-snapshot", "each snapshot is of a size before it", KEEP),
    row(RETIREMENT, "ledger-retired", "nothing comes behind a retirement", KEEP),
    row(COSIGNATURES, "checkpoint-origin", "the checkpoint is of the log of this group and epoch", KEEP),
    row(COSIGNATURES, "checkpoint-log-key", "the checkpoint is signed by the log's key", KEEP),
    row(COSIGNATURES, "checkpoint-epoch", "the checkpoint's epoch is the one the entries come to", KEEP),
    row(COSIGNATURES, "checkpoint-roster", "the checkpoint's roster is the one the entries come to", KEEP),
    row(
        COSIGNATURES,
        "checkpoint-contradicts",
        "the checkpoint's size, root and recoveries are those of the entries",
        KEEP,
    ),
    row(COSIGNATURES, "checkpoint-early", "there are members to sign the checkpoint", KEEP),
    row(COSIGNATURES, "checkpoint-cosignature", "no member's cosignature on the checkpoint is wrong", KEEP),
    row(
        COSIGNATURES,
        "checkpoint-quorum",
        "a quorum of the roster at its size cosigned the checkpoint",
        WAIT,
    ),
    row(KEPT, "kept-fork", "no checkpoint given contradicts this log", FORK),
    row(KEPT, "kept-truncated", "no checkpoint given covers entries that this log lacks", LATER),
];

/// The steps, in order.
pub(super) fn steps() -> impl Iterator<Item = &'static str> {
    let before = |index: usize| index.checked_sub(1).and_then(|i| TABLE.get(i)).map(|row| row.step);
    TABLE.iter().enumerate().filter(move |(i, row)| before(*i) != Some(row.step)).map(|(_, row)| row.step)
}

/// The row of a slug.
pub(super) fn find(slug: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.slug == slug)
}

/// One row's answer.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) slug: &'static str,
    pub(super) outcome: Outcome,
    pub(super) detail: String,
}

/// All answers. What failed stays failed; of what nothing was said is `not-run`.
#[derive(Debug)]
pub(super) struct Findings {
    found: Vec<Finding>,
    /// Rows that were said not to have been run: the figures of their step do not cover them.
    said: Vec<&'static str>,
    /// A quote under a test root counted.
    pub(super) simulated: bool,
    /// Questions that were left out by the caller's wish, aloud: they cap the verdict at `authentic`.
    unasked: Vec<String>,
    /// Rows that may stay `not-run`.
    excused: Vec<&'static str>,
}

impl Findings {
    pub(super) fn new() -> Self {
        let blank =
            |row: &Row| Finding { slug: row.slug, outcome: Outcome::NotRun, detail: UNREACHED.to_owned() };
        Self {
            found: TABLE.iter().map(blank).collect(),
            said: Vec::new(),
            simulated: false,
            unasked: Vec::new(),
            excused: Vec::new(),
        }
    }

    /// Nothing could be asked, for one reason.
    pub(super) fn none_of(why: &str) -> Self {
        let mut findings = Self::new();
        TABLE.iter().for_each(|row| findings.not_run(row.slug, why));
        findings
    }

    fn set(&mut self, slug: &str, outcome: Outcome, detail: &str) {
        for finding in self.found.iter_mut().filter(|f| f.slug == slug && f.outcome != Outcome::Fail) {
            (finding.outcome, finding.detail) = (outcome, printable(detail));
        }
    }

    /// All rows of the step hold, but those that were said to fail or not to have been run.
    pub(super) fn pass(&mut self, step: &str, figures: impl Into<String>) {
        let figures = figures.into();
        for row in TABLE.iter().filter(|row| row.step == step) {
            if !self.said.contains(&row.slug) {
                self.set(row.slug, Outcome::Pass, &figures);
            }
        }
    }

    /// The row does not hold. A rule of the ledger that has no row of its own is one of `ledger-order`.
    pub(super) fn fail(&mut self, slug: &str, detail: impl Into<String>) {
        let detail = detail.into();
        match find(slug) {
            Some(row) => self.set(row.slug, Outcome::Fail, &detail),
            None => self.set("ledger-order", Outcome::Fail, &format!("{slug}: {detail}")),
        }
    }

    /// What the row needs is not there: no positive word without it.
    pub(super) fn not_run(&mut self, slug: &'static str, detail: impl Into<String>) {
        self.said.push(slug);
        self.set(slug, Outcome::NotRun, &detail.into());
    }

    /// The row has nothing to say here, and harms nothing.
    pub(super) fn excuse(&mut self, slug: &'static str, detail: impl Into<String>) {
        self.excused.push(slug);
        self.not_run(slug, detail);
    }

    /// A question was left out by the caller's wish.
    pub(super) fn leave_out(&mut self, question: String) {
        self.unasked.push(question);
    }

    /// What was left out.
    pub(super) fn left_out(&self) -> &[String] {
        &self.unasked
    }

    /// The first row without which there is no positive word, and that was not run.
    pub(super) fn first_gap(&self) -> Option<&Finding> {
        self.found.iter().find(|f| f.outcome == Outcome::NotRun && !self.excused.contains(&f.slug))
    }

    pub(super) fn list(&self) -> &[Finding] {
        &self.found
    }

    /// The first failed row, in the table's order.
    pub(super) fn first_failure(&self) -> Option<&Finding> {
        self.found.iter().find(|finding| finding.outcome == Outcome::Fail)
    }

    /// The word: SPECIFICATION, section 4, said of a log.
    pub(super) fn word(&self) -> Word {
        if self.first_failure().is_some() {
            Word::Refused
        } else if self.first_gap().is_some() {
            Word::Undecided
        } else if self.simulated {
            Word::Simulated
        } else if self.unasked.is_empty() {
            Word::Accepted
        } else {
            Word::Authentic
        }
    }
}

/// A row in the JSON of an audit.
#[derive(Serialize)]
pub(super) struct Check<'a> {
    id: &'static str,
    result: &'static str,
    detail: &'a str,
}

impl Findings {
    /// Every row, for the JSON.
    pub(super) fn checks(&self) -> Vec<Check<'_>> {
        self.found.iter().map(|f| Check { id: f.slug, result: f.outcome.word(), detail: &f.detail }).collect()
    }
}

#[cfg(test)]
mod tests {
    use hallmark_verifier::verdict::Word;

    use super::{ENTRIES, Findings, STATEMENTS, TABLE, find, steps};

    #[test]
    fn slugs_are_unique_and_steps_stand_together() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(TABLE.iter().position(|other| other.slug == row.slug), Some(index));
            assert!(find(row.slug).is_some() && !row.holds.is_empty() && !row.hint.is_empty());
        }
        let distinct: std::collections::BTreeSet<_> = steps().collect();
        assert_eq!(distinct.len(), steps().count());
    }

    #[test]
    fn what_failed_stays_failed_and_the_first_row_names_it() {
        let mut findings = Findings::new();
        assert_eq!(findings.word(), Word::Undecided, "nothing was run");
        steps().skip(1).for_each(|step| findings.pass(step, "held"));
        assert_eq!(findings.word(), Word::Undecided, "one was not run");
        assert_eq!(findings.first_gap().map(|f| f.slug), Some("checkpoint-malformed"));
        findings.excuse("checkpoint-malformed", "nothing to do");
        assert_eq!(findings.word(), Word::Accepted);
        findings.leave_out("something".into());
        assert_eq!(findings.word(), Word::Authentic);
        findings.simulated = true;
        assert_eq!(findings.word(), Word::Simulated);
        findings.not_run("statement-quote", "a file is missing");
        assert_eq!(findings.word(), Word::Undecided);
        findings.pass(STATEMENTS, "the others held");
        assert_eq!(findings.first_gap().map(|f| f.slug), Some("statement-quote"), "figures do not cover it");
        findings.fail("ledger-retired", "b");
        findings.fail("ledger-of-a-later-version", "a");
        findings.pass(ENTRIES, "later");
        assert_eq!(findings.word(), Word::Refused);
        let first = findings.first_failure().map(|f| (f.slug, f.detail.as_str()));
        assert_eq!(first, Some(("ledger-order", "ledger-of-a-later-version: a")));
    }
}
