//! The SGX extension of a PCK certificate: which platform it is, at which TCB.
//!
//! Intel SGX PCK Certificate and CRL Profile, 1.3.5. A sequence of (OID, value) below 1.2.840.113741.1.13.1.

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, OctetStringRef};
use der::{Decode, Reader, SliceReader, Tag, Tagged};

/// 1.2.840.113741.1.13.1, as the OIDs of the values begin. Their last arc says which value it is.
const EXTENSION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01];
const PPID: usize = 1;
const TCB: usize = 2;
const PCEID: usize = 3;
const FMSPC: usize = 4;
const SGX_TYPE: usize = 5;

/// 1.2.840.113741.1.13.1.2: the TCB's values, of which 1 to 16 are the components.
const TCB_EXTENSION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01, 0x02];
const PCESVN: usize = 17;
const CPUSVN: usize = 18;

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
        let outer = Values::<{ SGX_TYPE + 1 }>::read(AnyRef::from_der(der)?, EXTENSION)?;
        let tcb = Values::<{ CPUSVN + 1 }>::read(outer.get(TCB, "TCB")?, TCB_EXTENSION)?;
        let mut sgx_components = [0; 16];
        for (arc, svn) in (1..).zip(&mut sgx_components) {
            *svn = number(tcb.get(arc, "a TCB component")?, "a TCB component")?;
        }
        Ok(Self {
            ppid: octets(outer.get(PPID, "PPID")?, "PPID")?,
            sgx_components,
            pce_svn: number(tcb.get(PCESVN, "PCESVN")?, "PCESVN")?,
            cpu_svn: octets(tcb.get(CPUSVN, "CPUSVN")?, "CPUSVN")?,
            pce_id: octets(outer.get(PCEID, "PCEID")?, "PCEID")?,
            fmspc: octets(outer.get(FMSPC, "FMSPC")?, "FMSPC")?,
            sgx_type: sgx_type(outer.get(SGX_TYPE, "SGX type")?)?,
        })
    }
}

/// The values of one list by the last arc of their OIDs, no OID twice. (OIDs are compared as the bytes they are:
/// there are two dozen of them.)
struct Values<'a, const N: usize>([Option<AnyRef<'a>>; N]);

impl<'a, const N: usize> Values<'a, N> {
    fn read(list: AnyRef<'a>, prefix: &[u8]) -> Result<Self, PckExtensionError> {
        list.tag().assert_eq(Tag::Sequence)?;
        let mut reader = SliceReader::new(list.value())?;
        let mut values = [None; N];
        // Those that are not needed.
        let mut others: Vec<ObjectIdentifier> = Vec::new();
        let mut count = 0_usize;
        while !reader.is_finished() {
            let (oid, value) = reader
                .sequence(|pair| Ok::<_, der::Error>((AnyRef::decode(pair)?, AnyRef::decode(pair)?)))?;
            oid.tag().assert_eq(Tag::ObjectIdentifier)?;
            if count == MOST {
                return Err(PckExtensionError::TooMany);
            }
            count = count.saturating_add(1);
            let slot = match oid.value().strip_prefix(prefix) {
                Some([arc]) => values.get_mut(usize::from(*arc)),
                _ => None,
            };
            if let Some(slot) = slot {
                if slot.replace(value).is_some() {
                    return Err(PckExtensionError::Twice(oid.decode_as()?));
                }
            } else {
                let oid: ObjectIdentifier = oid.decode_as()?;
                if others.contains(&oid) {
                    return Err(PckExtensionError::Twice(oid));
                }
                others.push(oid);
            }
        }
        Ok(Self(values))
    }

    fn get(&self, arc: usize, name: &'static str) -> Result<AnyRef<'a>, PckExtensionError> {
        self.0.get(arc).copied().flatten().ok_or(PckExtensionError::Missing(name))
    }
}

fn octets<const N: usize>(value: AnyRef<'_>, name: &'static str) -> Result<[u8; N], PckExtensionError> {
    let octets: &OctetStringRef = value.decode_as().map_err(|_| PckExtensionError::Value(name))?;
    octets.as_bytes().try_into().map_err(|_| PckExtensionError::Value(name))
}

/// A small INTEGER that is not negative, in its shortest form (X.690, 8.3).
fn number<T: TryFrom<u16>>(value: AnyRef<'_>, name: &'static str) -> Result<T, PckExtensionError> {
    let error = || PckExtensionError::Value(name);
    let number = match (value.tag(), value.value()) {
        (Tag::Integer, [low @ ..=0x7f] | [0, low @ 0x80..=0xff]) => u16::from(*low),
        (Tag::Integer, [high @ 1..=0x7f, low] | [0, high @ 0x80..=0xff, low]) => {
            u16::from_be_bytes([*high, *low])
        }
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
    use const_oid::ObjectIdentifier;

    use der::asn1::AnyRef;
    use der::{Decode, Encode};

    use super::{EXTENSION, PckExtension, PckExtensionError, TCB_EXTENSION, number};

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
        // The PPID's becomes a second platform instance id, which is not needed, and may not stand twice either.
        let ppid = bytes.windows(12).position(|w| w.ends_with(&[0x0d, 1, 1, 4, 16])).unwrap() + 9;
        bytes[ppid] = 6;
        assert!(matches!(PckExtension::parse(&bytes), Err(PckExtensionError::Twice(_))));
        bytes[ppid] = 1;
        bytes[at] = 3;
        bytes[at + 1] = 2;
        assert_eq!(PckExtension::parse(&bytes), Err(PckExtensionError::Value("PCEID")));
    }

    #[test]
    fn numbers_are_in_their_shortest_form() {
        let read = |der: &[u8]| number::<u16>(AnyRef::from_der(der).unwrap(), "it").ok();
        for value in [0_u16, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff] {
            assert_eq!(read(&value.to_der().unwrap()), Some(value));
        }
        for bad in [
            &[2, 0][..],
            &[2, 1, 0x80],
            &[2, 2, 0, 0x7f],
            &[2, 2, 0x80, 0],
            &[2, 3, 0, 0x7f, 0],
            &[2, 3, 1, 0, 0],
            &[4, 1, 1],
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert!(number::<u8>(AnyRef::from_der(&[2, 2, 1, 0]).unwrap(), "it").is_err());
    }

    #[test]
    fn oids_are_those_of_the_profile() {
        for (prefix, oid) in
            [(EXTENSION, "1.2.840.113741.1.13.1"), (TCB_EXTENSION, "1.2.840.113741.1.13.1.2")]
        {
            assert_eq!(ObjectIdentifier::new(oid).unwrap().as_bytes(), prefix);
        }
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
