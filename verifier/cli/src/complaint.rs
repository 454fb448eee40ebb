//! What a program says when it cannot do what was asked: three lines and an exit code.

use std::fmt;

use crate::output::printable;

/// An error as the auditor sees it. Exit code 1 is "no", 2 is "could not tell".
#[derive(Debug)]
pub(crate) struct Complaint {
    /// One word that scripts can match.
    pub(crate) slug: &'static str,
    /// What failed.
    pub(crate) what: String,
    /// Why, as far as is known.
    pub(crate) why: String,
    /// What to do about it.
    pub(crate) hint: String,
    /// 1 or 2.
    pub(crate) code: u8,
}

impl Complaint {
    /// Something could not be done or could not be told: exit code 2.
    pub(crate) fn unable(
        slug: &'static str,
        what: impl Into<String>,
        why: impl fmt::Display,
        hint: impl Into<String>,
    ) -> Self {
        Self { slug, what: what.into(), why: why.to_string(), hint: hint.into(), code: 2 }
    }

    /// The answer is no: exit code 1.
    pub(crate) fn no(
        slug: &'static str,
        what: impl Into<String>,
        why: impl fmt::Display,
        hint: impl Into<String>,
    ) -> Self {
        Self { code: 1, ..Self::unable(slug, what, why, hint) }
    }
}

/// One line, whatever the text holds.
fn one_line(text: &str) -> String {
    printable(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

impl fmt::Display for Complaint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "error: {}: {}", self.slug, one_line(&self.what))?;
        writeln!(out, "why: {}", one_line(&self.why))?;
        write!(out, "hint: {}", one_line(&self.hint))
    }
}

impl std::error::Error for Complaint {}

#[cfg(test)]
mod tests {
    use super::Complaint;

    #[test]
    fn an_error_has_three_lines_whatever_is_in_it() {
        let said = Complaint::no("slug", "a\nb", "c:\n  d\u{7}", "e").to_string();
        assert_eq!(said, "error: slug: a b\nwhy: c: d\u{fffd}\nhint: e");
    }
}
