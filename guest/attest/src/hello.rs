//! Who a side says it is, before it has proven anything.

use std::fmt;

/// The context of a session: what a side claims. It is bound into the evidence of both sides, byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct Hello {
    /// The committee, or whatever else the channel is about. Both sides must name the same.
    pub group: [u8; 32],
    /// The voter slot, of a member or a candidate.
    pub slot: Option<u16>,
    /// The node id, of a member: the index of its admission entry.
    pub node: Option<u64>,
    /// What the gate may want beside evidence, such as a ticket. At most [`Self::CREDENTIALS_MAX`] bytes.
    pub credentials: Vec<u8>,
}

impl Hello {
    /// The most bytes of credentials.
    pub const CREDENTIALS_MAX: usize = 16 << 10;

    /// Somebody of this group without a slot: an operator, a requester.
    #[must_use]
    pub const fn of_group(group: [u8; 32]) -> Self {
        Self { group, slot: None, node: None, credentials: Vec::new() }
    }

    /// A machine that wants the slot and has no node id yet.
    #[must_use]
    pub const fn candidate(group: [u8; 32], slot: u16) -> Self {
        Self { group, slot: Some(slot), node: None, credentials: Vec::new() }
    }

    /// A member.
    #[must_use]
    pub const fn member(group: [u8; 32], slot: u16, node: u64) -> Self {
        Self { group, slot: Some(slot), node: Some(node), credentials: Vec::new() }
    }

    /// With these credentials.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Vec<u8>) -> Self {
        self.credentials = credentials;
        self
    }
}

/// Credentials are shown by their length only: a ticket is as good as its holder.
impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, slot, node, credentials } = self;
        let group = hex::encode(group);
        let length = credentials.len();
        write!(f, "Hello {{ group: {group}, slot: {slot:?}, node: {node:?}, credentials: {length} bytes }}")
    }
}
