//! What a member of a coalition says of itself.

use std::borrow::Cow;

use ed25519_dalek::{Signature, Signer as _, SigningKey};
use serde::{Deserialize, Serialize};

use crate::acl::public_key;
use crate::config_error::{ConfigError, each};
use crate::content::{Pin, check_pins};
use crate::endpoint::EndpointHint;
use crate::object::object;
use crate::sorted_map::SortedMap;
use crate::{Document, DocumentError, List, UniqueId, text};

/// How a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It serves.
    Active,
    /// It serves still, and has said that it will stop.
    Retiring,
    /// It has stopped.
    Retired,
}

object! {
    /// What a member of a coalition says of itself: one entry of an atlas. It is worth what its signature is worth.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct MemberCard<'a> {
        /// What it does for the coalition.
        pub role: Cow<'a, str>,
        /// Its stable id.
        pub stable_id: UniqueId,
        /// Where it may be found.
        pub endpoints: List<'a, EndpointHint<'a>> = "Default::default",
        /// The `iss` of the tickets that it takes, if it asks for any.
        pub ticket_root: Option<UniqueId> = "Default::default",
        /// Releases that it may run.
        pub pins: List<'a, Pin<'a>> = "Default::default",
        /// What others understand beyond this.
        pub metadata: SortedMap<'a> = "Default::default",
        /// The stable id of who comes after it, if that is known.
        pub successor: Option<UniqueId> = "Default::default",
        /// How it stands.
        pub status: Status,
    }
}

/// A card that was not signed by whom it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// The card breaks a rule.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Not a key of full order.
    #[error("operator: `{0}` is no Ed25519 public key of full order")]
    Key(UniqueId),
    /// Not this operator's signature of this card in this atlas.
    #[error("signature: not one of operator {0} for this card in this atlas (RFC 8032)")]
    Signature(UniqueId),
}

impl<'a> MemberCard<'a> {
    /// A card with role, id and status; the rest is set field by field.
    #[must_use]
    pub const fn new(role: &'a str, stable_id: UniqueId, status: Status) -> Self {
        Self {
            role: Cow::Borrowed(role),
            stable_id,
            endpoints: List::EMPTY,
            ticket_root: None,
            pins: List::EMPTY,
            metadata: SortedMap::EMPTY,
            successor: None,
            status,
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        text::name("role", &self.role)?;
        each("endpoints", &self.endpoints, EndpointHint::check)?;
        check_pins("pins", &self.pins)?;
        self.metadata.check("metadata")
    }
}

impl Document for MemberCard<'static> {
    const MAX_BYTES: usize = 1 << 17;

    fn check(&self) -> Result<(), ConfigError> {
        self.check()
    }
}

impl MemberCard<'static> {
    /// What the citizen's operator signs: `"hallmark/member-card/1" || atlas || canonical JSON`. `atlas` is the committee's
    /// id, so that a card cannot be shown in another.
    ///
    /// # Errors
    /// [`DocumentError`], where the card breaks a rule.
    pub fn message(&self, atlas: &UniqueId) -> Result<Vec<u8>, DocumentError> {
        let mut message = b"hallmark/member-card/1".to_vec();
        message.extend(atlas.as_bytes());
        message.extend(self.to_json()?);
        Ok(message)
    }

    /// Signs it for an atlas: 64 bytes of Ed25519.
    ///
    /// # Errors
    /// [`DocumentError`], where the card breaks a rule.
    pub fn sign(&self, atlas: &UniqueId, operator: &SigningKey) -> Result<[u8; 64], DocumentError> {
        Ok(operator.sign(&self.message(atlas)?).to_bytes())
    }

    /// Checks that the operator with this public key signed it for this atlas. Whether that is the citizen's operator is the
    /// atlas's question.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn verify(
        &self,
        atlas: &UniqueId,
        operator: &[u8; 32],
        signature: &[u8; 64],
    ) -> Result<(), CardError> {
        let key = public_key(operator).ok_or(CardError::Key(UniqueId::new(*operator)))?;
        key.verify_strict(&self.message(atlas)?, &Signature::from_bytes(signature))
            .map_err(|_| CardError::Signature(UniqueId::new(*operator)))
    }
}
