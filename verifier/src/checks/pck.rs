//! Rows about the PCK certificate.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "pck-chain",
        holds: "The quote's PCK chain is PCK certificate, PCK CA, root, each in its role, valid now, \
                named and signed by the next.",
        clause: "Intel SGX PCK Certificate and CRL Profile, 1.3; RFC 5280, 6",
        explanation: "The chain makes the platform one of Intel's. Its shape is fixed: a certificate in \
                another place than its own, such as a leaf directly under the root, is refused.",
        hint: "The platform's registration with Intel may be incomplete; or the quote was edited.",
        fails: &["pck-chain"],
    },
    Check {
        slug: "pck-chain-agrees",
        holds: "A PCK chain in the collateral is the quote's, certificate by certificate.",
        clause: "SPECIFICATION 5 (pck_certificate_chain)",
        explanation: "What is named twice is compared: collateral that brings another platform's chain must \
                not replace the quote's.",
        hint: "Leave pck_certificate_chain out of the collateral: the quote has its own.",
        fails: &["pck-chain-agrees"],
    },
    Check {
        slug: "pck-revoked",
        holds: "The PCK certificate is not on the PCK CRL.",
        clause: "RFC 5280, 6.3.3",
        explanation: "Intel revokes platforms whose keys are known to be out.",
        hint: "This platform can no longer be accepted.",
        fails: &["pck-revoked"],
    },
    Check {
        slug: "pck-extension",
        holds: "The PCK certificate's SGX extension has PPID, TCB, PCEID, FMSPC and SGX type, each once \
                and of its size.",
        clause: "Intel SGX PCK Certificate and CRL Profile, 1.3.5",
        explanation: "Platform and TCB are read from it. A value that stands twice could be read by two \
                programs in two ways.",
        hint: "No PCK certificate of Intel's has such an extension.",
        fails: &["pck-extension"],
    },
    Check {
        slug: "fmspc",
        holds: "The TCB info is for the platform's FMSPC.",
        clause: "Intel PCS API v4, TCB info: fmspc",
        explanation: "TCB info of another platform is as genuine, and may call up to date what is not.",
        hint: "Fetch the TCB info for the FMSPC that the detail names.",
        fails: &["fmspc"],
    },
    Check {
        slug: "pceid",
        holds: "The TCB info is for the platform's PCEID.",
        clause: "Intel PCS API v4, TCB info: pceId",
        explanation: "PCESVN counts per provisioning certification enclave: numbers of different ones do not \
                compare.",
        hint: "Fetch the TCB info for this platform.",
        fails: &["pceid"],
    },
];
