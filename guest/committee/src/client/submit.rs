//! Submissions: tried on one member after another under one number, believed once proven, and settled where unclear.

use std::sync::Arc;
use std::time::Instant;

use hallmark_ledger::entry::Entry;
use hallmark_ledger::hash::Hash;
use hallmark_ledger::proof::Inclusion;
use hallmark_ledger::system::SystemEntry;
use hallmark_machine::ClientId;
use hyper::body::Bytes;

use super::connection::{Ask, Endpoint};
use super::together::{Place, together};
use super::{Client, ClientError, Verified};
use crate::http::{CLIENT, NONCE, OutcomeWord, PROOF, ReceiptDocument, Record, SETTLE, channel, scope};
use crate::{Submission, command_hash};

/// What the ledger says of a submission, for good.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decided {
    /// Applied.
    Committed,
    /// Refused by the machine.
    Rejected {
        /// The word that programs compare.
        code: String,
        /// What a person reads.
        why: String,
    },
    /// Not applied, and never to be.
    Invalid,
}

/// An answer that was verified: the entry, that it is in the tree, and the tree under q cosignatures.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// What became of it, as the entry says.
    pub decided: Decided,
    /// Index of its first entry.
    pub index: u64,
    /// That entry.
    pub entry: Entry,
    /// That it is in the tree.
    pub proof: Inclusion,
    /// The checkpoint.
    pub checkpoint: Verified,
}

/// What is submitted.
struct Command<'a> {
    client: ClientId,
    nonce: u64,
    surface: &'a str,
    hash: Hash,
}

impl Client {
    /// Submits a command under a number that this client id has not used for another. Returns once a quorum has cosigned what became of it.
    ///
    /// # Errors
    /// [`ClientError::Unclear`] where time ran out and it may yet be applied; other errors mean that it was not ordered.
    pub async fn submit(
        &self,
        client: ClientId,
        nonce: u64,
        surface: &str,
        body: impl Into<Bytes>,
    ) -> Result<Receipt, ClientError> {
        let body: Bytes = body.into();
        let headers = self.headers(&client, nonce, &scope(surface), &body);
        let target = format!("/submit/{surface}");
        let command = Command { client, nonce, surface, hash: command_hash(surface, &body) };
        let ask = Ask { method: "POST", target: &target, headers: &headers, body };
        let decided = self.decide(&ask, &command).await?;
        decided.ok_or_else(|| ClientError::Unclear { nonce, why: "a submission has no open fate".into() })
    }

    /// What became of a submission; None while it is open.
    ///
    /// # Errors
    /// Where no member answers with something that verifies.
    pub async fn fate(&self, client: ClientId, nonce: u64) -> Result<Option<Receipt>, ClientError> {
        self.fate_with("GET", client, nonce).await
    }

    /// The same, and an end of it: where it is open, it is never applied from now on.
    ///
    /// # Errors
    /// As for [`Client::submit`].
    pub async fn settle(&self, client: ClientId, nonce: u64) -> Result<Receipt, ClientError> {
        let settled = self.fate_with("POST", client, nonce).await?;
        settled.ok_or_else(|| ClientError::Unclear { nonce, why: "it could not be settled yet".into() })
    }

    async fn fate_with(
        &self,
        method: &'static str,
        client: ClientId,
        nonce: u64,
    ) -> Result<Option<Receipt>, ClientError> {
        let headers = if method == "POST" { self.headers(&client, nonce, SETTLE, b"") } else { Vec::new() };
        let epoch = self.connected().await?.roster.epoch;
        let target = format!("/fate/{epoch}/{client}/{nonce}");
        let command = Command { client, nonce, surface: "", hash: Hash([0; 32]) };
        let ask = Ask { method, target: &target, headers: &headers, body: Bytes::new() };
        self.decide(&ask, &command).await
    }

    /// Asks one member after another until one's answer verifies, or is no passing refusal.
    async fn decide(&self, ask: &Ask<'_>, command: &Command<'_>) -> Result<Option<Receipt>, ClientError> {
        let start = Instant::now();
        let nonce = command.nonce;
        // Before anything is sent: that there is a member of this committee at all.
        self.connected().await?;
        // A request that never reached a member was not ordered; of one that did and was not answered nothing is known.
        let mut unclear = false;
        loop {
            let mut last = None;
            for endpoint in self.endpoints() {
                let answer = match self.document(endpoint, ask, command).await {
                    Ok(document) => self.receipt(endpoint, document, command).await,
                    Err(error) => Err(error),
                };
                match answer {
                    Ok(receipt) => return Ok(receipt),
                    Err(error) if !error.is_passing() => return Err(error),
                    Err(error) => {
                        unclear |= !matches!(&error, ClientError::Refused { status: 429 | 507, .. });
                        last = Some(error);
                    }
                }
            }
            if start.elapsed() >= self.inner.options.submit {
                let why = last.as_ref().map_or_else(|| "no address".into(), ToString::to_string);
                return Err(match last {
                    Some(error) if !unclear => error,
                    _ => ClientError::Unclear { nonce, why },
                });
            }
            tokio::time::sleep(self.inner.options.pause).await;
        }
    }

