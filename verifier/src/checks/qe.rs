//! Rows about the quoting enclave.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "qe-report-signature",
        holds: "The PCK signed the quoting enclave's report.",
        clause: "Intel TDX DCAP Quoting Library API, A.3 and A.4; QE report signature",
        explanation: "It places the quoting enclave on this platform.",
        hint: "The quote was changed after it was made: ask the machine again.",
        fails: &["qe-report-signature"],
    },
    Check {
        slug: "qe-report-binding",
        holds: "The report's data are SHA-256(attestation key || authentication data), then zeros.",
        clause: "Intel TDX DCAP Quoting Library API, A.3 and A.4; QE authentication data",
        explanation: "It makes the attestation key the quoting enclave's. Without it, anyone's key could sign \
                beside a genuine report.",
        hint: "The quote was put together from parts of several: ask the machine again.",
        fails: &["qe-report-binding"],
    },
    Check {
        slug: "qe-identity-match",
        holds: "The report has the identity's MRSIGNER and ISVPRODID, its MISCSELECT and ATTRIBUTES \
                under their masks, and no debug flag.",
        clause: "Intel PCS API v4, enclave identity; Intel SDM, volume 3, 36.7",
        explanation: "Any enclave can make a report on a genuine platform. Only Intel's TD quoting enclave \
                makes quotes of trust domains.",
        hint: "The platform runs another quoting enclave than Intel's: ask its operator.",
        fails: &["qe-identity-match"],
    },
    Check {
        slug: "qe-tcb-level",
        holds: "The QE identity has a level for the enclave's ISVSVN.",
        clause: "Intel PCS API v4, enclave identity: tcbLevels",
        explanation: "An enclave older than every level is not vouched for at all.",
        hint: "The platform's quoting enclave must be updated.",
        fails: &["qe-tcb-level"],
    },
];
