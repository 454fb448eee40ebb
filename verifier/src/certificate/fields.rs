//! The fields of certificates, and those that CRLs share with them.

use std::ops::Range;

use der::asn1::{AnyRef, BitStringRef, IntRef};
use der::{Decode, Reader, SliceReader, Tag};
use x509_cert::time::Time;

use super::{CertificateError, Extensions, extensions, is_next, next_range};
use crate::time::{UnixSeconds, Validity};

/// AlgorithmIdentifier of ecdsa-with-SHA256, without parameters (RFC 5758, 3.2).
pub(crate) const ECDSA_WITH_SHA256: &[u8] =
    &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/// SubjectPublicKeyInfo of an uncompressed point on P-256, up to the point (RFC 5480, 2).
const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The OID of a common name, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// Takes `SEQUENCE { tbs, ecdsa-with-SHA256, BIT STRING }` apart: where the signed part lies, and the
/// signature. Certificates and CRLs both have this form.
pub(crate) fn signed_parts(der: &[u8]) -> Result<(Range<usize>, &[u8]), CertificateError> {
    let mut reader = SliceReader::new(der)?;
    let parts = reader.sequence(|reader| {
        let tbs = next_range(reader)?;
        if !is_next(reader, ECDSA_WITH_SHA256)? {
            return Err(CertificateError::Algorithm);
        }
        let signature = BitStringRef::decode(reader)?;
        Ok((tbs, signature.as_bytes().ok_or(CertificateError::Signature)?))
    })?;
    reader.finish()?;
    Ok(parts)
}

/// A time of either form.
pub(crate) fn instant(reader: &mut SliceReader<'_>) -> Result<UnixSeconds, der::Error> {
    Ok(UnixSeconds(Time::decode(reader)?.to_unix_duration().as_secs()))
}

/// The one common name of a name.
pub(crate) fn common_name(name: &[u8]) -> Result<String, CertificateError> {
    let mut found = None;
    let mut reader = SliceReader::new(name)?;
    reader.sequence(|names| {
        while !names.is_finished() {
            let set = AnyRef::decode(names)?;
            if der::Tagged::tag(&set) != Tag::Set {
                return Err(CertificateError::CommonName);
            }
            let mut members = SliceReader::new(set.value())?;
            while !members.is_finished() {
                members.sequence(|member| {
                    let oid = AnyRef::decode(member)?;
                    der::Tagged::tag(&oid).assert_eq(Tag::ObjectIdentifier)?;
                    let value = AnyRef::decode(member)?;
                    if oid.value() == COMMON_NAME && found.replace(text(value)?).is_some() {
                        return Err(CertificateError::CommonName);
                    }
                    Ok(())
                })?;
            }
        }
        Ok::<_, CertificateError>(())
    })?;
    found.ok_or(CertificateError::CommonName)
}

fn text(value: AnyRef<'_>) -> Result<String, CertificateError> {
    match der::Tagged::tag(&value) {
        Tag::Utf8String | Tag::PrintableString => {
            std::str::from_utf8(value.value()).map(Into::into).map_err(|_| CertificateError::CommonName)
        }
        _ => Err(CertificateError::CommonName),
    }
}

/// What a TBSCertificate says.
pub(super) struct Fields<'a> {
    pub(super) serial: &'a [u8],
    pub(super) issuer: Range<usize>,
    pub(super) subject: Range<usize>,
    pub(super) spki: Range<usize>,
    pub(super) point: &'a [u8],
    pub(super) validity: Validity,
    pub(super) extensions: Extensions,
}

impl<'a> Fields<'a> {
    /// Reads the part of `der` at `tbs`. Ranges are within `der`.
    pub(super) fn read(der: &'a [u8], tbs: &Range<usize>) -> Result<Self, CertificateError> {
        let bytes = der.get(tbs.clone()).unwrap_or_default();
        let mut reader = SliceReader::new(bytes)?;
        let mut fields = reader.sequence(Self::read_fields)?;
        reader.finish()?;
        for range in [&mut fields.issuer, &mut fields.subject, &mut fields.spki] {
            *range = range.start.saturating_add(tbs.start)..range.end.saturating_add(tbs.start);
        }
        Ok(fields)
    }

    fn read_fields(reader: &mut SliceReader<'a>) -> Result<Self, CertificateError> {
        // [0] EXPLICIT version, v3 is 2.
        let version = AnyRef::decode(reader)?;
        match version.value() {
            [2, 1, 2] if der::Tagged::tag(&version).is_context_specific() => {}
            [2, 1, other] => return Err(CertificateError::Version(other.saturating_add(1))),
            _ => return Err(CertificateError::Version(1)),
        }
        let serial = IntRef::decode(reader)?.as_bytes();
        if !is_next(reader, ECDSA_WITH_SHA256)? {
            return Err(CertificateError::Algorithm);
        }
        let issuer = next_range(reader)?;
        let validity = reader
            .sequence(|dates| Ok::<_, der::Error>(Validity { from: instant(dates)?, to: instant(dates)? }))?;
        let subject = next_range(reader)?;
        let from = reader.position();
        let key = reader.tlv_bytes()?;
        let spki = usize::try_from(from)?..usize::try_from(reader.position())?;
        let point = key.strip_prefix(P256_SPKI).ok_or(CertificateError::Key)?;
        let extensions = extensions::read(reader)?;
        Ok(Self { serial, issuer, subject, spki, point, validity, extensions })
    }
}
