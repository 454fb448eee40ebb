//! Reading and writing configurations.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ConfigError;

/// A configuration as a document: read from TOML, JSON or hex of JSON, written as JSON in one way only.
///
/// Reading refuses unknown fields, a field that stands there twice, arrays in the place of objects, and what breaks the
/// configuration's own rules. What was read is owned; what a program says in a `const` is lent.
pub trait Document: Serialize + DeserializeOwned {
    /// Most bytes of it, in TOML or JSON.
    const MAX_BYTES: usize;

    /// Checks the configuration's own rules, which one from a `const` has not been through.
    ///
    /// # Errors
    /// The first field that breaks one.
    fn check(&self) -> Result<(), ConfigError>;

    /// Reads JSON.
    ///
    /// # Errors
    /// [`DocumentError`]: too long, not JSON, or no such configuration.
    fn from_json(bytes: &[u8]) -> Result<Self, DocumentError> {
        bounded::<Self>(bytes.len())?;
        serde_json::from_slice(bytes).map_err(|e| DocumentError::Json(short(&e)))
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// [`DocumentError`]: too long, not TOML, or no such configuration.
    fn from_toml(text: &str) -> Result<Self, DocumentError> {
        bounded::<Self>(text.len())?;
        toml::from_str(text).map_err(|e| DocumentError::Toml(short(&e)))
    }

    /// Reads hex of JSON, as [`to_hex`](Self::to_hex) writes it.
    ///
    /// # Errors
    /// [`DocumentError`]: too long, not hex, not JSON, or no such configuration.
    fn from_hex(text: &str) -> Result<Self, DocumentError> {
        bounded::<Self>(text.len() / 2)?;
        Self::from_json(&hex::decode(text).map_err(|e| DocumentError::Hex(short(&e)))?)
    }

    /// The canonical form: compact JSON, every field in the order of its declaration, `null` where there is none. Equal
    /// configurations, and only they, have equal bytes.
    ///
    /// # Errors
    /// [`DocumentError::Invalid`] where [`check`](Self::check) fails: what cannot be read back is not written.
    fn to_json(&self) -> Result<Vec<u8>, DocumentError> {
        self.check()?;
        serde_json::to_vec(self).map_err(|e| DocumentError::Json(e.to_string()))
    }

    /// The canonical form in one line of hex, for where only a word fits.
    ///
    /// # Errors
    /// As [`to_json`](Self::to_json).
    fn to_hex(&self) -> Result<String, DocumentError> {
        self.to_json().map(hex::encode)
    }
}

/// What is wrong, without the megabyte that may be quoted in it.
fn short(why: &impl ToString) -> String {
    let mut text = why.to_string();
    if let Some((cut, _)) = text.char_indices().nth(600) {
        text.truncate(cut);
        text.push_str("...");
    }
    text
}

fn bounded<T: Document>(found: usize) -> Result<(), DocumentError> {
    if found > T::MAX_BYTES { Err(DocumentError::TooLong { found, most: T::MAX_BYTES }) } else { Ok(()) }
}

/// A document that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Longer than any such document.
    #[error("{found} bytes, of at most {most}")]
    TooLong {
        /// How long it is.
        found: usize,
        /// How long it may be.
        most: usize,
    },
    /// Not such a document in JSON; the text has line and column.
    #[error("{0}")]
    Json(String),
    /// Not such a document in TOML; the text has line and column.
    #[error("{0}")]
    Toml(String),
    /// Not hex.
    #[error("not hex: {0}")]
    Hex(String),
    /// A field breaks a rule.
    #[error(transparent)]
    Invalid(#[from] ConfigError),
}
