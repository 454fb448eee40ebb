//! One message on the wire: `u32 length || u8 kind || u8 topic || u64 id || body`, big-endian.
//!
//! The length counts what follows it. It is compared with the bound before anything is allocated, and the body is read into memory that
//! grows with what has arrived: a peer that announces 8 MiB and sends none costs nothing.

use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use super::Limits;

/// Bytes between the length and the body.
const HEAD: usize = 10;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Asks; the dialling side alone sends these.
    Request,
    /// Answers the request of the same id.
    Response,
    /// Says why the request of the same id has no answer.
    Refusal,
}

/// Which part of a member a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The replicated core: [`crate::PeerRequest`].
    Core,
    /// Admission, genesis, recovery, status: [`crate::member::ceremony::Request`].
    Ceremony,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) topic: Topic,
    pub(crate) id: u64,
    pub(crate) body: Vec<u8>,
}

/// Bytes that are no frame, or a stream that ended in one.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// More than the bound.
    #[error("a frame of {length} bytes; at most {most} are taken")]
    TooLong {
        /// Announced.
        length: usize,
        /// Taken.
        most: usize,
    },
    /// Less than a head.
    #[error("a frame of {0} bytes; its head alone has {HEAD}")]
    TooShort(usize),
    /// A kind that there is not.
    #[error("frame kind {0} at offset 4; 1 to 3 are known")]
    Kind(u8),
    /// A topic that there is not.
    #[error("frame topic {0} at offset 5; 1 and 2 are known")]
    Topic(u8),
    /// Nothing came for too long.
    #[error("the connection was silent for {0:?}")]
    Idle(Duration),
    /// A frame began and did not end.
    #[error("a frame took longer than {0:?}")]
    Slow(Duration),
    /// The stream failed or ended.
    #[error("the stream ended inside a frame: {0}")]
    Stream(#[from] std::io::Error),
}

impl Frame {
    /// The bytes to send, or what is wrong with the frame's size.
    pub(crate) fn encode(&self, most: usize) -> Result<Vec<u8>, FrameError> {
        let length = self.body.len().saturating_add(HEAD);
        let too_long = || FrameError::TooLong { length, most };
        if self.body.len() > most {
            return Err(too_long());
        }
        let mut bytes = Vec::with_capacity(length.saturating_add(4));
        bytes.extend_from_slice(&u32::try_from(length).map_err(|_| too_long())?.to_be_bytes());
        bytes.push(match self.kind {
            Kind::Request => 1,
            Kind::Response => 2,
            Kind::Refusal => 3,
        });
        bytes.push(match self.topic {
            Topic::Core => 1,
            Topic::Ceremony => 2,
        });
        bytes.extend_from_slice(&self.id.to_be_bytes());
        bytes.extend_from_slice(&self.body);
        Ok(bytes)
    }

    /// Reads one frame. `None` where the stream ended before one began.
    pub(crate) async fn read(
        stream: &mut (impl AsyncRead + Unpin),
        limits: &Limits,
    ) -> Result<Option<Self>, FrameError> {
        let mut first = 0;
        let read = stream.read(std::slice::from_mut(&mut first));
        match timeout(limits.idle, read).await.map_err(|_| FrameError::Idle(limits.idle))?? {
            0 => Ok(None),
            _ => {
                let rest = Self::read_rest(stream, first, limits.body);
                timeout(limits.frame, rest).await.map_err(|_| FrameError::Slow(limits.frame))?.map(Some)
            }
        }
    }

    async fn read_rest(
        stream: &mut (impl AsyncRead + Unpin),
        first: u8,
        most: usize,
    ) -> Result<Self, FrameError> {
        let [mut b, mut c, mut d] = [0; 3];
        for byte in [&mut b, &mut c, &mut d] {
            *byte = stream.read_u8().await?;
        }
        let length = usize::try_from(u32::from_be_bytes([first, b, c, d])).unwrap_or(usize::MAX);
        let body = length.checked_sub(HEAD).ok_or(FrameError::TooShort(length))?;
        if body > most {
            return Err(FrameError::TooLong { length, most });
        }
        let kind = match stream.read_u8().await? {
            1 => Kind::Request,
            2 => Kind::Response,
            3 => Kind::Refusal,
            other => return Err(FrameError::Kind(other)),
        };
        let topic = match stream.read_u8().await? {
            1 => Topic::Core,
            2 => Topic::Ceremony,
            other => return Err(FrameError::Topic(other)),
        };
        let id = stream.read_u64().await?;
        Ok(Self { kind, topic, id, body: read_body(stream, body).await? })
    }
}

/// Reads exactly `length` bytes, allocating at most twice what has come plus 64 KiB.
async fn read_body(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Result<Vec<u8>, FrameError> {
    let mut body = Vec::with_capacity(length.min(64 << 10));
    let mut rest = stream.take(u64::try_from(length).unwrap_or(u64::MAX));
    while body.len() < length {
        if rest.read_buf(&mut body).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    fn frame(body: &[u8]) -> Frame {
        Frame { kind: Kind::Refusal, topic: Topic::Ceremony, id: 0x0102, body: body.to_vec() }
    }

    async fn read(bytes: &[u8]) -> Result<Option<Frame>, FrameError> {
        let limits = Limits { body: 16, ..Limits::default() };
        Frame::read(&mut &*bytes, &limits).await
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        for body in [&b""[..], b"x", &[7; 16]] {
            let bytes = frame(body).encode(16).unwrap();
            assert_eq!(read(&bytes).await.unwrap().unwrap(), frame(body));
        }
        assert_eq!(frame(b"ab").encode(16).unwrap(), *b"\0\0\0\x0c\x03\x02\0\0\0\0\0\0\x01\x02ab");
        assert!(read(b"").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn bounds_and_words_are_checked() {
        assert!(matches!(frame(&[0; 17]).encode(16), Err(FrameError::TooLong { length: 27, most: 16 })));
        let mut long = frame(&[0; 16]).encode(16).unwrap();
        long[3] += 1;
        assert!(matches!(read(&long).await, Err(FrameError::TooLong { length: 27, most: 16 })));
        assert!(matches!(read(&[0xff; 40]).await, Err(FrameError::TooLong { .. })));
        assert!(matches!(read(&[0, 0, 0, 9, 1]).await, Err(FrameError::TooShort(9))));
        let mut other = frame(b"").encode(16).unwrap();
        other[4] = 9;
        assert!(matches!(read(&other).await, Err(FrameError::Kind(9))));
        other[4] = 1;
        other[5] = 0;
        assert!(matches!(read(&other).await, Err(FrameError::Topic(0))));
    }

    #[tokio::test]
    async fn a_cut_frame_is_an_error_at_every_length() {
        let bytes = frame(b"hello").encode(16).unwrap();
        for cut in 1..bytes.len() {
            assert!(matches!(read(&bytes[..cut]).await, Err(FrameError::Stream(_))), "cut at {cut}");
        }
    }
}
