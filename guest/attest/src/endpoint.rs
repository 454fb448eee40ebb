//! A side, ready to make channels.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::binding::Role;
use crate::channel::Channel;
use crate::clock::{Clock, SystemClock};
use crate::error::{AttestError, Stage};
use crate::gate::Gate;
use crate::greeting::{Greeting, Mode};
use crate::handshake;
use crate::hello::Hello;
use crate::holder::Holder;
use crate::identity::Identity;
use crate::judge::Judge;
use crate::limits::{Limits, Renewal};
use crate::prover::Prover;
use crate::refusal::Refusal;
use crate::session::trace;
use crate::tls;

/// How many accepted bindings are remembered, to call a replay a replay.
const REMEMBERED: usize = 1024;

/// A side of channels. Clones share everything but what is set on them ([`Self::with_hello`] and so on).
#[derive(Clone)]
pub struct Endpoint {
    part: Part,
    gate: Arc<dyn Gate>,
    clock: Arc<dyn Clock>,
    hello: Arc<Hello>,
    limits: Limits,
    renewal: Renewal,
    remembered: Arc<Mutex<VecDeque<[u8; 32]>>>,
}

/// Which side of which mode.
#[derive(Clone)]
enum Part {
    Member {
        client: Arc<ClientConfig>,
        server: Arc<ServerConfig>,
        prover: Arc<dyn Prover>,
        spki_sha256: [u8; 32],
        judge: Arc<dyn Judge>,
    },
    Host {
        server: Arc<ServerConfig>,
        prover: Arc<dyn Prover>,
        spki_sha256: [u8; 32],
    },
    Visitor {
        client: Arc<ClientConfig>,
        holder: Arc<dyn Holder>,
        judge: Arc<dyn Judge>,
    },
}

/// Whom a connecting side means to reach. What is `None` is left to the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expect {
    /// The peer's slot.
    pub slot: Option<u16>,
    /// The peer's node id.
    pub node: Option<u64>,
    /// SHA-256 of the SubjectPublicKeyInfo of the peer's TLS key.
    pub spki_sha256: Option<[u8; 32]>,
}

impl Expect {
    /// Whoever the gate lets in.
    pub const ANYONE: Self = Self { slot: None, node: None, spki_sha256: None };
}

impl Endpoint {
    /// A side of mutual channels: it gives evidence and wants evidence, whoever connects.
    ///
    /// # Errors
    /// TLS does not take the identity.
    pub fn mutual(
        identity: &Identity,
        prover: Arc<dyn Prover>,
        judge: Arc<dyn Judge>,
        gate: Arc<dyn Gate>,
        hello: Hello,
    ) -> Result<Self, AttestError> {
        let client = tls::client(Some(identity))?;
        let server = tls::server(identity, true)?;
        let spki_sha256 = *identity.spki_sha256();
        Ok(Self::of(Part::Member { client, server, prover, spki_sha256, judge }, gate, hello))
    }

    /// A side that accepts clients without evidence, and gives its own. The gate decides about their keys.
    ///
    /// # Errors
    /// TLS does not take the identity.
    pub fn host(
        identity: &Identity,
        prover: Arc<dyn Prover>,
        gate: Arc<dyn Gate>,
        hello: Hello,
    ) -> Result<Self, AttestError> {
        let (server, spki_sha256) = (tls::server(identity, false)?, *identity.spki_sha256());
        Ok(Self::of(Part::Host { server, prover, spki_sha256 }, gate, hello))
    }

