//! How a client behaves.

use std::time::Duration;

use ed25519_dalek::SigningKey;

/// A ticket and the key of its subject.
#[derive(Clone)]
pub struct Credential {
    /// The ticket, a JWT.
    pub ticket: String,
    /// Its subject's key. Proves possession, for each submission by itself.
    pub key: SigningKey,
}

/// Intervals and the credential.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// How long to look for a member of this committee before saying [`ClientError::ConnectTimeout`](super::ClientError::ConnectTimeout).
    pub connect: Duration,
    /// How long one request may take.
    pub request: Duration,
    /// How long a submission is tried, on one member after another, before its fate is left open.
    pub submit: Duration,
    /// Pause between rounds over the members.
    pub pause: Duration,
    /// Time after which a larger checkpoint must be shown to extend the last one: one of those who wait for a receipt asks for it.
    pub prove_every: Duration,
    /// Silence of a followed stream after which another member is asked.
    pub silence: Duration,
    /// Where the committee asks for tickets.
    pub credential: Option<Credential>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(25),
            submit: Duration::from_secs(60),
            pause: Duration::from_millis(100),
            prove_every: Duration::from_secs(1),
            silence: Duration::from_secs(40),
            credential: None,
        }
    }
}
