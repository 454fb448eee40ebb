use super::{Certificate, CertificateError, common_name};
use crate::root::INTEL_SGX_ROOT;

fn root() -> Vec<u8> {
    INTEL_SGX_ROOT.to_vec()
}

/// The root with the bytes at the one place where `from` stands replaced.
fn replaced(from: &[u8], to: &[u8]) -> Result<Certificate, CertificateError> {
    let mut der = root();
    let places: Vec<usize> = (0..der.len()).filter(|at| der[*at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    der[places[0]..places[0] + from.len()].copy_from_slice(to);
    Certificate::parse(der)
}

#[test]
fn the_fields_of_a_real_certificate() {
    let root = Certificate::parse(root()).unwrap();
    assert_eq!(root.common_name(), "Intel SGX Root CA");
    assert_eq!(root.issuer(), root.subject());
    assert_eq!(root.validity().to_string(), "2018-05-21T10:45:10Z to 2049-12-31T23:59:59Z");
    assert_eq!(hex::encode(root.serial()), "22650cd65a9d3489f383b49552bf501b392706ac");
    let extensions = root.extensions();
    assert!(extensions.is_ca());
    assert_eq!(extensions.basic.as_ref().unwrap().path_len_constraint, Some(1));
    assert!(extensions.key_usage.as_ref().unwrap().key_cert_sign());
    assert_eq!(extensions.subject_key_id, extensions.authority_key_id);
    assert_eq!(root.spki().len(), 91);
}

#[test]
fn another_algorithm_is_refused() {
    // ecdsa-with-SHA384 inside; the last one is outside.
    let sha256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let sha384 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    assert_eq!(replaced(&sha256, &sha384), Err(CertificateError::Algorithm));
    // Another curve.
    let p256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    assert_eq!(replaced(&p256, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 6]), Err(CertificateError::Key));
    // A point off the curve.
    assert_eq!(replaced(&[0x04, 0x0b, 0xa9, 0xc4], &[0x04, 0x0b, 0xa9, 0xc5]), Err(CertificateError::Key));
}

#[test]
fn extensions_are_known_or_not_critical() {
    // Basic constraints under an OID that we do not know, and critical all the same.
    let unknown = replaced(&[0x55, 0x1d, 0x13], &[0x55, 0x1d, 0x12]);
    assert!(matches!(unknown, Err(CertificateError::Critical(_))));
    // A second key usage.
    let twice = replaced(&[0x55, 0x1d, 0x13], &[0x55, 0x1d, 0x0f]);
    assert!(matches!(twice, Err(CertificateError::TwiceExtended(_))));
    // The CRL distribution point is passed over.
    assert!(replaced(&[0x55, 0x1d, 0x1f], &[0x55, 0x1d, 0x1e]).is_ok());
}

#[test]
fn versions_before_three_are_refused() {
    assert_eq!(replaced(&[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1]), Err(CertificateError::Version(2)));
}

#[test]
fn a_name_has_one_common_name() {
    let attribute = [0x31, 0x0a, 0x30, 0x08, 6, 3, 0x55, 4, 3, 0x0c, 1, b'A'];
    let name = |n: usize| {
        let body = attribute.repeat(n);
        [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat()
    };
    assert_eq!(common_name(&name(1)).unwrap(), "A");
    assert_eq!(common_name(&name(0)), Err(CertificateError::CommonName));
    assert_eq!(common_name(&name(2)), Err(CertificateError::CommonName));
}

#[test]
fn what_is_cut_or_flipped_is_refused_or_not_signed() {
    let good = Certificate::parse(root()).unwrap();
    let der = root();
    for at in 0..der.len() {
        assert!(Certificate::parse(der[..at].to_vec()).is_err(), "{at}");
        let mut flipped = der.clone();
        flipped[at] ^= 1;
        if let Ok(flipped) = Certificate::parse(flipped) {
            assert!(!flipped.is_signed_by(good.key()), "byte {at}");
        }
    }
    let mut longer = der;
    longer.push(0);
    assert!(Certificate::parse(longer).is_err());
}

#[test]
fn size_is_bounded() {
    let long = vec![0x30; Certificate::MAX_LEN + 1];
    assert_eq!(Certificate::parse(long), Err(CertificateError::TooLong(Certificate::MAX_LEN + 1)));
}