    /// A side that has no evidence: it connects to a [`Self::host`], shows that it holds a key and judges the other.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn visitor(
        holder: Arc<dyn Holder>,
        judge: Arc<dyn Judge>,
        gate: Arc<dyn Gate>,
        hello: Hello,
    ) -> Result<Self, AttestError> {
        Ok(Self::of(Part::Visitor { client: tls::client(None)?, holder, judge }, gate, hello))
    }

    fn of(part: Part, gate: Arc<dyn Gate>, hello: Hello) -> Self {
        Self {
            part,
            gate,
            hello: Arc::new(hello),
            clock: Arc::new(SystemClock::new()),
            limits: Limits::default(),
            renewal: Renewal::default(),
            remembered: Arc::default(),
        }
    }

    /// The same side saying something else of itself: a candidate that became a member.
    #[must_use]
    pub fn with_hello(mut self, hello: Hello) -> Self {
        self.hello = Arc::new(hello);
        self
    }

    /// With these bounds on a peer.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With these rules for evidence on channels that stay open.
    #[must_use]
    pub const fn with_renewal(mut self, renewal: Renewal) -> Self {
        self.renewal = renewal;
        self
    }

    /// By these clocks. They measure the age of evidence and the grace date; the handshake's limit is the runtime's time.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What this side says of itself.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Makes a channel over a connection that this side opened. Nothing of the protocol above has been sent or received
    /// before it is there.
    ///
    /// # Errors
    /// [`AttestError`]; the peer gets its slug and the connection is closed.
    pub async fn connect<S>(&self, stream: S, expect: &Expect) -> Result<Channel<S>, AttestError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = match &self.part {
            Part::Member { client, .. } | Part::Visitor { client, .. } => Arc::clone(client),
            Part::Host { .. } => return Err(wrong_side("a host of visitors does not connect")),
        };
        let (started, deadline) = self.deadline();
        let connecting = TlsConnector::from(config).connect(tls::nobody(), stream);
        let tls = self.tls(timeout_at(deadline, connecting).await)?;
        let (_, connection) = tls.get_ref();
        let key = tls::peer_key(connection.peer_certificates())?;
        check_protocol(connection.alpn_protocol())?;
        handshake::run(self, TlsStream::Client(tls), Role::Client, Some(key), expect, started, deadline).await
    }

    /// Makes a channel over a connection that was opened to this side.
    ///
    /// # Errors
    /// [`AttestError`]; the peer gets its slug and the connection is closed.
    pub async fn accept<S>(&self, stream: S) -> Result<Channel<S>, AttestError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (config, mutual) = match &self.part {
            Part::Member { server, .. } => (Arc::clone(server), true),
            Part::Host { server, .. } => (Arc::clone(server), false),
            Part::Visitor { .. } => return Err(wrong_side("a visitor does not accept")),
        };
        let (started, deadline) = self.deadline();
        let accepting = TlsAcceptor::from(config).accept(stream);
        let tls = self.tls(timeout_at(deadline, accepting).await)?;
        let (_, connection) = tls.get_ref();
        let key = mutual.then(|| tls::peer_key(connection.peer_certificates())).transpose()?;
        check_protocol(connection.alpn_protocol())?;
        let anyone = Expect::ANYONE;
        handshake::run(self, TlsStream::Server(tls), Role::Server, key, &anyone, started, deadline).await
    }

    /// When this handshake began by our own clock, and when it must be over by the runtime's.
    fn deadline(&self) -> (Duration, Instant) {
        (self.clock.uptime(), Instant::now() + self.limits.handshake())
    }

    fn tls<T, E>(&self, result: Result<std::io::Result<T>, E>) -> Result<T, AttestError> {
        match result {
            Ok(tls) => tls.map_err(|error| AttestError::of_io(Stage::Tls, error)),
            Err(_) => Err(AttestError::Stalled { stage: Stage::Tls, limit: self.limits.handshake }),
        }
    }

    pub(crate) const fn mode(&self) -> Mode {
        match self.part {
            Part::Member { .. } => Mode::Mutual,
            Part::Host { .. } | Part::Visitor { .. } => Mode::ServerOnly,
        }
    }

    pub(crate) fn greeting(&self, nonce: [u8; 32]) -> Greeting {
        let held = self.holder().map(|holder| holder.public_key());
        Greeting { mode: self.mode(), nonce, held, hello: (*self.hello).clone() }
    }

    pub(crate) fn prover(&self) -> Option<(&Arc<dyn Prover>, &[u8; 32])> {
        match &self.part {
            Part::Member { prover, spki_sha256, .. } | Part::Host { prover, spki_sha256, .. } => {
                Some((prover, spki_sha256))
            }
            Part::Visitor { .. } => None,
        }
    }

    pub(crate) fn holder(&self) -> Option<&Arc<dyn Holder>> {
        match &self.part {
            Part::Visitor { holder, .. } => Some(holder),
            Part::Member { .. } | Part::Host { .. } => None,
        }
    }

    pub(crate) fn judge(&self) -> Option<&Arc<dyn Judge>> {
        match &self.part {
            Part::Member { judge, .. } | Part::Visitor { judge, .. } => Some(judge),
            Part::Host { .. } => None,
        }
    }

    pub(crate) fn gate(&self) -> &dyn Gate {
        &*self.gate
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) const fn renewal(&self) -> &Renewal {
        &self.renewal
    }

    pub(crate) fn generation(&self) -> u64 {
        self.judge().map_or(0, |judge| judge.generation())
    }

    /// Remembers a binding that was accepted.
    pub(crate) fn remember(&self, binding: &[u8; 64]) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.pop_front();
        }
        remembered.push_back(trace(binding));
    }

    /// Whether it was accepted before.
    pub(crate) fn remembers(&self, binding: &[u8; 64]) -> bool {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.contains(&trace(binding))
    }
}

fn wrong_side(why: &str) -> AttestError {
    Refusal::new("wrong-side", why).into()
}

fn check_protocol(agreed: Option<&[u8]>) -> Result<(), AttestError> {
    if agreed == Some(tls::ALPN) { Ok(()) } else { Err(AttestError::Protocol) }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Member { .. } => "mutual",
            Part::Host { .. } => "host",
            Part::Visitor { .. } => "visitor",
        };
        f.debug_struct("Endpoint").field("part", &part).field("hello", &self.hello).finish_non_exhaustive()
    }
}
