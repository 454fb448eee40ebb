//! A TPM's quote and the public key that signs it.
//!
//! **What this does not show:** that the key is a TPM's. Anybody can make a structure that says so; the key
//! counts because a policy names it, by [`AttestationKey::name`]. Nor that the TPM is honest: a virtual one is the
//! host's. Formats: TPM 2.0 Library, Part 2 "Structures", Family 2.0 revision 1.59. Integers are big endian.

mod attest;
mod cursor;
mod public;
mod selection;
mod signature;
#[cfg(test)]
mod tests;

pub use attest::{Attest, ClockInfo, Quote};
pub use public::AttestationKey;
pub use selection::PcrSelection;

/// What breaks a TPM structure. Offsets are in bytes from the start of the bytes that were given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TpmError {
    /// The bytes end inside a field.
    #[error("{field} at offset {offset} needs {needed} bytes, {left} are left")]
    Truncated {
        /// The field.
        field: &'static str,
        /// Where it starts.
        offset: usize,
        /// What it needs.
        needed: usize,
        /// What there is.
        left: usize,
    },
    /// Bytes follow the structure.
    #[error("{left} bytes follow the {structure}, which ends at offset {offset}")]
    Trailing {
        /// The structure.
        structure: &'static str,
        /// Where it ends.
        offset: usize,
        /// How many bytes follow.
        left: usize,
    },
    /// A field has another value than the one it must have.
    #[error("{field} at offset {offset} is {value:#x}, must be {must:#x} (TPM 2.0 Part 2, {clause})")]
    Value {
        /// The field.
        field: &'static str,
        /// Where it is.
        offset: usize,
        /// What it is.
        value: u64,
        /// What it must be.
        must: u64,
        /// The clause.
        clause: &'static str,
    },
    /// A sized field is longer than its type allows.
    #[error(
        "{field} at offset {offset} is {size} bytes long, at most {most} are allowed (TPM 2.0 Part 2, {clause})"
    )]
    Size {
        /// The field.
        field: &'static str,
        /// Where it is.
        offset: usize,
        /// Its size.
        size: usize,
        /// The most it may be.
        most: usize,
        /// The clause.
        clause: &'static str,
    },
    /// The signature is by a scheme that attestation keys of ours do not have.
    #[error(
        "the signature is {name} ({scheme:#06x}) at offset {offset}; attestation keys sign with ECDSA P-256 and SHA-256 (SPECIFICATION 1)"
    )]
    Scheme {
        /// Where it stands.
        offset: usize,
        /// The `TPM_ALG_ID`.
        scheme: u16,
        /// Its name.
        name: &'static str,
    },
    /// The key lacks attributes without which its signature is no attestation.
    #[error(
        "objectAttributes {attributes:#010x} at offset {offset} lack {missing:#010x} (fixedTPM, fixedParent, sensitiveDataOrigin, restricted, sign) (TPM 2.0 Part 2, 8.3)"
    )]
    AttributesMissing {
        /// Where they are.
        offset: usize,
        /// What they are.
        attributes: u32,
        /// Those that must be set and are not.
        missing: u32,
    },
    /// The key has attributes that an attestation key must not have.
    #[error(
        "objectAttributes {attributes:#010x} at offset {offset} have {surplus:#010x} (decrypt, encryptedDuplication or reserved) (TPM 2.0 Part 2, 8.3)"
    )]
    AttributesSurplus {
        /// Where they are.
        offset: usize,
        /// What they are.
        attributes: u32,
        /// Those that must be clear and are not.
        surplus: u32,
    },
    /// The public point is not on the curve.
    #[error("unique is not a point of P-256 (TPM 2.0 Part 2, 11.2.5.2)")]
    Point,
}
