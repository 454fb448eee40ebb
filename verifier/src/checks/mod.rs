//! The table of checks: every question the verifier asks, in the order in which it is answered.
//!
//! Reports, `assay explain`, the documentation and the negative tests are all made from these rows, so
//! that a check cannot exist without an explanation, and cannot be explained without existing. The
//! `code` of a refusal is the first failed row.
//!
//! A row's functions live with the thing they check (`quote`, `tcb_info`, `td`, ...); the row itself
//! says only what must hold.

mod binding;
mod collateral;
mod event_log;
mod evidence;
mod image;
mod pck;
mod qe;
mod quote;
mod tcb;
mod td;
mod vtpm;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// The name of the check, as it stands in reports and in `code`.
    pub slug: &'static str,
    /// What is true when the check passes: one sentence.
    pub holds: &'static str,
    /// The clause of the specification that says so.
    pub clause: &'static str,
    /// Why it matters: what an attacker gains where it is not checked.
    pub explanation: &'static str,
    /// What to do when it fails.
    pub hint: &'static str,
    /// Exactly the checks that fail when only this one's subject is wrong: as a rule, itself. What
    /// depends on it is then not run.
    pub fails: &'static [&'static str],
}

/// Checks that are about one thing.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Group {
    /// What the checks are about.
    pub name: &'static str,
    /// The rows, in order.
    pub checks: &'static [Check],
}

/// The groups, in the order of the table.
pub static GROUPS: &[Group] = &[
    Group { name: "evidence", checks: evidence::CHECKS },
    Group { name: "TDX quote", checks: quote::FORMAT },
    Group { name: "collateral", checks: collateral::CHECKS },
    Group { name: "PCK certificate", checks: pck::CHECKS },
    Group { name: "quoting enclave", checks: qe::CHECKS },
    Group { name: "quote signature", checks: quote::SIGNATURE },
    Group { name: "TCB", checks: tcb::CHECKS },
    Group { name: "trust domain", checks: td::CHECKS },
    Group { name: "vTPM", checks: vtpm::CHECKS },
    Group { name: "event log", checks: event_log::CHECKS },
    Group { name: "image", checks: image::CHECKS },
    Group { name: "binding", checks: binding::CHECKS },
];

/// Every check, in order.
pub fn table() -> impl Iterator<Item = &'static Check> {
    GROUPS.iter().flat_map(|group| group.checks)
}

/// The row of that name.
#[must_use]
pub fn find(slug: &str) -> Option<&'static Check> {
    table().find(|check| check.slug == slug)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn rows_are_complete_and_unique() {
        let mut seen = BTreeSet::new();
        for check in super::table() {
            assert!(seen.insert(check.slug), "{} stands twice", check.slug);
            let slug_form = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(check.slug.chars().all(slug_form), "{}", check.slug);
            for text in [check.holds, check.clause, check.explanation, check.hint] {
                assert!(!text.is_empty(), "{} lacks a text", check.slug);
            }
            assert!(check.fails.contains(&check.slug), "{} does not fail itself", check.slug);
        }
    }

    #[test]
    fn what_a_row_fails_is_in_the_table() {
        for check in super::table() {
            for slug in check.fails {
                assert!(super::find(slug).is_some(), "{} names {slug}", check.slug);
            }
        }
    }
}
