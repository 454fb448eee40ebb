//! As much of gRPC as a put takes: HTTP/2 by `h2`, one message each way, five fields of protocol buffers.
//!
//! gRPC over HTTP/2: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>. A generated client would do the same work
//! with more layers; what is measured is etcd.

use std::net::SocketAddr;

use h2::client::SendRequest;
use hyper::body::Bytes;
use hyper::http::Request;
use tokio::net::TcpStream;

use crate::Outcome;

/// Room for answers, so that no writer waits for a window update.
const WINDOW: u32 = 16 << 20;

/// One connection, shared by clones.
#[derive(Clone)]
pub(crate) struct Connection {
    requests: SendRequest<Bytes>,
}

impl Connection {
    pub(crate) async fn open(to: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(stream)
            .await?;
        tokio::spawn(connection);
        Ok(Self { requests })
    }

    /// `etcdserverpb.KV/Put`. Returns when etcd has committed it.
    pub(crate) async fn put(&self, key: &str, value: &str) -> Outcome<()> {
        let request = Request::post("http://etcd/etcdserverpb.KV/Put")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let (answer, mut body) = self.requests.clone().ready().await?.send_request(request, false)?;
        body.send_data(put_message(key, value), true)?;
        let mut answer = answer.await?.into_body();
        let mut length = 0;
        while let Some(data) = answer.data().await {
            let data = data?;
            length += data.len();
            answer.flow_control().release_capacity(data.len())?;
        }
        let trailers = answer.trailers().await?.ok_or("no trailers")?;
        let status = trailers.get("grpc-status").ok_or("no grpc-status")?;
        // An answer has a header with the revision: an empty one is no acknowledgement.
        if status != "0" || length <= 5 {
            return Err(format!("etcd: status {status:?}: {:?}", trailers.get("grpc-message")).into());
        }
        Ok(())
    }
}

/// `PutRequest { bytes key = 1; bytes value = 2; }` as a gRPC message: not compressed, its length, itself.
fn put_message(key: &str, value: &str) -> Bytes {
    let mut message = vec![0; 5];
    for (tag, field) in [(0x0a, key), (0x12, value)] {
        message.push(tag);
        let mut length = field.len();
        while length >= 0x80 {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(field.as_bytes());
    }
    let length = (message.len() - 5) as u32;
    message[1..5].copy_from_slice(&length.to_be_bytes());
    message.into()
}
