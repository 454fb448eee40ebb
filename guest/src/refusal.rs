//! An answer that is no: three lines, as everywhere in this project.

use std::fmt;

/// What was refused, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The name of the error, stable.
    pub slug: &'static str,
    /// What happened.
    pub what: String,
    /// Why.
    pub why: String,
    /// What the asker can do.
    pub hint: &'static str,
}

/// `error: slug: what`, `why: ...`, `hint: ...`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}: {}", self.slug, self.what)?;
        writeln!(f, "why: {}", self.why)?;
        writeln!(f, "hint: {}", self.hint)
    }
}
