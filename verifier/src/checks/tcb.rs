//! Rows about the TCB.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "tdx-module",
        holds: "The TDX module has the signer and attributes that TCB info gives for its version, and \
                reaches a level of it.",
        clause: "Intel PCS API v4, TCB info V3: tdxModule, tdxModuleIdentities",
        explanation: "The module is what keeps the host out. One by another signer, or of a version that Intel \
                does not know, can report anything.",
        hint: "The host must load Intel's TDX module, or newer TCB info is needed.",
        fails: &["tdx-module"],
    },
    Check {
        slug: "tcb-level",
        holds: "The platform reaches a level of the TCB info in every SGX component, PCESVN and every \
                TDX component.",
        clause: "Intel PCS API v4, TCB info V3: tcbLevels",
        explanation: "A platform below every level has faults that Intel has long fixed. Levels are tried from \
                the highest, whatever order the file has.",
        hint: "The platform's firmware and microcode must be updated.",
        fails: &["tcb-level"],
    },
    Check {
        slug: "tcb-status",
        holds: "The status of platform, TDX module and quoting enclave, merged, is one that the policy \
                lists, and not Revoked.",
        clause: "SPECIFICATION 3 (tdx.tcb); Intel PCS API v4, tcbStatus",
        explanation: "A platform is no better than its worst part. Another verifier let the module's status \
                replace the platform's.",
        hint: "Update the platform. If an older TCB is acceptable to you, list its status in `tdx.tcb`.",
        fails: &["tcb-status"],
    },
    Check {
        slug: "tcb-advisories",
        holds: "Every advisory that the levels name is tolerated by the policy at this instant.",
        clause: "SPECIFICATION 3 (tdx.advisories)",
        explanation: "A level names the faults that it is open to. They are tolerated one by one and for a \
                time, not for ever.",
        hint: "Read the advisory; list it in `tdx.advisories` with a date if you can live with it until \
                then.",
        fails: &["tcb-advisories"],
    },
];
