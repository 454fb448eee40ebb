//! Connections whose identity is injected: each end says who it is and is believed.
//!
//! For simulation and tests of what lies above. Nothing here is reachable from a member's configuration.

use std::io;
use std::marker::PhantomData;
use std::pin::Pin;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::dial::{Accepting, Acceptor, Dialer, Dialling, Target};
use super::{Caller, Claim, Stream};

/// A future of a raw stream.
pub type Opening<S> = Pin<Box<dyn Future<Output = io::Result<S>> + Send>>;

/// Says `me` to whoever it dials and believes what it is told.
pub struct PlainDialer<S, F> {
    me: Caller,
    open: F,
    stream: PhantomData<fn() -> S>,
}

impl<S: Stream, F: Fn(String) -> Opening<S> + Send + Sync + 'static> PlainDialer<S, F> {
    /// A dialler that opens streams with `open`, which is given the address.
    pub const fn new(me: Caller, open: F) -> Self {
        Self { me, open, stream: PhantomData }
    }
}

impl<S: Stream, F: Fn(String) -> Opening<S> + Send + Sync + 'static> Dialer for PlainDialer<S, F> {
    fn dial<'a>(&'a self, target: &'a Target) -> Dialling<'a> {
        Box::pin(async move {
            let mut stream = (self.open)(target.address.clone()).await?;
            stream.write_all(&encode(&self.me)).await?;
            stream.flush().await?;
            let found = read(&mut stream).await?;
            Ok((Box::new(stream) as _, found))
        })
    }
}

/// The accepting end.
pub struct PlainAcceptor {
    me: Caller,
}

impl PlainAcceptor {
    /// Says `me` to whoever comes.
    #[must_use]
    pub const fn new(me: Caller) -> Self {
        Self { me }
    }
}

impl<S: Stream> Acceptor<S> for PlainAcceptor {
    fn accept<'a>(&'a self, mut stream: S) -> Accepting<'a> {
        Box::pin(async move {
            let found = read(&mut stream).await?;
            stream.write_all(&encode(&self.me)).await?;
            stream.flush().await?;
            Ok((Box::new(stream) as _, found))
        })
    }
}

/// 32 bytes of key hash, 1 of claim, 2 of slot.
fn encode(caller: &Caller) -> [u8; 35] {
    let (kind, slot) = caller.slot().map_or((0, 0), |slot| (1, slot));
    let mut bytes = [0; 35];
    let fields = caller.spki_sha256.into_iter().chain([kind]).chain(slot.to_be_bytes());
    bytes.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
    bytes
}

async fn read(stream: &mut impl Stream) -> io::Result<Caller> {
    let mut spki_sha256 = [0; 32];
    stream.read_exact(&mut spki_sha256).await?;
    let kind = stream.read_u8().await?;
    let slot = stream.read_u16().await?;
    let claim = match kind {
        0 => Claim::Operator,
        1 => Claim::Machine { slot },
        other => return Err(io::Error::other(format!("claim {other} at offset 32; 0 and 1 are known"))),
    };
    Ok(Caller { spki_sha256, claim })
}
