//! `TPMS_ATTEST` of a quote, and the quote as TPM2_Quote returns it.

use super::TpmError;
use super::cursor::Cursor;
use super::public::AttestationKey;
use super::selection::PcrSelection;
use super::signature;

/// `TPM_GENERATED_VALUE`: a restricted key signs nothing from outside that begins with it (Part 2, 6.2).
const TPM_GENERATED: u32 = 0xff54_4347;
/// `TPM_ST_ATTEST_QUOTE` (Part 2, 6.9).
const ATTEST_QUOTE: u16 = 0x8018;
/// The longest `TPM2B_NAME`: an algorithm and a SHA-512 digest (Part 2, 10.5.3).
const NAME_MAX: usize = 66;
/// The longest `TPM2B_DIGEST` and `TPM2B_DATA`: a `TPMT_HA` of SHA-512 (Part 2, 10.4.2 and 10.4.3).
const DATA_MAX: usize = 66;
/// More than any quote has: its parts are bounded.
const ATTEST_MAX: usize = 2048;

/// A quote: the signed bytes, what they say, and the signature. Parsed, not yet believed:
/// [`Quote::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote<'a> {
    signed: &'a [u8],
    attest: Attest<'a>,
    signature: [u8; 64],
}

/// What a quote says: `TPMS_ATTEST` of type quote (Part 2, 10.12.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attest<'a> {
    /// The signing key's qualified name: a hash over its parents' names and its own. Up to 66 bytes.
    pub qualified_signer: &'a [u8],
    /// What the caller had signed along: here, SHA-256 of the binding. Up to 66 bytes.
    pub extra_data: &'a [u8],
    /// The TPM's clock. It says nothing of the time of day.
    pub clock: ClockInfo,
    /// The TPM's firmware, by its maker's numbering; obfuscated outside the platform hierarchy.
    pub firmware_version: u64,
    /// Which PCRs were quoted.
    pub selection: PcrSelection,
    /// The hash, by the key's algorithm (SHA-256), of their values one after the other.
    pub pcr_digest: &'a [u8],
}

/// `TPMS_CLOCK_INFO` (Part 2, 10.11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockInfo {
    /// Milliseconds that the TPM has been powered.
    pub clock: u64,
    /// Resets since it was last cleared.
    pub reset_count: u32,
    /// Restarts and resumes since the last reset.
    pub restart_count: u32,
    /// Whether no greater clock value was ever told.
    pub safe: bool,
}

impl<'a> Quote<'a> {
    /// Reads what evidence.json carries: `TPM2B_ATTEST`, then `TPMT_SIGNATURE` (Part 3, 18.4), and nothing more.
    ///
    /// # Errors
    ///
    /// At the first field that breaks the format or is not a quote's.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TpmError> {
        let mut cursor = Cursor::new(bytes);
        let signed = cursor.sized("TPM2B_ATTEST", ATTEST_MAX, "10.12.13")?;
        let signature = signature::parse(&mut cursor)?;
        cursor.finish("TPMT_SIGNATURE")?;
        Ok(Self { signed, attest: Attest::parse(signed)?, signature })
    }

    /// What it says.
    #[must_use]
    pub const fn attest(&self) -> &Attest<'a> {
        &self.attest
    }

    /// Whether the key signed it: ECDSA P-256 over SHA-256 of the `TPMS_ATTEST` bytes as they came.
    #[must_use]
    pub fn verify(&self, key: &AttestationKey) -> bool {
        key.key().verify(self.signed, &self.signature)
    }
}

impl<'a> Attest<'a> {
    /// Reads a `TPMS_ATTEST`.
    fn parse(bytes: &'a [u8]) -> Result<Self, TpmError> {
        let mut cursor = Cursor::new(bytes);
        let magic = cursor.u32("magic")?;
        if magic != TPM_GENERATED {
            return Err(TpmError::Value {
                field: "magic",
                offset: 0,
                value: magic.into(),
                must: TPM_GENERATED.into(),
                clause: "6.2",
            });
        }
        cursor.must_u16("type", ATTEST_QUOTE, "10.12.12")?;
        let qualified_signer = cursor.sized("qualifiedSigner", NAME_MAX, "10.5.3")?;
        let extra_data = cursor.sized("extraData", DATA_MAX, "10.4.3")?;
        let clock = ClockInfo {
            clock: cursor.u64("clockInfo.clock")?,
            reset_count: cursor.u32("clockInfo.resetCount")?,
            restart_count: cursor.u32("clockInfo.restartCount")?,
            safe: safe(&mut cursor)?,
        };
        let firmware_version = cursor.u64("firmwareVersion")?;
        let selection = PcrSelection::parse(&mut cursor)?;
        let pcr_digest = cursor.sized("attested.quote.pcrDigest", DATA_MAX, "10.12.4")?;
        cursor.finish("TPMS_ATTEST")?;
        Ok(Self { qualified_signer, extra_data, clock, firmware_version, selection, pcr_digest })
    }
}

/// `TPMI_YES_NO` (Part 2, 9.2).
fn safe(cursor: &mut Cursor<'_>) -> Result<bool, TpmError> {
    let offset = cursor.offset();
    match cursor.u8("clockInfo.safe")? {
        0 => Ok(false),
        1 => Ok(true),
        value => Err(TpmError::Value {
            field: "clockInfo.safe",
            offset,
            value: value.into(),
            must: 1,
            clause: "9.2",
        }),
    }
}
