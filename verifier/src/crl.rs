//! Certificate revocation lists (RFC 5280, 5) of Intel's shape: complete, direct, ECDSA with SHA-256.

use std::ops::Range;

use const_oid::ObjectIdentifier;
use der::asn1::{IntRef, UintRef};
use der::{Decode, Reader, SliceReader, Tag, TagNumber};

use crate::certificate::{
    Certificate, CertificateError, ECDSA_WITH_SHA256, extension_list, instant, is_next, next_range,
    signed_parts,
};
use crate::crypto::{self, P256Key};
use crate::time::Validity;

/// A list whose encoding is right. Who signed it is not known yet.
#[derive(Debug, Clone)]
pub struct Crl {
    der: Vec<u8>,
    tbs: Range<usize>,
    issuer: Range<usize>,
    validity: Validity,
    revoked: Vec<Range<usize>>,
    signature: [u8; 64],
}

/// Bytes that are not such a list, or a list that is not its issuer's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// Not the structure, not strict DER, or another algorithm.
    #[error("not a CRL (RFC 5280, 5.1): {0}")]
    Form(#[from] CertificateError),
    /// Not version 2.
    #[error("not a version 2 CRL")]
    Version,
    /// No `nextUpdate`: a list that never ages would hide every later revocation.
    #[error("a CRL without nextUpdate")]
    NextUpdate,
    /// An entry that does not say when.
    #[error("an entry without a date")]
    EntryDate,
    /// Another issuer than the one due.
    #[error("the CRL is issued by another name than `{0}`")]
    Issuer(String),
    /// Not signed by its issuer.
    #[error("the CRL is not signed by the key of `{0}`")]
    Signature(String),
}

impl From<der::Error> for CrlError {
    fn from(error: der::Error) -> Self {
        Self::Form(error.into())
    }
}

impl Crl {
    /// Reads one DER CRL. Critical extensions, which make a list partial or indirect, are refused.
    ///
    /// # Errors
    /// [`CrlError`] for what is not one.
    pub fn parse(der: Vec<u8>) -> Result<Self, CrlError> {
        let (tbs, signature) = signed_parts(&der)?;
        let signature = crypto::signature_from_der(signature).ok_or(CertificateError::Signature)?;
        let mut reader = SliceReader::new(der.get(tbs.clone()).unwrap_or_default())?;
        let (issuer, validity, mut revoked) = reader.sequence(read_fields)?;
        reader.finish().map_err(CertificateError::from)?;
        let shift =
            |range: Range<usize>| range.start.saturating_add(tbs.start)..range.end.saturating_add(tbs.start);
        revoked.iter_mut().for_each(|range| *range = shift(range.clone()));
        Ok(Self { issuer: shift(issuer), tbs, validity, revoked, signature, der })
    }

    /// thisUpdate and nextUpdate.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// How many certificates it revokes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.revoked.len()
    }

    /// Whether it revokes none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.revoked.is_empty()
    }

    /// Whether it revokes the certificate of that serial number (the bytes of its INTEGER). The list speaks
    /// of its own issuer's certificates only: that is the caller's to know.
    #[must_use]
    pub fn revokes(&self, serial: &[u8]) -> bool {
        // Intel's lists have less than a hundred entries: sorting them would take longer than any look-up.
        self.revoked.iter().any(|range| self.part(range) == serial)
    }

    /// Whether `issuer` issued and signed it.
    ///
    /// # Errors
    /// [`CrlError::Issuer`], [`CrlError::Signature`].
    pub fn check_issuer(&self, issuer: &Certificate) -> Result<(), CrlError> {
        if self.part(&self.issuer) != issuer.subject() {
            return Err(CrlError::Issuer(issuer.common_name().into()));
        }
        if !self.is_signed_by(issuer.key()) {
            return Err(CrlError::Signature(issuer.common_name().into()));
        }
        Ok(())
    }

    fn is_signed_by(&self, key: &P256Key) -> bool {
        key.verify(self.part(&self.tbs), &self.signature)
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.der.get(range.clone()).unwrap_or_default()
    }
}

