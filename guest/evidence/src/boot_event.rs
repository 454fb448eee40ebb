//! What the guest itself extended after the firmware's log ended.

use serde::Serialize;

/// The register that a boot event went into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Register {
    /// RTMR3 of a TD: the register that Intel leaves to applications.
    Rtmr3,
    /// PCR 14 of a TPM.
    Pcr14,
}

/// One extension of a register by the guest, SPECIFICATION §1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BootEvent {
    /// Where it went.
    pub register: Register,
    /// What it was, by name.
    pub event: String,
    /// What was extended, by bank.
    pub digests: Digests,
}

/// The digests of one event. A TD has SHA-384 only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Digests {
    /// 32 bytes, lower-case hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// 48 bytes, lower-case hex.
    sha384: String,
}

impl Digests {
    /// The digests that were extended.
    #[must_use]
    pub fn new(sha256: Option<&[u8; 32]>, sha384: &[u8; 48]) -> Self {
        Self { sha256: sha256.map(hex::encode), sha384: hex::encode(sha384) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_is_the_specification_s() {
        let event = |register, sha256| BootEvent {
            register,
            event: "boot.toml".to_owned(),
            digests: Digests::new(sha256, &[2; 48]),
        };
        let td = serde_json::to_string(&event(Register::Rtmr3, None)).unwrap();
        let two = "02".repeat(48);
        assert_eq!(
            td,
            format!(r#"{{"register":"rtmr3","event":"boot.toml","digests":{{"sha384":"{two}"}}}}"#)
        );
        let tpm = serde_json::to_value(event(Register::Pcr14, Some(&[1; 32]))).unwrap();
        assert_eq!(tpm["register"], "pcr14");
        assert_eq!(tpm["digests"]["sha256"], "01".repeat(32));
    }
}
