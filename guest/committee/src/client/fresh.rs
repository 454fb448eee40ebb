//! Finding members, and fresh reads through a challenge.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use hallmark_ledger::cosignature::signed;
use hallmark_ledger::system::freshness_message;
use serde::Deserialize;

use super::connection::{Ask, Endpoint};
use super::roster::Keyring;
use super::{Client, ClientError, Verified};
use crate::service::Freshness;

#[derive(Deserialize)]
struct Challenged {
    checkpoint: String,
    freshness: Freshness,
}

impl Client {
    /// The members' addresses, in the order given.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.inner.endpoints.iter()
    }

    /// The keys of the committee: learnt from the first address that answers as one of its members.
    pub(super) async fn connected(&self) -> Result<Arc<Keyring>, ClientError> {
        let known = self.track().keyring.clone();
        if let Some(keyring) = known {
            return Ok(keyring);
        }
        let start = Instant::now();
        let after = self.inner.options.connect;
        let mut last: Option<String> = None;
        loop {
            for endpoint in self.endpoints() {
                let left = after.saturating_sub(start.elapsed());
                match tokio::time::timeout(left, self.keyring(endpoint)).await {
                    Ok(Ok(keyring)) => return Ok(keyring),
                    Ok(Err(error @ ClientError::Forked(_))) => return Err(error),
                    Ok(Err(error)) => last = Some(error.to_string()),
                    Err(_) => {
                        // Time ran out; what was found before says more.
                        last.get_or_insert_with(|| format!("{}: no answer", endpoint.address));
                    }
                }
            }
            if start.elapsed() >= after {
                let last = last.unwrap_or_else(|| "no address was given".into());
                return Err(ClientError::ConnectTimeout { group: self.inner.group, after, last });
            }
            tokio::time::sleep(self.inner.options.pause).await;
        }
    }

    /// The newest checkpoint that a member gives and that is not behind what this client has seen.
    ///
    /// # Errors
    /// Where no member gives one that verifies.
    pub async fn checkpoint(&self) -> Result<Verified, ClientError> {
        self.connected().await?;
        self.first(async |endpoint| self.checkpoint_of(endpoint, "/checkpoint").await).await
    }

    /// A checkpoint that covers all that was acknowledged before this call: q members are asked for the largest tree that they have cosigned, signed over a fresh nonce.
    /// Any two sets of q members share one, so one of those asked has cosigned whatever was acknowledged.
    ///
    /// # Errors
    /// [`ClientError::NoQuorum`] where fewer than q answer.
    pub async fn fresh(&self) -> Result<Verified, ClientError> {
        let want = self.connected().await?.quorum;
        let nonce = Self::nonce()?;
        let target = format!("/checkpoint?challenge={}", hex::encode(nonce));
        let (mut slots, mut largest, mut last) = (BTreeSet::new(), 0, "no address".to_owned());
        for endpoint in self.endpoints() {
            match self.challenge(endpoint, &target, &nonce).await {
                Ok((slot, size)) => {
                    slots.insert(slot);
                    largest = largest.max(size);
                }
                Err(error @ ClientError::Forked(_)) => return Err(error),
                Err(error) => last = error.to_string(),
            }
            if slots.len() >= want {
                break;
            }
        }
        if slots.len() < want {
            return Err(ClientError::NoQuorum { got: slots.len(), want, last });
        }
        let target = format!("/checkpoint?size={largest}");
        self.first(async |endpoint| {
            let newest = self.checkpoint_of(endpoint, &target).await?;
            if newest.checkpoint().size < largest {
                let (address, got) = (endpoint.address.clone(), newest.checkpoint().size);
                let epoch = newest.checkpoint().epoch;
                return Err(ClientError::Stale { address, got, epoch, known: largest });
            }
            Ok(newest)
        })
        .await
    }

    /// Something that nobody could have signed before.
    pub(super) fn nonce() -> Result<[u8; 32], ClientError> {
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).map_err(|error| ClientError::connection("randomness", error))?;
        Ok(nonce)
    }

    async fn challenge(
        &self,
        endpoint: &Endpoint,
        target: &str,
        nonce: &[u8; 32],
    ) -> Result<(u16, u64), ClientError> {
        let unproven =
            |why: &dyn std::fmt::Display| ClientError::unproven(&endpoint.address, "freshness", why);
        let answer = endpoint.ask(&Ask::get(target), self.inner.options.request).await?;
        let Challenged { checkpoint, freshness } =
            serde_json::from_slice(&answer).map_err(|error| unproven(&error))?;
        let checkpoint = self.verify(endpoint, &checkpoint, true).await?;
        let keyring = self.keyring(endpoint).await?;
        let member = keyring.roster.node(freshness.node);
        let member = member.ok_or_else(|| unproven(&format_args!("node {} is no member", freshness.node)))?;
        let origin = &checkpoint.checkpoint().origin;
        let message = freshness_message(origin, keyring.roster.epoch, nonce, freshness.size, &freshness.root);
        if !signed(&member.cosign_key, &message, &freshness.signature) {
            return Err(unproven(&format_args!("the signature of node {} is wrong", freshness.node)));
        }
        Ok((member.slot, freshness.size))
    }

    pub(super) async fn checkpoint_of(
        &self,
        endpoint: &Endpoint,
        target: &str,
    ) -> Result<Verified, ClientError> {
        let note = endpoint.ask(&Ask::get(target), self.inner.options.request).await?;
        let note = std::str::from_utf8(&note)
            .map_err(|error| ClientError::unproven(&endpoint.address, "checkpoint", error))?;
        let verified = self.verify(endpoint, note, true).await?;
        self.not_behind(endpoint, &verified)?;
        Ok(verified)
    }

    /// The first answer of a member that verifies.
    pub(super) async fn first<T>(
        &self,
        ask: impl AsyncFn(&Endpoint) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut last = ClientError::connection("", "no address was given");
        for endpoint in self.endpoints() {
            match ask(endpoint).await {
                Err(error) if error.is_passing() => last = error,
                done => return done,
            }
        }
        Err(last)
    }
}
