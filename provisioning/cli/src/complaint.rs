//! What a program says when it cannot do what was asked: three lines and an exit code.

use std::fmt;

/// An error as the operator sees it. Exit code 1 is "no", 2 is "could not tell".
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
        Self { slug, what: what.into(), why: chain_text(&why), hint: hint.into(), code: 2 }
    }

    /// A file that could not be used: exit code 2.
    pub(crate) fn file(verb: &str, path: &std::path::Path, why: &std::io::Error) -> Self {
        let what = format!("cannot {verb} {}", path.display());
        Self::unable("file", what, why, "check the path, its permissions and the free space")
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

/// One line, whatever the error's own text holds.
fn chain_text(why: &impl fmt::Display) -> String {
    why.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Complaint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "error: {}: {}", self.slug, self.what)?;
        writeln!(out, "why: {}", self.why)?;
        write!(out, "hint: {}", self.hint)
    }
}

impl std::error::Error for Complaint {}
