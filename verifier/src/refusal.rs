//! Why a stage was not reached.

use std::fmt;

use crate::report::{Line, Report};

/// The checks that failed, in the table's order. There is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    first: Line,
    others: Vec<Line>,
}

impl Refusal {
    /// The stage, unless a check failed.
    pub(crate) fn unless<T>(report: Report, stage: Option<T>) -> Result<T, Self> {
        let mut failures = report.into_failures().into_iter();
        match (failures.next(), stage) {
            (None, Some(stage)) => Ok(stage),
            (Some(first), _) => Err(Self { first, others: failures.collect() }),
            // That nothing failed and yet nothing was found would be a defect of ours. It refuses.
            (None, None) => {
                Err(Self { first: Line::failure("evidence-format", &"nothing found"), others: Vec::new() })
            }
        }
    }

    /// The slug of the first failed check.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.first.slug
    }

    /// What was found there.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.first.detail
    }

    /// Every check that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Line> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.first.slug, self.first.detail)
    }
}

impl std::error::Error for Refusal {}
