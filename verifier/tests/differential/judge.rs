//! Asks both, and holds every disagreement against the table.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::case::{Case, Root};
use super::classes::{CLASSES, Class, Shown, Stricter};
use super::word::Word;
use super::{ours, theirs};

/// Both words. A panic of ours is a failure; one of theirs is their refusal.
pub(crate) fn ask(case: &Case) -> (Word, Word) {
    let ours = catch_unwind(AssertUnwindSafe(|| ours::word(case)))
        .unwrap_or_else(|_| panic!("our verifier panicked: {}", case.what));
    let theirs = catch_unwind(AssertUnwindSafe(|| theirs::word(case)))
        .unwrap_or_else(|_| Word::refused("it panicked"));
    (ours, theirs)
}

fn agree(case: &Case) -> bool {
    let (ours, theirs) = ask(case);
    ours.agrees(&theirs)
}

impl Class {
    /// Whether the words are such as this class brings about.
    fn fits(&self, ours: &Word, theirs: &Word) -> bool {
        match (self.stricter, ours, theirs) {
            (Stricter::Ours, Word::Refused(slugs), Word::Holds { .. }) => {
                slugs.iter().all(|slug| self.says.contains(&slug.as_str()))
            }
            (Stricter::Theirs, Word::Holds { .. }, Word::Refused(why)) => {
                why.iter().all(|why| self.says.iter().any(|part| why.contains(part)))
            }
            (Stricter::OursByStatus, Word::Holds { .. }, Word::Holds { status, .. }) => {
                ours.says_no_less_than(theirs) && self.says.iter().all(|part| status.contains(part))
            }
            (Stricter::TheirsByStatus, Word::Holds { .. }, Word::Holds { status, .. }) => {
                theirs.says_no_less_than(ours) && self.says.iter().all(|part| status.contains(part))
            }
            _ => false,
        }
    }

    /// Whether its oddity, and nothing else, parts the two.
    fn accounts_for(&self, case: &Case) -> bool {
        match self.shown {
            Shown::Repair { repair, .. } => repaired(repair, case).is_some_and(|repaired| agree(&repaired)),
            Shown::Kind(is) => is(case),
            // A forged case has one change, and the words name it. Under Intel's signatures there is none.
            Shown::Forged(_) => matches!(*case.root, Root::Simulated { .. }),
        }
    }
}

/// The case with an oddity taken out, for them as for us.
fn repaired(repair: fn(&Case) -> Option<Case>, case: &Case) -> Option<Case> {
    let mut after = repair(case)?;
    if let Root::Simulated { der, spki_sha256, twin } = &*case.root {
        let theirs = case.with_quote(twin.clone());
        let twin = repair(&theirs).unwrap_or(theirs).quote;
        let root = Root::Simulated { der: der.clone(), spki_sha256: *spki_sha256, twin };
        after.root = Arc::new(root);
    }
    Some(after)
}

/// The classes that account for a disagreement: one, or else several oddities at once.
pub(crate) fn explain(case: &Case, ours: &Word, theirs: &Word) -> Option<String> {
    let one = CLASSES.iter().find(|class| class.fits(ours, theirs) && class.accounts_for(case));
    if let Some(class) = one {
        return Some(class.name.into());
    }
    let (mut case, mut ours, mut theirs) = (case.clone(), ours.clone(), theirs.clone());
    let mut names = Vec::new();
    for class in CLASSES {
        let Shown::Repair { repair, .. } = class.shown else { continue };
        if let Some(repaired) = repaired(repair, &case) {
            let (our_next, their_next) = ask(&repaired);
            // A step counts if it brings ours nearer to holding, and theirs is what it was.
            if our_next != ours && their_next.agrees(&theirs) || our_next.agrees(&their_next) {
                (case, ours, theirs) = (repaired, our_next, their_next);
                names.push(class.name);
            }
            if ours.agrees(&theirs) {
                return Some(names.join(" and "));
            }
        }
    }
    None
}

/// What came of many cases.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) hold: usize,
    pub(crate) refused: usize,
    pub(crate) classes: BTreeMap<String, usize>,
    pub(crate) unexplained: Vec<String>,
}

impl Tally {
    pub(crate) fn judge(&mut self, case: &Case) {
        let (ours, theirs) = ask(case);
        if ours.agrees(&theirs) {
            let count = if ours.holds() { &mut self.hold } else { &mut self.refused };
            *count += 1;
        } else if let Some(class) = explain(case, &ours, &theirs) {
            if std::env::var_os("HALLMARK_DIFFERENTIAL_VERBOSE").is_some() {
                println!("{class}: {}", case.what);
            }
            *self.classes.entry(class).or_default() += 1;
        } else {
            self.unexplained.push(format!("{}\n  ours: {ours:?}\n  theirs: {theirs:?}", case.what));
        }
    }

    pub(crate) fn all<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Self {
        let mut tally = Self::default();
        cases.into_iter().for_each(|case| tally.judge(case));
        tally
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.hold += other.hold;
        self.refused += other.refused;
        other.classes.into_iter().for_each(|(class, n)| *self.classes.entry(class).or_default() += n);
        self.unexplained.extend(other.unexplained);
    }

    /// Says what was found, and fails on what nothing explains.
    pub(crate) fn settle(&self, of: &str) {
        println!("{of}: both hold {}, both refuse {}", self.hold, self.refused);
        self.classes.iter().for_each(|(class, n)| println!("  {n:6} {class}"));
        let shown: Vec<&str> = self.unexplained.iter().take(20).map(String::as_str).collect();
        assert!(
            shown.is_empty(),
            "{of}: {} disagreements that no class explains; the first:\n{}",
            self.unexplained.len(),
            shown.join("\n")
        );
    }
}
