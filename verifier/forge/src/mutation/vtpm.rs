//! A TPM's attestation key and quote.

use super::{Row, stranger, vtpm};
use crate::key::Signature;
use crate::tpm::{DECRYPT, FIXED_PARENT, FIXED_TPM, RESTRICTED, SENSITIVE_DATA_ORIGIN, SIGN, Selection};
use crate::vtpm::VtpmCase;

/// Clears an attribute of the attestation key. The policy names the key that comes of it.
fn without(case: &mut VtpmCase, attribute: u32) {
    case.ak.attributes &= !attribute;
}

fn selection(case: &mut VtpmCase, change: fn(&mut Selection)) {
    case.quote.selection.iter_mut().for_each(change);
}

pub(super) const ROWS: &[Row] = &[
    vtpm("tpm-ak-format", "not restricted: it signs what it is given", |c| without(c, RESTRICTED)),
    vtpm("tpm-ak-format", "not fixed to its TPM", |c| without(c, FIXED_TPM)),
    vtpm("tpm-ak-format", "not fixed to its parent", |c| without(c, FIXED_PARENT)),
    vtpm("tpm-ak-format", "made outside", |c| without(c, SENSITIVE_DATA_ORIGIN)),
    vtpm("tpm-ak-format", "no signing key", |c| without(c, SIGN)),
    vtpm("tpm-ak-format", "a decryption key as well", |c| c.ak.attributes |= DECRYPT),
    vtpm("tpm-ak-format", "another curve", |c| c.ak.curve = 0x0004),
    vtpm("tpm-ak-format", "another scheme", |c| c.ak.scheme = 0x0014),
    vtpm("tpm-ak-format", "another hash", |c| c.ak.scheme_hash = 0x0004),
    vtpm("tpm-ak-format", "a byte after the end", |c| c.ak.trailing = vec![0]),
    vtpm("tpm-ak-named", "the policy names another", |c| {
        c.policy.ak = Some(vec![[&[0x00, 0x0b][..], &[9; 32]].concat()]);
    }),
    vtpm("tpm-ak-named", "the policy names none", |c| c.policy.ak = Some(Vec::new())),
    vtpm("tpm-quote-format", "not made by a TPM", |c| c.quote.magic = 0),
    vtpm("tpm-quote-format", "a certification of a key", |c| c.quote.kind = 0x8017),
    vtpm("tpm-quote-format", "a byte after the attestation", |c| c.quote.attest_trailing = vec![0]),
    vtpm("tpm-quote-format", "a byte after the signature", |c| c.quote.trailing = vec![0]),
    vtpm("tpm-quote-format", "a length that is too long", |c| c.quote.attest_size = Some(0xffff)),
    vtpm("tpm-quote-format", "cut", |c| c.quote.truncate = Some(100)),
    vtpm("tpm-quote-format", "an RSA signature", |c| c.quote.signature_algorithm = 0x0014),
    vtpm("tpm-quote-format", "a signature with SHA-1", |c| c.quote.signature_hash = 0x0004),
    vtpm("tpm-signature", "a bit flipped", |c| c.quote.signature = Signature::FlipBit(300)),
    vtpm("tpm-signature", "by another key", |c| c.quote.signature = Signature::By(stranger())),
    vtpm("tpm-pcr-selection", "PCR 15 left out", |c| selection(c, |s| s.pcrs.retain(|pcr| *pcr != 15))),
    vtpm("tpm-pcr-selection", "PCR 11 left out", |c| selection(c, |s| s.pcrs.retain(|pcr| *pcr != 11))),
    vtpm("tpm-pcr-selection", "no PCRs", |c| selection(c, |s| s.pcrs.clear())),
    vtpm("tpm-pcr-selection", "the SHA-256 bank alone", |c| c.quote.selection.truncate(1)),
    vtpm("tpm-pcr-selection", "the SHA-384 bank alone", |c| {
        c.quote.selection = c.quote.selection.split_off(1);
    }),
    vtpm("tpm-pcr-selection", "the SHA-1 bank", |c| selection(c, |s| s.bank = 0x0004)),
];
