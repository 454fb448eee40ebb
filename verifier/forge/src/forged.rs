//! What comes out.

/// One forged case: what a verifier is given, and what it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forged {
    /// evidence.json.
    pub evidence: Vec<u8>,
    /// Collateral, where the platform needs it.
    pub collateral: Option<Vec<u8>>,
    /// Policy in TOML: names the simulated root, or the attestation key.
    pub policy: String,
    /// release.json.
    pub release: Vec<u8>,
    /// The nonce that is asked with.
    pub nonce: [u8; 32],
    /// SHA-256 of the file that is asked to be bound.
    pub bound: Option<[u8; 32]>,
    /// The instant of the check, Unix seconds.
    pub now: u64,
    /// The bare quote inside the evidence.
    pub quote: Vec<u8>,
}
