//! Who makes this side's evidence.

use std::sync::{Mutex, PoisonError};

use hallmark_evidence::{Binding, EvidenceError, Source, bound_evidence_json};

/// Makes evidence of this machine over 64 bytes.
///
/// `report_data` is always a hash that *this* program computed under a domain tag. Never hand on bytes that a peer or a
/// caller of an endpoint chose: whoever can choose them can have this machine vouch for another's session.
pub trait Prover: Send + Sync {
    /// evidence.json over these bytes. Blocks, for a quote up to seconds; channels call it off the runtime's threads.
    ///
    /// # Errors
    /// Whatever kept the platform from answering.
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Vec<u8>, ProverError>;
}

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProverError {
    /// The platform failed.
    #[error("this machine gives no evidence of itself: {0}")]
    Evidence(#[from] EvidenceError),
    /// Another prover's reason.
    #[error("this machine gives no evidence of itself: {0}")]
    Other(String),
}

/// A prover over this machine's own source of evidence. The platform has one, so requests wait for each other.
pub struct SourceProver(Mutex<Box<dyn Source>>);

impl SourceProver {
    /// A prover that asks `source`.
    #[must_use]
    pub fn new(source: Box<dyn Source>) -> Self {
        Self(Mutex::new(source))
    }
}

impl std::fmt::Debug for SourceProver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SourceProver")
    }
}

impl Prover for SourceProver {
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Vec<u8>, ProverError> {
        // A source keeps no state between questions that a panic could have left half done.
        let mut source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(bound_evidence_json(source.as_mut(), &Binding::of_hash(*report_data))?)
    }
}
