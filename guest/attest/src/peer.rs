//! Who is at the other end, once it has proven it.

use std::sync::Arc;

use hallmark_verifier::Word;

use crate::hello::Hello;
use crate::judge::Judgement;

/// The key of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerKey {
    /// The key of its TLS certificate.
    Tls {
        /// SubjectPublicKeyInfo, DER.
        spki: Arc<[u8]>,
        /// SHA-256 of it.
        spki_sha256: [u8; 32],
    },
    /// An Ed25519 key of a client without evidence (RFC 8032, 5.1.5).
    Held([u8; 32]),
}

impl PeerKey {
    /// SHA-256 of the SubjectPublicKeyInfo of a TLS key.
    #[must_use]
    pub const fn spki_sha256(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Tls { spki_sha256, .. } => Some(spki_sha256),
            Self::Held(_) => None,
        }
    }

    /// The Ed25519 key of a client without evidence.
    #[must_use]
    pub const fn held(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Held(key) => Some(key),
            Self::Tls { .. } => None,
        }
    }
}

/// A peer that proved what it claimed. Only a channel has one.
#[derive(Debug, Clone)]
pub struct Peer {
    pub(crate) hello: Hello,
    pub(crate) key: PeerKey,
    pub(crate) judgement: Option<Judgement>,
}

impl Peer {
    /// What it said it is.
    #[must_use]
    pub const fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Its key.
    #[must_use]
    pub const fn key(&self) -> &PeerKey {
        &self.key
    }

    /// What its latest evidence proved; `None` of a client that has none.
    #[must_use]
    pub const fn judgement(&self) -> Option<&Judgement> {
        self.judgement.as_ref()
    }

    /// The word of the verdict over its latest evidence.
    #[must_use]
    pub fn word(&self) -> Option<Word> {
        self.judgement.as_ref().map(|judgement| judgement.word)
    }

    /// The platform it runs on, by which machines are told apart: several peers on one are one machine.
    #[must_use]
    pub fn platform(&self) -> Option<&[u8; 32]> {
        self.judgement.as_ref().and_then(|judgement| judgement.platform.as_ref())
    }
}
