//! A TDX quote's bytes, taken apart. Parsed, not believed.
//!
//! Intel TDX DCAP Quoting Library API, appendix A.3 (version 4) and A.4 (version 5). Both carry a header, the
//! body that the attestation key signs, and signature data in two nested layers: certification data of type 6
//! (the quoting enclave's report) around certification data of type 5 (the PCK certificate chain, PEM).
//!
//! [`Quote::parse`] borrows and does not allocate. Every length must add up exactly; what follows the quote may
//! be zeros only, because the kernel's quote buffer is padded with them. An SGX quote (version 3, or an enclave's
//! report in a later one) is no evidence of a trust domain and is refused.

mod cursor;
mod enclave_report;
mod signature_data;
mod td_report;
#[cfg(test)]
mod tests;

pub use enclave_report::EnclaveReport;
pub use signature_data::SignatureData;
pub use td_report::{Current, ServiceTd, TdReport};

use cursor::Cursor;

/// The TEE type of a trust domain.
pub const TEE_TDX: u32 = 0x81;

/// The attestation key type ECDSA-256 with P-256.
pub const KEY_ECDSA_P256: u16 = 2;

/// The vendor id of Intel's quoting enclave: 939a7233-f79c-4ca9-940a-0db3957f0607.
pub const INTEL_VENDOR: [u8; 16] =
    [0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07];

/// A quote whose shape is right. Its parts are borrowed from the bytes it was read from.
#[derive(Debug, Clone, Copy)]
pub struct Quote<'a> {
    version: u16,
    vendor: &'a [u8; 16],
    user_data: &'a [u8; 20],
    report: TdReport<'a>,
    signed: &'a [u8],
    signature_data: SignatureData<'a>,
}

/// Bytes that are not a TDX quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuoteError {
    /// The bytes end within a field.
    #[error("{field} at offset {offset} needs {need} bytes, and {left} are left")]
    Truncated {
        /// The field.
        field: &'static str,
        /// Where it begins.
        offset: usize,
        /// Its length.
        need: usize,
        /// What there is of it.
        left: usize,
    },
    /// Neither version 4 nor 5.
    #[error("version {0} at offset 0: a TD's quote has version 4 or 5 (version 3 is SGX)")]
    Version(u16),
    /// Not a trust domain's.
    #[error("TEE type {0:#x} at offset 4: a TD's is 0x81 (0 is an SGX enclave, no evidence of a TD)")]
    TeeType(u32),
    /// A version 5 body that is not a TD report.
    #[error("body type {0} at offset 48: TD reports are 2 (TDX 1.0), 3 (1.5) and 4 (1.5ex)")]
    BodyType(u16),
    /// A version 5 body of another size than its type has.
    #[error("body size {got} at offset 50: a body of type {body_type} has {due}")]
    BodySize {
        /// The body's type.
        body_type: u16,
        /// The size it claims.
        got: u32,
        /// The size of that type.
        due: usize,
    },
    /// Not ECDSA P-256.
    #[error("attestation key type {0} at offset 2: 2 (ECDSA P-256) is the one that Intel certifies for TDX")]
    KeyType(u16),
    /// Certification data of a type that does not belong there.
    #[error("{layer} certification data of type {got}, not {due}")]
    CertificationType {
        /// `outer` or `inner`.
        layer: &'static str,
        /// The type found.
        got: u16,
        /// The type that belongs there.
        due: u16,
    },
    /// Signature data whose lengths do not add up.
    #[error("signature data: {field} at offset {offset} has {got} bytes, and {due} are due")]
    SignatureLength {
        /// The part whose length is wrong.
        field: &'static str,
        /// Where it begins in the quote.
        offset: usize,
        /// The bytes there are.
        got: usize,
        /// The bytes due.
        due: usize,
    },
    /// Bytes other than zero after the quote.
    #[error("a byte that is not zero at offset {offset}, after the quote's end")]
    TrailingBytes {
        /// Where.
        offset: usize,
    },
}

impl QuoteError {
    /// The check that fails with it.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Truncated { .. }
            | Self::Version(_)
            | Self::TeeType(_)
            | Self::BodyType(_)
            | Self::BodySize { .. } => "quote-format",
            Self::KeyType(_) => "quote-key-type",
            Self::CertificationType { .. } => "quote-certification-type",
            Self::SignatureLength { .. } => "quote-signature-length",
            Self::TrailingBytes { .. } => "quote-trailing-bytes",
        }
    }
}

impl<'a> Quote<'a> {
    /// Reads a quote, with nothing but zeros after it.
    ///
    /// # Errors
    /// [`QuoteError`], at the first clause the bytes break.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, QuoteError> {
        let mut cursor = Cursor::new(bytes, 0);
        let version = cursor.u16("version")?;
        let key_type = cursor.u16("attestation key type")?;
        let tee_type = cursor.u32("TEE type")?;
        // The security version numbers of QE and PCE in version 3; reserved since. The QE report and the
        // PCK certificate say them with a signature.
        cursor.array::<4>("reserved")?;
        let vendor = cursor.array("QE vendor id")?;
        let user_data = cursor.array("user data")?;
        if !matches!(version, 4 | 5) {
            return Err(QuoteError::Version(version));
        }
        if tee_type != TEE_TDX {
            return Err(QuoteError::TeeType(tee_type));
        }
        if key_type != KEY_ECDSA_P256 {
            return Err(QuoteError::KeyType(key_type));
        }
        let report = if version == 4 {
            TdReport::read_v10(&mut cursor)?
        } else {
            let body_type = cursor.u16("body type")?;
            let size = cursor.u32("body size")?;
            TdReport::read_v5(&mut cursor, body_type, size)?
        };
        let signed = bytes.get(..cursor.offset()).unwrap_or_default();
        let length = cursor.u32("signature data length")?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let at = cursor.offset();
        let signature_data = cursor.slice("signature data", length)?;
        let signature_data = SignatureData::parse(signature_data, at)?;
        if let Some(index) = cursor.rest().iter().position(|byte| *byte != 0) {
            return Err(QuoteError::TrailingBytes { offset: cursor.offset().saturating_add(index) });
        }
        Ok(Self { version, vendor, user_data, report, signed, signature_data })
    }

    /// 4 or 5.
    #[must_use]
    pub const fn version(&self) -> u16 {
        self.version
    }

    /// Who made the quoting enclave. Intel's is [`INTEL_VENDOR`].
    #[must_use]
    pub const fn vendor(&self) -> &'a [u8; 16] {
        self.vendor
    }

    /// What the quoting enclave put into the header: in its first 16 bytes, the platform's QE id.
    #[must_use]
    pub const fn user_data(&self) -> &'a [u8; 20] {
        self.user_data
    }

    /// What the TDX module reports of the TD. Not believed yet.
    #[must_use]
    pub const fn report(&self) -> &TdReport<'a> {
        &self.report
    }

    /// The bytes that the attestation key signs: header and body.
    #[must_use]
    pub const fn signed(&self) -> &'a [u8] {
        self.signed
    }

    /// Signature, attestation key, and what certifies it.
    #[must_use]
    pub const fn signature_data(&self) -> &SignatureData<'a> {
        &self.signature_data
    }
}
