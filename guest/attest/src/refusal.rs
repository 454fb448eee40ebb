//! A refusal: one word for programs, one sentence for people.

use std::borrow::Cow;
use std::fmt;

/// The word of a refusal: 1 to 64 of `a` to `z`, `0` to `9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slug(Cow<'static, str>);

impl Slug {
    /// The longest, in bytes.
    pub const MAX: usize = 64;

    /// A word of ours. One that is not of the form becomes `refused`.
    #[must_use]
    pub const fn new(word: &'static str) -> Self {
        if Self::is_one(word.as_bytes()) { Self(Cow::Borrowed(word)) } else { Self(Cow::Borrowed("refused")) }
    }

    /// A word that came from elsewhere; `None` if it is not of the form.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if !Self::is_one(bytes) {
            return None;
        }
        Some(Self(Cow::Owned(std::str::from_utf8(bytes).ok()?.to_owned())))
    }

    const fn is_one(bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while let [first, after @ ..] = rest {
            if !(first.is_ascii_lowercase() || first.is_ascii_digit() || *first == b'-') {
                return false;
            }
            rest = after;
        }
        !bytes.is_empty() && bytes.len() <= Self::MAX
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a peer is not spoken with. The slug is sent to it, the rest stays here: who is refused learns no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{slug}: {why}")]
pub struct Refusal {
    /// The word; the slug of a check where a check failed.
    pub slug: Slug,
    /// What was found.
    pub why: String,
}

impl Refusal {
    /// A refusal with a word of ours.
    #[must_use]
    pub fn new(slug: &'static str, why: impl Into<String>) -> Self {
        Self { slug: Slug::new(slug), why: why.into() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn slugs_have_one_form() {
        assert_eq!(Slug::new("td-debug").as_str(), "td-debug");
        assert_eq!(Slug::parse(b"x0-").unwrap().as_str(), "x0-");
        for bad in [&b""[..], b"A", b"a b", b"a\n", &[b'a'; 65], b"\xff"] {
            assert_eq!(Slug::parse(bad), None);
        }
        assert_eq!(Slug::new("Not a slug").as_str(), "refused");
    }
}