type Parts = (Range<usize>, Validity, Vec<Range<usize>>);

fn read_fields(reader: &mut SliceReader<'_>) -> Result<Parts, CrlError> {
    if UintRef::decode(reader)?.as_bytes() != [1] {
        return Err(CrlError::Version);
    }
    if !is_next(reader, ECDSA_WITH_SHA256)? {
        return Err(CertificateError::Algorithm.into());
    }
    let issuer = next_range(reader)?;
    let from = instant(reader)?;
    let dated = !reader.is_finished() && matches!(Tag::peek(reader)?, Tag::UtcTime | Tag::GeneralizedTime);
    if !dated {
        return Err(CrlError::NextUpdate);
    }
    let to = instant(reader)?;
    let mut revoked = Vec::new();
    if !reader.is_finished() && Tag::peek(reader)? == Tag::Sequence {
        reader.sequence(|list| {
            while !list.is_finished() {
                revoked.push(list.sequence(read_entry)?);
            }
            Ok::<_, CrlError>(())
        })?;
    }
    if !reader.is_finished() {
        extension_list(reader, TagNumber(0), |oid, critical, _| {
            if critical { Err(CertificateError::Critical(oid)) } else { Ok(()) }
        })?;
    }
    Ok((issuer, Validity { from, to }, revoked))
}

/// `crlEntryExtensions` with a reason code alone (RFC 5280, 5.3.1), up to the code: all that Intel writes.
const REASON: [u8; 13] = [0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01];

/// One revoked certificate: where the bytes of its serial number lie. Its date and reason do not matter: what
/// is on the list is revoked.
fn read_entry(entry: &mut SliceReader<'_>) -> Result<Range<usize>, CrlError> {
    let serial = IntRef::decode(entry)?;
    let end = usize::try_from(entry.position())?;
    let date = Tag::peek(entry)?;
    if !matches!(date, Tag::UtcTime | Tag::GeneralizedTime) {
        return Err(CrlError::EntryDate);
    }
    entry.tlv_bytes()?;
    if !entry.is_finished() {
        let extensions = entry.tlv_bytes()?;
        match extensions.split_first_chunk::<13>() {
            Some((start, [_code])) if *start == REASON => {}
            _ => refuse_critical(extensions)?,
        }
    }
    Ok(end.saturating_sub(serial.as_bytes().len())..end)
}

/// A critical extension of an entry could say that the entry is another issuer's.
fn refuse_critical(extensions: &[u8]) -> Result<(), CrlError> {
    let mut reader = SliceReader::new(extensions)?;
    reader.sequence(|list| {
        while !list.is_finished() {
            list.sequence(|extension| {
                let oid = ObjectIdentifier::decode(extension)?;
                if Option::<bool>::decode(extension)?.unwrap_or(false) {
                    return Err(CrlError::Form(CertificateError::Critical(oid)));
                }
                extension.tlv_bytes()?;
                Ok(())
            })?;
        }
        Ok::<_, CrlError>(())
    })?;
    reader.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Crl, CrlError, refuse_critical};

    #[test]
    fn an_entry_may_have_extensions_that_are_not_critical() {
        let reason = [0x30, 0x0c, 0x30, 0x0a, 6, 3, 0x55, 0x1d, 0x15, 4, 3, 0x0a, 1, 1];
        assert!(refuse_critical(&reason).is_ok());
        // certificateIssuer, critical: the entry is another CA's.
        let issuer = [0x30, 0x0e, 0x30, 0x0c, 6, 3, 0x55, 0x1d, 0x1d, 1, 1, 0xff, 4, 2, 0x30, 0];
        assert!(matches!(refuse_critical(&issuer), Err(CrlError::Form(_))));
        assert!(refuse_critical(&issuer[..10]).is_err());
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for bytes in [&[][..], &[0x30, 0], &[0x30, 3, 2, 1, 1], &[0xff; 40]] {
            assert!(Crl::parse(bytes.to_vec()).is_err());
        }
    }
}
