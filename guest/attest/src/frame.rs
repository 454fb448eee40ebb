//! Frames inside TLS: one byte of kind, three of length (big endian), the body.
//!
//! The same frames carry the handshake's messages and, once both sides have accepted, the bytes of the protocol above
//! between control messages. Every kind has a bound of its own, and nothing is allocated for a length that was only
//! announced.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::error::{AttestError, Stage};
use crate::hello::Hello;
use crate::refusal::Slug;

/// Bytes before the body.
pub(crate) const HEADER: usize = 4;

/// The most bytes of a data frame's body: with the header, four full TLS records.
pub(crate) const DATA_MAX: usize = 4 * 16_384 - HEADER;

/// What a body grows by while it is read: what was announced is not believed.
const STEP: usize = 64 << 10;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bytes of the protocol above.
    Data,
    /// Nonce and context.
    Hello,
    /// Evidence, or a signature of a held key.
    Proof,
    /// The sender has accepted the receiver. No body.
    Accept,
    /// The sender refuses, and closes. The body is a slug.
    Refuse,
    /// Prove yourself anew: round and nonce.
    Challenge,
    /// To a challenge: round, nonce and proof.
    Answer,
    /// To a challenge: round. No proof can be had now.
    Unable,
}

impl Kind {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Hello => 1,
            Self::Proof => 2,
            Self::Accept => 3,
            Self::Refuse => 4,
            Self::Challenge => 5,
            Self::Answer => 6,
            Self::Unable => 7,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Data,
            1 => Self::Hello,
            2 => Self::Proof,
            3 => Self::Accept,
            4 => Self::Refuse,
            5 => Self::Challenge,
            6 => Self::Answer,
            7 => Self::Unable,
            _ => return None,
        })
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Hello => "hello",
            Self::Proof => "proof",
            Self::Accept => "accept",
            Self::Refuse => "refuse",
            Self::Challenge => "challenge",
            Self::Answer => "answer",
            Self::Unable => "unable",
        }
    }

    /// The lengths a body may have. `proof` is the limit on a proof, which the endpoint sets.
    const fn lengths(self, proof: usize) -> (usize, usize) {
        match self {
            Self::Data => (1, DATA_MAX),
            Self::Hello => (0, 256 + Hello::CREDENTIALS_MAX),
            Self::Proof => (1, proof),
            Self::Accept => (0, 0),
            Self::Refuse => (1, Slug::MAX),
            Self::Challenge => (ROUND + NONCE, ROUND + NONCE),
            Self::Answer => (ROUND + NONCE + 1, ROUND + NONCE + proof),
            Self::Unable => (ROUND, ROUND),
        }
    }
}

/// Bytes of a round's number, little endian.
pub(crate) const ROUND: usize = 8;
/// Bytes of a nonce.
pub(crate) const NONCE: usize = 32;

/// Bytes that are not the protocol's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A kind that there is not.
    #[error("frame of kind {0}: there is none (attest, frames)")]
    Kind(u8),
    /// A body that is longer than its kind allows.
    #[error("{kind} frame of {length} bytes: at most {most} (attest, frames)")]
    TooLarge {
        /// Its kind.
        kind: &'static str,
        /// What it announces, in bytes.
        length: usize,
        /// The bound.
        most: usize,
    },
    /// A body that is shorter than its kind allows.
    #[error("{kind} frame of {length} bytes: at least {least} (attest, frames)")]
    TooShort {
        /// Its kind.
        kind: &'static str,
        /// What it announces, in bytes.
        length: usize,
        /// The bound.
        least: usize,
    },
    /// A frame that has no place here: data before acceptance, a second hello.
    #[error("{got} frame where {due} is due (attest, order of frames)")]
    Unexpected {
        /// What came.
        got: &'static str,
        /// What may come.
        due: &'static str,
    },
    /// A body that is not of its form.
    #[error("{kind} frame: {field} (attest, frames)")]
    Malformed {
        /// Its kind.
        kind: &'static str,
        /// What is wrong where.
        field: &'static str,
    },
    /// The connection ended within a frame, or before a side had accepted.
    #[error("the connection ended where {0} is due")]
    Ended(&'static str),
}

