//! Who may speak at all.

use crate::hello::Hello;
use crate::peer::{Peer, PeerKey};
use crate::refusal::Refusal;

/// What is known of a peer before it has proven anything but its key: a claim.
///
/// In mutual mode TLS has shown that the peer holds the key; in server-only mode the client's signature comes after the
/// gate has let the claim pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerClaim {
    /// What it says it is. The group is this side's own: another is refused before.
    pub hello: Hello,
    /// The key that it must prove to hold.
    pub key: PeerKey,
}

/// Says who may speak: the roster, a candidate's ticket, an operator's key.
pub trait Gate: Send + Sync {
    /// Asked before any evidence is made or judged, so that a stranger costs no quote; and at every re-attestation, so
    /// that whoever was expelled is refused.
    ///
    /// # Errors
    /// Why this peer may not speak.
    fn admit(&self, claim: &PeerClaim) -> Result<(), Refusal>;

    /// Asked once everything else holds, with what was proven: for rules about platforms or releases.
    ///
    /// # Errors
    /// Why this peer may not speak after all.
    fn confirm(&self, peer: &Peer) -> Result<(), Refusal> {
        let _ = peer;
        Ok(())
    }
}
