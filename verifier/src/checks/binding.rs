//! Rows about the binding.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        slug: "binding-mismatch",
        holds: "The quote carries SHA-512(\"hallmark/evidence/1\" || nonce || bound) of the nonce asked with and of the file that \
                should be bound, or the session's or statement's binding that was asked for: a TD as report_data, a TPM its \
                SHA-256 as extraData.",
        clause: "SPECIFICATION 1",
        explanation: "Without it the evidence may be old, another machine's, or made for another purpose: a quote alone is \
                      a recording.",
        hint: "Ask again with a fresh nonce and give --nonce that one, and --bind the very file that the machine bound.",
        fails: &["binding-mismatch"],
    },
    Check {
        slug: "evidence-consistent",
        holds: "The evidence's own `binding` and `nonce` are what its quote carries; a nonce stands exactly where a nonce's \
                binding is asked for.",
        clause: "SPECIFICATION 1",
        explanation: "The fields prove nothing by themselves. Where they contradict the signed data, the document was put \
                      together from parts of several.",
        hint: "Ask the machine for new evidence, and keep it unchanged.",
        fails: &["evidence-consistent"],
    },
];
