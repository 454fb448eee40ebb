//! Members' signatures beside the log's: C2SP cosignature/v1, and checkpoints that a quorum signed.
//!
//! <https://c2sp.org/tlog-cosignature>. What is signed: `cosignature/v1`, a newline, `time UNIX`, a newline, the checkpoint's whole
//! text. On the note's line: key id, u64 BE time, 64 bytes Ed25519. The key id is that of a signed note with type 0x04.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    hash::Hash,
    note::{self, Note, NoteError, Signer, Verifier},
    system::{Member, Roster},
};

/// The signature type of cosignature/v1.
const COSIGNATURE_V1: u8 = 4;

/// A member's signing key. Made in memory at boot, wiped when dropped, never shown; it signs checkpoints and the member's other words.
pub struct CosignKey(SigningKey);

/// One member's signature of a checkpoint, as it travels; nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cosignature {
    /// The member's slot.
    pub slot: u16,
    /// The member: index of its admission.
    pub node: u64,
    /// When it signed by its own clock, Unix seconds.
    pub time: u64,
    /// Ed25519.
    #[serde(with = "crate::encoding::base64")]
    pub signature: [u8; 64],
}

/// A cosignature that verifies, and what it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedCosignature {
    cosignature: Cosignature,
    key: [u8; 32],
    /// SHA-256 of the checkpoint's text.
    signs: Hash,
}

/// A checkpoint that the log's key signed, and q members of the roster at its size. Exists only if verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    cosignatures: Vec<Cosignature>,
    note: String,
}

/// Whose signatures count.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// The log's key in this epoch.
    pub log: &'a Verifier,
    /// The members at the checkpoint's size.
    pub roster: &'a Roster,
    /// How many of them must have signed.
    pub quorum: usize,
}

/// Why a checkpoint does not count.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CosignatureError {
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not a checkpoint of ours.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The log's own signature is missing.
    #[error("checkpoint of size {size}: no signature by the log key {key}")]
    Log {
        /// The checkpoint's size.
        size: u64,
        /// The key.
        key: String,
    },
    /// A log key of another origin.
    #[error("checkpoint of origin {got:?}, but the log key is named {want:?}")]
    Origin {
        /// The checkpoint's origin.
        got: String,
        /// The key's name.
        want: String,
    },
    /// Another epoch than the roster's.
    #[error("checkpoint of epoch {got}, but the roster is of epoch {want}")]
    Epoch {
        /// The checkpoint's epoch.
        got: u64,
        /// The roster's.
        want: u64,
    },
    /// Another roster.
    #[error("checkpoint of size {size} names roster {got}, but the roster at that size is {want}")]
    Roster {
        /// The checkpoint's size.
        size: u64,
        /// What it names.
        got: Hash,
        /// What the entries say.
        want: Hash,
    },
    /// A member's signature that is wrong: damage or an attack, not an absence.
    #[error("checkpoint of size {size}: the cosignature of slot {slot}, node {node} is wrong")]
    Wrong {
        /// The checkpoint's size.
        size: u64,
        /// The slot.
        slot: u16,
        /// The node.
        node: u64,
    },
    /// Somebody who is not in the roster.
    #[error("slot {slot}, node {node} is not in the roster")]
    Stranger {
        /// The slot.
        slot: u16,
        /// The node.
        node: u64,
    },
    /// Too few.
    #[error("checkpoint of size {size}: {got} members signed, {want} are needed")]
    Quorum {
        /// The checkpoint's size.
        size: u64,
        /// Distinct slots that signed.
        got: usize,
        /// The quorum.
        want: usize,
    },
    /// No randomness for a key.
    #[error("no randomness: {0}")]
    Randomness(String),
}

impl CosignKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// Where there is none.
    pub fn generate() -> Result<Self, CosignatureError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|e| CosignatureError::Randomness(e.to_string()))?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of a seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half, as an admission carries it.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a checkpoint as the member `node` of `slot`. `time` is Unix seconds, not 0 (C2SP keeps 0 for "no time").
    #[must_use]
    pub fn cosign(&self, checkpoint: &Checkpoint, slot: u16, node: u64, time: u64) -> CheckedCosignature {
        let text = checkpoint.text();
        let signature = self.0.sign(&message(&text, time)).to_bytes();
        let cosignature = Cosignature { slot, node, time, signature };
        CheckedCosignature { cosignature, key: self.public(), signs: Hash::of(text) }
    }

    /// Signs another message of a member (an endorsement, a freshness answer: [`crate::system`] has them). Its domain must be in it, and
    /// is never `cosignature/v1`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for CosignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CosignKey({})", hex::encode(self.public()))
    }
}

