//! What a machine says of itself: evidence.json, or a raw TDX quote (SPECIFICATION, section 1).
//!
//! **What this does not show:** that any of it is true. The document is split into its parts, each part of
//! bounded size; the quote within, the log and the key are read by their own modules.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::event_log::{BootEvent, Register, RegisterValue};
use crate::hex_bytes::{HexBytes, NotHex};

/// The largest document that is read, in bytes.
pub const SIZE_MAX: usize = 4 << 20;
/// The most boot events that are read.
pub const BOOT_EVENTS_MAX: usize = 1024;
/// The longest name of a boot event, in bytes.
pub const EVENT_NAME_MAX: usize = 256;
/// The most certificates in `ak_chain`.
pub const AK_CHAIN_MAX: usize = 8;

/// Evidence, by the layer that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence<'a> {
    /// An Intel TDX trust domain.
    Tdx(TdxEvidence<'a>),
    /// A TPM: the host's word.
    Vtpm(VtpmEvidence),
    /// An AMD SEV-SNP guest. **Its report is not read**: this version has no check for it, so no policy can
    /// accept it.
    Snp(SnpEvidence),
}

/// A DCAP quote, and what came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TdxEvidence<'a> {
    /// The quote.
    pub quote: Cow<'a, [u8]>,
    /// The rest of evidence.json. None where the evidence is a raw quote.
    pub enclosed: Option<Enclosed>,
}

/// A quote of a TPM, and what came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VtpmEvidence {
    /// `TPM2B_ATTEST`, then `TPMT_SIGNATURE`.
    pub quote: Vec<u8>,
    /// `TPMT_PUBLIC` of the attestation key.
    pub ak: Vec<u8>,
    /// Certificates of the attestation key, DER, leaf first. Nothing reads them yet: the key counts because the
    /// policy names it.
    pub ak_chain: Vec<Vec<u8>>,
    /// The rest of evidence.json.
    pub enclosed: Enclosed,
}

/// An SNP report, and what came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnpEvidence {
    /// The attestation report.
    pub report: Vec<u8>,
    /// The rest of evidence.json.
    pub enclosed: Enclosed,
}

/// What evidence of every kind carries beside its quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosed {
    /// The event log; empty where the platform has none.
    pub event_log: Vec<u8>,
    /// The nonce that the machine says it was asked with. None where the binding is of another domain than
    /// `hallmark/evidence/1`: a session's or a statement's.
    pub nonce: Option<[u8; 32]>,
    /// The binding that the machine says its quote carries.
    pub binding: [u8; 64],
    /// What the guest extended itself, in order: RTMR3 in a TD, PCR 14 of a TPM.
    pub boot_events: Vec<BootEvent>,
    /// Azure's HCL report. Nothing reads it yet, and nothing is believed for it.
    pub hcl: Option<Vec<u8>>,
}