    /// What a member answers, not verified. A submission is asked alone, or where there are many together with others.
    async fn document(
        &self,
        endpoint: &Arc<Endpoint>,
        ask: &Ask<'_>,
        command: &Command<'_>,
    ) -> Result<ReceiptDocument, ClientError> {
        let _place = match command.asks_fate() {
            true => None,
            false => match Place::take(endpoint, ask.body.len()) {
                None => return self.along(endpoint, ask, command).await,
                place => place,
            },
        };
        let answer = endpoint.ask(ask, self.inner.options.request).await?;
        let unproven = |error| ClientError::unproven(&endpoint.address, "receipt", error);
        serde_json::from_slice(&answer).map_err(unproven)
    }

    /// Asks together with others.
    async fn along(
        &self,
        endpoint: &Arc<Endpoint>,
        ask: &Ask<'_>,
        command: &Command<'_>,
    ) -> Result<ReceiptDocument, ClientError> {
        let header =
            |wanted| ask.headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone());
        let Command { client, nonce, surface, .. } = *command;
        let submission = Submission { client, nonce, surface: surface.to_owned(), body: ask.body.to_vec() };
        let record = Record { submission, proof: header(PROOF) };
        together(endpoint, record, header("authorization"), self.inner.options.request).await
    }

    fn headers(
        &self,
        client: &ClientId,
        nonce: u64,
        scope: &str,
        body: &[u8],
    ) -> Vec<(&'static str, String)> {
        use ed25519_dalek::Signer as _;
        let mut headers = vec![(CLIENT, client.to_string()), (NONCE, nonce.to_string())];
        if let Some(credential) = &self.inner.options.credential {
            let bound = channel(&self.inner.group, client, nonce, body);
            let signature = credential.key.sign(&hallmark_coalition::proof_message(&bound, scope)).to_bytes();
            let key = credential.key.verifying_key().to_bytes();
            headers.push(("authorization", format!("Bearer {}", credential.ticket)));
            headers.push((PROOF, format!("{}.{}", hex::encode(key), hex::encode(signature))));
        }
        headers
    }

    /// Verifies a receipt. What the entry says counts, not the word beside it.
    async fn receipt(
        &self,
        endpoint: &Endpoint,
        document: ReceiptDocument,
        command: &Command<'_>,
    ) -> Result<Option<Receipt>, ClientError> {
        let unproven =
            |what, why: &dyn std::fmt::Display| ClientError::unproven(&endpoint.address, what, why);
        if document.outcome == OutcomeWord::Pending {
            return Ok(None);
        }
        let ReceiptDocument {
            index: Some(index),
            leaf: Some(leaf),
            proof: Some(path),
            checkpoint: Some(note),
            ..
        } = document
        else {
            return Err(unproven("receipt", &"index, leaf, proof or checkpoint is missing"));
        };
        let checkpoint = self.verify(endpoint, &note, false).await?;
        let proof = Inclusion { index, size: checkpoint.checkpoint().size, path };
        let leaf = leaf.get().as_bytes();
        let hash = hallmark_ledger::hash::leaf(leaf);
        proof.verify(&hash, &checkpoint.checkpoint().root).map_err(|error| unproven("proof", &error))?;
        let entry = Entry::parse(leaf).map_err(|error| unproven("leaf", &error))?;
        let decided = command.decided(&entry).map_err(|why| unproven("leaf", &why))?;
        Ok(Some(Receipt { decided, index, entry, proof, checkpoint }))
    }
}

impl Command<'_> {
    /// Whether it is no submission, but a question about one.
    const fn asks_fate(&self) -> bool {
        self.surface.is_empty()
    }

    /// What an entry says of this command; an error where it speaks of another.
    fn decided(&self, entry: &Entry) -> Result<Decided, String> {
        if let Some(submission) = entry.submission() {
            let same = submission.client == *self.client.as_bytes() && submission.nonce == self.nonce;
            if !same || (!self.asks_fate() && submission.command != self.hash) {
                return Err("an entry of another submission".into());
            }
        }
        match SystemEntry::of(entry) {
            Ok(Some(SystemEntry::Rejection(rejection))) => {
                if rejection.client.as_bytes() != self.client.as_bytes() || rejection.nonce != self.nonce {
                    return Err("a rejection of another submission".into());
                }
                // A tombstone has no command; what a machine rejected has.
                Ok(match entry.submission() {
                    None => Decided::Invalid,
                    Some(_) => Decided::Rejected { code: rejection.code, why: rejection.why },
                })
            }
            Ok(_) if entry.submission().is_some() => Ok(Decided::Committed),
            Ok(_) => Err("an entry of no submission".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}
