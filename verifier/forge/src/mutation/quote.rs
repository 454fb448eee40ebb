//! The quote: its shape, and the signature over it.

use super::{Row, stranger, tdx};
use crate::key::Signature;
use crate::quote::INTEL_VENDOR;
use crate::td_body::Layout;
use crate::tdx::TdxCase;

/// Makes the quote one of version 5.
pub(super) fn version_5(case: &mut TdxCase, layout: Layout) {
    case.quote.header.version = 5;
    case.quote.layout = layout;
}

/// The length of the signature data: what the default quote, which is of version 4, says at the end of
/// a header of 48 bytes and a body of 584.
fn signature_length(case: &TdxCase) -> u32 {
    let quote = case.make().quote;
    let length = quote.get(632..).and_then(|rest| rest.first_chunk());
    length.map_or(0, |length| u32::from_le_bytes(*length))
}

fn truncated(case: &mut TdxCase, by: usize) {
    case.quote.truncate = Some(case.make().quote.len().saturating_sub(by));
}

pub(super) const FORMAT: &[Row] = &[
    tdx("quote-format", "SGX as the TEE type", |c| c.quote.header.tee_type = 0),
    tdx("quote-format", "version 3", |c| c.quote.header.version = 3),
    tdx("quote-format", "version 6", |c| c.quote.header.version = 6),
    tdx("quote-format", "an enclave's body", |c| {
        version_5(c, Layout::Td15);
        c.quote.body_type = Some(1);
    }),
    tdx("quote-format", "an unknown body", |c| {
        version_5(c, Layout::Td15);
        c.quote.body_type = Some(5);
    }),
    tdx("quote-format", "a TD 1.5 body of a TD 1.0 type", |c| {
        version_5(c, Layout::Td15);
        c.quote.body_type = Some(2);
    }),
    tdx("quote-format", "a body that claims a byte less", |c| {
        version_5(c, Layout::Td15);
        c.quote.body_size = Some(647);
    }),
    tdx("quote-format", "empty", |c| c.quote.truncate = Some(0)),
    tdx("quote-format", "a header alone", |c| c.quote.truncate = Some(48)),
    tdx("quote-format", "cut by one byte", |c| truncated(c, 1)),
    tdx("quote-format", "cut in the body", |c| c.quote.truncate = Some(300)),
    tdx("quote-key-type", "ECDSA with P-384", |c| c.quote.header.attestation_key_type = 3),
    tdx("quote-key-type", "EPID", |c| c.quote.header.attestation_key_type = 0),
    tdx("quote-key-type", "unknown", |c| c.quote.header.attestation_key_type = 255),
    tdx("quote-certification-type", "a platform manifest outside", |c| c.quote.outer_type = 7),
    tdx("quote-certification-type", "a PCK chain outside", |c| c.quote.outer_type = 5),
    tdx("quote-certification-type", "a PCK certificate inside", |c| c.quote.inner_type = 4),
    tdx("quote-certification-type", "an encrypted PPID inside", |c| c.quote.inner_type = 3),
    tdx("quote-signature-length", "one too long", |c| c.quote.signature_padding = vec![0]),
    tdx("quote-signature-length", "one too short", |c| {
        c.quote.signature_length = Some(signature_length(c).saturating_sub(1));
    }),
    tdx("quote-trailing-bytes", "the last of them is not zero", |c| c.quote.trailing = vec![0, 0, 1]),
    tdx("quote-trailing-bytes", "one byte that is not zero", |c| c.quote.trailing = vec![0xff]),
    tdx("quote-vendor", "Intel's under a simulated root", |c| c.quote.header.vendor = INTEL_VENDOR),
    tdx("quote-vendor", "nobody's", |c| c.quote.header.vendor = [0; 16]),
];

pub(super) const SIGNATURE: &[Row] = &[
    tdx("quote-signature", "a bit flipped", |c| c.quote.signature = Signature::FlipBit(300)),
    tdx("quote-signature", "by another key", |c| c.quote.signature = Signature::By(stranger())),
    tdx("quote-signature", "by the PCK", |c| c.quote.signature = Signature::By(c.pki.pck.key.clone())),
    tdx("quote-signature", "zeros", |c| c.quote.signature = Signature::Bytes(vec![0; 64])),
];
