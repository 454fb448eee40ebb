//! Typed handles: a stream in order, a collection by key.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use hallmark_ledger::checkpoint::Checkpoint;
use hallmark_ledger::cosignature::signed;
use hallmark_ledger::entry::Entry;
use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::lookup_message;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::connection::{Ask, Endpoint};
use super::line::{Leaf, Line};
use super::{Client, ClientError, Verified};
use crate::service::Lookup;

/// Longest line: an entry, its proof, a note.
const MAX_LINE: usize = 256 * 1024;

/// An entry that was verified, with its body as `T`.
#[derive(Debug, Clone)]
pub struct Item<T> {
    /// Its index in the ledger.
    pub index: u64,
    /// The entry.
    pub entry: Entry,
    /// Its body.
    pub body: T,
    /// The checkpoint that covers it.
    pub checkpoint: Verified,
}

/// A stream: every entry of a surface, in order, none left out.
pub struct Stream<T> {
    client: Client,
    surface: String,
    next: u64,
    member: usize,
    open: Option<Open>,
    body: PhantomData<fn() -> T>,
}

struct Open {
    body: Incoming,
    buffer: Vec<u8>,
    scanned: usize,
    checkpoint: Option<Verified>,
}

/// A collection: the last entry of each key.
pub struct Collection<T> {
    client: Client,
    surface: String,
    body: PhantomData<fn() -> T>,
}

/// Follows a surface from a sequence number on.
#[must_use]
pub fn stream<T: DeserializeOwned>(client: &Client, surface: &str, from: u64) -> Stream<T> {
    let (client, surface) = (client.clone(), surface.to_owned());
    Stream { client, surface, next: from, member: 0, open: None, body: PhantomData }
}

/// Reads a collection.
#[must_use]
pub fn collection<T: DeserializeOwned>(client: &Client, surface: &str) -> Collection<T> {
    Collection { client: client.clone(), surface: surface.to_owned(), body: PhantomData }
}

#[derive(Deserialize)]
struct Found {
    index: Option<u64>,
    leaf: Option<Box<RawValue>>,
    proof: Option<Vec<Hash>>,
    checkpoint: String,
    word: Option<Lookup>,
}

impl Client {
    fn item<T: DeserializeOwned>(
        endpoint: &Endpoint,
        leaf: Leaf,
        surface: &str,
        verified: Verified,
    ) -> Result<Item<T>, ClientError> {
        let unproven =
            |what, why: &dyn std::fmt::Display| ClientError::unproven(&endpoint.address, what, why);
        let Checkpoint { size, root, .. } = verified.checkpoint();
        leaf.verify(*size, root).map_err(|error| unproven("proof", &error))?;
        let entry = Entry::of(leaf.bytes).map_err(|error| unproven("leaf", &error))?;
        if entry.surface() != surface {
            return Err(unproven("leaf", &format_args!("of surface {}", entry.surface())));
        }
        let body = serde_json::from_str(entry.body().get()).map_err(|error| unproven("body", &error))?;
        Ok(Item { index: leaf.index, entry, body, checkpoint: verified })
    }
}

impl<T: DeserializeOwned> Collection<T> {
    /// A key's last entry as of a checkpoint that is not behind what this client has seen. None is the word of the member asked.
    ///
    /// # Errors
    /// Where no member's answer verifies.
    pub async fn get(&self, key: &str) -> Result<Option<Item<T>>, ClientError> {
        self.client.connected().await?;
        self.client.first(async |endpoint| self.get_of(endpoint, key).await).await
    }

