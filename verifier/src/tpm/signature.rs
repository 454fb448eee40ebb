//! `TPMT_SIGNATURE` (Part 2, 11.3.4).

use super::TpmError;
use super::cursor::Cursor;

pub(super) const ECDSA: u16 = 0x0018;
pub(super) const SHA256: u16 = 0x000b;

/// Reads an ECDSA P-256 signature with SHA-256, as r || s.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<[u8; 64], TpmError> {
    let offset = cursor.offset();
    let scheme = cursor.u16("sigAlg")?;
    if scheme != ECDSA {
        let name = match scheme {
            0x0005 => "HMAC",
            0x0010 => "absent",
            0x0014 => "RSASSA",
            0x0016 => "RSAPSS",
            0x001a => "ECDAA",
            0x001b => "SM2",
            0x001c => "EC-Schnorr",
            _ => "unknown",
        };
        return Err(TpmError::Scheme { offset, scheme, name });
    }
    cursor.must_u16("signature.ecdsa.hash", SHA256, "11.3.2")?;
    let mut signature = [0; 64];
    let (r, s) = signature.split_at_mut(32);
    r.copy_from_slice(&cursor.coordinate("signature.ecdsa.signatureR")?);
    s.copy_from_slice(&cursor.coordinate("signature.ecdsa.signatureS")?);
    Ok(signature)
}
