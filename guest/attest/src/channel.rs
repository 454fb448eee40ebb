//! A channel: a TLS session whose both sides have accepted each other.
//!
//! Bytes of the protocol above travel in data frames; between them stand the control frames by which the sides prove
//! themselves anew. Everything happens while the channel is read, written or flushed: there is no task behind it. So a channel
//! that nobody reads answers no challenge, and one that nobody polls ends when its peer has waited too long.

mod renewal;
mod wakers;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use crate::error::{AttestError, Stage};
use crate::frame::{self, DATA_MAX, FrameError, HEADER, Header, Kind};
use crate::peer::Peer;
use crate::session::{Proven, Session, export};

use renewal::Renewal;
use wakers::{Side, Wakers};

/// Slices of one write that go out together.
const SLICES: usize = 16;
/// What a control frame's body grows by while it is read.
const STEP: usize = 16 << 10;

/// An accepted channel. Only [`Endpoint::connect`](crate::Endpoint::connect) and [`Endpoint::accept`](crate::Endpoint::accept)
/// make one, after both sides have judged and accepted each other.
///
/// Reads give the end of the stream only where the peer closed it orderly; where it was cut off they fail. After a failure
/// every read and write fails with the same [`AttestError`] ([`failure_of`]).
pub struct Channel<S> {
    tls: TlsStream<S>,
    session: Arc<Session>,
    peer: Arc<Peer>,
    renewal: Renewal,
    incoming: Incoming,
    /// What must go out before anything else: control frames, and what TLS did not take of a data frame.
    out: Vec<u8>,
    sent: usize,
    failed: Option<Arc<AttestError>>,
    wakers: Arc<Wakers>,
    waker: Waker,
}

/// Where reading stands.
enum Incoming {
    Header { bytes: [u8; HEADER], filled: usize },
    Data { left: usize },
    Control { header: Header, body: Vec<u8> },
    Closed,
}

impl Incoming {
    const START: Self = Self::Header { bytes: [0; HEADER], filled: 0 };
}

