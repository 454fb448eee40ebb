//! A machine's no.

use serde::{Deserialize, Serialize};

/// Why a command was not applied. It is final and part of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The word that programs compare.
    pub code: RejectionCode,
    /// What a person reads.
    pub why: String,
}

/// A short word in kebab case: `[a-z0-9-]`, 1 to 48 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RejectionCode(std::borrow::Cow<'static, str>);

impl RejectionCode {
    /// A code of this crate's users. Panics at compile time where it is not in kebab case.
    #[must_use]
    pub const fn new(code: &'static str) -> Self {
        assert!(is_kebab(code.as_bytes()), "a rejection code is kebab case, 1 to 48 bytes");
        Self(std::borrow::Cow::Borrowed(code))
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[allow(clippy::indexing_slicing, reason = "a const fn cannot iterate; the index is below the length")]
pub(crate) const fn is_kebab(code: &[u8]) -> bool {
    let mut at = 0;
    while at < code.len() {
        if !(code[at].is_ascii_lowercase() || code[at].is_ascii_digit() || code[at] == b'-') {
            return false;
        }
        at += 1;
    }
    !code.is_empty() && code.len() <= 48
}

impl Rejection {
    /// A rejection with its reason.
    #[must_use]
    pub fn new(code: RejectionCode, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }
}
