//! What operators and waiting machines say to a member: admission, genesis, recovery, changes, status.
//!
//! Every document proves itself by the signatures in it, so it does not matter who carries it. All of it is JSON, on the wire as in files:
//! operators read it, sign it in turn and pass it on.

use hallmark_coalition::{Committee, UniqueId};
use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::{Admission, Genesis, Recovery, SlotSignature};
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::choice::{Extent, Found};

/// A machine's application for a slot: its admission to be, and what that rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// The epoch that it is for.
    pub epoch: u64,
    /// The admission; its slot signature is 64 zero bytes until the operator has signed.
    pub admission: Admission,
    /// evidence.json, bound to the admission's statement.
    #[serde(with = "blob")]
    pub evidence: Vec<u8>,
    /// The collateral that it is to be judged with.
    #[serde(with = "blob_option")]
    pub collateral: Option<Vec<u8>>,
    /// Where it listens for members.
    pub address: Address,
    /// The log key (`NAME+ID+BASE64`) that it would begin this epoch with.
    pub log_key: String,
}

/// A signed beginning: every slot's machine, each signed for by its operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisOrder {
    /// The first entry.
    pub genesis: Genesis,
    /// One application a slot, slots ascending.
    pub applications: Vec<Application>,
    /// The slot whose machine begins; the log key is its.
    pub begins: u16,
}

/// A signed new beginning from one member's disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryOrder {
    /// The entry.
    pub recovery: Recovery,
    /// One application for each of the entry's members, slots ascending.
    pub applications: Vec<Application>,
    /// The slot whose disk it goes on from, and whose machine begins.
    pub begins: u16,
    /// How far that disk goes.
    pub extent: Extent,
}

/// What is asked of a member outside the replicated core.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Request {
    /// How it stands.
    Standing,
    /// Its application for this epoch, stated over this tree.
    Apply {
        /// The epoch.
        epoch: u64,
        /// Size of a tree that exists.
        checkpoint_size: u64,
        /// Its root.
        checkpoint_root: Hash,
    },
    /// The application that it waits for a signature on.
    Pending,
    /// The operator's signature on that application.
    Sign {
        /// SHA-256 of the application's evidence: which one was signed.
        evidence: Hash,
        /// The signature.
        signature: SlotSignature,
    },
    /// Begin.
    Genesis(Box<GenesisOrder>),
    /// Go on in a new epoch.
    Recover(Box<RecoveryOrder>),
    /// What a quorum of slot operators signed, to be ordered.
    Change(Box<super::ChangeOrder>),
    /// Sign this recovery with the slot's key, where the access rules say `automatic`. From machines alone.
    Promise(Box<RecoveryOrder>),
}

/// The answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Answer {
    /// To [`Request::Standing`].
    Standing(Box<Standing>),
    /// To [`Request::Apply`] and [`Request::Pending`].
    Application(Box<Application>),
    /// To [`Request::Promise`].
    Promised(SlotSignature),
    /// To [`Request::Change`]: index of the entry that says so, under a quorum's checkpoint.
    Ordered(u64),
    /// Taken.
    Done,
}

/// Where a member is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It looks for a group that lives, and waits for a genesis.
    Founding,
    /// It has the disk of a former epoch, found no group that lives, and waits for a recovery.
    Waiting,
    /// A group lives; the slot's operator has to sign its application.
    Unsigned,
    /// It is being admitted, or learns what it missed.
    Joining,
    /// It is a member.
    Running,
}

/// How a member stands. Its own word, over a channel that proved which image says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The committee.
    pub group: UniqueId,
    /// The slot.
    pub slot: u16,
    /// SHA-256 of its channel key.
    #[serde(with = "hex::serde")]
    pub spki_sha256: [u8; 32],
    /// Where it is in its life.
    pub phase: Phase,
    /// The epoch it runs or was last part of.
    pub epoch: Option<u64>,
    /// Recoveries so far.
    pub recoveries: u64,
    /// Its node id, as a member.
    pub node: Option<u64>,
    /// What it is in the order: learner, follower, candidate, leader.
    pub role: Option<String>,
    /// The leader's node id. A leader without a quorum that answers names none.
    pub leader: Option<u64>,
    /// Leaves applied.
    pub applied: u64,
    /// Leaves under a quorum's cosignatures.
    pub cosigned: u64,
    /// Root of that tree.
    pub cosigned_root: Option<Hash>,
    /// What a member lacks to count in votes and cosignatures: `vouching`, `witnesses`, `vote`.
    pub lacks: Option<String>,
    /// Why it cosigns no more, or what keeps it from going on.
    pub fault: Option<String>,
    /// The disk of a former epoch, while it waits.
    pub disk: Option<Disk>,
    /// The latest epoch for which it signed an automatic recovery.
    pub promised: Option<u64>,
}

/// A disk of a former epoch, as far as a recovery must know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// How far it goes.
    pub found: Found,
    /// Root of the tree of `found.size` leaves.
    pub root: Hash,
    /// The log key of that epoch.
    pub log_key: String,
    /// Recoveries until then.
    pub recoveries: u64,
    /// The last checkpoint that a quorum cosigned: the signed note.
    pub checkpoint: String,
}

impl Application {
    /// Whether the slot's operator has signed it.
    #[must_use]
    pub fn is_signed(&self, committee: &Committee) -> bool {
        let slot = usize::from(self.admission.slot);
        committee
            .acl()
            .slots()
            .get(slot)
            .is_some_and(|key| self.admission.is_signed_by(key, &committee.id(), self.epoch))
    }
}

impl Standing {
    /// Whether a group lives there: it is a member, knows a leader (as one itself, hears a quorum) and cosigns.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Running && self.leader.is_some() && self.fault.is_none()
    }

    /// Whether it counts: it lives, votes, and may cosign. Until a replacement does, its slot is as good as empty.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.is_live() && self.lacks.is_none()
    }
}

/// Bytes as base64 (RFC 4648, 4).
mod blob {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        STANDARD.decode(text.as_bytes()).map_err(D::Error::custom)
    }
}

/// The same, of bytes that may be absent.
mod blob_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Blob(#[serde(with = "super::blob")] Vec<u8>);

    pub(super) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        bytes.clone().map(Blob).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Blob>::deserialize(from)?.map(|blob| blob.0))
    }
}
