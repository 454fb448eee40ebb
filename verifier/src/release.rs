//! What a release measures to: release.json (SPECIFICATION, section 2).
//!
//! **What this does not show:** that the release is genuine. Its file is chosen by the relying party, who
//! checks its signature (release.json.sig) elsewhere. What is held here is that it agrees with itself: every register
//! follows from the events listed for it, every register says how it was validated, and a TD is named by all
//! the registers that it takes to name an image.

mod document;
mod error;
mod expected;
#[cfg(test)]
mod tests;

use std::str::FromStr;

pub use error::ReleaseError;
pub use expected::{Expected, ExpectedEvent, Family};

use crate::crypto;
use crate::hex_bytes::HexBytes;

/// The one `format` there is.
pub const FORMAT: &str = "hallmark/release/1";
/// The largest file that is read, in bytes.
pub const SIZE_MAX: usize = 4 << 20;

/// A release that agrees with itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    sha256: [u8; 32],
    name: String,
    version: String,
    commit: HexBytes<20>,
    tree: HexBytes<20>,
    artefacts: Vec<Artefact>,
    lock_sha256: HexBytes<32>,
    toolchain: String,
    builder: String,
    expected: Vec<Expected>,
    manifest_prehash: Option<HexBytes<32>>,
    previous: Option<HexBytes<32>>,
}

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// Its file name.
    pub name: String,
    /// Its SHA-256.
    pub sha256: HexBytes<32>,
    /// Its BLAKE3.
    pub blake3: HexBytes<32>,
    /// Its length in bytes.
    pub size: u64,
}

/// How a register's expected value was validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Validated {
    /// It was computed, and never seen.
    None,
    /// The same computation reproduces the event logs of real TDs.
    Ccel,
    /// This image was booted with a vTPM, and its register was equal.
    BootedVtpm,
}

impl Validated {
    /// The word in the file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ccel => "ccel",
            Self::BootedVtpm => "booted-vtpm",
        }
    }
}

impl FromStr for Validated {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        [Self::None, Self::Ccel, Self::BootedVtpm].into_iter().find(|known| known.word() == word).ok_or(())
    }
}

impl Release {
    /// Reads a release.json.
    ///
    /// # Errors
    ///
    /// At the first thing that is not as SPECIFICATION, section 2 has it, with its path in the document.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReleaseError> {
        if bytes.len() > SIZE_MAX {
            return Err(ReleaseError::Size { size: bytes.len() });
        }
        let document: document::Document = serde_json::from_slice(bytes)?;
        document.check(crypto::sha256(&[bytes]))
    }

    /// SHA-256 of the file: what a policy's `acpi_confined` names.
    #[must_use]
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// The release's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The git commit that it was built from.
    #[must_use]
    pub const fn commit(&self) -> &HexBytes<20> {
        &self.commit
    }

    /// The git tree of that commit.
    #[must_use]
    pub const fn tree(&self) -> &HexBytes<20> {
        &self.tree
    }

    /// Its files.
    #[must_use]
    pub fn artefacts(&self) -> &[Artefact] {
        &self.artefacts
    }

    /// SHA-256 of the lock file that names its inputs.
    #[must_use]
    pub const fn lock_sha256(&self) -> &HexBytes<32> {
        &self.lock_sha256
    }

    /// The compiler, in its own words.
    #[must_use]
    pub fn toolchain(&self) -> &str {
        &self.toolchain
    }

    /// The command that builds it.
    #[must_use]
    pub fn builder(&self) -> &str {
        &self.builder
    }

    /// What it measures to, platform by platform.
    #[must_use]
    pub fn expected(&self) -> &[Expected] {
        &self.expected
    }

    /// The manifest's pre-hash, where it has one.
    #[must_use]
    pub const fn manifest_prehash(&self) -> Option<&HexBytes<32>> {
        self.manifest_prehash.as_ref()
    }

    /// SHA-256 of the release before it, where there is one.
    #[must_use]
    pub const fn previous(&self) -> Option<&HexBytes<32>> {
        self.previous.as_ref()
    }
}