    /// The latest of what members of q different slots say, each signing its answer for a nonce of this call, under a checkpoint that covers all
    /// that was acknowledged before the call. Wrong only where all of these q lie; one member counts once, at however many addresses it answers.
    ///
    /// # Errors
    /// [`ClientError::NoQuorum`] where fewer than q answer.
    pub async fn get_fresh(&self, key: &str) -> Result<Option<Item<T>>, ClientError> {
        let fresh = self.client.fresh().await?;
        let want = self.client.connected().await?.quorum;
        let nonce = Client::nonce()?;
        let (mut slots, mut best, mut last) = (BTreeSet::new(), None::<Item<T>>, "no address".to_owned());
        for endpoint in self.client.endpoints() {
            // The member's index may be behind its checkpoint for a moment.
            let wait = format!("/checkpoint?size={}", fresh.checkpoint().size);
            let limit = self.client.inner.options.request;
            if let Err(error) = endpoint.ask(&Ask::get(&wait), limit).await {
                last = error.to_string();
                continue;
            }
            let mut answer = self.word_of(endpoint, key, &nonce).await;
            for _ in 0..20 {
                if !matches!(answer, Err(ClientError::Stale { .. })) {
                    break;
                }
                tokio::time::sleep(self.client.inner.options.pause / 4).await;
                answer = self.word_of(endpoint, key, &nonce).await;
            }
            match answer {
                Ok((slot, item)) => {
                    slots.insert(slot);
                    let later = |known: &Item<T>| item.as_ref().is_some_and(|item| item.index > known.index);
                    if best.as_ref().is_none_or(later) {
                        best = item.or(best);
                    }
                }
                Err(error) if error.is_passing() => last = error.to_string(),
                Err(error) => return Err(error),
            }
            if slots.len() >= want {
                return Ok(best);
            }
        }
        Err(ClientError::NoQuorum { got: slots.len(), want, last })
    }

    async fn get_of(&self, endpoint: &Endpoint, key: &str) -> Result<Option<Item<T>>, ClientError> {
        let target = format!("/collections/{}/{}", self.surface, encode(key));
        let limit = self.client.inner.options.request;
        let answer = match endpoint.ask(&Ask::get(&target), limit).await {
            Err(ClientError::Refused { document, .. }) if document.code == "no-such-key" => return Ok(None),
            answer => answer?,
        };
        let (_, item) = self.found(endpoint, key, &answer).await?;
        item.map(Some).ok_or_else(|| unproven(endpoint, "collection", &"neither an entry nor a refusal"))
    }

    /// A member's signed answer: its slot, and the key's last entry, or none.
    async fn word_of(
        &self,
        endpoint: &Endpoint,
        key: &str,
        nonce: &[u8; 32],
    ) -> Result<(u16, Option<Item<T>>), ClientError> {
        let target =
            format!("/collections/{}/{}?challenge={}", self.surface, encode(key), hex::encode(nonce));
        let answer = endpoint.ask(&Ask::get(&target), self.client.inner.options.request).await?;
        let ((verified, word), item) = self.found(endpoint, key, &answer).await?;
        let word = word.ok_or_else(|| unproven(endpoint, "collection", &"unsigned"))?;
        let keyring = self.client.keyring(endpoint).await?;
        let member = keyring.roster.node(word.node).ok_or_else(|| {
            unproven(endpoint, "collection", &format_args!("node {} is no member", word.node))
        })?;
        let Checkpoint { origin, epoch, size, root, .. } = verified.checkpoint();
        let index = item.as_ref().map(|item| item.index);
        let message = lookup_message(origin, *epoch, nonce, (*size, root), (&self.surface, key), index);
        if !signed(&member.cosign_key, &message, &word.signature) {
            let why = format!("the signature of node {} is wrong", word.node);
            return Err(unproven(endpoint, "collection", &why));
        }
        Ok((member.slot, item))
    }

    /// Verifies an answer: the entry, if it has one, is the key's, in the tree of a checkpoint that is not behind what this client has seen.
    async fn found(
        &self,
        endpoint: &Endpoint,
        key: &str,
        answer: &[u8],
    ) -> Result<((Verified, Option<Lookup>), Option<Item<T>>), ClientError> {
        let found: Found =
            serde_json::from_slice(answer).map_err(|error| unproven(endpoint, "collection", &error))?;
        let verified = self.client.verify(endpoint, &found.checkpoint, true).await?;
        self.client.not_behind(endpoint, &verified)?;
        let Found { index, leaf, proof, word, .. } = found;
        let (index, leaf, path) = match (index, leaf, proof) {
            (None, None, None) => return Ok(((verified, word), None)),
            (Some(index), Some(leaf), Some(path)) => (index, leaf, path),
            _ => return Err(unproven(endpoint, "collection", &"index, leaf or proof is missing")),
        };
        let leaf = Leaf { index, bytes: leaf.get().as_bytes().to_vec(), path };
        let item = Client::item(endpoint, leaf, &self.surface, Verified::clone(&verified))?;
        if item.entry.key() != Some(key) {
            return Err(unproven(endpoint, "leaf", &"an entry of another key"));
        }
        Ok(((verified, word), Some(item)))
    }
}

