//! A small HTTP/1.1 client for a guest's own pages: one GET, bounded in size and time.
//!
//! RFC 9112. No TLS, no redirects, no proxies, no host names: a forwarded port on this host. The answer
//! is the guest's and is raw bytes to the caller.

mod message;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use message::{Progress, Reader};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Not an absolute path that can stand in a request line.
    #[error("{0:?} is not a path: it must begin with / and have no spaces or control characters")]
    Path(String),
    /// The connection could not be made or broke.
    #[error("the connection to {address} failed")]
    Io {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The answer is not complete in time.
    #[error("{address} did not answer within {} ms", limit.as_millis())]
    TimedOut {
        /// Where.
        address: SocketAddr,
        /// How long it had.
        limit: Duration,
    },
    /// The connection ended before the answer did.
    #[error("the answer ends early, after {0} bytes")]
    Truncated(usize),
    /// Larger than a caller wants.
    #[error("the answer's {part} has more than {limit} bytes")]
    TooLarge {
        /// `head` or `body`.
        part: &'static str,
        /// What was allowed.
        limit: usize,
    },
    /// Not HTTP/1.1.
    #[error("the answer breaks RFC 9112, {clause}: {what}")]
    Malformed {
        /// Section of RFC 9112.
        clause: &'static str,
        /// What is wrong.
        what: &'static str,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code, 200 to 999.
    pub status: u16,
    /// The body, whatever its type.
    pub body: Vec<u8>,
}

/// How much and how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From connecting to the last byte.
    pub time: Duration,
    /// Largest body, in bytes.
    pub body: usize,
}

impl Default for Limits {
    /// 30 s and 8 MiB: evidence under emulation takes seconds, and an event log has no small bound.
    fn default() -> Self {
        Self { time: Duration::from_secs(30), body: 8 << 20 }
    }
}

/// GETs `path` (with its query).
///
/// # Errors
/// When there is no complete, well-formed answer within the limits. A status of 400 or above is an answer.
pub fn get(address: SocketAddr, path: &str, limits: Limits) -> Result<Response, HttpError> {
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(HttpError::Path(path.into()));
    }
    let connection = Connection { address, limits, started: Instant::now() };
    let mut stream =
        TcpStream::connect_timeout(&address, connection.left()?).map_err(|error| connection.failed(error))?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    stream
        .set_write_timeout(Some(connection.left()?))
        .and_then(|()| stream.write_all(request.as_bytes()))
        .map_err(|error| connection.failed(error))?;

    let mut reader = Reader::new(limits.body);
    let mut chunk = [0; 16 << 10];
    loop {
        stream.set_read_timeout(Some(connection.left()?)).map_err(|error| connection.failed(error))?;
        let progress = match stream.read(&mut chunk) {
            Ok(0) => return reader.end(),
            Ok(count) => reader.feed(chunk.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Progress::More,
            Err(error) => return Err(connection.failed(error)),
        };
        if let Progress::Done(response) = progress {
            return Ok(response);
        }
    }
}

struct Connection {
    address: SocketAddr,
    limits: Limits,
    started: Instant,
}

impl Connection {
    fn left(&self) -> Result<Duration, HttpError> {
        let left = self.limits.time.saturating_sub(self.started.elapsed());
        if left.is_zero() { Err(self.timed_out()) } else { Ok(left) }
    }

    fn timed_out(&self) -> HttpError {
        HttpError::TimedOut { address: self.address, limit: self.limits.time }
    }

    fn failed(&self, source: io::Error) -> HttpError {
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.timed_out(),
            _ => HttpError::Io { address: self.address, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    fn server(answer: &'static [u8], hold: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            assert!(request.starts_with(b"GET /status?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
            let _ = stream.write_all(answer);
            thread::sleep(hold);
        });
        address
    }

    fn ask(answer: &'static [u8], hold: u64, limit: u64) -> Result<Response, HttpError> {
        let limits = Limits { time: Duration::from_millis(limit), body: 100 };
        get(server(answer, Duration::from_millis(hold)), "/status?x=1", limits)
    }

    #[test]
    fn an_answer_is_complete_at_its_length_even_if_the_server_holds_on() {
        let started = Instant::now();
        let response = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1500, 5000).unwrap();
        assert_eq!(response, Response { status: 200, body: b"ok".to_vec() });
        assert!(started.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn silence_truncation_and_refusal() {
        assert!(matches!(ask(b"HTTP/1.1 200 OK\r\n", 2000, 100), Err(HttpError::TimedOut { .. })));
        let short = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", 0, 5000);
        assert!(matches!(short, Err(HttpError::Truncated(_))), "{short:?}");
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(get(closed, "/", Limits::default()), Err(HttpError::Io { .. })));
    }

    #[test]
    fn a_path_cannot_carry_a_second_request() {
        let nowhere = "127.0.0.1:1".parse().unwrap();
        for path in ["", "status", "/a b", "/a\r\nHost: b", "/\u{e9}", "/\0"] {
            assert!(matches!(get(nowhere, path, Limits::default()), Err(HttpError::Path(_))), "{path:?}");
        }
    }
}
