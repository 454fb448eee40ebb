//! Bodies of answers: known in full, or lines that come as they are cosigned.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use tokio::sync::mpsc;

use super::together;

/// A body.
pub(crate) enum Body {
    /// All of it; taken when sent.
    Full(Option<Bytes>),
    /// Chunks, through a bounded channel; an error cuts the connection, so that a reader never takes a broken stream for a whole one.
    Lines(mpsc::Receiver<Result<Bytes, io::Error>>),
    /// The answers to submissions of one request.
    Together(Box<together::Lines>),
}

impl Body {
    /// A body known in full.
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Full(Some(bytes.into()))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Together(lines) => {
                lines.poll(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
            }
            Self::Lines(lines) => {
                lines.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Lines(_) | Self::Together(_) => SizeHint::default(),
        }
    }
}
