//! Rows about the image.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "release-format",
        holds: "The release.json is of its format and agrees with itself: every register has one word of validation and follows \
                from its events, and every entry has the registers that it takes to name an image.",
        clause: "SPECIFICATION 2",
        explanation: "MRTD alone is the firmware: a release that pins nothing else would accept every image. A field \
                      that is misspelt and ignored would do the same.",
        hint: "Take the file that the release was published with; `mint release` reads it back.",
        fails: &["release-format"],
    },
    Check {
        slug: "image-mismatch",
        holds: "One entry of the release has, register by register and in every bank that it lists, the values that the \
                machine proves.",
        clause: "SPECIFICATION 2",
        explanation: "This is the question whether the machine runs that image. The detail names the registers, and the \
                      first event that differs with the input of the build behind it.",
        hint: "Another version, command line or firmware was booted: `assay diff release.json EVIDENCE` shows every event \
               that differs.",
        fails: &["image-mismatch"],
    },
    Check {
        slug: "acpi-pinned",
        holds: "The ACPI events of RTMR0, and all its other events that the release does not explain (separators aside), are \
                those that the policy lists, in that order; or the policy says that the release's kernel confines AML.",
        clause: "SPECIFICATION 3 (tdx.acpi, tdx.acpi_confined)",
        explanation: "The host supplies the ACPI tables, and their code runs in the guest's kernel with access to its \
                      memory. An unknown table may be one that takes the machine over (BadAML), whatever image it booted; and \
                      it may rewrite the log's labels, so labels alone do not say which events are ACPI.",
        hint: "Compare the named digest with one from a VM of the same shape that you trust, and list it in tdx.acpi.",
        fails: &["acpi-pinned"],
    },
];
