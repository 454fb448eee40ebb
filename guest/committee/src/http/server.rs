//! Connections, within limits.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hallmark_machine::ClientId;
use hyper::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::gate::Gate;
use super::index::Index;
use super::limits::Limits;
use super::metrics::Metrics;
use super::problem::Problem;
use super::rate::Buckets;
use super::stall::Stall;
use crate::service::Service;

/// Addresses and clients whose rate is counted apart.
const COUNTED: usize = 65_536;

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-type: application/json\r\n\
    content-length: 104\r\n\r\n{\"code\":\"too-many-connections\",\"why\":\"as many as this member takes\",\"hint\":\"ask again, or another member\"}";

/// The surface of one member.
pub struct Surface {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) index: Arc<Index>,
    pub(crate) followers: Arc<Semaphore>,
    pub(crate) waiting: Semaphore,
    addresses: Buckets<IpAddr>,
    clients: Buckets<ClientId>,
    open: Mutex<HashMap<IpAddr, usize>>,
    indexing: JoinHandle<()>,
}

impl Surface {
    /// A surface over a member. Must be called within a tokio runtime: it follows the member's checkpoints until dropped.
    #[must_use]
    pub fn new(service: Arc<dyn Service>, gate: Arc<Gate>, limits: Limits) -> Arc<Self> {
        let index = Arc::new(Index::new());
        let indexing = tokio::spawn(Arc::clone(&index).follow(Arc::clone(&service)));
        Arc::new(Self {
            followers: Arc::new(Semaphore::new(limits.followers)),
            waiting: Semaphore::new(limits.submissions),
            addresses: Buckets::new(limits.rate_of_address, limits.burst_of_address, COUNTED),
            clients: Buckets::new(limits.rate_of_client, limits.burst_of_client, COUNTED),
            open: Mutex::default(),
            metrics: Metrics::default(),
            service,
            gate,
            limits,
            index,
            indexing,
        })
    }

    /// Takes connections until dropped; they end with it.
    pub async fn serve(self: Arc<Self>, listener: &TcpListener) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            // What has ended is forgotten.
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, address)) => {
                    // An answer is written at once or in chunks; waiting for more to send would only delay it.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(Arc::clone(&self).connection(stream, address.ip()));
                }
                // Out of descriptors or memory, or a connection gone before it was taken: none is ours to mend.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Answers one connection's requests, one after another.
    pub async fn connection<S>(self: Arc<Self>, stream: S, address: IpAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let from = neighbourhood(address);
        let mut stream = Stall::new(stream, self.limits.stall);
        let Some(_place) = Place::take(&self, from) else {
            self.metrics.refusal("too-many-connections");
            let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(FULL)).await;
            let _ = tokio::time::timeout(Duration::from_secs(1), stream.shutdown()).await;
            return;
        };
        self.metrics.connection();
        let service = service_fn(|request| {
            let surface = Arc::clone(&self);
            async move { Ok::<_, Infallible>(surface.answer(request, from).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_time)
            .max_buf_size(self.limits.head)
            .max_headers(self.limits.fields)
            .serve_connection(TokioIo::new(stream), service);
        // Errors are the asker's: a broken request, a broken connection, a reader that does not read.
        let _ = tokio::time::timeout(self.limits.follow_time + self.limits.stall, connection).await;
    }

    /// Takes one from an address's rate.
    pub(crate) fn rate(&self, from: IpAddr) -> Result<(), Problem> {
        self.addresses.take(from, Instant::now()).map_err(|wait| too_fast("address", wait))
    }

    /// Takes one from a client's rate.
    pub(crate) fn client_rate(&self, client: ClientId) -> Result<(), Problem> {
        self.clients.take(client, Instant::now()).map_err(|wait| too_fast("client", wait))
    }
}

impl Drop for Surface {
    fn drop(&mut self) {
        self.indexing.abort();
    }
}

fn too_fast(whose: &str, wait: Duration) -> Problem {
    let why = format!("{whose}: more requests than its rate allows");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-fast", why, "come back after Retry-After seconds")
        .retry_after(wait.as_secs() + 1)
}

/// What counts as one address: an IPv4 address, an IPv6 /64 (whoever has one address there has them all).
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// A connection's place; given back when dropped.
struct Place<'s> {
    surface: &'s Surface,
    from: IpAddr,
}

impl<'s> Place<'s> {
    fn take(surface: &'s Surface, from: IpAddr) -> Option<Self> {
        let mut open = surface.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all = surface.metrics.connections.load(Relaxed);
        let of_one = open.get(&from).copied().unwrap_or(0);
        if all >= surface.limits.connections || of_one >= surface.limits.connections_of_one {
            return None;
        }
        open.insert(from, of_one + 1);
        surface.metrics.connections.store(all + 1, Relaxed);
        Some(Self { surface, from })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut open = self.surface.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.surface.metrics.connections.fetch_sub(1, Relaxed);
        if let Some(of_one) = open.get_mut(&self.from) {
            *of_one -= 1;
            if *of_one == 0 {
                open.remove(&self.from);
            }
        }
    }
}