/// Whether `key` signed `message`. Weak keys and non-canonical signatures never did.
#[must_use]
pub fn signed(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key)
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

/// Name under which a member cosigns: `<origin>/<slot>/<node>`.
#[must_use]
pub fn cosigner_name(origin: &str, slot: u16, node: u64) -> String {
    format!("{origin}/{slot}/{node}")
}

fn message(text: &str, time: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

impl Cosignature {
    /// Holds the signature against the member that it names.
    ///
    /// # Errors
    /// Where the member is not in the roster or the signature is wrong.
    pub fn check(
        self,
        checkpoint: &Checkpoint,
        roster: &Roster,
    ) -> Result<CheckedCosignature, CosignatureError> {
        let Self { slot, node, time, .. } = self;
        let member = roster.members.get(&slot).filter(|member| member.node == node);
        let member = member.ok_or(CosignatureError::Stranger { slot, node })?;
        let text = checkpoint.text();
        if !signed(&member.cosign_key, &message(&text, time), &self.signature) {
            return Err(CosignatureError::Wrong { size: checkpoint.size, slot, node });
        }
        Ok(CheckedCosignature { key: member.cosign_key, cosignature: self, signs: Hash::of(text) })
    }
}

impl CheckedCosignature {
    /// The signature, to be sent.
    #[must_use]
    pub const fn cosignature(&self) -> &Cosignature {
        &self.cosignature
    }
}

impl SignedCheckpoint {
    /// Reads a note and counts who signed it.
    ///
    /// # Errors
    /// Where the log's signature or the quorum is missing, or one of the members' signatures is wrong. Lines by others say nothing
    /// and are passed over.
    pub fn verify(bytes: &[u8], keys: &Keys<'_>) -> Result<Self, CosignatureError> {
        let note = Note::parse(bytes)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        keys.hold(&checkpoint)?;
        if note.verified(std::slice::from_ref(keys.log))?.is_empty() {
            return Err(CosignatureError::Log { size: checkpoint.size, key: keys.log.to_string() });
        }
        let mut cosignatures = Vec::new();
        for member in keys.roster.members.values() {
            if let Some(cosignature) = cosignature_of(&note, &checkpoint, member)? {
                cosignatures.push(cosignature);
            }
        }
        keys.count(&checkpoint, cosignatures.len())?;
        let note = String::from_utf8(bytes.to_vec()).map_err(|_| NoteError::Text)?;
        Ok(Self { checkpoint, cosignatures, note })
    }

    /// Makes the note from signatures that were checked one by one.
    ///
    /// # Errors
    /// Where they sign something else, are not of the roster, or are too few.
    pub fn assemble(
        checkpoint: Checkpoint,
        log: &Signer,
        cosignatures: &[CheckedCosignature],
        roster: &Roster,
        quorum: usize,
    ) -> Result<Self, CosignatureError> {
        let keys = Keys { log: &log.verifier(), roster, quorum };
        keys.hold(&checkpoint)?;
        let text = checkpoint.text();
        let signs = Hash::of(&text);
        let mut note = Note::new(&text)?;
        note.sign(log);
        let mut counted = Vec::new();
        for member in roster.members.values() {
            let of_member = |c: &&CheckedCosignature| {
                c.signs == signs && c.key == member.cosign_key && c.cosignature.node == member.node
            };
            if let Some(CheckedCosignature { cosignature, .. }) = cosignatures.iter().find(of_member) {
                let name = cosigner_name(&checkpoint.origin, member.slot, member.node);
                let id = note::key_id(&name, COSIGNATURE_V1, &member.cosign_key);
                let value = [&cosignature.time.to_be_bytes()[..], &cosignature.signature].concat();
                note.add(&name, id, value)?;
                counted.push(cosignature.clone());
            }
        }
        keys.count(&checkpoint, counted.len())?;
        Ok(Self { checkpoint, cosignatures: counted, note: note.to_string() })
    }

    /// What was signed.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Who signed, by slot.
    #[must_use]
    pub fn cosignatures(&self) -> &[Cosignature] {
        &self.cosignatures
    }

    /// The note, byte for byte as it is served.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }
}

impl Keys<'_> {
    /// Whether the checkpoint is of this log, epoch and roster.
    fn hold(&self, checkpoint: &Checkpoint) -> Result<(), CosignatureError> {
        let Checkpoint { origin, size, epoch, roster, .. } = checkpoint;
        if origin != self.log.name() {
            return Err(CosignatureError::Origin { got: origin.clone(), want: self.log.name().to_owned() });
        }
        if *epoch != self.roster.epoch {
            return Err(CosignatureError::Epoch { got: *epoch, want: self.roster.epoch });
        }
        let want = self.roster.hash();
        if *roster != want {
            return Err(CosignatureError::Roster { size: *size, got: *roster, want });
        }
        Ok(())
    }

    fn count(&self, checkpoint: &Checkpoint, got: usize) -> Result<(), CosignatureError> {
        // A quorum of none is no quorum, whoever asks.
        if got >= self.quorum.max(1) {
            Ok(())
        } else {
            Err(CosignatureError::Quorum { size: checkpoint.size, got, want: self.quorum.max(1) })
        }
    }
}

