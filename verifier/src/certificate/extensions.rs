//! The extensions that Intel's certificates have.

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, OctetStringRef};
use der::{Decode, Reader, SliceReader, Tag, TagNumber};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

use super::{CertificateError, whole};

const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
/// Intel SGX PCK Certificate and CRL Profile, 1.3.5.
const SGX: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1");

/// The most extensions that are read. Intel's certificates have six.
const MOST: usize = 32;

/// What a certificate's extensions say. Those that are neither here nor critical are passed over, such as the CRL
/// distribution point: the verifier fetches nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extensions {
    /// Basic constraints: whether it is a CA, and how many CAs may follow.
    pub basic: Option<BasicConstraints>,
    /// What its key may do.
    pub key_usage: Option<KeyUsage>,
    /// The key's identifier.
    pub subject_key_id: Option<Vec<u8>>,
    /// The issuer's key's identifier.
    pub authority_key_id: Option<Vec<u8>>,
    /// Intel's SGX extension, DER.
    pub sgx: Option<Vec<u8>>,
}

impl Extensions {
    /// Whether it is a CA.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.basic.as_ref().is_some_and(|basic| basic.ca)
    }

    fn put(&mut self, oid: ObjectIdentifier, critical: bool, value: &[u8]) -> Result<(), CertificateError> {
        match oid {
            SUBJECT_KEY_ID => {
                self.subject_key_id = Some(whole::<&OctetStringRef>(value)?.as_bytes().to_vec());
            }
            AUTHORITY_KEY_ID => self.authority_key_id = key_identifier(value)?,
            KEY_USAGE => self.key_usage = Some(whole(value)?),
            BASIC_CONSTRAINTS => self.basic = Some(whole(value)?),
            SGX => self.sgx = Some(value.to_vec()),
            other if critical => return Err(CertificateError::Critical(other)),
            _ => {}
        }
        Ok(())
    }
}

/// `[3] EXPLICIT Extensions` at the end of a TBSCertificate.
pub(super) fn read(reader: &mut SliceReader<'_>) -> Result<Extensions, CertificateError> {
    let mut extensions = Extensions::default();
    if !reader.is_finished() {
        extension_list(reader, TagNumber(3), |oid, critical, value| extensions.put(oid, critical, value))?;
    }
    Ok(extensions)
}

/// Reads `[n] EXPLICIT SEQUENCE OF Extension`, none of which may stand twice, and gives each to `each`.
pub(crate) fn extension_list(
    reader: &mut SliceReader<'_>,
    number: TagNumber,
    mut each: impl FnMut(ObjectIdentifier, bool, &[u8]) -> Result<(), CertificateError>,
) -> Result<(), CertificateError> {
    let outer = AnyRef::decode(reader)?;
    let due = Tag::ContextSpecific { constructed: true, number };
    der::Tagged::tag(&outer).assert_eq(due)?;
    let mut inner = SliceReader::new(outer.value())?;
    let mut seen: Vec<ObjectIdentifier> = Vec::new();
    inner.sequence(|list| {
        while !list.is_finished() {
            let (oid, critical, value) = list.sequence(|reader| {
                let oid = ObjectIdentifier::decode(reader)?;
                let critical = Option::<bool>::decode(reader)?.unwrap_or(false);
                Ok::<_, der::Error>((oid, critical, <&OctetStringRef>::decode(reader)?))
            })?;
            if seen.len() == MOST {
                return Err(CertificateError::TooMany);
            }
            if seen.contains(&oid) {
                return Err(CertificateError::TwiceExtended(oid));
            }
            seen.push(oid);
            each(oid, critical, value.as_bytes())?;
        }
        Ok::<_, CertificateError>(())
    })?;
    inner.finish()?;
    Ok(())
}

/// The `[0] keyIdentifier` of an authority key identifier (RFC 5280, 4.2.1.1).
fn key_identifier(value: &[u8]) -> Result<Option<Vec<u8>>, CertificateError> {
    let sequence: AnyRef<'_> = whole(value)?;
    der::Tagged::tag(&sequence).assert_eq(Tag::Sequence)?;
    let mut reader = SliceReader::new(sequence.value())?;
    if reader.is_finished() {
        return Ok(None);
    }
    let first = AnyRef::decode(&mut reader)?;
    let due = Tag::ContextSpecific { constructed: false, number: TagNumber(0) };
    Ok((der::Tagged::tag(&first) == due).then(|| first.value().to_vec()))
}
