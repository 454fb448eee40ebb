//! Accepting connections.

use std::io;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};

use super::dial::Acceptor;
use super::{Handler, Limits, serve};

/// Accepts for ever: handshake, then requests. Ends when dropped, and ends its connections with it.
pub async fn listen(
    listener: Arc<TcpListener>,
    acceptor: Arc<dyn Acceptor<TcpStream>>,
    handler: Arc<dyn Handler>,
    limits: Limits,
) -> io::Error {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return io::Error::other("the listener was closed");
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, or a peer that went at once: neither is a reason to stop listening.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let (acceptor, handler) = (Arc::clone(&acceptor), Arc::clone(&handler));
        connections.spawn(async move {
            connection(stream, &*acceptor, handler, limits).await;
            drop(place);
        });
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: &dyn Acceptor<TcpStream>,
    handler: Arc<dyn Handler>,
    limits: Limits,
) {
    // Small messages that somebody waits for: better at once than in company.
    let _ = stream.set_nodelay(true);
    match timeout(limits.dial, acceptor.accept(stream)).await {
        Err(_) => tracing::debug!("a handshake took too long"),
        Ok(Err(error)) => tracing::info!(%error, "a connection is refused"),
        Ok(Ok((stream, caller))) => {
            if let Err(error) = serve(stream, caller, handler, limits).await {
                tracing::debug!(%error, "a connection ended");
            }
        }
    }
}
