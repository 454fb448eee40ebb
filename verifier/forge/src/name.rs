//! Distinguished names, with the five attributes that Intel's have.

use const_oid::ObjectIdentifier;

use crate::asn1;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const LOCALITY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.7");
const STATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.8");
const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");

/// A subject or an issuer. An empty attribute is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// CN.
    pub common_name: String,
    /// O.
    pub organization: String,
    /// L.
    pub locality: String,
    /// ST.
    pub state: String,
    /// C, two letters.
    pub country: String,
}

impl Name {
    /// A name that says what it is: `CN = SIMULATED ..., O = SIMULATED Hallmark`.
    #[must_use]
    pub fn simulated(role: &str) -> Self {
        Self {
            common_name: format!("SIMULATED {role}"),
            organization: "SIMULATED Hallmark".into(),
            locality: "Nowhere".into(),
            state: "CA".into(),
            country: "US".into(),
        }
    }

    /// RFC 5280, 4.1.2.4 `Name`, in the order that Intel writes.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        let attribute = |oid, text: &str| match text {
            "" => Vec::new(),
            // X.520 wants a PrintableString for a country.
            _ if oid == COUNTRY => one(oid, asn1::printable_string(text)),
            _ => one(oid, asn1::utf8_string(text)),
        };
        asn1::sequence(&[
            attribute(COMMON_NAME, &self.common_name),
            attribute(ORGANIZATION, &self.organization),
            attribute(LOCALITY, &self.locality),
            attribute(STATE, &self.state),
            attribute(COUNTRY, &self.country),
        ])
    }
}

fn one(oid: ObjectIdentifier, value: Vec<u8>) -> Vec<u8> {
    asn1::set(&[asn1::sequence(&[asn1::oid(oid), value])])
}
