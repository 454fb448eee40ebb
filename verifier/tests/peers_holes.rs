//! Mistakes that other verifiers made, each refused here. One test for each mistake, named after it.

use hallmark_forge::{Forged, TdxCase};
use hallmark_verifier::verdict::Word;

use crate::support::failed;
use crate::table::{VARIANTS, judge};

/// Forges each of these changes, and wants it refused for its check alone.
fn refused(changes: &[(&str, &str)]) {
    for (slug, name) in changes {
        let found = VARIANTS.iter().find(|(s, n, _)| (s, n) == (slug, name));
        let (.., forged) = found.unwrap_or_else(|| panic!("the forge has no {slug}, {name}"));
        let verdict = judge(forged);
        assert_eq!((verdict.word(), verdict.code()), (Word::Refused, Some(*slug)), "{slug}: {name}");
        assert_eq!(failed(&verdict), [*slug], "{slug}: {name}");
    }
}

/// Forges a case that is unusual and right, and wants it to hold.
fn held(name: &str) -> Forged {
    let (_, forged) = hallmark_forge::valid().into_iter().find(|(n, _)| *n == name).unwrap();
    assert_eq!(judge(&forged).word(), Word::Simulated, "{name}");
    forged
}

/// CVE-2026-22696.
#[test]
fn qe_identity_that_was_fetched_and_never_verified() {
    refused(&[
        ("qe-identity-signature", "a bit flipped"),
        ("qe-identity-signature", "by another key"),
        ("qe-identity-signature", "edited after signing"),
        ("qe-identity-signature", "TCB info's signature"),
        ("qe-identity-chain", "a signer that the root did not sign"),
    ]);
}

#[test]
fn a_crl_of_the_future() {
    refused(&[
        ("root-crl-fresh", "of the future"),
        ("root-crl-fresh", "of the next second"),
        ("pck-crl-fresh", "of the future"),
        ("pck-crl-fresh", "of the next second"),
    ]);
}

#[test]
fn an_outer_certification_type_other_than_six() {
    refused(&[
        ("quote-certification-type", "a platform manifest outside"),
        ("quote-certification-type", "a PCK chain outside"),
    ]);
}

#[test]
fn bytes_after_the_quote() {
    refused(&[
        ("quote-trailing-bytes", "one byte that is not zero"),
        ("quote-trailing-bytes", "the last of them is not zero"),
    ]);
    held("zeros after the quote");
}

#[test]
fn a_signature_length_off_by_one() {
    refused(&[("quote-signature-length", "one too long"), ("quote-signature-length", "one too short")]);
}

#[test]
fn a_pck_certificate_that_the_root_issued() {
    refused(&[
        ("pck-chain", "a leaf that the root issued"),
        ("pck-chain", "a leaf that the root issued, the CA beside it"),
    ]);
}

#[test]
fn a_pceid_that_nobody_compared() {
    refused(&[("pceid", "TCB info of another PCE")]);
}

#[test]
fn a_chain_in_the_collateral_that_replaces_the_quotes() {
    refused(&[
        ("pck-chain", "the right one is in the collateral alone"),
        ("pck-chain-agrees", "the collateral has another platform's"),
    ]);
    held("the same chain in the collateral");
}

/// CRLs ended a second before TCB info did.
#[test]
fn dates_that_end_by_two_rules() {
    held("everything ends now");
    held("everything issued now");
    refused(&[
        ("root-crl-fresh", "out of date by a second"),
        ("pck-crl-fresh", "out of date by a second"),
        ("tcb-info-fresh", "out of date by a second"),
        ("qe-identity-fresh", "out of date by a second"),
        ("pck-chain", "an expired leaf"),
        ("tcb-signing-chain", "an expired signer"),
    ]);
}

#[test]
fn a_platform_status_replaced_by_the_modules() {
    refused(&[
        ("tcb-status", "a platform out of date, its module not"),
        ("tcb-status", "a module out of date, its platform not"),
        ("tcb-status", "a quoting enclave out of date, its platform not"),
    ]);
}

