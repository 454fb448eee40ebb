//! The quote's signature and what certifies the key that made it.

use super::cursor::Cursor;
use super::{EnclaveReport, QuoteError};

/// The signature data of a quote, both layers.
///
/// Intel TDX DCAP Quoting Library API, A.3.8 to A.3.11.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SignatureData<'a> {
    /// r || s by the attestation key, over header and body.
    pub signature: &'a [u8; 64],
    /// x || y of the attestation key.
    pub attestation_key: &'a [u8; 64],
    /// Everything that certifies the attestation key: the fields below, as they stand in the quote.
    pub certification: &'a [u8],
    /// The quoting enclave's report.
    pub qe_report: EnclaveReport<'a>,
    /// r || s by the PCK, over that report.
    pub qe_report_signature: &'a [u8; 64],
    /// What the quoting enclave hashes after the attestation key.
    pub qe_auth_data: &'a [u8],
    /// The PCK certificate chain in PEM, leaf first.
    pub pck_chain: &'a [u8],
}

/// Certification data that holds a QE report and further certification data.
const QE_REPORT: u16 = 6;
/// Certification data that holds a PCK certificate chain.
const PCK_CHAIN: u16 = 5;

impl<'a> SignatureData<'a> {
    /// Reads signature data that begin at `at` in the quote. Every byte must belong to a field.
    pub(super) fn parse(bytes: &'a [u8], at: usize) -> Result<Self, QuoteError> {
        // That a field does not fit here is a wrong length somewhere before, not a quote cut short.
        Self::read(bytes, at).map_err(|error| match error {
            QuoteError::Truncated { field, offset, need, left } => {
                QuoteError::SignatureLength { field, offset, got: left, due: need }
            }
            other => other,
        })
    }

    fn read(bytes: &'a [u8], at: usize) -> Result<Self, QuoteError> {
        let mut cursor = Cursor::new(bytes, at);
        let signature = cursor.array("signature")?;
        let attestation_key = cursor.array("attestation key")?;
        let certification = certification(&mut cursor, "outer", QE_REPORT)?;
        whole(&cursor, "certification data")?;

        let mut cursor = Cursor::new(certification, at.saturating_add(134));
        let at = cursor.offset();
        let qe_report = EnclaveReport::read(cursor.array("QE report")?, at)?;
        let qe_report_signature = cursor.array("QE report signature")?;
        let length = usize::from(cursor.u16("QE authentication data length")?);
        let qe_auth_data = cursor.slice("QE authentication data", length)?;
        let pck_chain = self::certification(&mut cursor, "inner", PCK_CHAIN)?;
        whole(&cursor, "inner certification data")?;
        Ok(Self {
            signature,
            attestation_key,
            certification,
            qe_report,
            qe_report_signature,
            qe_auth_data,
            pck_chain,
        })
    }
}

fn certification<'a>(cursor: &mut Cursor<'a>, layer: &'static str, due: u16) -> Result<&'a [u8], QuoteError> {
    let got = cursor.u16("certification data type")?;
    if got != due {
        return Err(QuoteError::CertificationType { layer, got, due });
    }
    let length = usize::try_from(cursor.u32("certification data length")?).unwrap_or(usize::MAX);
    cursor.slice("certification data", length)
}

/// Nothing may be left over.
fn whole(cursor: &Cursor<'_>, field: &'static str) -> Result<(), QuoteError> {
    match cursor.rest().len() {
        0 => Ok(()),
        got => Err(QuoteError::SignatureLength { field, offset: cursor.offset(), got, due: 0 }),
    }
}
