//! What every kind of evidence has in common.

use serde::Serialize;

use crate::boot_event::BootEvent;
use crate::{Binding, bounded, snp_certificates, tpm, tsm};

/// The kinds of evidence, SPECIFICATION §1 `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// An Intel TDX quote.
    Tdx,
    /// An AMD SEV-SNP attestation report.
    Snp,
    /// A TPM 2.0 quote.
    Vtpm,
}

impl Kind {
    /// The word that stands in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tdx => "tdx",
            Self::Snp => "snp",
            Self::Vtpm => "vtpm",
        }
    }
}

/// What a platform answers to one binding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statement {
    /// The signed bytes, SPECIFICATION §1 `quote`.
    pub quote: Vec<u8>,
    /// The firmware's log, or empty.
    pub event_log: Vec<u8>,
    /// `TPMT_PUBLIC` of the attestation key, of a TPM only.
    pub ak: Option<Vec<u8>>,
    /// Certificates (DER) of the attestation key, leaf first; empty where the platform gives none.
    pub ak_chain: Vec<Vec<u8>>,
    /// What the guest extended, in order.
    pub boot_events: Vec<BootEvent>,
}

/// Something that can state what this machine runs.
pub trait Source: Send {
    /// Which kind of evidence it gives.
    fn kind(&self) -> Kind;

    /// Has the platform sign `binding`. Blocks: a quote takes from milliseconds to seconds.
    ///
    /// # Errors
    /// Whatever kept the platform from answering.
    fn state(&mut self, binding: &Binding) -> Result<Statement, SourceError>;
}

/// Why a platform did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file of the platform could not be read.
    #[error(transparent)]
    Read(#[from] bounded::ReadError),
    /// The kernel's report interface failed.
    #[error(transparent)]
    Tsm(#[from] tsm::TsmError),
    /// The SNP host's certificate table is malformed.
    #[error(transparent)]
    Certificates(#[from] snp_certificates::TableError),
    /// The TPM failed.
    #[error(transparent)]
    Tpm(#[from] tpm::TpmError),
    /// The TPM device could not be opened.
    #[error("{path}: {error}")]
    Device {
        /// The device.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// A source that is not a platform (simulation) failed.
    #[error("simulated: {0}")]
    Simulated(String),
}