#[test]
fn a_debug_td_by_default() {
    refused(&[("td-debug", "debug"), ("td-debug", "another bit of the group that makes a TD untrusted")]);
}

#[test]
fn collateral_that_is_off_by_default() {
    let forged = Forged { collateral: None, ..TdxCase::default().make() };
    assert_eq!(judge(&forged).word(), Word::Undecided);
}

#[test]
fn one_set_of_exit_codes_in_the_manual_and_another_in_the_code() {
    let manual = include_str!("../../SPECIFICATION.md");
    for word in [Word::Accepted, Word::Authentic, Word::Simulated, Word::Refused, Word::Undecided] {
        let row = format!("| `{word}` | {} |", word.exit_code());
        assert!(manual.contains(&row), "{row}");
    }
}

#[test]
fn crls_whose_signature_issuer_and_dates_nobody_checked() {
    refused(&[
        ("root-crl", "signed by another key"),
        ("root-crl", "issued by another name"),
        ("root-crl", "the PCK CRL in its place"),
        ("pck-crl", "signed by another key"),
        ("pck-crl", "signed by the root"),
        ("pck-crl", "issued by another name"),
        ("pck-crl", "another CA's, chain and all"),
        ("root-crl-fresh", "out of date"),
        ("pck-crl-fresh", "out of date"),
    ]);
}

#[test]
fn another_platforms_genuine_tcb_info() {
    refused(&[
        ("tcb-info-identity", "of SGX"),
        ("tcb-info-identity", "another version"),
        ("fmspc", "TCB info of another model"),
    ]);
}

#[test]
fn an_empty_chain_that_skips_the_signature() {
    refused(&[
        ("collateral-format", "no signer of TCB info"),
        ("collateral-format", "no signer of QE identity"),
        ("collateral-format", "no issuer of the PCK CRL"),
    ]);
}

#[test]
fn expired_collateral_that_only_sets_a_flag() {
    refused(&[("tcb-info-fresh", "out of date"), ("qe-identity-fresh", "out of date")]);
}

#[test]
fn a_module_identity_that_is_ignored() {
    refused(&[
        ("tdx-module", "another signer"),
        ("tdx-module", "other attributes"),
        ("tdx-module", "a version without an identity"),
        ("tdx-module", "below every level"),
    ]);
}

#[test]
fn a_measurement_that_differs_beside_a_good_result() {
    refused(&[("image-mismatch", "another initrd"), ("image-mismatch", "another command line, by a vTPM")]);
}

#[test]
fn pcrs_that_were_not_selected() {
    refused(&[
        ("tpm-pcr-selection", "PCR 11 left out"),
        ("tpm-pcr-selection", "no PCRs"),
        ("tpm-pcr-selection", "the SHA-256 bank alone"),
    ]);
}

#[test]
fn any_enclave_of_intels_as_the_quoting_enclave() {
    refused(&[
        ("qe-identity-identity", "of SGX"),
        ("qe-identity-identity", "of the quote verification enclave"),
        ("qe-identity-match", "another product"),
        ("qe-identity-match", "debug"),
    ]);
}

#[test]
fn json_that_is_written_again_before_its_signature_is_checked() {
    refused(&[("tcb-info-signature", "the same document, spelt otherwise")]);
    held("TCB info with spaces, signed as it is");
}

#[test]
fn a_status_that_is_revoked() {
    refused(&[("tcb-status", "revoked")]);
}

#[test]
fn a_quote_believed_for_the_key_inside_it() {
    refused(&[
        ("pck-chain", "a leaf that signed itself, alone"),
        ("pck-chain", "another root by the same name"),
        ("root-pinned", "another root by the same name"),
        ("qe-report-binding", "another attestation key"),
    ]);
}

/// An ECDSA signature has a twin. Both hold, and both are the same machine.
#[test]
fn quote_bytes_as_an_identity() {
    let twin = held("the other signature of the same body");
    let first = TdxCase::default().make();
    assert_ne!(twin.quote, first.quote);
    let (twin, first) = (judge(&twin), judge(&first));
    assert_eq!(twin.platform(), first.platform());
    assert!(first.platform().is_some());
}
