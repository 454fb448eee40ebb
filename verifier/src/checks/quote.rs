//! Rows about the quote itself.

use super::Check;

pub(super) const FORMAT: &[Check] = &[
    Check {
        slug: "quote-format",
        holds: "The quote is of version 4 or 5, of a trust domain, with a TDX 1.0, 1.5 or 1.5ex body, \
                and whole.",
        clause: "Intel TDX DCAP Quoting Library API, A.3 and A.4",
        explanation: "An SGX quote has the same outer form and is no evidence of a trust domain. A body read \
                with another layout would give an attacker's bytes as measurements.",
        hint: "Ask the machine again; a quote of version 3 comes from an SGX enclave.",
        fails: &["quote-format"],
    },
    Check {
        slug: "quote-key-type",
        holds: "The attestation key is ECDSA P-256 (type 2).",
        clause: "Intel TDX DCAP Quoting Library API, A.3 and A.4; attestation key types",
        explanation: "Only that type is certified by Intel for TDX. Another one would have the signature read \
                in another way.",
        hint: "Ask the machine again; its quoting enclave may be one we do not know.",
        fails: &["quote-key-type"],
    },
    Check {
        slug: "quote-certification-type",
        holds: "Certification data is of type 6 outside and of type 5 inside.",
        clause: "Intel TDX DCAP Quoting Library API, A.3 and A.4; certification data types",
        explanation: "Other types carry no PCK chain, or one that is chosen by something else than the quote. \
                Other verifiers read them as if they were the right ones.",
        hint: "Have the platform's quote generation service deliver the PCK chain in the quote (type 5).",
        fails: &["quote-certification-type"],
    },
    Check {
        slug: "quote-signature-length",
        holds: "Every length in the signature data adds up exactly.",
        clause: "Intel TDX DCAP Quoting Library API, A.3 and A.4",
        explanation: "A length that leaves bytes over, or reaches beyond its field, lets two programs read two \
                different quotes from the same bytes.",
        hint: "The quote was damaged or edited: ask the machine again.",
        fails: &["quote-signature-length"],
    },
    Check {
        slug: "quote-trailing-bytes",
        holds: "Whatever follows the quote is zero.",
        clause: "Intel TDX DCAP Quoting Library API, A.3 and A.4; the kernel's buffer is padded with zeros",
        explanation: "Bytes behind the quote are signed by nobody. Who stores or compares whole quotes would \
                take them for part of it.",
        hint: "Cut the file after the quote, or ask the machine again.",
        fails: &["quote-trailing-bytes"],
    },
    Check {
        slug: "quote-vendor",
        holds: "The QE vendor id is Intel's under Intel's root, and the simulation's under a test root.",
        clause: "Intel TDX DCAP Quoting Library API, A.3 and A.4; QE Vendor ID",
        explanation: "It keeps evidence made for tests from being taken for real by whoever looks at the \
                header only.",
        hint: "Evidence of a test was mixed with real collateral, or the other way round.",
        fails: &["quote-vendor"],
    },
];

pub(super) const SIGNATURE: &[Check] = &[Check {
    slug: "quote-signature",
    holds: "The attestation key signed the quote's header and body.",
    clause: "Intel TDX DCAP Quoting Library API, A.3 and A.4; ECDSA 256-bit Quote Signature Data",
    explanation: "This is what makes the measurements the quoting enclave's word. A single changed byte \
                breaks it.",
    hint: "The quote was changed after it was made: ask the machine again.",
    fails: &["quote-signature"],
}];
