//! Where the firmware leaves its event log. Nothing is parsed here.

use std::path::Path;

use crate::bounded::{self, ReadError};

/// The confidential computing event log of a TD, as an ACPI table's data area (ACPI 6.5, §5.2.34 "CCEL").
pub const CCEL: &str = "sys/firmware/acpi/tables/data/CCEL";

/// The TCG2 log of the first TPM, under securityfs.
pub const TPM2: &str = "sys/kernel/security/tpm0/binary_bios_measurements";

/// Longest log read, in bytes. Firmware allots 64 KiB as a rule; base64 of this fits the verifier's bound.
pub const MAX_LEN: usize = 1 << 20;

/// Reads the CCEL data under `root`. Empty where the platform has none.
///
/// # Errors
/// A log that is there but unreadable or longer than [`MAX_LEN`].
pub fn ccel(root: &Path) -> Result<Vec<u8>, ReadError> {
    read_or_empty(&root.join(CCEL))
}

/// Reads the TCG2 log under `root`. Empty where the platform has none.
///
/// # Errors
/// A log that is there but unreadable or longer than [`MAX_LEN`].
pub fn tpm2(root: &Path) -> Result<Vec<u8>, ReadError> {
    read_or_empty(&root.join(TPM2))
}

fn read_or_empty(path: &Path) -> Result<Vec<u8>, ReadError> {
    match bounded::read(path, MAX_LEN) {
        Err(error) if error.is_absent() => Ok(Vec::new()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_is_empty_and_too_long_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        assert!(ccel(root.path()).unwrap().is_empty());
        let path = root.path().join(TPM2);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"log").unwrap();
        assert_eq!(tpm2(root.path()).unwrap(), b"log");
        std::fs::write(&path, vec![0; MAX_LEN + 1]).unwrap();
        assert!(matches!(tpm2(root.path()), Err(ReadError::TooLong { .. })));
    }
}
