//! Rows about Intel's collateral.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "collateral-format",
        holds: "The collateral is one JSON object with all chains, CRLs and documents, each of its form.",
        clause: "SPECIFICATION 5",
        explanation: "An absent chain must never mean that its signature is skipped.",
        hint: "Fetch the collateral again; the detail names the field.",
        fails: &["collateral-format"],
    },
    Check {
        slug: "root-pinned",
        holds: "All chains end in one root, which is Intel's pinned one or named by the policy, and is \
                valid now.",
        clause: "Intel SGX PCK Certificate and CRL Profile, 1.3.1; SPECIFICATION 3 (roots)",
        explanation: "Anyone can make a root and everything below it. A verifier that takes the root from the \
                evidence proves nothing.",
        hint: "Real evidence needs Intel's collateral. For test evidence, name the root's key in \
                `roots.simulated`; the verdict is then `simulated`.",
        fails: &["root-pinned"],
    },
    Check {
        slug: "tcb-signing-chain",
        holds: "TCB info is signed under a valid TCB signing certificate that the root issued.",
        clause: "Intel SGX PCK Certificate and CRL Profile, 1.3; RFC 5280, 6",
        explanation: "A platform's own certificate also leads to the root: without roles and dates, a machine \
                could sign its own TCB info.",
        hint: "Fetch the TCB info with its issuer chain again.",
        fails: &["tcb-signing-chain"],
    },
    Check {
        slug: "qe-identity-chain",
        holds: "QE identity is signed under a valid TCB signing certificate that the root issued.",
        clause: "Intel SGX PCK Certificate and CRL Profile, 1.3; RFC 5280, 6",
        explanation: "Without it the identity could describe any enclave as Intel's quoting enclave.",
        hint: "Fetch the QE identity with its issuer chain again.",
        fails: &["qe-identity-chain"],
    },
    Check {
        slug: "pck-crl-chain",
        holds: "The PCK CRL's issuer is a valid PCK CA that the root issued.",
        clause: "Intel SGX PCK Certificate and CRL Profile, 1.3; RFC 5280, 6.3",
        explanation: "A list of revoked certificates from somebody else lists nothing.",
        hint: "Fetch the PCK CRL with its issuer chain again.",
        fails: &["pck-crl-chain"],
    },
    Check {
        slug: "root-crl",
        holds: "The root CRL is issued and signed by the root.",
        clause: "RFC 5280, 6.3.3",
        explanation: "An unsigned or foreign list could leave out whatever was revoked.",
        hint: "Fetch the root CA CRL again; it is not the PCK CRL.",
        fails: &["root-crl"],
    },
    Check {
        slug: "root-crl-fresh",
        holds: "The root CRL holds now: thisUpdate <= now <= nextUpdate.",
        clause: "RFC 5280, 5.1.2.4 and 5.1.2.5",
        explanation: "An old list hides later revocations; one from the future was not made by the clock that \
                we go by.",
        hint: "Fetch the root CA CRL again, or ask about the instant meant with --at.",
        fails: &["root-crl-fresh"],
    },
    Check {
        slug: "pck-crl",
        holds: "The PCK CRL is issued and signed by the very CA that issued the PCK certificate.",
        clause: "RFC 5280, 6.3.3; Intel SGX PCK Certificate and CRL Profile",
        explanation: "There are two PCK CAs, platform and processor. The list of the one says nothing of \
                certificates of the other.",
        hint: "Fetch the CRL of the CA that the quote's PCK chain names (ca=platform or ca=processor).",
        fails: &["pck-crl"],
    },
    Check {
        slug: "pck-crl-fresh",
        holds: "The PCK CRL holds now: thisUpdate <= now <= nextUpdate.",
        clause: "RFC 5280, 5.1.2.4 and 5.1.2.5",
        explanation: "An old list hides later revocations of platforms.",
        hint: "Fetch the PCK CRL again, or ask about the instant meant with --at.",
        fails: &["pck-crl-fresh"],
    },
    Check {
        slug: "tcb-signing-revoked",
        holds: "Neither TCB signing certificate is on the root CRL.",
        clause: "RFC 5280, 6.3.3",
        explanation: "A stolen signing key would otherwise go on declaring old platforms up to date.",
        hint: "Fetch the TCB info and the QE identity again: Intel signs with another key by now.",
        fails: &["tcb-signing-revoked"],
    },
    Check {
        slug: "pck-ca-revoked",
        holds: "Neither the quote's PCK CA nor the CRL's issuer is on the root CRL.",
        clause: "RFC 5280, 6.3.3",
        explanation: "Under a stolen CA key any number of platforms can be invented.",
        hint: "Evidence under this CA can no longer be accepted.",
        fails: &["pck-ca-revoked"],
    },
    Check {
        slug: "tcb-info-signature",
        holds: "The TCB info's bytes, as they came, are signed by its TCB signing certificate.",
        clause: "Intel PCS API v4, TCB info: signature over tcbInfo without white space changes",
        explanation: "The bytes are checked before and instead of any form they are written in again, which \
                could be other bytes.",
        hint: "Fetch the TCB info again, and keep it byte for byte.",
        fails: &["tcb-info-signature"],
    },
    Check {
        slug: "tcb-info-identity",
        holds: "The TCB info is for TDX (id TDX, version 3, tcbType 0).",
        clause: "Intel PCS API v4, TCB info V3",
        explanation: "SGX TCB info of the same platform is as genuine, and has no TDX levels to fail.",
        hint: "Fetch the TCB info from the TDX part of the service (tdx/certification/v4/tcb).",
        fails: &["tcb-info-identity"],
    },
    Check {
        slug: "tcb-info-fresh",
        holds: "The TCB info holds now: issueDate <= now <= nextUpdate.",
        clause: "Intel PCS API v4, TCB info: issueDate, nextUpdate",
        explanation: "Old TCB info does not know of faults that were found since.",
        hint: "Fetch the TCB info again, or ask about the instant meant with --at.",
        fails: &["tcb-info-fresh"],
    },
    Check {
        slug: "qe-identity-signature",
        holds: "The QE identity's bytes, as they came, are signed by its TCB signing certificate.",
        clause: "Intel PCS API v4, enclave identity: signature",
        explanation: "A QE identity that is fetched and not verified lets an attacker's enclave make \
                attestation keys (CVE-2026-22696).",
        hint: "Fetch the QE identity again, and keep it byte for byte.",
        fails: &["qe-identity-signature"],
    },
    Check {
        slug: "qe-identity-identity",
        holds: "The QE identity is the TD quoting enclave's (id TD_QE, version 2).",
        clause: "Intel PCS API v4, enclave identity V2",
        explanation: "Intel signs identities for other enclaves too (QE, QVE). Their reports must not certify \
                attestation keys of trust domains.",
        hint: "Fetch the identity from tdx/certification/v4/qe/identity.",
        fails: &["qe-identity-identity"],
    },
    Check {
        slug: "qe-identity-fresh",
        holds: "The QE identity holds now: issueDate <= now <= nextUpdate.",
        clause: "Intel PCS API v4, enclave identity: issueDate, nextUpdate",
        explanation: "An old identity accepts quoting enclaves that were replaced since.",
        hint: "Fetch the QE identity again, or ask about the instant meant with --at.",
        fails: &["qe-identity-fresh"],
    },
    Check {
        slug: "tcb-evaluation-number",
        holds: "TCB info and QE identity have at least the policy's tcbEvaluationDataNumber.",
        clause: "SPECIFICATION 3 (collateral.min_tcb_evaluation_data_number)",
        explanation: "For a time Intel serves collateral of several evaluations. The host could choose the one \
                that suits an old platform.",
        hint: "Fetch the collateral with update=early, or lower the policy's floor if you mean it.",
        fails: &["tcb-evaluation-number"],
    },
    Check {
        slug: "collateral-age",
        holds: "TCB info, QE identity and PCK CRL were issued within the policy's max_age_days.",
        clause: "SPECIFICATION 3 (collateral.max_age_days)",
        explanation: "Collateral that still holds may have been replaced weeks ago. (The root CRL is issued \
                once a year and has its own dates.)",
        hint: "Fetch the collateral again.",
        fails: &["collateral-age"],
    },
];
