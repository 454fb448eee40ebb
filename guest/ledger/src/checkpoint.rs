//! What a committee says its log is at one size: a C2SP tlog-checkpoint with three extension lines of ours.
//!
//! <https://c2sp.org/tlog-checkpoint>. The text, each line ended by a newline:
//!
//! ```text
//! hallmark/0123456789abcdef/0
//! 1024
//! <root, base64>
//! epoch 0
//! recoveries 0
//! roster <roster hash, base64>
//! ```

use thiserror::Error;

use crate::hash::{Hash, HashError};

/// Most extension lines of a checkpoint that is not ours.
const MAX_EXTENSIONS: usize = 16;

/// Origin, size and root: what every C2SP checkpoint has, ours or another log's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHead {
    /// Name of the log.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// Lines behind these three, as they are.
    pub extensions: Vec<String>,
}

/// A committee's checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// Name of the log in this epoch ([`origin`]).
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// Epoch: changed by recoveries alone.
    pub epoch: u64,
    /// How often quorum was lost and the log went on under operators' signatures.
    pub recoveries: u64,
    /// Hash of the roster at this size ([`crate::system::Roster::hash`]).
    pub roster: Hash,
}

/// Text that is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Too few lines, or no newline at the end.
    #[error(
        "checkpoint: the text ends before line {line} ({name}); C2SP tlog-checkpoint wants three lines, we six"
    )]
    Short {
        /// Line, from 1.
        line: usize,
        /// What should be there.
        name: &'static str,
    },
    /// Lines that nobody knows.
    #[error("checkpoint: a line behind the last: {0:?}")]
    Trailing(String),
    /// An empty line, or an origin that is none.
    #[error("checkpoint: line {line} ({name}) is empty or too long")]
    Empty {
        /// Line, from 1.
        line: usize,
        /// What should be there.
        name: &'static str,
    },
    /// A number in another form than decimal without leading zeros.
    #[error("checkpoint: {name} {value:?} is not a decimal number without leading zeros")]
    Number {
        /// Which.
        name: &'static str,
        /// What is there.
        value: String,
    },
    /// A hash that is none.
    #[error("checkpoint: {name}: {source}")]
    Hash {
        /// Which.
        name: &'static str,
        /// Why.
        source: HashError,
    },
    /// An extension line that is not the one expected.
    #[error(
        "checkpoint: expected the line `{name} VALUE`, got {line:?}; not a Hallmark committee's checkpoint"
    )]
    Extension {
        /// Its first word.
        name: &'static str,
        /// What is there.
        line: String,
    },
}

/// Origin of a committee's log in an epoch: `hallmark/<first 16 hex digits of the group id>/<epoch>`.
#[must_use]
pub fn origin(group: &[u8; 32], epoch: u64) -> String {
    let short = group.first_chunk::<8>().map(hex::encode).unwrap_or_default();
    format!("hallmark/{short}/{epoch}")
}

impl TreeHead {
    /// Reads the text of a checkpoint (a signed note's text, signatures apart).
    ///
    /// # Errors
    /// Where a line is missing or malformed.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').unwrap_or("").split('\n').zip(1..);
        let mut next = |name| match lines.next() {
            Some((line, number)) if line.is_empty() || line.len() > 1024 => {
                Err(CheckpointError::Empty { line: number, name })
            }
            Some((line, _)) => Ok(line),
            None => Err(CheckpointError::Short { line: 0, name }),
        };
        let origin = next("origin")?.to_owned();
        let size = number("size", next("size")?)?;
        let root = next("root")?.parse().map_err(|source| CheckpointError::Hash { name: "root", source })?;
        let mut extensions = Vec::new();
        for (line, number) in lines {
            if line.is_empty() || line.len() > 1024 {
                return Err(CheckpointError::Empty { line: number, name: "extension" });
            }
            if extensions.len() == MAX_EXTENSIONS {
                return Err(CheckpointError::Trailing(shown(line)));
            }
            extensions.push(line.to_owned());
        }
        Ok(Self { origin, size, root, extensions })
    }
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { origin, size, root, epoch, recoveries, roster } = self;
        format!("{origin}\n{size}\n{root}\nepoch {epoch}\nrecoveries {recoveries}\nroster {roster}\n")
    }

    /// Reads the text: these six lines and no other.
    ///
    /// # Errors
    /// Where a line is missing, malformed or too many.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let TreeHead { origin, size, root, extensions } = TreeHead::parse(text)?;
        let mut extensions = extensions.iter().zip(4..);
        let mut next = |name: &'static str| {
            let (line, _) = extensions.next().ok_or(CheckpointError::Short { line: 4, name })?;
            line.strip_prefix(name)
                .and_then(|rest| rest.strip_prefix(' '))
                .ok_or_else(|| CheckpointError::Extension { name, line: shown(line) })
        };
        let epoch = number("epoch", next("epoch")?)?;
        let recoveries = number("recoveries", next("recoveries")?)?;
        let roster =
            next("roster")?.parse().map_err(|source| CheckpointError::Hash { name: "roster", source })?;
        match extensions.next() {
            Some((line, _)) => Err(CheckpointError::Trailing(shown(line))),
            None => Ok(Self { origin, size, root, epoch, recoveries, roster }),
        }
    }
}

/// One spelling of a number.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) { None } else { text.parse().ok() }
}

fn number(name: &'static str, text: &str) -> Result<u64, CheckpointError> {
    decimal(text).ok_or_else(|| CheckpointError::Number { name, value: shown(text) })
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}
