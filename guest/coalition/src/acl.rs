//! Who may sit in a committee, how many of them speak for it, and whom it serves.

use std::collections::BTreeSet;

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::UniqueId;
use crate::object::object;
use crate::preimage::Preimage;

/// Most slots of a committee.
pub const MAX_SLOTS: usize = 31;

/// What happens when a quorum is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recovery {
    /// A quorum of slot operators signs a recovery.
    #[default]
    Operators,
    /// Members start again from the disks they find. It trusts the host's disks.
    Automatic,
}

object! {
    /// A committee's access rules: its slots, its quorum, its way of recovery and the tickets it asks for.
    ///
    /// Which machines sit in the slots is not part of it: identities outlive machines.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Acl {
        slots: Keys,
        quorum: u16,
        recovery: Recovery = "Default::default",
        tickets: UniqueId = "crate::validator::nothing_asked",
    }
}

/// Access rules that no committee can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AclError {
    /// Too few or too many slots.
    #[error("slots: there are {0}; a committee has 1 to {MAX_SLOTS}")]
    Slots(usize),
    /// A key that verifies nothing, or that anyone can sign for.
    #[error("slots[{slot}]: `{key}` is no Ed25519 public key of full order")]
    Key {
        /// The slot.
        slot: usize,
        /// What stands there.
        key: UniqueId,
    },
    /// One operator in two slots would count twice.
    #[error("slots[{slot}]: `{key}` has a slot already; each slot has an operator key of its own")]
    Duplicate {
        /// The second slot.
        slot: usize,
        /// The key.
        key: UniqueId,
    },
    /// Not a majority, or more than there are.
    #[error("quorum: {quorum} of {slots}; it must be more than half, and at most all")]
    Quorum {
        /// What stands there.
        quorum: u16,
        /// How many slots there are.
        slots: usize,
    },
}

/// The key, if it is one that only its holder can sign for.
pub(crate) fn public_key(bytes: &[u8; 32]) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(bytes).ok().filter(|key| !key.is_weak())
}

/// The rules of [`Acl`].
pub(crate) fn check(slots: &[[u8; 32]], quorum: u16) -> Result<(), AclError> {
    let n = slots.len();
    if n == 0 || n > MAX_SLOTS {
        return Err(AclError::Slots(n));
    }
    let mut seen = BTreeSet::new();
    for (slot, key) in slots.iter().enumerate() {
        if public_key(key).is_none() {
            return Err(AclError::Key { slot, key: UniqueId::new(*key) });
        }
        if !seen.insert(key) {
            return Err(AclError::Duplicate { slot, key: UniqueId::new(*key) });
        }
    }
    if usize::from(quorum) > n || 2 * usize::from(quorum) <= n {
        return Err(AclError::Quorum { quorum, slots: n });
    }
    Ok(())
}

impl Acl {
    /// The rules, if they make sense. `slots` are Ed25519 public keys, the slot's number being the index; `tickets` is the
    /// signature of the validator ([`TicketValidator::signature`](crate::TicketValidator::signature)).
    ///
    /// # Errors
    /// [`AclError`], for the first rule that does not hold.
    pub fn new(
        slots: Vec<[u8; 32]>,
        quorum: u16,
        recovery: Recovery,
        tickets: UniqueId,
    ) -> Result<Self, AclError> {
        let acl = Self { slots: Keys(slots), quorum, recovery, tickets };
        acl.check()?;
        Ok(acl)
    }

    fn check(&self) -> Result<(), AclError> {
        check(&self.slots.0, self.quorum)
    }

    /// The operators' Ed25519 public keys, by slot.
    #[must_use]
    pub fn slots(&self) -> &[[u8; 32]] {
        &self.slots.0
    }

    /// How many members' cosignatures make a checkpoint.
    #[must_use]
    pub fn quorum(&self) -> usize {
        usize::from(self.quorum)
    }

    /// What happens when a quorum is lost.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// The signature of the ticket validator.
    #[must_use]
    pub fn tickets(&self) -> UniqueId {
        self.tickets
    }

    /// `blake3("hallmark/acl/1" || slots || quorum u64 || recovery u8 || tickets)`.
    #[must_use]
    pub fn fingerprint(&self) -> UniqueId {
        fingerprint(&self.slots.0, self.quorum, self.recovery, self.tickets)
    }
}

pub(crate) fn fingerprint(
    slots: &[[u8; 32]],
    quorum: u16,
    recovery: Recovery,
    tickets: UniqueId,
) -> UniqueId {
    let recovery = match recovery {
        Recovery::Operators => 0,
        Recovery::Automatic => 1,
    };
    let start = Preimage::new("hallmark/acl/1").list(slots, Preimage::bare).number(u64::from(quorum));
    start.bare([recovery]).bare(tickets).finish()
}

/// Keys, as hex.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Keys(Vec<[u8; 32]>);

impl Serialize for Keys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().copied().map(UniqueId::new))
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keys = Vec::<UniqueId>::deserialize(deserializer)?;
        Ok(Self(keys.into_iter().map(|key| *key.as_bytes()).collect()))
    }
}