/// Why bytes are no evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// Larger than [`SIZE_MAX`].
    #[error("{size} bytes of evidence; at most {SIZE_MAX} are read")]
    Size {
        /// The size.
        size: usize,
    },
    /// Neither JSON nor the header of a quote.
    #[error("neither evidence.json nor a quote: {size} bytes that begin with {start}")]
    Unknown {
        /// The size.
        size: usize,
        /// The first bytes, in hex.
        start: String,
    },
    /// Not the document of SPECIFICATION, section 1. The message has line and column.
    #[error("not an evidence.json (SPECIFICATION 1): {0}")]
    Json(#[from] serde_json::Error),
    /// A field that this kind of evidence must have.
    #[error("evidence.json: {kind} evidence has no {field} (SPECIFICATION 1)")]
    Missing {
        /// `kind`.
        kind: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A field that this kind of evidence does not have.
    #[error("evidence.json: {kind} evidence has a field {field}, which is not its own (SPECIFICATION 1)")]
    Surplus {
        /// `kind`.
        kind: &'static str,
        /// The field.
        field: &'static str,
    },
    /// Not base64 (RFC 4648, 4, with padding).
    #[error("evidence.json: {field} is not base64 with padding: {source}")]
    Base64 {
        /// The field's path.
        field: String,
        /// What is wrong.
        source: base64::DecodeError,
    },
    /// A field of another length than it has.
    #[error("evidence.json: {field} is {length} bytes, must be {must} (SPECIFICATION 1)")]
    Length {
        /// The field.
        field: &'static str,
        /// Its length in bytes.
        length: usize,
        /// What it must be.
        must: usize,
    },
    /// A list that is too long.
    #[error("evidence.json: {field} has {count} entries; at most {most} are read")]
    Count {
        /// The field.
        field: &'static str,
        /// How many.
        count: usize,
        /// The most.
        most: usize,
    },
    /// A boot event of a register that the guest does not extend.
    #[error(
        "evidence.json: boot_events[{index}].register is {register:?}, must be {must:?} in {kind} evidence (SPECIFICATION 1)"
    )]
    Register {
        /// The event's place.
        index: usize,
        /// What it says.
        register: String,
        /// What it must be.
        must: &'static str,
        /// `kind`.
        kind: &'static str,
    },
    /// A boot event's name that is empty, too long or has control characters.
    #[error("evidence.json: boot_events[{index}].event is not 1 to {EVENT_NAME_MAX} bytes of printable text")]
    EventName {
        /// The event's place.
        index: usize,
    },
    /// A boot event's digest that is not hex.
    #[error("evidence.json: boot_events[{index}].digests: {source}")]
    Digest {
        /// The event's place.
        index: usize,
        /// What is wrong.
        source: NotHex,
    },
    /// A PCR's event without the SHA-256 digest: the quote covers both banks.
    #[error(
        "evidence.json: boot_events[{index}].digests has no sha256; a PCR is extended in both banks (SPECIFICATION 1)"
    )]
    Bank {
        /// The event's place.
        index: usize,
    },
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Tdx,
    Snp,
    Vtpm,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Tdx => "tdx",
            Self::Snp => "snp",
            Self::Vtpm => "vtpm",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    kind: Kind,
    #[serde(borrow)]
    quote: Cow<'a, str>,
    #[serde(borrow)]
    event_log: Cow<'a, str>,
    ak: Option<String>,
    ak_chain: Option<Vec<String>>,
    hcl: Option<String>,
    nonce: Option<String>,
    binding: String,
    boot_events: Vec<RawEvent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvent {
    register: String,
    event: String,
    digests: RawDigests,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDigests {
    sha256: Option<String>,
    sha384: String,
}

impl<'a> Evidence<'a> {
    /// Reads evidence.json, or a raw quote: bytes whose first 16 bits, little endian, are a small version number. Which version
    /// it is, and whether it is one of a TD, is the quote parser's question.
    ///
    /// # Errors
    ///
    /// When the bytes are neither, are too large, or a field is missing, unknown, or not of its form.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EvidenceError> {
        if bytes.len() > SIZE_MAX {
            return Err(EvidenceError::Size { size: bytes.len() });
        }
        if let [1..=9, 0, ..] = bytes {
            return Ok(Self::Tdx(TdxEvidence { quote: Cow::Borrowed(bytes), enclosed: None }));
        }
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            let start = hex::encode(bytes.get(..8).unwrap_or(bytes));
            return Err(EvidenceError::Unknown { size: bytes.len(), start });
        }
        Self::from_document(serde_json::from_slice(bytes)?)
    }

    fn from_document(document: Document<'_>) -> Result<Self, EvidenceError> {
        let kind = document.kind.word();
        let quote = base64("quote", &document.quote)?;
        let enclosed = Enclosed {
            event_log: base64("event_log", &document.event_log)?,
            nonce: document.nonce.map(|nonce| fixed("nonce", &nonce)).transpose()?,
            binding: fixed("binding", &document.binding)?,
            boot_events: boot_events(document.kind, document.boot_events)?,
            hcl: document.hcl.map(|hcl| base64("hcl", &hcl)).transpose()?,
        };
        let vtpm_only = [("ak", document.ak.is_some()), ("ak_chain", document.ak_chain.is_some())];
        if !matches!(document.kind, Kind::Vtpm)
            && let Some((field, _)) = vtpm_only.into_iter().find(|(_, there)| *there)
        {
            return Err(EvidenceError::Surplus { kind, field });
        }
        Ok(match document.kind {
            Kind::Tdx => Self::Tdx(TdxEvidence { quote: Cow::Owned(quote), enclosed: Some(enclosed) }),
            Kind::Snp => Self::Snp(SnpEvidence { report: quote, enclosed }),
            Kind::Vtpm => {
                let ak = document.ak.ok_or(EvidenceError::Missing { kind, field: "ak" })?;
                let chain = document.ak_chain.unwrap_or_default();
                bounded("ak_chain", chain.len(), AK_CHAIN_MAX)?;
                let certificate =
                    |(index, text): (usize, &String)| base64(&format!("ak_chain[{index}]"), text);
                let ak_chain = chain.iter().enumerate().map(certificate).collect::<Result<_, _>>()?;
                Self::Vtpm(VtpmEvidence { quote, ak: base64("ak", &ak)?, ak_chain, enclosed })
            }
        })
    }

    /// `kind`: `tdx`, `vtpm` or `snp`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Tdx(_) => Kind::Tdx.word(),
            Self::Vtpm(_) => Kind::Vtpm.word(),
            Self::Snp(_) => Kind::Snp.word(),
        }
    }

    /// What came beside the quote. None where the evidence is a raw quote.
    #[must_use]
    pub const fn enclosed(&self) -> Option<&Enclosed> {
        match self {
            Self::Tdx(tdx) => tdx.enclosed.as_ref(),
            Self::Vtpm(vtpm) => Some(&vtpm.enclosed),
            Self::Snp(snp) => Some(&snp.enclosed),
        }
    }
}

