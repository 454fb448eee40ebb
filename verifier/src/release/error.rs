//! What breaks a release.json.

use super::{FORMAT, SIZE_MAX};
use crate::event_log::{Bank, Digest, Register};
use crate::hex_bytes::NotHex;

/// Why bytes are no release. `path` is the place in the document, as in `expected[0].registers.pcr4.sha256`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// Larger than [`SIZE_MAX`].
    #[error("{size} bytes of release.json; at most {SIZE_MAX} are read")]
    Size {
        /// The size.
        size: usize,
    },
    /// Not the document of SPECIFICATION, section 2. The message has line and column.
    #[error("not a release.json (SPECIFICATION 2): {0}")]
    Json(#[from] serde_json::Error),
    /// Another format.
    #[error("release.json: format is {found:?}, must be {FORMAT:?}")]
    Format {
        /// What it says.
        found: String,
    },
    /// Text that is empty, too long, or has control characters.
    #[error("release.json: {path} is not 1 to {most} bytes of printable text")]
    Text {
        /// Where.
        path: String,
        /// The most bytes.
        most: usize,
    },
    /// Not the hex digits that it should be.
    #[error("release.json: {path}: {source}")]
    Hex {
        /// Where.
        path: String,
        /// What is wrong.
        source: NotHex,
    },
    /// A list that is too long.
    #[error("release.json: {path} has {count} entries; at most {most} are read")]
    Count {
        /// Where.
        path: String,
        /// How many.
        count: usize,
        /// The most.
        most: usize,
    },
    /// No entry in `expected`.
    #[error("release.json: expected is empty: a release that expects nothing names no image")]
    Empty,
    /// Two of a kind where there is one.
    #[error("release.json: {path} stands twice")]
    Twice {
        /// The second one.
        path: String,
    },
    /// Not a register.
    #[error("release.json: {path} is no register; they are mrtd, rtmr0 to rtmr3 and pcr0 to pcr15")]
    Register {
        /// Where.
        path: String,
    },
    /// A bank that the register does not have, or none at all.
    #[error("release.json: {path} must have {must}")]
    Banks {
        /// Where.
        path: String,
        /// What it must have.
        must: &'static str,
    },
    /// Not one of the words of `validated`.
    #[error("release.json: {path} is {found:?}; the words are none, ccel and booted-vtpm")]
    Validated {
        /// Where.
        path: String,
        /// What it says.
        found: String,
    },
    /// `validated` and `registers` do not name the same registers.
    #[error("release.json: {path}: every register has one word in validated, and only those do")]
    ValidatedRegisters {
        /// The register that one has and the other has not.
        path: String,
    },
    /// Registers of a TD and of a TPM in one entry.
    #[error("release.json: {path} is a register of another kind of machine than the entry's others")]
    Mixed {
        /// The register.
        path: String,
    },
    /// An entry that does not name an image.
    #[error(
        "release.json: {path} lacks {register}: without it other images have the same registers (a TD is named by mrtd, rtmr1 and rtmr2, a vTPM by pcr4, pcr9, pcr11, pcr12 and pcr13)"
    )]
    Incomplete {
        /// The entry's registers.
        path: String,
        /// The register that is missing.
        register: Register,
    },
    /// A register that no boot of the image leaves at zero.
    #[error("release.json: {path} is zero: an image that measures nothing into it is not named by it")]
    Untouched {
        /// The register.
        path: String,
    },
    /// A register whose events lead to another value.
    #[error("release.json: {path}.{bank} is {stated}, but the events listed for it lead to {replayed}")]
    Replay {
        /// The register.
        path: String,
        /// The bank.
        bank: Bank,
        /// Its stated value.
        stated: Box<Digest>,
        /// What the events lead to.
        replayed: Box<Digest>,
    },
}
