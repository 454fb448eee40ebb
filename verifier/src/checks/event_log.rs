//! Rows about the event log.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "event-log-format",
        holds: "The event log is a Spec ID event and whole TCG_PCR_EVENT2 records up to its end, with the digests that are \
                declared, of registers that the platform has; a TD's may be followed by padding of all 00 or all FF.",
        clause: "TCG PC Client Platform Firmware Profile 1.06, 10.2 and 10.4.5; Intel TDVF design guide (CCEL)",
        explanation: "A reader that stops at the first strange byte, or skips it, sees another log than the one that was \
                      replayed.",
        hint: "Send the log as the kernel gives it (binary_bios_measurements, or the CCEL table's data).",
        fails: &["event-log-format"],
    },
    Check {
        slug: "event-log-replay",
        holds: "The log's digests, then those that the guest extended itself, lead to the quoted registers: a TD's RTMR0 to \
                RTMR3, or in both banks to the digest that the TPM signs. PCR 10 may hold Linux's boot aggregate, \
                which follows from PCRs 0 to 9.",
        clause: "Intel TDX Module, TDG.MR.RTMR.EXTEND; TPM 2.0 Library, Part 1, 17 (PCR operations) and Part 3, 18.4; PFP 1.06, 10.4.5.3",
        explanation: "A log that does not replay to signed registers is a story. One that does proves its digests and their \
                      order; not the texts beside them.",
        hint: "The log was changed, is of another boot, or something extended a register without logging it. Of a TD the \
               detail names the registers; a TPM signs one digest over all of them.",
        fails: &["event-log-replay"],
    },
];
