//! Names and lines of text: short, and the same to every reader.
//!
//! ASCII only: two names that look alike are the same name, and none can turn a page's writing direction.

use crate::config_error::{ConfigError, Fault};

const MAX_NAME: usize = 64;
const MAX_LINE: usize = 256;

fn cut(text: &str) -> String {
    text.chars().take(128).flat_map(char::escape_debug).collect()
}

/// Checks a name.
pub(crate) fn name(field: &str, text: &str) -> Result<(), ConfigError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    if (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(allowed) {
        return Ok(());
    }
    Err(ConfigError::new(field, Fault::Name(cut(text))))
}

/// Checks a line of text.
pub(crate) fn line(field: &str, text: &str) -> Result<(), ConfigError> {
    if (1..=MAX_LINE).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Ok(());
    }
    Err(ConfigError::new(field, Fault::Line(cut(text))))
}
