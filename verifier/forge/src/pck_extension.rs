//! The SGX extension of a PCK certificate (Intel SGX PCK Certificate and CRL Profile, 1.3.5).

use const_oid::ObjectIdentifier;

use crate::asn1;
use crate::certificate::Extension;

/// 1.2.840.113741.1.13.1, below which every member has its own arc.
pub const SGX_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1");

/// What the SGX extension says of a platform. Byte strings are vectors so that a length can be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PckExtension {
    /// PPID, 16 bytes.
    pub ppid: Vec<u8>,
    /// SGX TCB components 1 to 16.
    pub components: Vec<u8>,
    /// PCESVN.
    pub pce_svn: u16,
    /// CPUSVN, 16 bytes: the components again.
    pub cpu_svn: Vec<u8>,
    /// PCEID, 2 bytes.
    pub pce_id: Vec<u8>,
    /// FMSPC, 6 bytes.
    pub fmspc: Vec<u8>,
    /// SGX type: 0 standard, 1 scalable, 2 scalable with integrity.
    pub sgx_type: u8,
    /// Platform instance id, 16 bytes: only under the platform CA.
    pub platform_instance_id: Option<Vec<u8>>,
    /// Dynamic platform, cached keys, SMT enabled: only under the platform CA.
    pub configuration: Option<[bool; 3]>,
    /// The whole extension's value instead of all this.
    pub raw: Option<Vec<u8>>,
}

impl PckExtension {
    pub(crate) fn extension(&self) -> Extension {
        let value = self.raw.clone().unwrap_or_else(|| self.der());
        Extension { oid: SGX_EXTENSION, critical: false, value }
    }

    fn der(&self) -> Vec<u8> {
        let mut members = vec![
            member(&[1], asn1::octet_string(&self.ppid)),
            member(&[2], self.tcb()),
            member(&[3], asn1::octet_string(&self.pce_id)),
            member(&[4], asn1::octet_string(&self.fmspc)),
            member(&[5], asn1::enumerated(self.sgx_type)),
        ];
        members.extend(self.platform_instance_id.as_ref().map(|id| member(&[6], asn1::octet_string(id))));
        members.extend(self.configuration.map(|flags| {
            let flags: Vec<Vec<u8>> =
                (1..).zip(flags).map(|(i, flag)| member(&[7, i], asn1::boolean(flag))).collect();
            member(&[7], asn1::sequence(&flags))
        }));
        asn1::sequence(&members)
    }

    fn tcb(&self) -> Vec<u8> {
        let mut members: Vec<Vec<u8>> = (1..=16)
            .zip(&self.components)
            .map(|(i, svn)| member(&[2, i], asn1::integer(u64::from(*svn))))
            .collect();
        members.push(member(&[2, 17], asn1::integer(u64::from(self.pce_svn))));
        members.push(member(&[2, 18], asn1::octet_string(&self.cpu_svn)));
        asn1::sequence(&members)
    }
}

/// `SEQUENCE { extension arc + these, value }`. The arcs are all below 128: one byte each.
fn member(arcs: &[u8], value: Vec<u8>) -> Vec<u8> {
    let oid = asn1::tlv(0x06, &[SGX_EXTENSION.as_bytes(), arcs].concat());
    asn1::sequence(&[oid, value])
}
