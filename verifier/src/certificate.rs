//! X.509 certificates of the one shape that Intel's provisioning PKI has (RFC 5280; Intel SGX PCK Certificate and
//! CRL Profile).
//!
//! P-256 keys and ECDSA with SHA-256 throughout, so that algorithm identifiers are compared as bytes and there is
//! nothing to negotiate. Names are compared as bytes too: the issuer writes both. What a certificate may be used
//! for is the business of [`crate::chain`].

mod extensions;
mod fields;
#[cfg(test)]
mod tests;

use std::ops::Range;

use der::{Decode, Reader, SliceReader};

use crate::crypto::{self, P256Key};
use crate::time::Validity;

pub use extensions::Extensions;
pub(crate) use extensions::extension_list;
pub(crate) use fields::{ECDSA_WITH_SHA256, common_name, instant, signed_parts};

/// A certificate whose encoding is right. Who signed it, and whether they might, is not known yet.
#[derive(Debug, Clone)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Range<usize>,
    issuer: Range<usize>,
    subject: Range<usize>,
    spki: Range<usize>,
    serial: Vec<u8>,
    common_name: String,
    validity: Validity,
    key: P256Key,
    signature: [u8; 64],
    extensions: Extensions,
}

/// Bytes that are not such a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not strict DER, or not that structure.
    #[error("not a certificate (RFC 5280, 4.1): {0}")]
    Der(#[from] der::Error),
    /// Another version than 3.
    #[error("version {0}: only version 3 has the extensions that say what a certificate may do")]
    Version(u8),
    /// Another signature algorithm than ECDSA with SHA-256, inside or outside.
    #[error("a signature algorithm other than ecdsa-with-SHA256")]
    Algorithm,
    /// Another key than one on P-256.
    #[error("a key that is not an uncompressed point on P-256")]
    Key,
    /// A signature that is not two integers of 32 bytes at most.
    #[error("a signature that is not ECDSA's (RFC 3279, 2.2.3)")]
    Signature,
    /// A name without exactly one common name.
    #[error("a subject without exactly one common name")]
    CommonName,
    /// More than [`Certificate::MAX_LEN`] bytes.
    #[error("{0} bytes of certificate: at most {max} are read", max = Certificate::MAX_LEN)]
    TooLong(usize),
    /// More extensions than any certificate or CRL of Intel's has.
    #[error("more extensions than are read")]
    TooMany,
    /// An extension that stands twice.
    #[error("extension {0} stands twice (RFC 5280, 4.2)")]
    TwiceExtended(const_oid::ObjectIdentifier),
    /// A critical extension that we do not know.
    #[error("critical extension {0} is not known (RFC 5280, 4.2)")]
    Critical(const_oid::ObjectIdentifier),
}

impl Certificate {
    /// The most bytes that are read: real ones have about 1.3 KB.
    pub const MAX_LEN: usize = 8 << 10;

    /// Reads one DER certificate.
    ///
    /// # Errors
    /// [`CertificateError`] for what is not one, or is one of another algorithm or version.
    pub fn parse(der: Vec<u8>) -> Result<Self, CertificateError> {
        if der.len() > Self::MAX_LEN {
            return Err(CertificateError::TooLong(der.len()));
        }
        let (tbs, signature) = signed_parts(&der)?;
        let signature = crypto::signature_from_der(signature).ok_or(CertificateError::Signature)?;
        let fields = fields::Fields::read(&der, &tbs)?;
        let key = P256Key::from_sec1(fields.point).ok_or(CertificateError::Key)?;
        Ok(Self {
            common_name: common_name(der.get(fields.subject.clone()).unwrap_or_default())?,
            serial: fields.serial.to_vec(),
            issuer: fields.issuer,
            subject: fields.subject,
            spki: fields.spki,
            validity: fields.validity,
            extensions: fields.extensions,
            tbs,
            key,
            signature,
            der,
        })
    }

    /// The whole certificate.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The issuer's name, DER.
    #[must_use]
    pub fn issuer(&self) -> &[u8] {
        self.part(&self.issuer)
    }

    /// The subject's name, DER.
    #[must_use]
    pub fn subject(&self) -> &[u8] {
        self.part(&self.subject)
    }

    /// The SubjectPublicKeyInfo, DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        self.part(&self.spki)
    }

    /// The serial number: the bytes of its INTEGER.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// The subject's common name.
    #[must_use]
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// notBefore and notAfter.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// The key it certifies.
    #[must_use]
    pub const fn key(&self) -> &P256Key {
        &self.key
    }

    /// Its extensions.
    #[must_use]
    pub const fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Whether `key` signed this certificate.
    #[must_use]
    pub fn is_signed_by(&self, key: &P256Key) -> bool {
        key.verify(self.part(&self.tbs), &self.signature)
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.der.get(range.clone()).unwrap_or_default()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

/// Where the next element lies in what is being read, and the reader moved past it.
pub(crate) fn next_range(reader: &mut SliceReader<'_>) -> Result<Range<usize>, der::Error> {
    let from = usize::try_from(reader.position())?;
    reader.tlv_bytes()?;
    Ok(from..usize::try_from(reader.position())?)
}

/// An element whose bytes must be exactly these.
pub(crate) fn is_next(reader: &mut SliceReader<'_>, due: &[u8]) -> Result<bool, der::Error> {
    Ok(reader.tlv_bytes()? == due)
}

/// Decodes one whole value.
pub(crate) fn whole<'a, T: Decode<'a>>(bytes: &'a [u8]) -> Result<T, T::Error> {
    T::from_der(bytes)
}
