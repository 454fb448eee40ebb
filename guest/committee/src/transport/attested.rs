//! Connections whose ends proved what they run.
//!
//! One byte before TLS says how the dialling side will prove itself: `m`, a machine, by evidence; `o`, an operator, by a key. It picks the
//! rules that the channel is held to and is believed no further.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hallmark_attest::{Endpoint, Expect, Gate, Peer, PeerClaim, Refusal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::dial::{Accepting, Acceptor, Dialer, Dialling, Target};
use super::{BoxStream, Caller, Claim};

const MACHINE: u8 = b'm';
const OPERATOR: u8 = b'o';

/// How long a caller may take for its first byte.
const FIRST: Duration = Duration::from_secs(5);

/// Dials over TCP.
pub struct AttestedDialer {
    endpoint: Endpoint,
    preface: u8,
}

impl AttestedDialer {
    /// Dials as a machine; the endpoint is a mutual one.
    #[must_use]
    pub const fn machine(endpoint: Endpoint) -> Self {
        Self { endpoint, preface: MACHINE }
    }

    /// Dials as an operator; the endpoint is a visitor.
    #[must_use]
    pub const fn operator(endpoint: Endpoint) -> Self {
        Self { endpoint, preface: OPERATOR }
    }
}

impl Dialer for AttestedDialer {
    fn dial<'a>(&'a self, target: &'a Target) -> Dialling<'a> {
        Box::pin(async move {
            let mut stream = TcpStream::connect(&target.address).await?;
            stream.set_nodelay(true)?;
            stream.write_all(&[self.preface]).await?;
            let expect = Expect { slot: target.slot, node: None, spki_sha256: target.spki_sha256 };
            let channel = self.endpoint.connect(stream, &expect).await.map_err(io::Error::other)?;
            let caller = caller(channel.peer())?;
            Ok((Box::new(channel) as BoxStream, caller))
        })
    }
}

/// Accepts machines and operators on one port.
pub struct AttestedAcceptor {
    mutual: Endpoint,
    host: Endpoint,
}

impl AttestedAcceptor {
    /// With the endpoint for machines, a mutual one, and that for operators, a host.
    #[must_use]
    pub const fn new(mutual: Endpoint, host: Endpoint) -> Self {
        Self { mutual, host }
    }
}

impl Acceptor<TcpStream> for AttestedAcceptor {
    fn accept<'a>(&'a self, mut stream: TcpStream) -> Accepting<'a> {
        Box::pin(async move {
            let slow = || io::Error::new(io::ErrorKind::TimedOut, "the caller said nothing");
            let first = timeout(FIRST, stream.read_u8()).await.map_err(|_| slow())??;
            let endpoint = match first {
                MACHINE => &self.mutual,
                OPERATOR => &self.host,
                other => {
                    return Err(io::Error::other(format!("preface {other:#04x}; `m` and `o` are known")));
                }
            };
            let channel = endpoint.accept(stream).await.map_err(io::Error::other)?;
            let caller = caller(channel.peer())?;
            Ok((Box::new(channel) as BoxStream, caller))
        })
    }
}

/// A peer that gave evidence is a machine in the slot that it named; one that has only a key is an operator.
fn caller(peer: &Peer) -> io::Result<Caller> {
    match (peer.key().spki_sha256(), peer.key().held(), peer.hello().slot) {
        (Some(spki_sha256), _, Some(slot)) => {
            Ok(Caller { spki_sha256: *spki_sha256, claim: Claim::Machine { slot } })
        }
        (None, Some(key), _) => Ok(Caller { spki_sha256: *key, claim: Claim::Operator }),
        _ => Err(io::Error::other("a machine without a slot")),
    }
}

/// Who may open a channel: a machine that names one of the slots, and any operator. What each may ask is decided request by request.
#[derive(Debug, Clone, Copy)]
pub struct SlotGate {
    slots: usize,
}

impl SlotGate {
    /// For a committee of so many slots.
    #[must_use]
    pub fn shared(slots: usize) -> Arc<dyn Gate> {
        Arc::new(Self { slots })
    }
}

impl Gate for SlotGate {
    fn admit(&self, claim: &PeerClaim) -> Result<(), Refusal> {
        match (claim.hello.slot, claim.key.held()) {
            (None, Some(_)) => Ok(()),
            (Some(slot), None) if usize::from(slot) < self.slots => Ok(()),
            (slot, _) => Err(Refusal::new("no-such-slot", format!("slot {slot:?} of {}", self.slots))),
        }
    }
}
