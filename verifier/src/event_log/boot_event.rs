//! What the guest extended itself, after the firmware's log had ended.

use super::{Register, RegisterValue};

/// One event of evidence.json's `boot_events`: RTMR3 with SHA-384, or PCR 14 with both banks.
///
/// Its name is text beside a digest: unauthenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootEvent {
    pub(crate) register: Register,
    pub(crate) name: String,
    pub(crate) digests: RegisterValue,
}

impl BootEvent {
    /// The register that was extended: RTMR3 or PCR 14.
    #[must_use]
    pub const fn register(&self) -> Register {
        self.register
    }

    /// What the guest says it is. Unauthenticated.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the register was extended with.
    #[must_use]
    pub const fn digests(&self) -> &RegisterValue {
        &self.digests
    }
}
