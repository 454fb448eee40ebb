//! X.509 certificates (RFC 5280), extensions in the order that Intel's have them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use const_oid::ObjectIdentifier;

use crate::asn1;
use crate::key::{Key, Signature};
use crate::name::Name;
use crate::pck_extension::PckExtension;

/// ecdsa-with-SHA256 (RFC 5758).
pub const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");

/// Key usage of a leaf: digitalSignature and nonRepudiation.
pub const USAGE_SIGN: u8 = 0b1100_0000;
/// Key usage of a CA: keyCertSign and cRLSign.
pub const USAGE_CA: u8 = 0b0000_0110;

/// An extension with its value already encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// extnID.
    pub oid: ObjectIdentifier,
    /// critical.
    pub critical: bool,
    /// DER that goes into extnValue's OCTET STRING.
    pub value: Vec<u8>,
}

impl Extension {
    pub(crate) fn der(&self) -> Vec<u8> {
        let critical = if self.critical { asn1::boolean(true) } else { Vec::new() };
        asn1::sequence(&[asn1::oid(self.oid), critical, asn1::octet_string(&self.value)])
    }
}

/// basicConstraints (RFC 5280, 4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicConstraints {
    /// cA.
    pub ca: bool,
    /// pathLenConstraint.
    pub path_len: Option<u8>,
}

/// A certificate to be issued. `None` leaves an extension out.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// 0, 1 or 2 for X.509 version 1, 2 or 3.
    pub version: u8,
    /// serialNumber, big-endian, taken as non-negative.
    pub serial: Vec<u8>,
    /// issuer.
    pub issuer: Name,
    /// notBefore, Unix seconds.
    pub not_before: u64,
    /// notAfter, Unix seconds.
    pub not_after: u64,
    /// subject.
    pub subject: Name,
    /// The subject's key.
    pub key: Key,
    /// authorityKeyIdentifier's keyIdentifier.
    pub authority_key_id: Option<Vec<u8>>,
    /// One distribution point, a URI.
    pub crl_distribution_point: Option<String>,
    /// subjectKeyIdentifier.
    pub subject_key_id: Option<Vec<u8>>,
    /// keyUsage, first byte, bit 0 on the left: [`USAGE_SIGN`], [`USAGE_CA`].
    pub key_usage: Option<u8>,
    /// basicConstraints.
    pub basic_constraints: Option<BasicConstraints>,
    /// Intel's SGX extension.
    pub sgx: Option<PckExtension>,
    /// More extensions, after all others.
    pub extra: Vec<Extension>,
    /// The issuer's key.
    pub signed_by: Key,
    /// How it is signed.
    pub signature: Signature,
    /// signatureAlgorithm, inside and outside.
    pub algorithm: ObjectIdentifier,
}

impl Certificate {
    /// DER of the certificate.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        let tbs = self.tbs();
        let signature = self.signature.der(&self.signed_by, &tbs);
        asn1::sequence(&[tbs, algorithm(self.algorithm), asn1::bit_string(0, &signature)])
    }

    /// PEM (RFC 7468), with a newline at the end.
    #[must_use]
    pub fn pem(&self) -> String {
        let text = STANDARD.encode(self.der());
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        for (i, c) in text.chars().enumerate() {
            if i > 0 && i % 64 == 0 {
                pem.push('\n');
            }
            pem.push(c);
        }
        pem.push_str("\n-----END CERTIFICATE-----\n");
        pem
    }

    fn tbs(&self) -> Vec<u8> {
        let version = match self.version {
            // DER leaves a default value out.
            0 => Vec::new(),
            version => asn1::context(0, &asn1::integer(u64::from(version))),
        };
        let extensions: Vec<Vec<u8>> = self.extensions().iter().map(Extension::der).collect();
        asn1::sequence(&[
            version,
            asn1::unsigned(&self.serial),
            algorithm(self.algorithm),
            self.issuer.der(),
            asn1::sequence(&[asn1::time(self.not_before), asn1::time(self.not_after)]),
            self.subject.der(),
            self.key.spki(),
            if extensions.is_empty() { Vec::new() } else { asn1::context(3, &asn1::sequence(&extensions)) },
        ])
    }

    fn extensions(&self) -> Vec<Extension> {
        let extension = |oid, critical, value| Extension { oid, critical, value };
        let mut all = Vec::new();
        all.extend(self.authority_key_id.as_deref().map(authority_key_identifier));
        all.extend(self.crl_distribution_point.as_deref().map(|uri| {
            let name = asn1::context(0, &asn1::context(0, &asn1::context_primitive(6, uri.as_bytes())));
            extension(CRL_DISTRIBUTION_POINTS, false, asn1::sequence(&[asn1::sequence(&[name])]))
        }));
        all.extend(
            self.subject_key_id
                .as_deref()
                .map(|id| extension(SUBJECT_KEY_IDENTIFIER, false, asn1::octet_string(id))),
        );
        all.extend(self.key_usage.map(|usage| {
            let unused = u8::try_from(usage.trailing_zeros().min(7)).unwrap_or(0);
            extension(KEY_USAGE, true, asn1::bit_string(unused, &[usage]))
        }));
        all.extend(self.basic_constraints.map(|constraints| {
            let ca = if constraints.ca { asn1::boolean(true) } else { Vec::new() };
            let path_len = constraints.path_len.map_or(Vec::new(), |n| asn1::integer(u64::from(n)));
            extension(BASIC_CONSTRAINTS, true, asn1::sequence(&[ca, path_len]))
        }));
        all.extend(self.sgx.as_ref().map(PckExtension::extension));
        all.extend(self.extra.iter().cloned());
        all
    }
}

/// `AlgorithmIdentifier` without parameters, as ECDSA has none (RFC 5758, 3.2).
pub(crate) fn algorithm(oid: ObjectIdentifier) -> Vec<u8> {
    asn1::sequence(&[asn1::oid(oid)])
}

pub(crate) fn authority_key_identifier(id: &[u8]) -> Extension {
    Extension {
        oid: AUTHORITY_KEY_IDENTIFIER,
        critical: false,
        value: asn1::sequence(&[asn1::context_primitive(0, id)]),
    }
}

/// A chain as text, in the order given.
#[must_use]
pub fn chain_pem(chain: &[Certificate]) -> String {
    chain.iter().map(Certificate::pem).collect()
}