/// The reason inside the I/O error of a channel that failed.
#[must_use]
pub fn failure_of(error: &io::Error) -> Option<&AttestError> {
    error.get_ref()?.downcast_ref::<Failure>().map(|failure| &*failure.0)
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Failure(Arc<AttestError>);

impl<S> Channel<S> {
    /// `started` is when the handshake began, by the endpoint's uptime.
    pub(crate) fn new(
        tls: TlsStream<S>,
        session: Arc<Session>,
        Proven { peer, generation }: Proven,
        started: Duration,
    ) -> Self {
        let renewal = Renewal::new(session.endpoint.renewal(), started, generation);
        let wakers = Arc::new(Wakers::default());
        let waker = Waker::from(Arc::clone(&wakers));
        Self {
            tls,
            session,
            peer: Arc::new(peer),
            renewal,
            incoming: Incoming::START,
            out: Vec::new(),
            sent: 0,
            failed: None,
            wakers,
            waker,
        }
    }

    /// The other side, as its latest evidence shows it.
    #[must_use]
    pub const fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// How old the peer's latest evidence is at most.
    #[must_use]
    pub fn evidence_age(&self) -> Duration {
        self.session.endpoint.clock().uptime().saturating_sub(self.renewal.asked())
    }

    /// Has the peer prove itself anew, at the next tick while the channel is read.
    pub const fn renew(&mut self) {
        self.renewal.hurry();
    }

    /// Why the channel ended, if it failed.
    #[must_use]
    pub fn failure(&self) -> Option<&AttestError> {
        self.failed.as_deref()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Channel<S> {
    /// Everything that is to be done before bytes of the protocol above move: clocks, challenges, what waits to go out.
    fn drive(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.check()?;
        match self.renewal.poll(&self.session, context, &mut self.out) {
            Ok(None) => {}
            Ok(Some(proven)) => self.peer = Arc::new(proven.peer),
            Err(error) => return Err(self.fail(error, context)),
        }
        match self.send(context) {
            Poll::Ready(Err(error)) => Err(self.fail(AttestError::of_io(Stage::Channel, error), context)),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn check(&self) -> io::Result<()> {
        match &self.failed {
            None => Ok(()),
            Some(error) => Err(failure(error)),
        }
    }

    /// Ends the channel. The peer is told the word, if that can be done without waiting.
    fn fail(&mut self, error: AttestError, context: &mut Context<'_>) -> io::Error {
        let told = matches!(error, AttestError::RefusedByPeer { .. } | AttestError::Transport { .. });
        if !told && let Ok(refuse) = frame::frame(Kind::Refuse, error.slug().as_bytes()) {
            self.out.extend(refuse);
            let _ = self.send(context);
        }
        let _ = Pin::new(&mut self.tls).poll_shutdown(context);
        self.incoming = Incoming::Closed;
        let error = Arc::new(error);
        let shown = failure(&error);
        self.failed = Some(error);
        self.wakers.wake_all();
        shown
    }

    /// Sends what waits. Ready when nothing does.
    fn send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.out.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.tls).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sent += count,
            }
        }
        self.out.clear();
        self.out.shrink_to(DATA_MAX);
        self.sent = 0;
        // Whoever waits for this may not be who did it.
        self.wakers.wake_all();
        let _ = Pin::new(&mut self.tls).poll_flush(context)?;
        Poll::Ready(Ok(()))
    }

    /// Reads until there are bytes of the protocol above in `buffer`, or the end.
    fn read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<(), AttestError>> {
        loop {
            match &mut self.incoming {
                Incoming::Closed => return Poll::Ready(Ok(())),
                Incoming::Header { bytes, filled } => {
                    let mut header = ReadBuf::new(bytes);
                    header.set_filled(*filled);
                    ready!(receive(&mut self.tls, context, &mut header))?;
                    let now = header.filled().len();
                    match (now == *filled, *filled) {
                        (true, 0) => {
                            self.incoming = Incoming::Closed;
                            return Poll::Ready(Ok(()));
                        }
                        (true, _) => return Poll::Ready(Err(FrameError::Ended("a header").into())),
                        (false, _) => *filled = now,
                    }
                    if now == HEADER {
                        let header = Header::parse(*bytes, self.session.endpoint.limits().proof())?;
                        self.incoming = match header.kind {
                            Kind::Data => Incoming::Data { left: header.length },
                            _ => Incoming::Control { header, body: Vec::new() },
                        };
                    }
                }
                Incoming::Data { left } => {
                    let most = buffer.remaining().min(*left);
                    let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
                    ready!(receive(&mut self.tls, context, &mut part))?;
                    let count = part.filled().len();
                    if count == 0 {
                        return Poll::Ready(Err(FrameError::Ended("data").into()));
                    }
                    buffer.advance(count);
                    *left -= count;
                    if *left == 0 {
                        self.incoming = Incoming::START;
                    }
                    return Poll::Ready(Ok(()));
                }
                Incoming::Control { header, body } => {
                    let filled = body.len();
                    if filled < header.length {
                        body.resize(filled + STEP.min(header.length - filled), 0);
                        let mut part = ReadBuf::new(body.get_mut(filled..).unwrap_or_default());
                        let received = receive(&mut self.tls, context, &mut part);
                        let count = part.filled().len();
                        body.truncate(filled + count);
                        ready!(received)?;
                        if count == 0 {
                            return Poll::Ready(Err(FrameError::Ended("a control frame").into()));
                        }
                        continue;
                    }
                    let (kind, body) = (header.kind, std::mem::take(body));
                    self.incoming = Incoming::START;
                    if kind == Kind::Refuse {
                        return Poll::Ready(Err(frame::refused(&body)));
                    }
                    let Self { renewal, session, tls, out, .. } = self;
                    renewal.take(kind, &body, session, &|round| export(tls, round))?;
                    // Has the task that it started wake us.
                    if let Some(proven) = renewal.poll(session, context, out)? {
                        self.peer = Arc::new(proven.peer);
                    }
                    if let Poll::Ready(Err(error)) = self.send(context) {
                        return Poll::Ready(Err(AttestError::of_io(Stage::Channel, error)));
                    }
                }
            }
        }
    }

    fn write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.drive(context)?;
        if !self.out.is_empty() {
            return Poll::Pending;
        }
        // One frame of as many bytes as it may have, in as many slices as they lie in.
        let mut frame = [IoSlice::new(&[]); SLICES];
        let mut length = 0;
        let mut used = 1;
        for (place, slice) in frame.iter_mut().skip(1).zip(slices) {
            let part = slice.get(..slice.len().min(DATA_MAX - length)).unwrap_or_default();
            *place = IoSlice::new(part);
            length += part.len();
            used += 1;
        }
        if length == 0 {
            return Poll::Ready(Ok(0));
        }
        let Some(header) = Header::bytes(Kind::Data, length) else {
            return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
        };
        let [first, ..] = &mut frame;
        *first = IoSlice::new(&header);
        let parts = frame.get(..used).unwrap_or_default();
        let taken = match ready!(Pin::new(&mut self.tls).poll_write_vectored(context, parts)) {
            Ok(taken) => taken,
            Err(error) => {
                return Poll::Ready(Err(self.fail(AttestError::of_io(Stage::Channel, error), context)));
            }
        };
        // The frame has been announced: what TLS did not take of it is ours to bring.
        let mut skip = taken;
        for part in parts {
            self.out.extend_from_slice(part.get(skip.min(part.len())..).unwrap_or_default());
            skip = skip.saturating_sub(part.len());
        }
        Poll::Ready(Ok(length))
    }

    /// Polls as one of the two sides, with the waker that wakes both.
    fn polled<T>(
        &mut self,
        side: Side,
        context: &Context<'_>,
        work: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.wakers.wait(side, context);
        let waker = self.waker.clone();
        let polled = work(self, &mut Context::from_waker(&waker));
        if polled.is_ready() {
            self.wakers.done(side);
        }
        polled
    }
}

fn receive(
    tls: &mut (impl AsyncRead + Unpin),
    context: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<Result<(), AttestError>> {
    Pin::new(tls).poll_read(context, buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => FrameError::Ended("an orderly close").into(),
        _ => AttestError::of_io(Stage::Channel, error),
    })
}

fn failure(error: &Arc<AttestError>) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, Failure(Arc::clone(error)))
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Channel<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().polled(Side::Read, context, |channel, context| {
            channel.drive(context)?;
            if buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            match ready!(channel.read(context, buffer)) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(error) => Poll::Ready(Err(channel.fail(error, context))),
            }
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Channel<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().polled(Side::Write, context, |channel, context| channel.write(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().polled(Side::Write, context, |channel, context| {
            channel.drive(context)?;
            if !channel.out.is_empty() {
                return Poll::Pending;
            }
            Pin::new(&mut channel.tls).poll_flush(context)
        })
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().polled(Side::Write, context, |channel, context| {
            if channel.failed.is_none() {
                channel.drive(context)?;
                if !channel.out.is_empty() {
                    return Poll::Pending;
                }
            }
            Pin::new(&mut channel.tls).poll_shutdown(context)
        })
    }
}

impl<S> std::fmt::Debug for Channel<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("peer", &self.peer)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
