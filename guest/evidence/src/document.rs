//! evidence.json, SPECIFICATION §1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::boot_event::BootEvent;
use crate::{Binding, Kind, Nonce, Source, SourceError};

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The platform did not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The answer could not be written as JSON.
    #[error("evidence.json: {0}")]
    Json(#[from] serde_json::Error),
}

/// The fields in the order of the specification's table.
#[derive(Serialize)]
struct Document<'a> {
    kind: Kind,
    quote: Base64<'a>,
    event_log: Base64<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ak: Option<Base64<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ak_chain: Vec<Base64<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<Base64<'a>>,
    binding: Base64<'a>,
    boot_events: &'a [BootEvent],
}

/// Bytes as padded base64 (RFC 4648, §4).
struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0))
    }
}

/// Asks `source` and writes its answer down. `bound` is the SHA-256 of the file or key that the evidence
/// binds, or [`crate::NOTHING_BOUND`].
///
/// # Errors
/// The source's.
pub fn evidence_json(
    source: &mut dyn Source,
    nonce: &Nonce,
    bound: &[u8; 32],
) -> Result<Vec<u8>, EvidenceError> {
    document(source, Some(nonce), &Binding::new(nonce, bound))
}

/// Asks `source` for evidence under a binding of another domain ([`Binding::of_hash`]). The document names no nonce: a nonce
/// there belongs to `hallmark/evidence/1`.
///
/// # Errors
/// The source's.
pub fn bound_evidence_json(source: &mut dyn Source, binding: &Binding) -> Result<Vec<u8>, EvidenceError> {
    document(source, None, binding)
}

fn document(
    source: &mut dyn Source,
    nonce: Option<&Nonce>,
    binding: &Binding,
) -> Result<Vec<u8>, EvidenceError> {
    let kind = source.kind();
    let statement = source.state(binding)?;
    let document = Document {
        kind,
        quote: Base64(&statement.quote),
        event_log: Base64(&statement.event_log),
        ak: statement.ak.as_deref().map(Base64),
        ak_chain: statement.ak_chain.iter().map(|certificate| Base64(certificate)).collect(),
        nonce: nonce.map(|nonce| Base64(nonce.as_bytes())),
        binding: Base64(binding.report_data()),
        boot_events: &statement.boot_events,
    };
    Ok(serde_json::to_vec(&document)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NOTHING_BOUND, Statement};

    struct Fixed(Kind, Statement);

    impl Source for Fixed {
        fn kind(&self) -> Kind {
            self.0
        }
        fn state(&mut self, binding: &Binding) -> Result<Statement, SourceError> {
            let mut statement = self.1.clone();
            statement.quote.extend_from_slice(binding.report_data());
            Ok(statement)
        }
    }

    #[test]
    fn a_vtpm_document_has_the_fields_of_the_specification() {
        let statement = Statement { event_log: vec![1], ak: Some(vec![2, 3]), ..Statement::default() };
        let mut source = Fixed(Kind::Vtpm, statement);
        let json = evidence_json(&mut source, &Nonce::new([9; 32]), &NOTHING_BOUND).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys.len(), 7, "{keys:?}");
        assert_eq!(value["kind"], "vtpm");
        assert_eq!(value["ak"], "AgM=");
        assert_eq!(value["event_log"], "AQ==");
        assert_eq!(value["quote"], value["binding"]);
        assert_eq!(value["nonce"], STANDARD.encode([9; 32]));
        assert_eq!(value["boot_events"], serde_json::json!([]));
    }

    #[test]
    fn evidence_of_another_domain_names_no_nonce() {
        let mut source = Fixed(Kind::Tdx, Statement::default());
        let json = bound_evidence_json(&mut source, &Binding::of_hash([5; 64])).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert!(value.get("nonce").is_none());
        assert_eq!(value["binding"], STANDARD.encode([5; 64]));
        assert_eq!(value["quote"], value["binding"]);
    }

    #[test]
    fn a_chain_stands_only_where_there_is_one() {
        let statement = Statement { ak_chain: vec![vec![1], vec![2]], ..Statement::default() };
        let json = evidence_json(&mut Fixed(Kind::Snp, statement), &Nonce::new([0; 32]), &[1; 32]).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(value["ak_chain"], serde_json::json!(["AQ==", "Ag=="]));
        assert!(value.get("ak").is_none());
    }
}
