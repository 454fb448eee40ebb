//! Entries: the leaves of a ledger, the exact JSON bytes that are served.
//!
//! `{"surface","key"?,"seq","body","evidence","tick"?,"submission"?}`, in this order, without blanks between the fields. An entry that
//! is written otherwise is no entry, so that two readers of the bytes read the same.

use std::borrow::Cow;

use hallmark_coalition::AlmanacTick;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{hash::Hash, pointer::EvidencePointer};

/// Most bytes of an entry: what a tlog-tiles entry bundle can hold.
pub const MAX_ENTRY: usize = 65_535;
/// Most bytes of a surface's name.
pub const MAX_SURFACE: usize = 64;
/// Most bytes of a key.
pub const MAX_KEY: usize = 1024;
/// What the names of the committee's own surfaces begin with.
pub const COMMITTEE: &str = "committee.";

/// Whose command led to an entry: with it the fate of a submission can be shown from the ledger alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// The client, as lower-case hex.
    #[serde(with = "crate::encoding::hex_array")]
    pub client: [u8; 32],
    /// The client's number for the command.
    pub nonce: u64,
    /// SHA-256 of the surface behind its u32 LE length, then the bytes that were submitted.
    pub command: Hash,
}

/// An entry: the bytes, and what they say.
#[derive(Debug, Clone)]
pub struct Entry {
    bytes: Vec<u8>,
    fields: Fields<'static>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    surface: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    key: Option<Cow<'a, str>>,
    seq: u64,
    body: Cow<'a, RawValue>,
    evidence: Cow<'a, [EvidencePointer]>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    tick: Option<Cow<'a, AlmanacTick>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    submission: Option<Submission>,
}

/// An entry to be: everything but its number on its surface.
#[derive(Debug, Clone)]
pub struct EntryDraft {
    /// Where it is published.
    pub surface: String,
    /// The key, on a collection.
    pub key: Option<String>,
    /// The body as JSON; published byte for byte.
    pub body: Box<RawValue>,
    /// Entries of other citizens that it rests on.
    pub evidence: Vec<EvidencePointer>,
    /// The tick it belongs to.
    pub tick: Option<AlmanacTick>,
    /// Whose command led to it; none on what the committee says of itself.
    pub submission: Option<Submission>,
}

/// Why bytes are no entry, or a draft cannot be one.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Too long.
    #[error(
        "entry: {got} bytes, a leaf has at most {MAX_ENTRY} (C2SP tlog-tiles, entry bundles); publish less at once"
    )]
    TooLong {
        /// Bytes.
        got: usize,
    },
    /// Not JSON, or not these fields.
    #[error("entry: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of the same meaning in other bytes.
    #[error("entry: not in its one spelling: byte {at} differs (fields in order, no blanks between them)")]
    Spelling {
        /// Offset of the first byte that differs.
        at: usize,
    },
    /// A control byte. Entries are lines in a stream.
    #[error("entry: control byte {value:#04x} at {at}; write the body without line breaks")]
    Control {
        /// Offset.
        at: usize,
        /// The byte.
        value: u8,
    },
    /// A surface's name that is none.
    #[error(
        "entry: surface {0:?} is not kebab case of 1 to {MAX_SURFACE} bytes, with or without `{COMMITTEE}` before it"
    )]
    Surface(String),
    /// A key too long, or empty.
    #[error("entry: a key has 1 to {MAX_KEY} bytes, not {0}")]
    Key(usize),
}

/// `null` is not another way to leave a field out.
fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Whether a name is one of a surface.
#[must_use]
pub fn is_surface(name: &str) -> bool {
    let word = name.strip_prefix(COMMITTEE).unwrap_or(name);
    let kebab = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !word.is_empty() && name.len() <= MAX_SURFACE && word.bytes().all(kebab)
}

impl EntryDraft {
    /// A draft of a stream, of nobody's command.
    ///
    /// # Errors
    /// Where `body` has no JSON form.
    pub fn new(surface: impl Into<String>, body: &impl Serialize) -> Result<Self, EntryError> {
        let body = serde_json::value::to_raw_value(body)?;
        Ok(Self {
            surface: surface.into(),
            key: None,
            body,
            evidence: Vec::new(),
            tick: None,
            submission: None,
        })
    }

    /// The bytes of the leaf, as number `seq` of its surface.
    ///
    /// # Errors
    /// Where it is too long, or the surface or key is none.
    pub fn encode(&self, seq: u64) -> Result<Vec<u8>, EntryError> {
        let bytes = serde_json::to_vec(&Fields {
            surface: self.surface.as_str().into(),
            key: self.key.as_deref().map(Into::into),
            seq,
            body: Cow::Borrowed(&*self.body),
            evidence: self.evidence.as_slice().into(),
            tick: self.tick.as_ref().map(Cow::Borrowed),
            submission: self.submission,
        })?;
        check(&bytes, &self.surface, self.key.as_deref())?;
        Ok(bytes)
    }
}

fn check(bytes: &[u8], surface: &str, key: Option<&str>) -> Result<(), EntryError> {
    if bytes.len() > MAX_ENTRY {
        return Err(EntryError::TooLong { got: bytes.len() });
    }
    if let Some((at, &value)) = bytes.iter().enumerate().find(|(_, b)| **b < 0x20) {
        return Err(EntryError::Control { at, value });
    }
    if !is_surface(surface) {
        return Err(EntryError::Surface(surface.chars().take(MAX_SURFACE).collect()));
    }
    match key {
        Some(key) if key.is_empty() || key.len() > MAX_KEY => Err(EntryError::Key(key.len())),
        _ => Ok(()),
    }
}

impl Entry {
    /// Reads a leaf.
    ///
    /// # Errors
    /// Where the bytes are not an entry in its one spelling.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        Self::of(bytes.to_vec())
    }

    /// Reads a leaf without a copy.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn of(bytes: Vec<u8>) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY {
            return Err(EntryError::TooLong { got: bytes.len() });
        }
        let fields: Fields<'static> = serde_json::from_slice(&bytes)?;
        check(&bytes, &fields.surface, fields.key.as_deref())?;
        let spelling = serde_json::to_vec(&fields)?;
        if spelling != bytes {
            let same = spelling.iter().zip(&bytes).take_while(|(a, b)| a == b).count();
            return Err(EntryError::Spelling { at: same });
        }
        Ok(Self { bytes, fields })
    }

    /// The leaf, byte for byte.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The leaf, byte for byte.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Where it is published.
    #[must_use]
    pub fn surface(&self) -> &str {
        &self.fields.surface
    }

    /// The key, on a collection.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.fields.key.as_deref()
    }

    /// Its number on its surface, from 0.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.fields.seq
    }

    /// The body: JSON, as it stands.
    #[must_use]
    pub fn body(&self) -> &RawValue {
        &self.fields.body
    }

    /// Entries of other citizens that it rests on. Not verified here: [`EvidencePointer::verify`].
    #[must_use]
    pub fn evidence(&self) -> &[EvidencePointer] {
        &self.fields.evidence
    }

    /// The tick it belongs to.
    #[must_use]
    pub fn tick(&self) -> Option<&AlmanacTick> {
        self.fields.tick.as_deref()
    }

    /// Whose command led to it.
    #[must_use]
    pub const fn submission(&self) -> Option<&Submission> {
        self.fields.submission.as_ref()
    }

    /// Whether the committee says it of itself (surface `committee.*`).
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.surface().starts_with(COMMITTEE)
    }
}
