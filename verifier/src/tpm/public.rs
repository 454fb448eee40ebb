//! `TPMT_PUBLIC` of an attestation key.

use super::TpmError;
use super::cursor::Cursor;
use super::signature::{ECDSA, SHA256};
use crate::crypto::{self, P256Key};

const ECC: u16 = 0x0023;
const NULL: u16 = 0x0010;
const NIST_P256: u16 = 0x0003;

/// `TPMA_OBJECT` (Part 2, 8.3). A restricted signing key that was made inside this TPM and cannot leave it:
/// without every one of these a signature is no attestation.
const REQUIRED: u32 = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | RESTRICTED | SIGN;
const FIXED_TPM: u32 = 1 << 1;
const ST_CLEAR: u32 = 1 << 2;
const FIXED_PARENT: u32 = 1 << 4;
const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
const USER_WITH_AUTH: u32 = 1 << 6;
const ADMIN_WITH_POLICY: u32 = 1 << 7;
const NO_DA: u32 = 1 << 10;
const RESTRICTED: u32 = 1 << 16;
const SIGN: u32 = 1 << 18;
/// These say who may use the key, not what it signs. All others must be clear.
const ALLOWED: u32 = REQUIRED | ST_CLEAR | USER_WITH_AUTH | ADMIN_WITH_POLICY | NO_DA;

/// The public half of an attestation key: ECC P-256, ECDSA with SHA-256, restricted, fixed to its TPM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationKey {
    key: P256Key,
    name: [u8; 34],
}

impl AttestationKey {
    /// Reads a `TPMT_PUBLIC` (Part 2, 12.2.4) and nothing more.
    ///
    /// # Errors
    ///
    /// At the first field that breaks the format or is not an attestation key's.
    pub fn parse(bytes: &[u8]) -> Result<Self, TpmError> {
        let mut cursor = Cursor::new(bytes);
        cursor.must_u16("type", ECC, "12.2.4")?;
        cursor.must_u16("nameAlg", SHA256, "12.2.4")?;
        attributes(&mut cursor)?;
        cursor.sized("authPolicy", 32, "12.2.4")?;
        cursor.must_u16("parameters.symmetric", NULL, "12.2.3.6")?;
        cursor.must_u16("parameters.scheme", ECDSA, "12.2.3.6")?;
        cursor.must_u16("parameters.scheme.hashAlg", SHA256, "11.2.5.6")?;
        cursor.must_u16("parameters.curveID", NIST_P256, "12.2.3.6")?;
        cursor.must_u16("parameters.kdf", NULL, "12.2.3.6")?;
        let mut xy = [0; 64];
        let (x, y) = xy.split_at_mut(32);
        x.copy_from_slice(&cursor.coordinate("unique.x")?);
        y.copy_from_slice(&cursor.coordinate("unique.y")?);
        cursor.finish("TPMT_PUBLIC")?;

        let mut name = [0; 34];
        let (algorithm, digest) = name.split_at_mut(2);
        algorithm.copy_from_slice(&SHA256.to_be_bytes());
        digest.copy_from_slice(&crypto::sha256(&[bytes]));
        Ok(Self { key: P256Key::from_xy(&xy).ok_or(TpmError::Point)?, name })
    }

    /// The key's Name: `000b` and the SHA-256 of its `TPMT_PUBLIC` (Part 1, 16 "Names"). What a policy lists.
    #[must_use]
    pub const fn name(&self) -> &[u8; 34] {
        &self.name
    }

    pub(super) const fn key(&self) -> &P256Key {
        &self.key
    }
}

fn attributes(cursor: &mut Cursor<'_>) -> Result<(), TpmError> {
    let offset = cursor.offset();
    let attributes = cursor.u32("objectAttributes")?;
    let missing = REQUIRED & !attributes;
    if missing != 0 {
        return Err(TpmError::AttributesMissing { offset, attributes, missing });
    }
    let surplus = attributes & !ALLOWED;
    if surplus != 0 {
        return Err(TpmError::AttributesSurplus { offset, attributes, surplus });
    }
    Ok(())
}
