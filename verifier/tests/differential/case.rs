//! What both verifiers are asked.

use std::sync::Arc;

use serde_json::{Map, Value};

/// Under which root.
#[derive(Clone)]
pub(crate) enum Root {
    Intel,
    /// A forged one, DER. The forge's vendor id is its own, and dcap-qvl knows Intel's only, so it is asked
    /// about `twin`: the same quote but for that id.
    Simulated {
        der: Vec<u8>,
        spki_sha256: [u8; 32],
        twin: Vec<u8>,
    },
}

/// One question.
#[derive(Clone)]
pub(crate) struct Case {
    /// How to make it again.
    pub(crate) what: String,
    pub(crate) quote: Vec<u8>,
    pub(crate) collateral: Vec<u8>,
    pub(crate) now: u64,
    pub(crate) root: Arc<Root>,
}

impl Case {
    pub(crate) fn named(&self, what: impl Into<String>) -> Self {
        Self { what: what.into(), ..self.clone() }
    }

    pub(crate) fn at(&self, now: u64) -> Self {
        Self { now, ..self.clone() }
    }

    pub(crate) fn with_quote(&self, quote: Vec<u8>) -> Self {
        Self { quote, ..self.clone() }
    }

    /// The collateral's fields, where it is a JSON object.
    pub(crate) fn fields(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&self.collateral).ok()
    }

    pub(crate) fn with_fields(&self, fields: &Map<String, Value>) -> Self {
        Self { collateral: serde_json::to_vec(fields).unwrap(), ..self.clone() }
    }

    pub(crate) fn text(&self, field: &str) -> Option<String> {
        self.fields()?.get(field)?.as_str().map(Into::into)
    }

    /// The same with one field of the collateral set, or taken out.
    pub(crate) fn with_field(&self, field: &str, value: Option<String>) -> Option<Self> {
        let mut fields = self.fields()?;
        match value {
            Some(value) => fields.insert(field.into(), value.into()),
            None => fields.remove(field),
        };
        Some(self.with_fields(&fields))
    }

    /// A field that holds hex.
    pub(crate) fn bytes(&self, field: &str) -> Option<Vec<u8>> {
        hex::decode(self.text(field)?).ok()
    }
}
