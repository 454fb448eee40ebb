//! Rows about the trust domain.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "td-debug",
        holds: "The TD is not under debug (ATTRIBUTES bits 0 to 7 are zero).",
        clause: "Intel TDX Module ABI Specification, ATTRIBUTES: TUD",
        explanation: "The host reads and writes the memory of a TD under debug. Its quote is as genuine as any \
                other.",
        hint: "Boot the machine without the debug attribute.",
        fails: &["td-debug"],
    },
    Check {
        slug: "td-attributes",
        holds: "Of the TD's other attributes only ICSSD, LASS, SEPT_VE_DISABLE, PKS and KL are set.",
        clause: "Intel TDX Module ABI Specification, ATTRIBUTES: SEC and OTHER",
        explanation: "MIGRATABLE lets a migration TD take the memory out, SERVTD_EXT and TPA let other agents \
                in, PERFMON leaks. A reserved bit means something that we do not know.",
        hint: "Boot the machine without the attribute that the detail names.",
        fails: &["td-attributes"],
    },
    Check {
        slug: "td-sept-ve-disable",
        holds: "SEPT_VE_DISABLE is set, or the policy says any.",
        clause: "Intel TDX Module ABI Specification, ATTRIBUTES: SEPT_VE_DISABLE; SPECIFICATION 3 \
                (tdx.sept_ve_disable)",
        explanation: "Without it the host can raise exceptions in the guest's kernel by taking pages away at \
                moments of its choice.",
        hint: "Boot the machine with sept-ve-disable=on, or say `sept_ve_disable = \"any\"`.",
        fails: &["td-sept-ve-disable"],
    },
    Check {
        slug: "td-xfam",
        holds: "XFAM has x87 and SSE, and no feature beyond those that a TD may have.",
        clause: "Intel TDX Module ABI Specification, XFAM",
        explanation: "A feature that the module does not manage may share state with the host.",
        hint: "Boot the machine with a CPU model that the TDX module supports.",
        fails: &["td-xfam"],
    },
    Check {
        slug: "mr-seam",
        holds: "The TDX module's own hash, MRSEAM, is one that the policy names.",
        clause: "SPECIFICATION 3 (tdx.mr_seam)",
        explanation: "Where exactly one build of the module is wanted, its signer and version are not enough.",
        hint: "List the module's MRSEAM in `tdx.mr_seam`, or empty the list to take every module of Intel's.",
        fails: &["mr-seam"],
    },
    Check {
        slug: "mr-config-id",
        holds: "MRCONFIGID is what the policy wants (as a rule: zero).",
        clause: "SPECIFICATION 3 (tdx.mr_config_id)",
        explanation: "The host chooses it when it makes the TD. Software that reads its configuration there \
                would take the host's. Unset in the policy it must be zero where an image is expected; \
                with --any-image it is not asked.",
        hint: "Start the machine without a configuration id, or say in the policy which one is meant.",
        fails: &["mr-config-id"],
    },
    Check {
        slug: "mr-owner",
        holds: "MROWNER is what the policy wants (as a rule: zero).",
        clause: "SPECIFICATION 3 (tdx.mr_owner)",
        explanation: "The host chooses it when it makes the TD.",
        hint: "Start the machine without an owner, or say in the policy which one is meant.",
        fails: &["mr-owner"],
    },
    Check {
        slug: "mr-owner-config",
        holds: "MROWNERCONFIG is what the policy wants (as a rule: zero).",
        clause: "SPECIFICATION 3 (tdx.mr_owner_config)",
        explanation: "The host chooses it when it makes the TD.",
        hint: "Start the machine without an owner's configuration, or say in the policy which one is meant.",
        fails: &["mr-owner-config"],
    },
    Check {
        slug: "service-td",
        holds: "No service TD is bound, then or now (TDX 1.5 and later).",
        clause: "Intel TDX Module ABI Specification, MRSERVICETD, SERVTD_HASH",
        explanation: "A service TD, such as one that migrates others, reads what it serves. Its measurements \
                would have to be checked like the TD's own.",
        hint: "Start the machine without service TDs.",
        fails: &["service-td"],
    },
    Check {
        slug: "platform-allowed",
        holds: "The platform is one that the policy names.",
        clause: "SPECIFICATION 3 (tdx.platforms)",
        explanation: "Hardware in a hostile lab is as genuine as that in a data centre: physical attacks on \
                TDX are known.",
        hint: "Add the platform that the detail names to `tdx.platforms`, if it is one you know.",
        fails: &["platform-allowed"],
    },
];
