//! Which body an entry has.

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use super::{
    Admission, Blob, Endorsement, Equivocation, Expulsion, Genesis, Recovery, Rejection, Release, Retirement,
    SnapshotDigest,
};
use crate::entry::{COMMITTEE, Entry, EntryDraft, EntryError};

/// A body of one of the committee's own surfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "one at a time, never in bulk")]
pub enum SystemEntry {
    /// `committee.genesis`.
    Genesis(Genesis),
    /// `committee.blob`.
    Blob(Blob),
    /// `committee.admission`.
    Admission(Admission),
    /// `committee.release`.
    Release(Release),
    /// `committee.endorsement`.
    Endorsement(Endorsement),
    /// `committee.rejection`.
    Rejection(Rejection),
    /// `committee.snapshot`.
    Snapshot(SnapshotDigest),
    /// `committee.equivocation`.
    Equivocation(Equivocation),
    /// `committee.expulsion`.
    Expulsion(Expulsion),
    /// `committee.recovery`.
    Recovery(Recovery),
    /// `committee.retirement`.
    Retirement(Retirement),
}

/// Why an entry says nothing that we know.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Not one of the surfaces.
    #[error("{0:?} is no surface of a committee; written by a later version?")]
    Surface(String),
    /// Other fields.
    #[error("{surface}: {source}")]
    Json {
        /// The surface.
        surface: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The same in other bytes.
    #[error("{surface}: the body is not in its one spelling (fields in order, no blanks, no field left out)")]
    Spelling {
        /// The surface.
        surface: String,
    },
}

impl SystemEntry {
    /// Reads the body of an entry on a surface `committee.*`; none of other entries.
    ///
    /// # Errors
    /// Where the surface is unknown or the body is not its.
    pub fn of(entry: &Entry) -> Result<Option<Self>, BodyError> {
        let Some(word) = entry.surface().strip_prefix(COMMITTEE) else { return Ok(None) };
        Ok(Some(match word {
            "genesis" => Self::Genesis(read(entry)?),
            "blob" => Self::Blob(read(entry)?),
            "admission" => Self::Admission(read(entry)?),
            "release" => Self::Release(read(entry)?),
            "endorsement" => Self::Endorsement(read(entry)?),
            "rejection" => Self::Rejection(read(entry)?),
            "snapshot" => Self::Snapshot(read(entry)?),
            "equivocation" => Self::Equivocation(read(entry)?),
            "expulsion" => Self::Expulsion(read(entry)?),
            "recovery" => Self::Recovery(read(entry)?),
            "retirement" => Self::Retirement(read(entry)?),
            _ => return Err(BodyError::Surface(entry.surface().to_owned())),
        }))
    }

    /// The surface's name.
    #[must_use]
    pub const fn surface(&self) -> &'static str {
        match self {
            Self::Genesis(_) => "committee.genesis",
            Self::Blob(_) => "committee.blob",
            Self::Admission(_) => "committee.admission",
            Self::Release(_) => "committee.release",
            Self::Endorsement(_) => "committee.endorsement",
            Self::Rejection(_) => "committee.rejection",
            Self::Snapshot(_) => "committee.snapshot",
            Self::Equivocation(_) => "committee.equivocation",
            Self::Expulsion(_) => "committee.expulsion",
            Self::Recovery(_) => "committee.recovery",
            Self::Retirement(_) => "committee.retirement",
        }
    }

    /// An entry to be, on this surface.
    ///
    /// # Errors
    /// Where the body has no JSON form, which does not happen.
    pub fn draft(&self) -> Result<EntryDraft, EntryError> {
        let surface = self.surface();
        match self {
            Self::Genesis(body) => EntryDraft::new(surface, body),
            Self::Blob(body) => EntryDraft::new(surface, body),
            Self::Admission(body) => EntryDraft::new(surface, body),
            Self::Release(body) => EntryDraft::new(surface, body),
            Self::Endorsement(body) => EntryDraft::new(surface, body),
            Self::Rejection(body) => EntryDraft::new(surface, body),
            Self::Snapshot(body) => EntryDraft::new(surface, body),
            Self::Equivocation(body) => EntryDraft::new(surface, body),
            Self::Expulsion(body) => EntryDraft::new(surface, body),
            Self::Recovery(body) => EntryDraft::new(surface, body),
            Self::Retirement(body) => EntryDraft::new(surface, body),
        }
    }
}

fn read<T: DeserializeOwned + Serialize>(entry: &Entry) -> Result<T, BodyError> {
    let surface = || entry.surface().to_owned();
    let failed = |source| BodyError::Json { surface: surface(), source };
    let body: T = serde_json::from_str(entry.body().get()).map_err(failed)?;
    if serde_json::to_string(&body).map_err(failed)? == entry.body().get() {
        Ok(body)
    } else {
        Err(BodyError::Spelling { surface: surface() })
    }
}