fn unproven(endpoint: &Endpoint, what: &'static str, why: &dyn std::fmt::Display) -> ClientError {
    ClientError::unproven(&endpoint.address, what, why)
}

impl<T: DeserializeOwned> Stream<T> {
    /// The next entry, waited for as long as it takes. Goes on at another member where one falls silent, fails or shows what does not verify.
    ///
    /// # Errors
    /// Where no member serves it, or two histories are shown.
    pub async fn next(&mut self) -> Result<Item<T>, ClientError> {
        self.client.connected().await?;
        let mut failures = 0;
        loop {
            match self.advance().await {
                Err(error) if error.is_passing() => {
                    self.open = None;
                    self.member += 1;
                    failures += 1;
                    if failures > 3 * self.client.inner.endpoints.len() {
                        return Err(error);
                    }
                    tokio::time::sleep(self.client.inner.options.pause).await;
                }
                done => return done,
            }
        }
    }

    async fn advance(&mut self) -> Result<Item<T>, ClientError> {
        let client = self.client.clone();
        let endpoints = &client.inner.endpoints;
        let member = self.member.checked_rem(endpoints.len()).unwrap_or(0);
        let endpoint =
            endpoints.get(member).ok_or_else(|| ClientError::connection("", "no address was given"))?;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => {
                let target = format!("/streams/{}?from={}&follow=1&proofs=1", self.surface, self.next);
                let ask = Ask::get(&target);
                let (_, body) = endpoint.open(&ask, client.inner.options.request).await?;
                Open { body, buffer: Vec::new(), scanned: 0, checkpoint: None }
            }
        };
        loop {
            let line = tokio::time::timeout(client.inner.options.silence, open.line(endpoint)).await;
            let line = line.map_err(|_| ClientError::connection(&endpoint.address, "silent"))??;
            if let Some(note) = &line.checkpoint {
                open.checkpoint = Some(client.verify(endpoint, note, true).await?);
                continue;
            }
            // Heartbeats, and what later versions may say.
            let Some(leaf) = line.leaf() else { continue };
            let unproven =
                |why: &dyn std::fmt::Display| ClientError::unproven(&endpoint.address, "stream", why);
            let verified =
                open.checkpoint.clone().ok_or_else(|| unproven(&"a leaf before its checkpoint"))?;
            let item: Item<T> = Client::item(endpoint, leaf, &self.surface, verified)?;
            if item.entry.seq() != self.next {
                return Err(unproven(&format_args!("number {} instead of {}", item.entry.seq(), self.next)));
            }
            self.next += 1;
            self.open = Some(open);
            return Ok(item);
        }
    }
}

impl Open {
    async fn line(&mut self, endpoint: &Endpoint) -> Result<Line, ClientError> {
        loop {
            let fresh = self.buffer.get(self.scanned..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=self.scanned + at).collect();
                self.scanned = 0;
                return serde_json::from_slice(&line)
                    .map_err(|error| ClientError::unproven(&endpoint.address, "line", error));
            }
            self.scanned = self.buffer.len();
            if self.buffer.len() > MAX_LINE {
                return Err(ClientError::unproven(&endpoint.address, "line", "longer than any can be"));
            }
            match self.body.frame().await {
                None => return Err(ClientError::connection(&endpoint.address, "the stream ended")),
                Some(Err(error)) => return Err(ClientError::connection(&endpoint.address, error)),
                Some(Ok(frame)) => self.buffer.extend(frame.into_data().unwrap_or_default()),
            }
        }
    }
}

fn encode(key: &str) -> String {
    key.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}
