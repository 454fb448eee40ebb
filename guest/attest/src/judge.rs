//! Who judges the other side's evidence.

use hallmark_verifier::Word;
use hallmark_verifier::event_log::Measurements;
use hallmark_verifier::time::UnixSeconds;

use crate::refusal::Refusal;

/// What evidence proved.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The verdict's word: `accepted`, or `simulated` under a test root that the policy names.
    pub word: Word,
    /// SHA-256 of the release.json whose image runs there.
    pub release: Option<[u8; 32]>,
    /// The platform's id, of a TDX platform.
    pub platform: Option<[u8; 32]>,
    /// Who must be trusted beside the hardware's maker.
    pub trust: Vec<&'static str>,
    /// The registers.
    pub measurements: Measurements,
}

/// Judges evidence.
pub trait Judge: Send + Sync {
    /// Judges evidence that must be bound to exactly these 64 bytes. Blocks for about a millisecond; channels call it off
    /// the runtime's threads.
    ///
    /// # Errors
    /// Why it does not count; the slug is that of the first failed check.
    fn judge(&self, evidence: &[u8], report_data: &[u8; 64]) -> Result<Judgement, Refusal>;

    /// Counts the changes of pins, policy and collateral. Channels ask at every tick of theirs, so this must be quick.
    fn generation(&self) -> u64 {
        0
    }

    /// Until when a session lives that was judged under generation `judged` and is not judged anew; `None` while nothing
    /// has changed since.
    fn grace(&self, judged: u64) -> Option<UnixSeconds> {
        let _ = judged;
        None
    }
}
