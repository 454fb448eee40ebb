//! Rows about the evidence as a whole.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "evidence-format",
        holds: "The evidence is an evidence.json or a raw quote, with every field in its form.",
        clause: "SPECIFICATION 1",
        explanation: "Bytes from outside are read once, completely, into a type that can only exist if they \
                are valid. What is not understood is refused, not skipped.",
        hint: "Take the evidence as `GET /evidence?nonce=` gives it. The detail names the field.",
        fails: &["evidence-format"],
    },
    Check {
        slug: "layer-accepted",
        holds: "The policy accepts evidence of this layer.",
        clause: "SPECIFICATION 3 (tdx.accept, vtpm.accept)",
        explanation: "A plain vTPM proves what the host says, a trust domain what the processor says. Without \
                this check the weaker evidence could stand in for the stronger.",
        hint: "If this layer is enough for you, say so in the policy: `[vtpm] accept = true` together \
                with the names of the attestation keys.",
        fails: &["layer-accepted"],
    },
];
