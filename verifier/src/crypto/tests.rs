use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use proptest::prelude::*;

use super::{P256Key, sha256, sha384, signature_from_der};

fn key(seed: u8) -> (SigningKey, P256Key) {
    let signing = SigningKey::from_slice(&[seed; 32]).unwrap();
    let point = signing.verifying_key().to_sec1_point(false);
    let public = P256Key::from_sec1(point.as_bytes()).unwrap();
    (signing, public)
}

#[test]
fn a_good_signature_passes_and_a_changed_one_does_not() {
    let (signing, public) = key(7);
    let signature: Signature = signing.sign(b"message");
    let fixed: [u8; 64] = signature.to_bytes().into();
    assert!(public.verify(b"message", &fixed));
    assert!(!public.verify(b"massage", &fixed));
    for at in 0..64 {
        let mut changed = fixed;
        changed[at] ^= 1;
        assert!(!public.verify(b"message", &changed), "byte {at}");
    }
    assert!(!public.verify(b"message", &[0; 64]));
    assert!(!public.verify(b"message", &[0xff; 64]));
}

#[test]
fn a_point_off_the_curve_is_no_key() {
    assert!(P256Key::from_xy(&[0; 64]).is_none());
    assert!(P256Key::from_xy(&[0xff; 64]).is_none());
    let (_, public) = key(9);
    let mut point = *public.as_sec1();
    point[64] ^= 1;
    assert!(P256Key::from_sec1(&point).is_none());
    assert!(P256Key::from_sec1(&public.as_sec1()[..33]).is_none());
}

#[test]
fn der_signatures_are_strict() {
    let (signing, _) = key(11);
    let signature: Signature = signing.sign(b"x");
    let der = signature.to_der();
    let fixed: [u8; 64] = signature.to_bytes().into();
    assert_eq!(signature_from_der(der.as_bytes()), Some(fixed));
    let mut longer = der.as_bytes().to_vec();
    longer.push(0);
    assert_eq!(signature_from_der(&longer), None);
    assert_eq!(signature_from_der(&der.as_bytes()[..20]), None);
    // A leading zero that DER does not need.
    assert_eq!(signature_from_der(&[0x30, 7, 2, 2, 0, 1, 2, 1, 1]), None);
    // A negative integer.
    assert_eq!(signature_from_der(&[0x30, 6, 2, 1, 0x80, 2, 1, 1]), None);
}

#[test]
fn hashes_are_over_the_concatenation() {
    assert_eq!(sha256(&[b"ab", b"c"]), sha256(&[b"abc"]));
    assert_eq!(
        hex::encode(sha256(&[b"abc"])),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(sha384(&[]).first(), Some(&0x38));
}

#[cfg(all(feature = "aws-lc", feature = "rustcrypto"))]
#[test]
fn both_libraries_say_the_same() {
    use super::Backend;
    let (signing, public) = key(3);
    let a = super::aws_lc::Key::new(public.as_sec1()).unwrap();
    let b = super::rust_crypto::Key::new(public.as_sec1()).unwrap();
    for n in 0..64_u8 {
        let message = [n; 40];
        let signature: Signature = signing.sign(&message);
        let mut fixed: [u8; 64] = signature.to_bytes().into();
        assert!(a.verify(&message, &fixed) && b.verify(&message, &fixed));
        fixed[usize::from(n)] = fixed[usize::from(n)].wrapping_add(n | 1);
        assert_eq!(a.verify(&message, &fixed), b.verify(&message, &fixed), "{n}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = signature_from_der(&bytes);
        let _ = P256Key::from_sec1(&bytes);
    }
}
