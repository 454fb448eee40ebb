//! The valid case with one thing changed, and everything around the change signed again, so that
//! the check meant is the one that finds it.

mod collateral;
mod documents;
mod pck;
mod qe;
mod quote;
mod tcb;
mod td;
mod valid;
mod vtpm;

use std::sync::LazyLock;

use const_oid::ObjectIdentifier;

use crate::certificate::Extension;
use crate::forged::Forged;
use crate::key::Key;
use crate::tdx::TdxCase;
use crate::vtpm::VtpmCase;

/// One change. The first row of a check is its mutation, the others are its variants.
struct Row {
    slug: &'static str,
    name: &'static str,
    change: Change,
}

enum Change {
    Tdx(fn(&mut TdxCase)),
    Vtpm(fn(&mut VtpmCase)),
}

impl Change {
    fn make(&self) -> Forged {
        match self {
            Self::Tdx(change) => {
                let mut case = TdxCase::default();
                change(&mut case);
                case.make()
            }
            Self::Vtpm(change) => {
                let mut case = VtpmCase::default();
                change(&mut case);
                case.make()
            }
        }
    }
}

const fn tdx(slug: &'static str, name: &'static str, change: fn(&mut TdxCase)) -> Row {
    Row { slug, name, change: Change::Tdx(change) }
}

const fn vtpm(slug: &'static str, name: &'static str, change: fn(&mut VtpmCase)) -> Row {
    Row { slug, name, change: Change::Vtpm(change) }
}

/// In the order of the table of checks.
const GROUPS: &[&[Row]] = &[
    documents::EVIDENCE,
    quote::FORMAT,
    collateral::CHAINS,
    collateral::LISTS,
    collateral::DOCUMENTS,
    pck::ROWS,
    qe::ROWS,
    quote::SIGNATURE,
    tcb::ROWS,
    td::ROWS,
    vtpm::ROWS,
    documents::EVENT_LOG,
    documents::IMAGE,
    documents::BINDING,
];

static SLUGS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut slugs: Vec<&'static str> = Vec::new();
    for row in rows() {
        if !slugs.contains(&row.slug) {
            slugs.push(row.slug);
        }
    }
    slugs
});

fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().flat_map(|group| group.iter())
}

/// A critical extension on a private arc that nobody has given a meaning.
fn meaningless() -> Extension {
    const ARC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.1");
    Extension { oid: ARC, critical: true, value: vec![5, 0] }
}

/// A signer that nobody knows.
fn stranger() -> Key {
    Key::simulated("stranger")
}

/// The checks that [`mutation`] knows, in the order of the table.
#[must_use]
pub fn mutations() -> &'static [&'static str] {
    &SLUGS
}

/// The valid case changed such that the check `slug` fails, and no other that runs. `None` for a check
/// that this crate does not know.
#[must_use]
pub fn mutation(slug: &str) -> Option<Forged> {
    rows().find(|row| row.slug == slug).map(|row| row.change.make())
}

/// Every way that this crate knows for a check to fail, [`mutation`]'s included: the check, what was
/// changed, the case.
#[must_use]
pub fn variants() -> Vec<(&'static str, &'static str, Forged)> {
    rows().map(|row| (row.slug, row.name, row.change.make())).collect()
}

/// Cases in which every check holds: what is unusual about each, and the case. A verifier that refuses
/// one is too strict. The ones with collateral end at `simulated`, the others at `accepted`.
#[must_use]
pub fn valid() -> Vec<(&'static str, Forged)> {
    valid::ROWS.iter().map(|row| (row.name, row.change.make())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_bytes_repeat() {
        let (td, tpm) = (TdxCase::default().make(), VtpmCase::default().make());
        assert_eq!((&td, &tpm), (&TdxCase::default().make(), &VtpmCase::default().make()));
        let one = variants();
        for (i, (slug, name, forged)) in one.iter().enumerate() {
            assert!(!one[..i].iter().any(|(s, n, _)| (s, n) == (slug, name)), "{slug}: {name} twice");
            assert!(
                !one[..i].iter().any(|(.., other)| other == forged),
                "{slug}: {name} has been forged before"
            );
            assert!(*forged != td && *forged != tpm);
        }
    }

    #[test]
    fn every_check_has_one() {
        for slug in mutations() {
            assert!(mutation(slug).is_some());
        }
        assert_eq!(mutation("no-such-check"), None);
    }
}