fn base64(field: &str, text: &str) -> Result<Vec<u8>, EvidenceError> {
    STANDARD.decode(text).map_err(|source| EvidenceError::Base64 { field: field.to_owned(), source })
}

fn fixed<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], EvidenceError> {
    let bytes = base64(field, text)?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| EvidenceError::Length { field, length, must: N })
}

const fn bounded(field: &'static str, count: usize, most: usize) -> Result<(), EvidenceError> {
    if count > most {
        return Err(EvidenceError::Count { field, count, most });
    }
    Ok(())
}

fn boot_events(kind: Kind, events: Vec<RawEvent>) -> Result<Vec<BootEvent>, EvidenceError> {
    bounded("boot_events", events.len(), BOOT_EVENTS_MAX)?;
    let (register, must) = match kind {
        Kind::Tdx => (Register::Rtmr(3), "rtmr3"),
        Kind::Vtpm => (Register::Pcr(14), "pcr14"),
        // An SNP guest has no register that it could extend.
        Kind::Snp => return bounded("boot_events", events.len(), 0).map(|()| Vec::new()),
    };
    let convert = |(index, event): (usize, RawEvent)| {
        if event.register != must {
            let register = event.register.chars().take(32).collect();
            return Err(EvidenceError::Register { index, register, must, kind: kind.word() });
        }
        if event.event.is_empty()
            || event.event.len() > EVENT_NAME_MAX
            || event.event.chars().any(char::is_control)
        {
            return Err(EvidenceError::EventName { index });
        }
        let bad = |source| EvidenceError::Digest { index, source };
        let sha256 = event.digests.sha256.as_deref().map(HexBytes::parse).transpose().map_err(bad)?;
        let sha384 = HexBytes::parse(&event.digests.sha384).map_err(bad)?;
        if matches!(kind, Kind::Vtpm) && sha256.is_none() {
            return Err(EvidenceError::Bank { index });
        }
        let digests = RegisterValue { sha256: sha256.map(|hex| hex.0), sha384: Some(sha384.0) };
        Ok(BootEvent { register, name: event.event, digests })
    };
    events.into_iter().enumerate().map(convert).collect()
}

#[cfg(test)]
mod tests;
