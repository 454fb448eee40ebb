//! The SGX extension of a PCK certificate: which platform it is, at which TCB.
//!
//! Intel SGX PCK Certificate and CRL Profile, 1.3.5. A sequence of (OID, value) below 1.2.840.113741.1.13.1.

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, OctetStringRef, UintRef};
use der::{Decode, Reader, SliceReader, Tag, Tagged};

const PPID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.1");
const TCB: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.2");
const PCEID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.3");
const FMSPC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.4");
const SGX_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.5");

/// The most values of one list that are read. Intel's longest has eighteen.
const MOST: usize = 64;

/// What the extension says of a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PckExtension {
    /// The platform provisioning id, which is the same for every user of a machine.
    pub ppid: [u8; 16],
    /// The SVNs of the sixteen SGX TCB components.
    pub sgx_components: [u8; 16],
    /// The SVN of the provisioning certification enclave.
    pub pce_svn: u16,
    /// CPUSVN as the processor has it.
    pub cpu_svn: [u8; 16],
    /// Which provisioning certification enclave.
    pub pce_id: [u8; 2],
    /// Family, model, stepping, platform type and custom SKU.
    pub fmspc: [u8; 6],
    /// 0 standard, 1 scalable, 2 scalable with integrity.
    pub sgx_type: u8,
}

/// Bytes that are not such an extension.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PckExtensionError {
    /// Not strict DER, or not a list of (OID, value).
    #[error("SGX extension: {0}")]
    Der(#[from] der::Error),
    /// A value that is absent.
    #[error("SGX extension: no {0}")]
    Missing(&'static str),
    /// A value that stands twice.
    #[error("SGX extension: {0} stands twice")]
    Twice(ObjectIdentifier),
    /// More values than Intel's has.
    #[error("SGX extension: more than {MOST} values in one list")]
    TooMany,
    /// A value of another size or type.
    #[error("SGX extension: {0} has another size or type than Intel's")]
    Value(&'static str),
}

impl PckExtension {
    /// Reads the extension's value.
    ///
    /// # Errors
    /// [`PckExtensionError`], if anything is absent, twice or of another size.
    pub fn parse(der: &[u8]) -> Result<Self, PckExtensionError> {
        let outer = Members::read(AnyRef::from_der(der)?)?;
        let tcb = Members::read(outer.get(&TCB, "TCB")?)?;
        let mut sgx_components = [0; 16];
        for (arc, svn) in (1..).zip(&mut sgx_components) {
            *svn = number(tcb.get(&TCB.push_arc(arc)?, "a TCB component")?, "a TCB component")?;
        }
        Ok(Self {
            ppid: octets(outer.get(&PPID, "PPID")?, "PPID")?,
            sgx_components,
            pce_svn: number(tcb.get(&TCB.push_arc(17)?, "PCESVN")?, "PCESVN")?,
            cpu_svn: octets(tcb.get(&TCB.push_arc(18)?, "CPUSVN")?, "CPUSVN")?,
            pce_id: octets(outer.get(&PCEID, "PCEID")?, "PCEID")?,
            fmspc: octets(outer.get(&FMSPC, "FMSPC")?, "FMSPC")?,
            sgx_type: sgx_type(outer.get(&SGX_TYPE, "SGX type")?)?,
        })
    }
}

impl From<const_oid::Error> for PckExtensionError {
    fn from(error: const_oid::Error) -> Self {
        Self::Der(error.into())
    }
}

/// (OID, value) pairs, no OID twice.
struct Members<'a>(Vec<(ObjectIdentifier, AnyRef<'a>)>);

