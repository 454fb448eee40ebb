//! What a machine wants to say; the committee adds the sequence number and publishes it.

use hallmark_coalition::AlmanacTick;
use hallmark_ledger::pointer::EvidencePointer;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::SurfaceName;

/// An entry to be: everything but its sequence number.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Where it is published.
    pub surface: SurfaceName,
    /// The key, on a collection.
    pub key: Option<String>,
    /// The body, as the exact JSON that is served.
    pub body: Box<RawValue>,
    /// Entries of other citizens that it rests on.
    pub evidence: Vec<EvidencePointer>,
    /// The tick it belongs to, where the machine follows an almanac.
    pub tick: Option<AlmanacTick>,
}

impl Draft {
    /// An entry of a stream.
    ///
    /// # Errors
    /// Where `body` has no JSON form (a map whose keys are not strings).
    pub fn stream(surface: SurfaceName, body: &impl Serialize) -> Result<Self, serde_json::Error> {
        let body = serde_json::value::to_raw_value(body)?;
        Ok(Self { surface, key: None, body, evidence: Vec::new(), tick: None })
    }

    /// An entry of a collection under `key`.
    ///
    /// # Errors
    /// Where `body` has no JSON form (a map whose keys are not strings).
    pub fn keyed(
        surface: SurfaceName,
        key: impl Into<String>,
        body: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self { key: Some(key.into()), ..Self::stream(surface, body)? })
    }
}
