//! From a TLS session to a channel: hellos, proofs, acceptance. Each step runs both ways at once, and the next begins when
//! both are through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsStream;

use crate::binding::{Role, exporter_context};
use crate::channel::Channel;
use crate::endpoint::{Endpoint, Expect};
use crate::error::{AttestError, Stage};
use crate::frame::{self, Kind};
use crate::greeting::Greeting;
use crate::peer::PeerKey;
use crate::refusal::Refusal;
use crate::session::{Proven, Session, blocking, export, nonce};

/// How long a refused peer gets to hear why.
const FAREWELL: Duration = Duration::from_millis(500);
/// The most bytes that are thrown away meanwhile.
const FAREWELL_BYTES: u64 = 8 << 20;

/// Runs the handshake. `started` is when it began by the endpoint's clock: evidence is not older than that.
pub(crate) async fn run<S>(
    endpoint: &Endpoint,
    mut tls: TlsStream<S>,
    role: Role,
    key: Option<PeerKey>,
    expect: &Expect,
    started: Duration,
    deadline: Instant,
) -> Result<Channel<S>, AttestError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let whole = AtomicBool::new(true);
    let attested = timeout_at(deadline, attest(endpoint, &mut tls, role, key, expect, &whole)).await;
    let limit = endpoint.limits().handshake;
    let error = match attested {
        Ok(Ok((session, proven))) => return Ok(Channel::new(tls, Arc::new(session), proven, started)),
        Ok(Err(error)) => error,
        Err(_) => AttestError::Stalled { stage: Stage::Attestation, limit },
    };
    let _ = timeout(FAREWELL, farewell(&mut tls, &error, whole.load(Ordering::Relaxed))).await;
    Err(error)
}

async fn attest<S>(
    endpoint: &Endpoint,
    tls: &mut TlsStream<S>,
    role: Role,
    key: Option<PeerKey>,
    expect: &Expect,
    whole: &AtomicBool,
) -> Result<(Session, Proven), AttestError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let most = endpoint.limits().proof();
    let nonce = nonce()?;
    let own = endpoint.greeting(nonce).bytes();
    let sent = own.clone();
    let (_, theirs) =
        both(tls, Kind::Hello, most, whole, async { Ok(sent) }, |body| async { Ok(body) }).await?;
    let other = Greeting::parse(&theirs)?.nonce;
    if other == nonce {
        return Err(Refusal::new("nonce-reflected", "the peer sent this side's own nonce back").into());
    }
    let session = Session::new(endpoint, role, key, expect, [&own, &theirs])?;
    let (client, server) = match role {
        Role::Client => (nonce, other),
        Role::Server => (other, nonce),
    };
    let exporter = |prover| export(tls, &exporter_context(prover, &client, &server, None));
    let (mine, due) = (exporter(role)?, exporter(role.other())?);
    let (prover, judge) = (session.clone(), session.clone());
    let proof = blocking(move || prover.prove(&mine));
    let judging = |body: Vec<u8>| blocking(move || judge.judge(&body, &due, Some(&mine)));
    let (_, proven) = both(tls, Kind::Proof, most, whole, proof, judging).await?;
    both(tls, Kind::Accept, most, whole, async { Ok(Vec::new()) }, |_| async { Ok(()) }).await?;
    Ok((session, proven))
}

/// Sends a frame once its body is there, and meanwhile receives the peer's and looks at it. Neither waits for the other: two
/// sides that both write first would wait for ever. `whole` says afterwards whether the frame went out whole or not at all.
async fn both<S, T, L>(
    tls: &mut TlsStream<S>,
    kind: Kind,
    most: usize,
    whole: &AtomicBool,
    body: impl Future<Output = Result<Vec<u8>, AttestError>>,
    look: impl FnOnce(Vec<u8>) -> L,
) -> Result<((), T), AttestError>
where
    S: AsyncRead + AsyncWrite + Unpin,
    L: Future<Output = Result<T, AttestError>>,
{
    let (mut read, mut write) = tokio::io::split(tls);
    let send = async {
        let body = body.await?;
        whole.store(false, Ordering::Relaxed);
        frame::send(&mut write, kind, &body).await?;
        whole.store(true, Ordering::Relaxed);
        Ok(())
    };
    let receive = async { look(frame::receive(&mut read, kind, most).await?).await };
    futures_util::future::try_join(send, receive).await
}

/// Tells the peer why, unless it said so first or a frame of ours is half sent, and closes. What it still sends is thrown away:
/// closing a socket with unread bytes in it resets the connection, and the peer would never read the reason.
async fn farewell<S>(tls: &mut TlsStream<S>, error: &AttestError, whole: bool)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if matches!(error, AttestError::RefusedByPeer { .. } | AttestError::Transport { .. }) {
        let _ = tls.shutdown().await;
        return;
    }
    if whole {
        let _ = frame::send(tls, Kind::Refuse, error.slug().as_bytes()).await;
    }
    let _ = tls.shutdown().await;
    let _ = tokio::io::copy(&mut tls.take(FAREWELL_BYTES), &mut tokio::io::sink()).await;
}
