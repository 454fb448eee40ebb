//! Slot operators, who decide together what no member may decide.

use std::collections::BTreeSet;

use hallmark_coalition::Acl;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cosignature;

/// One slot operator's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotSignature {
    /// The slot.
    pub slot: u16,
    /// Ed25519 under the slot's key in the ACL.
    #[serde(with = "crate::encoding::base64")]
    pub signature: [u8; 64],
}

/// Why operators have not agreed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// A slot that the ACL does not have.
    #[error("there is no slot {slot}: the ACL has {slots}")]
    Slot {
        /// The slot.
        slot: u16,
        /// How many there are.
        slots: usize,
    },
    /// Twice the same.
    #[error("slot {0} signed twice; each operator counts once")]
    Twice(u16),
    /// A wrong signature.
    #[error("the signature of slot {0}'s operator is wrong")]
    Wrong(u16),
    /// Too few.
    #[error("{got} slot operators signed, {want} are needed")]
    Quorum {
        /// Who signed.
        got: usize,
        /// The quorum.
        want: usize,
    },
}

/// Whether a quorum of slot operators signed the message. One wrong signature spoils the rest.
pub(crate) fn quorum(acl: &Acl, message: &[u8], signatures: &[SlotSignature]) -> Result<(), OperatorError> {
    let mut seen = BTreeSet::new();
    for SlotSignature { slot, signature } in signatures {
        let key = acl.slots().get(usize::from(*slot));
        let key = key.ok_or(OperatorError::Slot { slot: *slot, slots: acl.slots().len() })?;
        if !seen.insert(slot) {
            return Err(OperatorError::Twice(*slot));
        }
        if !cosignature::signed(key, message, signature) {
            return Err(OperatorError::Wrong(*slot));
        }
    }
    if seen.len() < acl.quorum() {
        return Err(OperatorError::Quorum { got: seen.len(), want: acl.quorum() });
    }
    Ok(())
}