impl<'a> Members<'a> {
    fn read(list: AnyRef<'a>) -> Result<Self, PckExtensionError> {
        list.tag().assert_eq(Tag::Sequence)?;
        let mut reader = SliceReader::new(list.value())?;
        let mut members: Vec<(ObjectIdentifier, AnyRef<'a>)> = Vec::new();
        while !reader.is_finished() {
            let member = reader.sequence(|pair| {
                Ok::<_, der::Error>((ObjectIdentifier::decode(pair)?, AnyRef::decode(pair)?))
            })?;
            if members.len() == MOST {
                return Err(PckExtensionError::TooMany);
            }
            if members.iter().any(|(oid, _)| *oid == member.0) {
                return Err(PckExtensionError::Twice(member.0));
            }
            members.push(member);
        }
        Ok(Self(members))
    }

    fn get(&self, oid: &ObjectIdentifier, name: &'static str) -> Result<AnyRef<'a>, PckExtensionError> {
        let found = self.0.iter().find(|(has, _)| has == oid);
        found.map(|(_, value)| *value).ok_or(PckExtensionError::Missing(name))
    }
}

fn octets<const N: usize>(value: AnyRef<'_>, name: &'static str) -> Result<[u8; N], PckExtensionError> {
    let octets: &OctetStringRef = value.decode_as().map_err(|_| PckExtensionError::Value(name))?;
    octets.as_bytes().try_into().map_err(|_| PckExtensionError::Value(name))
}

fn number<T: TryFrom<u16>>(value: AnyRef<'_>, name: &'static str) -> Result<T, PckExtensionError> {
    let error = || PckExtensionError::Value(name);
    let number: UintRef<'_> = value.decode_as().map_err(|_| error())?;
    let number = match *number.as_bytes() {
        [low] => u16::from(low),
        [high, low] => u16::from_be_bytes([high, low]),
        _ => return Err(error()),
    };
    T::try_from(number).map_err(|_| error())
}

fn sgx_type(value: AnyRef<'_>) -> Result<u8, PckExtensionError> {
    match (value.tag(), value.value()) {
        (Tag::Enumerated, [kind @ 0..=2]) => Ok(*kind),
        _ => Err(PckExtensionError::Value("SGX type")),
    }
}

#[cfg(test)]
mod tests {
    use super::{PckExtension, PckExtensionError};

    /// The extension of a real PCK certificate, its PPID and instance id replaced.
    fn real() -> Vec<u8> {
        let hex = concat!(
            "30820228301e060a2a864886f84d010d01010410000102030405060708090a0b0c0d0e0f30820165060a2a864886f84d01",
            "0d0102308201553010060b2a864886f84d010d01020102010c3010060b2a864886f84d010d01020202010c3010060b2a86",
            "4886f84d010d0102030201033010060b2a864886f84d010d0102040201033011060b2a864886f84d010d010205020200ff",
            "3011060b2a864886f84d010d010206020200ff3010060b2a864886f84d010d0102070201013010060b2a864886f84d010d",
            "0102080201003010060b2a864886f84d010d0102090201003010060b2a864886f84d010d01020a0201003010060b2a8648",
            "86f84d010d01020b0201003010060b2a864886f84d010d01020c0201003010060b2a864886f84d010d01020d0201003010",
            "060b2a864886f84d010d01020e0201003010060b2a864886f84d010d01020f0201003010060b2a864886f84d010d010210",
            "0201003010060b2a864886f84d010d01021102010d301f060b2a864886f84d010d01021204100c0c0303ffff0100000000",
            "00000000003010060a2a864886f84d010d0103040200003014060a2a864886f84d010d0104040600606a000000300f060a",
            "2a864886f84d010d01050a0101301e060a2a864886f84d010d01060410000102030405060708090a0b0c0d0e0f3044060a",
            "2a864886f84d010d010730363010060b2a864886f84d010d0107010101ff3010060b2a864886f84d010d01070201010030",
            "10060b2a864886f84d010d010703010100",
        );
        hex::decode(hex).unwrap()
    }

    #[test]
    fn a_real_extension_is_read() {
        let extension = PckExtension::parse(&real()).unwrap();
        assert_eq!(extension.fmspc, [0x00, 0x60, 0x6a, 0, 0, 0]);
        assert_eq!(extension.pce_id, [0, 0]);
        assert_eq!(extension.pce_svn, 13);
        assert_eq!(extension.sgx_components[..8], [12, 12, 3, 3, 255, 255, 1, 0]);
        assert_eq!(extension.cpu_svn, extension.sgx_components);
        assert_eq!(extension.sgx_type, 1);
        assert_eq!(extension.ppid[15], 15);
    }

    #[test]
    fn what_is_twice_or_absent_is_refused() {
        let mut bytes = real();
        // The PCEID's OID becomes a second FMSPC.
        let at = bytes.windows(12).position(|w| w.ends_with(&[0x0d, 1, 3, 4, 2])).unwrap() + 9;
        bytes[at] = 4;
        assert!(matches!(PckExtension::parse(&bytes), Err(PckExtensionError::Twice(_))));
        bytes[at] = 9;
        assert_eq!(PckExtension::parse(&bytes), Err(PckExtensionError::Missing("PCEID")));
        bytes[at] = 3;
        bytes[at + 1] = 2;
        assert_eq!(PckExtension::parse(&bytes), Err(PckExtensionError::Value("PCEID")));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let real = real();
        for len in 0..real.len() {
            assert!(PckExtension::parse(&real[..len]).is_err(), "{len}");
            let mut flipped = real.clone();
            flipped[len] ^= 0xff;
            let _ = PckExtension::parse(&flipped);
        }
    }
}
