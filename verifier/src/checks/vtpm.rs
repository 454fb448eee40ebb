//! Rows about the vTPM.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "tpm-ak-format",
        holds: "The attestation key is a TPMT_PUBLIC: ECC P-256, ECDSA with SHA-256, and restricted, signing, fixedTPM, \
                fixedParent and sensitiveDataOrigin; nothing follows it.",
        clause: "TPM 2.0 Library, Part 2, 12.2.4 (TPMT_PUBLIC) and 8.3 (TPMA_OBJECT); SPECIFICATION 1",
        explanation: "A key that is not restricted signs whatever it is handed, a made-up quote included; one that \
                      is not fixed to its TPM, or was imported, may be held outside it.",
        hint: "Make the key with TPM2_CreatePrimary and the template of SPECIFICATION 1.",
        fails: &["tpm-ak-format"],
    },
    Check {
        slug: "tpm-ak-named",
        holds: "The policy names the attestation key: its TPM Name is listed in vtpm.ak.",
        clause: "TPM 2.0 Library, Part 1, 16 (Names); SPECIFICATION 3",
        explanation: "Anybody can make a key with the right attributes in software. A key that the machine itself \
                      brings along proves nothing; it counts because its Name was learnt on another way.",
        hint: "Take the Name from who runs the TPM (`mint boot` writes a policy with it before the machine starts) and \
               list it in vtpm.ak.",
        fails: &["tpm-ak-named"],
    },
    Check {
        slug: "tpm-quote-format",
        holds: "The quote is a TPM2B_ATTEST whose TPMS_ATTEST has the magic TPM_GENERATED and the type ATTEST_QUOTE, then \
                an ECDSA P-256 TPMT_SIGNATURE with SHA-256; every size is exact and nothing follows.",
        clause: "TPM 2.0 Library, Part 2, 10.12.12 and 11.3.4; Part 3, 18.4 (TPM2_Quote)",
        explanation: "The magic is what a restricted key signs only for structures that the TPM made itself. Without it, \
                      or with another type, a signature of some other message could pass as a quote.",
        hint: "Send the response parameters of TPM2_Quote as they come, by a key with the scheme ECDSA and SHA-256.",
        fails: &["tpm-quote-format"],
    },
    Check {
        slug: "tpm-signature",
        holds: "The attestation key signed the quote.",
        clause: "TPM 2.0 Library, Part 2, 11.3.2 (ECC signatures); FIPS 186-5, 6.4.2",
        explanation: "Without it the quote's registers and binding are anybody's words.",
        hint: "The quote is damaged, or by another key than the one in `ak`: ask the machine for new evidence.",
        fails: &["tpm-signature"],
    },
    Check {
        slug: "tpm-pcr-selection",
        holds: "The quote selects PCRs 0 to 15 of the SHA-256 bank, then of the SHA-384 bank, and no others.",
        clause: "TPM 2.0 Library, Part 2, 10.9.7 (TPML_PCR_SELECTION); SPECIFICATION 1",
        explanation: "A PCR that the quote does not select can be claimed to hold anything. A verifier that compares it all \
                      the same believes the machine's own word.",
        hint: "Quote PCRs 0 to 15 in both banks; a TPM without a SHA-384 bank needs one (swtpm_setup --pcr-banks sha256,sha384).",
        fails: &["tpm-pcr-selection"],
    },
];
