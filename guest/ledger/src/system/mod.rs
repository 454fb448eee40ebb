//! What a committee says of itself: the bodies of the surfaces `committee.*`, and the messages that are signed.
//!
//! Every body is JSON with these fields in this order. Keys, signatures and hashes are base64, identities hex. A message that is signed
//! is its domain, then each field behind its u32 LE length; numbers are fields of 8 bytes, little-endian.

mod admission;
mod blob;
mod body;
mod endorsement;
mod equivocation;
mod genesis;
mod lookup;
mod operators;
mod recovery;
mod rejection;
mod release;
mod retirement;
mod roster;
mod snapshot;

pub use admission::{Admission, Statement, slot_message};
pub use blob::{BLOB_PART, Blob, MAX_BLOB};
pub use body::{BodyError, SystemEntry};
pub use endorsement::{Endorsement, EndorsementSignature, endorsement_message};
pub use equivocation::{Equivocation, EquivocationError, Expulsion};
pub use genesis::Genesis;
pub use lookup::lookup_message;
pub use operators::{OperatorError, SlotSignature};
pub use recovery::{Candidate, Recovery};
pub use rejection::{Rejection, freshness_message};
pub use release::{Release, ReleaseAction};
pub use retirement::Retirement;
pub use roster::{Member, Roster};
pub use snapshot::SnapshotDigest;
