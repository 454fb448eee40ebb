use proptest::prelude::*;

use super::{Quote, QuoteError, TdReport};

/// A quote of zeros with the right lengths and types: nothing in it is signed.
fn quote(version: u16, body: &[u8]) -> Vec<u8> {
    let inner = [
        &[0; 384][..],
        &[0; 64],
        &2_u16.to_le_bytes(),
        b"ad",
        &5_u16.to_le_bytes(),
        &3_u32.to_le_bytes(),
        b"pem",
    ];
    let inner = inner.concat();
    let length = u32::try_from(inner.len()).unwrap();
    let data = [&[0; 128][..], &6_u16.to_le_bytes(), &length.to_le_bytes(), &inner].concat();
    let header =
        [&version.to_le_bytes()[..], &[2, 0, 0x81, 0, 0, 0, 0, 0, 0, 0], &[7; 16], &[8; 20]].concat();
    let length = u32::try_from(data.len()).unwrap();
    [&header[..], body, &length.to_le_bytes(), &data].concat()
}

fn body_5(body_type: u16, len: usize) -> Vec<u8> {
    let size = u32::try_from(len).unwrap();
    [&body_type.to_le_bytes()[..], &size.to_le_bytes(), &vec![9; len]].concat()
}

/// Where the signature data of a version 4 quote begin.
const DATA: usize = 48 + 584 + 4;

fn changed(at: usize, to: &[u8]) -> Result<(), QuoteError> {
    let mut bytes = quote(4, &[9; 584]);
    bytes[at..at + to.len()].copy_from_slice(to);
    Quote::parse(&bytes).map(|_| ())
}

#[test]
fn every_body_is_read() {
    let bytes = quote(4, &[9; 584]);
    let parsed = Quote::parse(&bytes).unwrap();
    assert_eq!((parsed.version(), parsed.vendor(), parsed.user_data()), (4, &[7; 16], &[8; 20]));
    assert_eq!(parsed.signed(), &bytes[..48 + 584]);
    assert_eq!(parsed.report().report_data, &[9; 64]);
    assert!(parsed.report().current.is_none());
    let data = parsed.signature_data();
    assert_eq!((data.qe_auth_data, data.pck_chain), (&b"ad"[..], &b"pem"[..]));

    for (body_type, len) in [(2, TdReport::LEN_1_0), (3, TdReport::LEN_1_5), (4, TdReport::LEN_1_5_EX)] {
        let bytes = quote(5, &body_5(body_type, len));
        let parsed = Quote::parse(&bytes).unwrap();
        assert_eq!(parsed.signed().len(), 48 + 6 + len);
        assert_eq!(parsed.report().current.is_some(), body_type >= 3);
        assert_eq!(parsed.report().service_td.is_some(), body_type == 4);
    }
}

#[test]
fn headers_are_of_a_trust_domain() {
    assert_eq!(changed(0, &[3]), Err(QuoteError::Version(3)));
    assert_eq!(changed(0, &[6]), Err(QuoteError::Version(6)));
    assert_eq!(changed(4, &[0]), Err(QuoteError::TeeType(0)));
    assert_eq!(changed(2, &[3]), Err(QuoteError::KeyType(3)));
    for body_type in [0, 1, 5] {
        assert_eq!(
            Quote::parse(&quote(5, &body_5(body_type, 584))).map(|_| ()),
            Err(QuoteError::BodyType(body_type))
        );
    }
    let size = Quote::parse(&quote(5, &body_5(2, 585))).map(|_| ());
    assert_eq!(size, Err(QuoteError::BodySize { body_type: 2, got: 585, due: 584 }));
}

#[test]
fn certification_is_six_around_five() {
    for (at, layer, due) in [(DATA + 128, "outer", 6), (DATA + 134 + 452, "inner", 5)] {
        for got in [1, 2, 3, 4, 5, 6, 7, 255] {
            let result = changed(at, &[got]);
            match u16::from(got) == due {
                true => assert_eq!(result, Ok(())),
                false => {
                    assert_eq!(result, Err(QuoteError::CertificationType { layer, got: got.into(), due }));
                }
            }
        }
    }
}

#[test]
fn lengths_add_up_exactly() {
    let whole = quote(4, &[9; 584]).len();
    let inner = u8::try_from((whole - DATA - 134) & 0xff).unwrap();
    // Signature data, outer and inner certification data: each one longer and shorter.
    let declared = u8::try_from((whole - DATA) & 0xff).unwrap();
    for (at, value) in [(DATA - 4, declared), (DATA + 130, inner), (DATA + 134 + 454, 3)] {
        let shorter = changed(at, &[value - 1]).unwrap_err();
        assert_eq!(shorter.slug(), "quote-signature-length", "{at}: {shorter}");
        let longer = changed(at, &[value + 1]).unwrap_err();
        let due = if at == DATA - 4 { "quote-format" } else { "quote-signature-length" };
        assert_eq!(longer.slug(), due, "{at}: {longer}");
    }
    // With the byte that a longer length asks for, it still does not add up.
    let mut bytes = quote(4, &[9; 584]);
    bytes[DATA - 4] += 1;
    bytes.push(0);
    assert_eq!(Quote::parse(&bytes).unwrap_err().slug(), "quote-signature-length");
    assert!(changed(DATA - 4, &[0xff; 4]).is_err());
    // A wrong length of the authentication data has the next type read from a wrong place.
    for length in [0, 1, 3, 255] {
        assert!(changed(DATA + 134 + 448, &[length]).is_err());
    }
}

#[test]
fn only_zeros_may_follow() {
    let mut bytes = quote(4, &[9; 584]);
    let end = bytes.len();
    bytes.extend([0; 100]);
    assert!(Quote::parse(&bytes).is_ok());
    for at in [0, 50, 99] {
        let mut bytes = bytes.clone();
        bytes[end + at] = 1;
        assert_eq!(Quote::parse(&bytes).map(|_| ()), Err(QuoteError::TrailingBytes { offset: end + at }));
    }
}

#[test]
fn a_quote_cut_short_is_none() {
    for bytes in [quote(4, &[9; 584]), quote(5, &body_5(4, 885))] {
        for len in 0..bytes.len() {
            assert_eq!(Quote::parse(&bytes[..len]).unwrap_err().slug(), "quote-format", "{len}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_bytes_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        at in 0_usize..1200,
        with in any::<[u8; 4]>(),
    ) {
        let _ = Quote::parse(&bytes);
        let mut real = quote(5, &body_5(3, 648));
        let at = at.min(real.len() - 4);
        real[at..at + 4].copy_from_slice(&with);
        let _ = Quote::parse(&real);
    }
}
