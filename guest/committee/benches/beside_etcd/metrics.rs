//! What a process says in its metrics.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Outcome;

/// Whether `GET /metrics` has this line.
pub(crate) fn says(address: SocketAddr, wanted: &str) -> Outcome<bool> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut metrics = Vec::new();
    stream.read_to_end(&mut metrics)?;
    Ok(String::from_utf8_lossy(&metrics).lines().any(|line| line.trim_end() == wanted))
}
