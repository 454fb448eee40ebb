//! What a process says in its metrics.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Outcome;

/// Whether `GET /metrics` has this line.
pub(crate) fn says(address: SocketAddr, wanted: &str) -> Outcome<bool> {
    Ok(get(address)?.lines().any(|line| line.trim_end() == wanted))
}

/// The sum of these counters, which have no labels.
pub(crate) fn sum(address: SocketAddr, names: &[&str]) -> Outcome<f64> {
    let metrics = get(address)?;
    let value = |name: &&str| -> Outcome<f64> {
        let found = metrics.lines().find_map(|line| line.strip_prefix(*name)?.strip_prefix(' '));
        Ok(found.ok_or_else(|| format!("no {name} in the metrics"))?.trim().parse()?)
    };
    names.iter().map(value).sum()
}

fn get(address: SocketAddr) -> Outcome<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut metrics = Vec::new();
    stream.read_to_end(&mut metrics)?;
    Ok(String::from_utf8_lossy(&metrics).into_owned())
}
