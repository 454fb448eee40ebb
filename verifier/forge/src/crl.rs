//! Certificate revocation lists (RFC 5280, 5), version 2, as Intel's are.

use const_oid::ObjectIdentifier;

use crate::asn1;
use crate::certificate::{ECDSA_WITH_SHA256, Extension, algorithm, authority_key_identifier};
use crate::key::{Key, Signature};
use crate::name::Name;

const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
const REASON_CODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
const KEY_COMPROMISE: u8 = 1;

/// One revoked certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number, big-endian.
    pub serial: Vec<u8>,
    /// When, Unix seconds.
    pub date: u64,
}

/// A list to be issued.
#[derive(Debug, Clone)]
pub struct Crl {
    /// issuer.
    pub issuer: Name,
    /// thisUpdate, Unix seconds.
    pub this_update: u64,
    /// nextUpdate, Unix seconds; `None` leaves it out.
    pub next_update: Option<u64>,
    /// revokedCertificates; left out when empty.
    pub revoked: Vec<Revoked>,
    /// cRLNumber.
    pub number: u64,
    /// authorityKeyIdentifier's keyIdentifier.
    pub authority_key_id: Option<Vec<u8>>,
    /// More extensions, after all others.
    pub extra: Vec<Extension>,
    /// The issuer's key.
    pub signed_by: Key,
    /// How it is signed.
    pub signature: Signature,
}

impl Crl {
    /// DER of the list.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        let tbs = self.tbs();
        let signature = self.signature.der(&self.signed_by, &tbs);
        asn1::sequence(&[tbs, algorithm(ECDSA_WITH_SHA256), asn1::bit_string(0, &signature)])
    }

    fn tbs(&self) -> Vec<u8> {
        let entries: Vec<Vec<u8>> = self.revoked.iter().map(Revoked::der).collect();
        let number = Extension { oid: CRL_NUMBER, critical: false, value: asn1::integer(self.number) };
        let authority = self.authority_key_id.as_deref().map(authority_key_identifier);
        let extensions: Vec<Vec<u8>> =
            [number].iter().chain(&authority).chain(&self.extra).map(Extension::der).collect();
        asn1::sequence(&[
            asn1::integer(1),
            algorithm(ECDSA_WITH_SHA256),
            self.issuer.der(),
            asn1::time(self.this_update),
            self.next_update.map_or(Vec::new(), asn1::time),
            if entries.is_empty() { Vec::new() } else { asn1::sequence(&entries) },
            asn1::context(0, &asn1::sequence(&extensions)),
        ])
    }
}

impl Revoked {
    fn der(&self) -> Vec<u8> {
        let reason = Extension { oid: REASON_CODE, critical: false, value: asn1::enumerated(KEY_COMPROMISE) };
        asn1::sequence(&[
            asn1::unsigned(&self.serial),
            asn1::time(self.date),
            asn1::sequence(&[reason.der()]),
        ])
    }
}
