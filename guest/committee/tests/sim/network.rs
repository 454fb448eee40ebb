//! Members' and clients' calls over turmoil's TCP. Who calls says which key it holds, and is believed; who is called answers only where
//! the key that the caller asks for is its own, as an attested channel would have it: a slot's machines share one address.

use std::cell::{Cell, RefCell};
use std::io;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hallmark_committee::{Node, NodeId, PeerError, PeerRequest, PeerResponse, Peers};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};
use turmoil::net::TcpStream;

use super::chance::Chance;
use super::wire::{Answer, Ask};

pub(crate) const PORT: u16 = 7000;
const MOST: u32 = 16 << 20;

pub(crate) async fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(&u32::try_from(bytes.len()).map_err(io::Error::other)?.to_be_bytes()).await?;
    stream.write_all(bytes).await?;
    stream.flush().await
}

pub(crate) async fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length);
    if length > MOST {
        return Err(io::Error::other("too long"));
    }
    let mut bytes = vec![0; length as usize];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

thread_local! {
    static LAG: Cell<(u64, u64)> = const { Cell::new((0, 1)) };
    static FOLDER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Has messages take 1 to `most` milliseconds more, each its own time.
pub(crate) fn set_lag(seed: u64, most: u64) {
    LAG.set((seed, most));
}

/// The run's folder, whose name is another in every run: errors that members tell each other may name it.
pub(crate) fn set_folder(folder: &str) {
    FOLDER.set(folder.as_bytes().to_vec());
}

/// How long a message takes follows from what it is and when it is sent, not from how many were sent before: where two tasks of one
/// instant change places, a draw for each message would have everything after differ. The folder's name is left out.
pub(crate) async fn travel(bytes: &[u8], to: &str) {
    let (seed, most) = LAG.get();
    let now = turmoil::elapsed().as_millis() as u64;
    let mut hash = seed ^ now.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    FOLDER.with_borrow(|folder| {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            rest = match rest.strip_prefix(folder.as_slice()) {
                Some(after) if !folder.is_empty() => after,
                _ => {
                    add(*byte);
                    after
                }
            };
        }
    });
    to.bytes().for_each(add);
    sleep(Duration::from_millis(1 + Chance::new(hash).below(most))).await;
}

/// In the place of a callee's key: whichever machine is at the address.
pub(crate) const ANYONE: [u8; 32] = [0; 32];

async fn exchange(to: &str, [me, whom]: [[u8; 32]; 2], ask: &Ask) -> io::Result<Answer> {
    let mut bytes = [me, whom].concat();
    bytes.extend(postcard::to_allocvec(ask).map_err(io::Error::other)?);
    travel(&bytes, to).await;
    let mut stream = TcpStream::connect((to, PORT)).await?;
    send(&mut stream, &bytes).await?;
    let answer = receive(&mut stream).await?;
    postcard::from_bytes(&answer).map_err(io::Error::other)
}

/// One question to one host, whichever machine it runs.
pub(crate) async fn ask(to: &str, me: [u8; 32], ask: &Ask, within: Duration) -> io::Result<Answer> {
    timeout(within, exchange(to, [me, ANYONE], ask)).await.map_err(io::Error::other)?
}

/// Carries an engine's requests.
pub(crate) struct Net {
    pub(crate) me: [u8; 32],
}

impl Peers for Net {
    fn call<'a>(
        &'a self,
        _: NodeId,
        node: &'a Node,
        request: PeerRequest,
        within: Duration,
    ) -> BoxFuture<'a, Result<PeerResponse, PeerError>> {
        Box::pin(async move {
            let keys = [self.me, node.spki_sha256];
            match timeout(within, exchange(&node.address, keys, &Ask::Peer(request))).await {
                Err(_) => Err(PeerError::Timeout(within)),
                Ok(Err(error)) => Err(PeerError::Unreachable(error.to_string())),
                Ok(Ok(Answer::Peer(answer))) => Ok(answer),
                Ok(Ok(_)) => Err(PeerError::Malformed("not a member's answer".into())),
            }
        })
    }
}
