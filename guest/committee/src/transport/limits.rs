//! How much, how many and how long.

use std::time::Duration;

/// Bounds of connections. Every one of them is a bound on memory or time that a peer can cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one message's body between machines. Snapshots go in chunks below this; the first entry of a recovered epoch may
    /// come near it. Memory grows with what has arrived, not with what was announced.
    pub body: usize,
    /// Bytes of one message's body from a caller that is no machine.
    pub operator_body: usize,
    /// Bytes of requests that are under way on one connection.
    pub in_flight_bytes: usize,
    /// Requests that are under way on one connection.
    pub in_flight: usize,
    /// How long a dial with its handshake may take.
    pub dial: Duration,
    /// How long one frame may take from its first byte to its last.
    pub frame: Duration,
    /// How long a connection may be silent before it is closed.
    pub idle: Duration,
    /// The first wait after a failed dial; doubled up to [`Self::backoff_most`], and spread over half to all of it.
    pub backoff: Duration,
    /// The longest wait after a failed dial.
    pub backoff_most: Duration,
    /// Connections that are accepted at a time.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 80 << 20,
            operator_body: 4 << 20,
            in_flight_bytes: 160 << 20,
            in_flight: 256,
            dial: Duration::from_secs(20),
            frame: Duration::from_secs(30),
            idle: Duration::from_secs(300),
            backoff: Duration::from_millis(50),
            backoff_most: Duration::from_secs(5),
            connections: 256,
        }
    }
}