/// The member's signature on a note, verified; none if it did not sign.
///
/// # Errors
/// Where a line claims the member's key and is wrong.
pub fn cosignature_of(
    note: &Note,
    checkpoint: &Checkpoint,
    member: &Member,
) -> Result<Option<Cosignature>, CosignatureError> {
    let key = CosignerKey {
        name: cosigner_name(&checkpoint.origin, member.slot, member.node),
        key: member.cosign_key,
    };
    let (slot, node) = (member.slot, member.node);
    match key.signature(note) {
        Ok(found) => Ok(found.map(|(time, signature)| Cosignature { slot, node, time, signature })),
        Err(_) => Err(CosignatureError::Wrong { size: checkpoint.size, slot, node }),
    }
}

/// The public key of any cosigner: a member, or a witness from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignerKey {
    name: String,
    key: [u8; 32],
}

impl CosignerKey {
    /// A key under its name.
    ///
    /// # Errors
    /// Where the name is none or the key is no good point of the curve.
    pub fn new(name: &str, key: [u8; 32]) -> Result<Self, NoteError> {
        let name = note::checked_name(name)?.to_owned();
        match VerifyingKey::from_bytes(&key) {
            Ok(point) if !point.is_weak() => Ok(Self { name, key }),
            _ => Err(NoteError::Key("not a point of the curve, or a weak one")),
        }
    }

    /// Reads `NAME+ID+BASE64(0x04 || public key)`.
    ///
    /// # Errors
    /// Where it is not that, or the id is not the key's.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("not NAME+ID+KEY"));
        };
        let key = STANDARD.decode(key).map_err(|_| NoteError::Key("not base64"))?;
        let key = key.strip_prefix(&[COSIGNATURE_V1]).ok_or(NoteError::Key("not a cosignature/v1 key"))?;
        let key = Self::new(name, key.try_into().map_err(|_| NoteError::Key("not 32 bytes"))?)?;
        if hex::encode(key.id()) == id { Ok(key) } else { Err(NoteError::Key("the id is not the key's")) }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The four bytes that tell keys of one name apart.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        note::key_id(&self.name, COSIGNATURE_V1, &self.key)
    }

    /// When this key cosigned the note's text, Unix seconds; none if it did not.
    ///
    /// # Errors
    /// Where a line claims this key and is wrong.
    pub fn verify(&self, note: &Note) -> Result<Option<u64>, NoteError> {
        Ok(self.signature(note)?.map(|(time, _)| time))
    }

    /// The first signature; every line that claims the key must be right.
    fn signature(&self, note: &Note) -> Result<Option<(u64, [u8; 64])>, NoteError> {
        let mut first = None;
        for line in note.claims(&self.name, self.id()) {
            let wrong = || NoteError::Wrong(self.name.clone());
            let (time, signature) = line.split_first_chunk::<8>().ok_or_else(wrong)?;
            let signature: [u8; 64] = signature.try_into().map_err(|_| wrong())?;
            let time = u64::from_be_bytes(*time);
            if !signed(&self.key, &message(note.text(), time), &signature) {
                return Err(wrong());
            }
            first = first.or(Some((time, signature)));
        }
        Ok(first)
    }
}

impl fmt::Display for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[COSIGNATURE_V1][..], &self.key].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(key))
    }
}