impl FrameError {
    /// One word for programs.
    #[must_use]
    pub const fn slug(&self) -> &'static str {
        match self {
            Self::Kind(_) => "frame-unknown",
            Self::TooLarge { .. } => "frame-too-large",
            Self::TooShort { .. } | Self::Malformed { .. } => "frame-malformed",
            Self::Unexpected { .. } => "frame-out-of-order",
            Self::Ended(_) => "connection-ended",
        }
    }

    pub(crate) const fn unexpected(got: Kind, due: &'static str) -> Self {
        Self::Unexpected { got: got.word(), due }
    }
}

/// Kind and length of a body, within the bounds of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) length: usize,
}

impl Header {
    pub(crate) const fn parse(bytes: [u8; HEADER], proof: usize) -> Result<Self, FrameError> {
        let [kind, a, b, c] = bytes;
        let Some(kind) = Kind::of(kind) else { return Err(FrameError::Kind(kind)) };
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let (least, most) = kind.lengths(proof);
        if length > most {
            return Err(FrameError::TooLarge { kind: kind.word(), length, most });
        }
        if length < least {
            return Err(FrameError::TooShort { kind: kind.word(), length, least });
        }
        Ok(Self { kind, length })
    }

    /// The header of a body of ours. `None` if it is longer than three bytes can say.
    pub(crate) fn bytes(kind: Kind, length: usize) -> Option<[u8; HEADER]> {
        let [0, a, b, c] = u32::try_from(length).ok()?.to_be_bytes() else { return None };
        Some([kind.byte(), a, b, c])
    }
}

/// A frame of ours.
pub(crate) fn frame(kind: Kind, body: &[u8]) -> Result<Vec<u8>, FrameError> {
    let too_large = FrameError::TooLarge { kind: kind.word(), length: body.len(), most: (1 << 24) - 1 };
    let header = Header::bytes(kind, body.len()).ok_or(too_large)?;
    Ok([&header[..], body].concat())
}

/// Sends a frame of the handshake.
pub(crate) async fn send(
    stream: &mut (impl AsyncWrite + Unpin),
    kind: Kind,
    body: &[u8],
) -> Result<(), AttestError> {
    let lost = |error| AttestError::of_io(Stage::Attestation, error);
    stream.write_all(&frame(kind, body)?).await.map_err(lost)?;
    stream.flush().await.map_err(lost)
}

/// Receives the frame of the handshake that is due. A refusal may come in its place.
pub(crate) async fn receive(
    stream: &mut (impl AsyncRead + Unpin),
    due: Kind,
    proof: usize,
) -> Result<Vec<u8>, AttestError> {
    let ended = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => FrameError::Ended(due.word()).into(),
        _ => AttestError::of_io(Stage::Attestation, error),
    };
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).await.map_err(ended)?;
    let header = Header::parse(header, proof)?;
    if header.kind != due && header.kind != Kind::Refuse {
        return Err(FrameError::unexpected(header.kind, due.word()).into());
    }
    let mut body = Vec::new();
    while body.len() < header.length {
        let filled = body.len();
        body.resize(filled + STEP.min(header.length - filled), 0);
        stream.read_exact(body.get_mut(filled..).unwrap_or_default()).await.map_err(ended)?;
    }
    if header.kind == Kind::Refuse { Err(refused(&body)) } else { Ok(body) }
}

/// What a refusal of the peer says.
pub(crate) fn refused(body: &[u8]) -> AttestError {
    match Slug::parse(body) {
        Some(slug) => AttestError::RefusedByPeer { slug },
        None => FrameError::Malformed { kind: Kind::Refuse.word(), field: "not a slug" }.into(),
    }
}
