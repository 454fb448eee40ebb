//! Why there is no channel, or no longer one.

use std::time::Duration;

use crate::frame::FrameError;
use crate::holder::HolderError;
use crate::prover::ProverError;
use crate::refusal::{Refusal, Slug};

/// Where a session had got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The TLS handshake.
    Tls,
    /// Hello, proof and acceptance.
    Attestation,
    /// An accepted channel.
    Channel,
}

impl Stage {
    const fn word(self) -> &'static str {
        match self {
            Self::Tls => "the TLS handshake",
            Self::Attestation => "attestation",
            Self::Channel => "the channel",
        }
    }
}

/// Why there is no channel, or no longer one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttestError {
    /// The connection failed.
    #[error("connection lost in {}: {error}", stage.word())]
    Transport {
        /// Where.
        stage: Stage,
        /// What the system said.
        error: std::io::Error,
    },
    /// The TLS handshake failed: another version, no common algorithm, a signature that is not the key's.
    #[error("TLS 1.3 handshake failed: {0}")]
    Tls(#[from] rustls::Error),
    /// A client without a certificate where members speak with each other.
    #[error(
        "the client presented no certificate; in mutual mode its evidence is bound to the certificate's key"
    )]
    NoClientCertificate,
    /// A certificate of a form that carries no key for us.
    #[error("the peer's certificate: {0}")]
    Certificate(&'static str),
    /// Another protocol (ALPN).
    #[error("the peer did not agree on the protocol hallmark/1 (ALPN)")]
    Protocol,
    /// The peer took too long.
    #[error("the peer did not finish {} within {limit:?}", stage.word())]
    Stalled {
        /// In what.
        stage: Stage,
        /// How long it had for the whole handshake.
        limit: Duration,
    },
    /// The peer does not speak the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// This side refuses the peer.
    #[error("peer refused: {0}")]
    Refused(#[from] Refusal),
    /// The peer refuses this side. Its slug is its word, which nobody has checked.
    #[error("refused by the peer: {slug}; its own log says why")]
    RefusedByPeer {
        /// What the peer sent.
        slug: Slug,
    },
    /// This side has no evidence to give.
    #[error(transparent)]
    Prover(#[from] ProverError),
    /// This side's key does not sign.
    #[error(transparent)]
    Holder(#[from] HolderError),
    /// The system gives no randomness.
    #[error("no randomness: {0}")]
    Randomness(String),
    /// A task of ours ended without an answer.
    #[error("a task of this program ended without an answer: {0}")]
    Task(String),
    /// The peer's evidence was not renewed in time.
    #[error("the peer's evidence is {age:?} old; sessions live {limit:?} without new evidence")]
    TooOld {
        /// Its age.
        age: Duration,
        /// The limit.
        limit: Duration,
    },
    /// Pins or policy changed, and the peer did not prove itself under the new ones in time.
    #[error("pins or policy changed, and the peer was not judged by the new ones before the grace date")]
    GracePassed,
}

impl AttestError {
    /// One word for programs.
    #[must_use]
    pub fn slug(&self) -> &str {
        match self {
            Self::Transport { .. } => "connection-lost",
            Self::Tls(_) => "tls-failed",
            Self::NoClientCertificate => "no-client-certificate",
            Self::Certificate(_) => "certificate-form",
            Self::Protocol => "wrong-protocol",
            Self::Stalled { stage: Stage::Tls, .. } => "tls-stalled",
            Self::Stalled { .. } => "peer-stalled",
            Self::Frame(error) => error.slug(),
            Self::Refused(refusal) => refusal.slug.as_str(),
            Self::RefusedByPeer { .. } => "refused-by-peer",
            Self::Prover(_) | Self::Holder(_) => "own-proof",
            Self::Randomness(_) => "no-randomness",
            Self::Task(_) => "task-lost",
            Self::TooOld { .. } => "evidence-too-old",
            Self::GracePassed => "grace-passed",
        }
    }

    /// From an error of a TLS stream: rustls puts its own inside the system's.
    pub(crate) fn of_io(stage: Stage, error: std::io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::NoCertificatesPresented) => Self::NoClientCertificate,
            Some(rustls::Error::NoApplicationProtocol) => Self::Protocol,
            Some(tls) => Self::Tls(tls.clone()),
            None => Self::Transport { stage, error },
        }
    }
}
