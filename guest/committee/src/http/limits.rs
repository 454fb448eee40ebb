//! What one asker can take from the others.

use std::time::Duration;

/// The limits of the surface. Every buffer and every wait is bounded by one of them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at a time; one more is told so (503) and closed.
    pub connections: usize,
    /// Connections at a time from one address.
    pub connections_of_one: usize,
    /// Readers that follow streams, at a time; they hold a connection for long.
    pub followers: usize,
    /// Bytes of a request's head.
    pub head: usize,
    /// Header fields of a request.
    pub fields: usize,
    /// Time for a head to arrive, from the connection's opening or the last answer's end.
    pub head_time: Duration,
    /// Bytes of a submission.
    pub body: usize,
    /// Submissions of one request.
    pub together: usize,
    /// Bytes of such a request.
    pub together_body: usize,
    /// Time for a body to arrive.
    pub body_time: Duration,
    /// How long a reader may take nothing of what we write.
    pub stall: Duration,
    /// How long a submission may wait for its quorum before its outcome is called unclear.
    pub submit_time: Duration,
    /// Submissions that wait for their quorum, at a time.
    pub submissions: usize,
    /// Entries of one answer.
    pub entries: usize,
    /// Bytes of entries gathered at a time; a line is never split.
    pub chunk: usize,
    /// Silence after which a follower is sent a heartbeat.
    pub heartbeat: Duration,
    /// Longest life of a connection that follows; a reader comes back with `from=`.
    pub follow_time: Duration,
    /// Writes a second, sustained, of one address.
    pub rate_of_address: u32,
    /// Writes at once of one address.
    pub burst_of_address: u32,
    /// Writes a second, sustained, of one client.
    pub rate_of_client: u32,
    /// Writes at once of one client.
    pub burst_of_client: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_of_one: 512,
            followers: 256,
            head: 16 * 1024,
            fields: 48,
            head_time: Duration::from_secs(10),
            body: 48 * 1024,
            together: 256,
            together_body: 1 << 20,
            body_time: Duration::from_secs(10),
            stall: Duration::from_secs(20),
            submit_time: Duration::from_secs(20),
            submissions: 4096,
            entries: 1000,
            chunk: 64 * 1024,
            heartbeat: Duration::from_secs(10),
            follow_time: Duration::from_secs(3600),
            rate_of_address: 20_000,
            burst_of_address: 40_000,
            rate_of_client: 2_000,
            burst_of_client: 4_000,
        }
    }
}
