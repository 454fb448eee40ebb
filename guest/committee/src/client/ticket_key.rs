//! Keys for tickets: an issuer's, which signs them, and a subject's, which shows that one is its own.
//!
//! A file of one line, `hallmark/ticket-key/1 HEX`, that its owner alone may read.

use std::fmt;
use std::path::Path;

use ed25519_dalek::SigningKey;
use hallmark_coalition::{Claims, Ticket, TicketError};
use hallmark_machine::ClientId;
use zeroize::Zeroizing;

use super::Credential;
use crate::member::SlotKeyError;
use crate::member::slot_key::{fresh_seed, read_seed, write_seed};

const WORD: &str = "hallmark/ticket-key/1 ";

/// An Ed25519 key, zeroized when dropped, never shown.
pub struct TicketKey(SigningKey);

impl TicketKey {
    /// A fresh key.
    ///
    /// # Errors
    /// Where the system has no randomness.
    pub fn generate() -> Result<Self, SlotKeyError> {
        Ok(Self(SigningKey::from_bytes(&*fresh_seed()?)))
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// Where it cannot be read, or is none.
    pub fn read(path: &Path) -> Result<Self, SlotKeyError> {
        Ok(Self(SigningKey::from_bytes(&*read_seed(path, WORD)?)))
    }

    /// Writes the key to a new file that its owner alone may read.
    ///
    /// # Errors
    /// Where it cannot be written, or is there already.
    pub fn write(&self, path: &Path) -> Result<(), SlotKeyError> {
        write_seed(path, WORD, &Zeroizing::new(self.0.to_bytes()))
    }

    /// The public key, 32 bytes: what an issuer's configuration lists, or a ticket names as its subject.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Who submits with this key.
    #[must_use]
    pub fn client(&self) -> ClientId {
        ClientId::new(self.public())
    }

    /// Signs a ticket, as an issuer. Whether anybody takes this issuer's tickets is seen when it is verified.
    ///
    /// # Errors
    /// Where nobody could take a ticket of these claims.
    pub fn issue(&self, claims: &Claims) -> Result<String, TicketError> {
        Ticket::issue(&self.0, claims)
    }

    /// This key with a ticket of its own, for a client's options.
    #[must_use]
    pub fn credential(&self, ticket: String) -> Credential {
        Credential { ticket, key: self.0.clone() }
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TicketKey({})", hex::encode(self.public()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::member::SlotKey;

    #[test]
    fn a_slot_key_is_no_key_for_tickets_nor_the_other_way_round() {
        let folder = tempfile::tempdir().unwrap();
        let (ticket, slot) = (folder.path().join("client.key"), folder.path().join("slot.key"));
        let key = TicketKey::generate().unwrap();
        key.write(&ticket).unwrap();
        assert_eq!(TicketKey::read(&ticket).unwrap().public(), key.public());
        assert!(key.write(&ticket).is_err(), "never overwritten");
        SlotKey::generate().unwrap().write(&slot).unwrap();
        assert!(matches!(TicketKey::read(&slot), Err(SlotKeyError::Malformed(..))));
        assert!(matches!(SlotKey::read(&ticket), Err(SlotKeyError::Malformed(..))));
    }
}
