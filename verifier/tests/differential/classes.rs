//! **The** table of what we say otherwise than dcap-qvl 0.7.1, and why.
//!
//! A disagreement counts as explained only if it goes away with the oddity that its class names: with that one
//! thing repaired, and nothing else, both must say the same. What is inside a signature cannot be repaired on real
//! evidence; there the same case is forged with and without it.

use super::case::Case;
use super::{forged, real};

/// Who refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stricter {
    Ours,
    Theirs,
    /// Both accept, and our status or advisories ask for more, or the same in another word.
    OursByStatus,
    /// Both accept, and theirs ask for more.
    TheirsByStatus,
}

/// How a class is shown, and known again.
pub(crate) enum Shown {
    /// On real evidence. `make` puts the oddity in, `repair` takes it out; both say `None` where it cannot be.
    Repair { make: fn(&Case) -> Option<Case>, repair: fn(&Case) -> Option<Case> },
    /// Real evidence of another kind, which no repair makes ours.
    Kind(fn(&Case) -> bool),
    /// Only what is signed could bring it about. Many ways, one class.
    Forged(forged::Changes),
}

pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) stricter: Stricter,
    /// The checks of ours that may fail for it; where they are the stricter side, a part of their error; where
    /// both hold, a part of their status, or nothing.
    pub(crate) says: &'static [&'static str],
    /// The argument, with the clause.
    pub(crate) why: &'static str,
    pub(crate) shown: Shown,
}

use Shown::{Forged, Kind, Repair};
use Stricter::{Ours, OursByStatus, Theirs, TheirsByStatus};

pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "trailing-bytes",
        stricter: Ours,
        says: &["quote-trailing-bytes"],
        why: "Nothing in a quote covers what follows its signature data (Intel TDX DCAP Quoting Library API, A.3). \
              The kernel's buffer ends in zeros; anything else is a second message that no signature holds.",
        shown: Repair { make: real::make_trailing, repair: real::repair_trailing },
    },
    Class {
        name: "signature-slack",
        stricter: Ours,
        says: &["quote-signature-length"],
        why: "The three nested lengths of the signature data must add up (A.3.8 to A.3.11): bytes that belong to no \
              field are room for what another reader takes for the quote's.",
        shown: Repair { make: real::make_slack, repair: real::repair_slack },
    },
    Class {
        name: "certification-type",
        stricter: Ours,
        says: &["quote-certification-type"],
        why: "QE report certification data have type 6 (A.3.9) and a PCK chain has type 5 (A.3.11). They read the \
              data as such whatever the outer type says, and ignore the inner one if the collateral has a chain.",
        shown: Repair { make: real::make_certification_type, repair: real::repair_certification_type },
    },
    Class {
        name: "pem-text",
        stricter: Ours,
        says: &[
            "collateral-format",
            "pck-chain",
            "pck-chain-agrees",
            "pck-crl-chain",
            "qe-identity-chain",
            "root-pinned",
            "tcb-signing-chain",
        ],
        why: "A chain is `BEGIN CERTIFICATE` blocks of strict base64 with nothing but white space between them (RFC \
              7468, 5.1). They skip what stands between blocks and take blocks of any label.",
        shown: Repair { make: real::make_pem_text, repair: real::repair_pem_text },
    },
    Class {
        name: "pck-crl-issuer-chain",
        stricter: Ours,
        says: &["collateral-format", "pck-crl-chain", "root-pinned"],
        why: "`pck_crl_issuer_chain` is part of the collateral (Intel SGX PCCS API, `pckcrl`) and names who signed \
              the PCK CRL. They never read it; we hold it against the pinned root and the PCK's issuer.",
        shown: Repair { make: real::make_pck_crl_issuer_chain, repair: real::repair_pck_crl_issuer_chain },
    },
    Class {
        name: "collateral-pck-chain",
        stricter: Ours,
        says: &["collateral-format", "pck-chain-agrees", "pck-chain", "root-pinned"],
        why: "The quote carries its PCK chain; a chain in the collateral must be the same one. They take the \
              collateral's and never look at the quote's: compare what is named twice.",
        shown: Repair { make: real::make_collateral_chain, repair: real::repair_collateral_chain },
    },
    Class {
        name: "chain-shape",
        stricter: Ours,
        says: &[
            "collateral-format",
            "pck-chain",
            "pck-chain-agrees",
            "pck-crl-chain",
            "qe-identity-chain",
            "root-pinned",
            "tcb-signing-chain",
        ],
        why: "Intel's chains have one shape and one order, up to the root (Intel SGX PCK Certificate and CRL \
              Profile, 1.3). They search for a path to their root and leave unread what is not on it: a root that is \
              none, certificates too many, another order.",
        shown: Repair { make: real::make_chain_shape, repair: real::repair_chain_shape },
    },
    Class {
        name: "crl-from-the-future",
        stricter: Ours,
        says: &["root-crl-fresh", "pck-crl-fresh"],
        why: "A CRL speaks from `thisUpdate` on (RFC 5280, 5.1.2.4). They look at `nextUpdate` only; a date to come \
              means a wrong clock, here or there, and every other date is in doubt with it.",
        shown: Repair { make: real::make_future_crl, repair: real::repair_future_crl },
    },
    Class {
        name: "crl-at-next-update",
        stricter: Theirs,
        says: &["CrlExpired"],
        why: "At the very second of `nextUpdate` they accept TCB info and refuse a CRL. RFC 5280, 5.1.2.5: the next \
              list comes no later than that date, so the list still is the newest there need be. One rule for \
              every date here: both ends belong to the validity.",
        shown: Repair { make: real::make_crl_at_end, repair: real::repair_crl_at_end },
    },
    Class {
        name: "signature-padding",
        stricter: Ours,
        says: &["collateral-format", "tcb-info-signature", "qe-identity-signature"],
        why: "A signature of TCB info or QE identity is r || s, 64 bytes (Intel PCS API v4). They cut at 32 and take \
              an s of any length, with zeros before it.",
        shown: Repair { make: real::make_signature_padding, repair: real::repair_signature_padding },
    },
    Class {
        name: "collateral-fields",
        stricter: Ours,
        says: &["collateral-format"],
        why: "SPECIFICATION, 5 names the fields of collateral; an unknown one is refused, so that a misspelt chain \
              cannot be a silently absent one. They pass over it.",
        shown: Repair { make: real::make_unknown_field, repair: real::repair_unknown_field },
    },
    Class {
        name: "sgx-quote",
        stricter: Ours,
        says: &["quote-format", "evidence-format", "qe-identity-identity", "tcb-info-identity"],
        why: "An enclave's quote (TEE type 0, A.3.1) is no evidence of a trust domain. They verify both kinds.",
        shown: Kind(real::is_sgx),
    },
    Class {
        name: "pceid",
        stricter: Ours,
        says: &["pceid"],
        why: "TCB info is for one FMSPC and one PCEID, and both stand in the PCK certificate (Intel PCS API v4, \
              `pceId`; Profile, 1.3.5). They compare the FMSPC only.",
        shown: Forged(forged::PCEID),
    },
    Class {
        name: "certificate-profile",
        stricter: Ours,
        says: &["pck-chain", "pck-crl-chain", "pck-extension", "qe-identity-chain", "tcb-signing-chain"],
        why: "Which certificate may stand where (Profile, 1.3; RFC 5280, 4.2.1): a PCK certificate is issued by the \
              platform or processor CA, never by the root; names, key usage, key identifiers and the SGX extension \
              are those of the role. They accept any certificate that a path leads to.",
        shown: Forged(forged::PROFILE),
    },
    Class {
        name: "qe-report-data",
        stricter: Ours,
        says: &["qe-report-binding"],
        why: "The QE's report data are SHA-256(key || authentication data) and 32 zero bytes (A.3.10). They compare \
              the first half.",
        shown: Forged(forged::QE_REPORT_DATA),
    },
    Class {
        name: "qe-authentication-data",
        stricter: Theirs,
        says: &["Invalid QE auth data length"],
        why: "QE authentication data carry their own length (A.3.10), and the QE report binds them whatever it is. \
              They know 32 bytes only.",
        shown: Forged(forged::QE_AUTH_DATA),
    },
    Class {
        name: "document-version",
        stricter: Ours,
        says: &["tcb-info-identity", "qe-identity-identity"],
        why: "TCB info of version 3 and QE identity of version 2 are what is specified (Intel PCS API v4). They take \
              any TCB info version from 3 on and QE identity version 3: rules that nobody has read yet.",
        shown: Forged(forged::VERSIONS),
    },
    Class {
        name: "td-attributes",
        stricter: Ours,
        says: &["td-attributes"],
        why: "PERFMON lets the host watch what the TD does, and bits outside the known ones have no meaning \
              to rely on (Intel TDX Module ABI, ATTRIBUTES). They check DEBUG, MIGRATABLE and the reserved bits of the \
              latest module.",
        shown: Forged(forged::ATTRIBUTES),
    },
    Class {
        name: "xfam",
        stricter: Ours,
        says: &["td-xfam"],
        why: "XFAM has x87 and SSE always and no bit that no processor has (Intel TDX Module ABI, XFAM). They do not \
              look at it.",
        shown: Forged(forged::XFAM),
    },
    Class {
        name: "service-td",
        stricter: Ours,
        says: &["service-td"],
        why: "A TDX 1.5ex body names the service TDs twice more, at the start and now (A.4). They look at MRSERVICETD \
              only and rely on SERVTD_EXT for the rest.",
        shown: Forged(forged::SERVICE_TD),
    },
    Class {
        name: "vendor",
        stricter: Ours,
        says: &["quote-vendor"],
        why: "Under a test root a quote must not carry Intel's vendor id, or a forgery would look real to whoever reads \
              the header only (SPECIFICATION, 3 and 4). They know one vendor and take it under any root.",
        shown: Forged(forged::VENDOR),
    },
    Class {
        name: "dates",
        stricter: Ours,
        says: &["collateral-format"],
        why: "Intel writes dates as `YYYY-MM-DDThh:mm:ssZ` (Intel PCS API v4). One form is read here, so that no two \
              readers can differ; they take all of RFC 3339, offsets included.",
        shown: Forged(forged::DATES),
    },
    Class {
        name: "component-status",
        stricter: Theirs,
        says: &["Unrecognized TCB status"],
        why: "They refuse a status that Intel has not used for that kind of component so far. Here each status means \
              the same wherever it stands: it is merged, and the policy decides.",
        shown: Forged(forged::COMPONENT_STATUS),
    },
    Class {
        name: "cpusvn",
        stricter: Theirs,
        says: &["No matching TCB level found"],
        why: "TCB levels are compared with the sixteen component SVNs of the PCK certificate (Intel PCS API v4, \
              `sgxtcbcomponents`; Profile, 1.3.5), as Intel's library does. They compare the bytes of CPUSVN, which \
              is the processor's own encoding.",
        shown: Forged(forged::CPU_SVN),
    },
    Class {
        name: "components",
        stricter: Ours,
        says: &["tcb-level"],
        why: "The other side of `cpusvn`: a component below the level counts, whatever CPUSVN says (Intel PCS API \
              v4, `sgxtcbcomponents`). They never read the components.",
        shown: Forged(forged::COMPONENTS),
    },
    Class {
        name: "relaunch",
        stricter: OursByStatus,
        says: &["TDRelaunchAdvised"],
        why: "A TD made under an old module, then updated around: Intel's later word is TDRelaunchAdvised. Here it is \
              the worst of launch and now, OutOfDate, which needs the same word in the policy and never passes for \
              less (TEE_TCB_SVN and TEE_TCB_SVN_2, A.4).",
        shown: Forged(forged::RELAUNCH),
    },
    Class {
        name: "status-merge",
        stricter: OursByStatus,
        says: &[],
        why: "Statuses of platform, TDX module and QE, when the TD was made and now, are merged to the worst of them, \
              configuration needs and all advisories included. They let a component count only if it is OutOfDate or \
              Revoked, and what runs now only in favour of the TD.",
        shown: Forged(forged::STATUS),
    },
    Class {
        name: "level-order",
        stricter: TheirsByStatus,
        says: &[],
        why: "Levels are listed highest first (Intel PCS API v4, `tcbLevels`), and the highest that is reached counts. \
              Here all lists are sorted; they sort the platform's only and take the first that is reached of the \
              others, in whatever order they stand.",
        shown: Forged(forged::LEVEL_ORDER),
    },
];
