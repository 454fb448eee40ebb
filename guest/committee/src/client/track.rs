//! What the client has verified: keys, the largest checkpoint, and that each extends the one before.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use hallmark_ledger::checkpoint::Checkpoint;
use hallmark_ledger::cosignature::SignedCheckpoint;
use hallmark_ledger::note::Note;

use super::connection::Endpoint;
use super::roster::Keyring;
use super::{Client, ClientError, Fork, Truncation};

/// Checkpoints that were verified lately: receipts of one batch share theirs.
const REMEMBERED: usize = 64;

/// A checkpoint that a quorum of this committee's members signed.
pub type Verified = Arc<SignedCheckpoint>;

#[derive(Default)]
pub(super) struct Track {
    pub(super) keyring: Option<Arc<Keyring>>,
    /// The largest that was shown to extend all before.
    pub(super) newest: Option<Verified>,
    proven: Option<Instant>,
    /// Since when somebody asks for the next proof: those who come meanwhile need not.
    proving: Option<Instant>,
    lately: VecDeque<Verified>,
    pub(super) fork: Option<Fork>,
    pub(super) truncation: Option<Truncation>,
}

impl Client {
    /// The keys, learnt from this member where there are none yet.
    pub(super) async fn keyring(&self, endpoint: &Endpoint) -> Result<Arc<Keyring>, ClientError> {
        let known = self.track().keyring.clone();
        match known {
            Some(keyring) => Ok(keyring),
            None => self.relearn(endpoint).await,
        }
    }

    async fn relearn(&self, endpoint: &Endpoint) -> Result<Arc<Keyring>, ClientError> {
        // A roster that changes while it is read does not match its checkpoint; it is read again.
        let mut last = self.learn(endpoint).await;
        for _ in 0..3 {
            if last.is_ok() {
                break;
            }
            tokio::time::sleep(self.inner.options.pause).await;
            last = self.learn(endpoint).await;
        }
        let (keyring, signed) = last?;
        let known = self.track().keyring.clone();
        if let Some(known) = known.filter(|known| known.roster.epoch > keyring.roster.epoch) {
            return Ok(known);
        }
        let keyring = Arc::new(keyring);
        self.track().keyring = Some(Arc::clone(&keyring));
        self.settle_on(endpoint, &Arc::new(signed), true).await?;
        Ok(keyring)
    }

    /// Verifies a note: a quorum of the roster signed it, and (within [`prove_every`](super::Options::prove_every), or now) it is of the one history.
    pub(super) async fn verify(
        &self,
        endpoint: &Endpoint,
        note: &str,
        prove_now: bool,
    ) -> Result<Verified, ClientError> {
        let lately = self.track().lately.iter().find(|known| known.note() == note).cloned();
        if let Some(known) = lately {
            if prove_now {
                self.settle_on(endpoint, &known, true).await?;
            }
            return Ok(known);
        }
        let unproven =
            |why: &dyn std::fmt::Display| ClientError::unproven(&endpoint.address, "checkpoint", why);
        let keyring = self.keyring(endpoint).await?;
        let parsed = Note::parse(note.as_bytes()).map_err(|error| unproven(&error))?;
        let checkpoint = Checkpoint::parse(parsed.text()).map_err(|error| unproven(&error))?;
        if checkpoint.epoch < keyring.roster.epoch {
            let known = self.track().newest.as_ref().map_or(0, |newest| newest.checkpoint().size);
            let (address, got, epoch) = (endpoint.address.clone(), checkpoint.size, checkpoint.epoch);
            return Err(ClientError::Stale { address, got, epoch, known });
        }
        let signed = match SignedCheckpoint::verify(note.as_bytes(), &keyring.keys()) {
            Ok(signed) => signed,
            // Another roster or epoch: the entries say who the members are now.
            Err(_)
                if checkpoint.roster != keyring.roster.hash() || checkpoint.epoch != keyring.roster.epoch =>
            {
                let keyring = self.relearn(endpoint).await?;
                SignedCheckpoint::verify(note.as_bytes(), &keyring.keys())
                    .map_err(|error| unproven(&error))?
            }
            Err(error) => return Err(unproven(&error)),
        };
        let signed = Arc::new(signed);
        self.settle_on(endpoint, &signed, prove_now).await?;
        Ok(signed)
    }

    /// Holds a signed checkpoint against the largest one known. Where that fails, the next one asks for a proof at once.
    async fn settle_on(
        &self,
        endpoint: &Endpoint,
        signed: &Verified,
        prove_now: bool,
    ) -> Result<(), ClientError> {
        let settled = self.hold(endpoint, signed, prove_now).await;
        if settled.is_err() {
            self.track().proving = None;
        }
        settled
    }

    async fn hold(&self, endpoint: &Endpoint, signed: &Verified, prove_now: bool) -> Result<(), ClientError> {
        let (newest, due) = {
            let mut track = self.track();
            let old =
                |at: Option<Instant>| at.is_none_or(|at| at.elapsed() >= self.inner.options.prove_every);
            let due = prove_now || (old(track.proven) && old(track.proving));
            if due {
                track.proving = Some(Instant::now());
            }
            (track.newest.clone(), due)
        };
        if let Some(known) = &newest {
            let (a, b) = (known.checkpoint(), signed.checkpoint());
            if a.epoch == b.epoch && a.size == b.size && a.root != b.root {
                return Err(self.forked(known, signed, "two roots at one size"));
            }
            // After a recovery the tree may be smaller; the new epoch stands in every checkpoint since, and the operators signed it.
            let survives = if a.epoch < b.epoch { self.survives(endpoint, a.epoch)? } else { u64::MAX };
            if a.size > survives {
                let (before, after) = (known.note().to_owned(), signed.note().to_owned());
                self.track().truncation.get_or_insert(Truncation { before, after, survives });
            } else if due && a.epoch <= b.epoch {
                let (old, new) = if a.size <= b.size { (a, b) } else { (b, a) };
                match self.shown(endpoint, old, new).await {
                    Err(ClientError::Unproven { why, .. }) => return Err(self.forked(known, signed, &why)),
                    other => other?,
                }
            }
        }
        let mut track = self.track();
        if track.lately.len() >= REMEMBERED {
            track.lately.pop_front();
        }
        if !track.lately.iter().any(|known| known.note() == signed.note()) {
            track.lately.push_back(Arc::clone(signed));
        }
        let place = |signed: &Verified| (signed.checkpoint().epoch, signed.checkpoint().size);
        let larger = track.newest.as_ref().is_none_or(|known| place(known) <= place(signed));
        if due {
            track.proven = Some(Instant::now());
            if larger {
                track.newest = Some(Arc::clone(signed));
            }
        }
        Ok(())
    }

    /// Entries of an epoch's tree that a recovery went on from, as its operators signed.
    pub(super) fn survives(&self, endpoint: &Endpoint, epoch: u64) -> Result<u64, ClientError> {
        let survives = self.track().keyring.as_ref().and_then(|keyring| keyring.survives(epoch));
        survives.ok_or_else(|| {
            let why = format!("a later epoch than {epoch}, and no recovery of it");
            ClientError::unproven(&endpoint.address, "roster", why)
        })
    }

    /// Whether any member shows that `new` extends `old`. One that is behind cannot, and one that lies must not make a fork out of one history: only where a proof
    /// fails and nobody has a better one does it count.
    async fn shown(
        &self,
        endpoint: &Endpoint,
        old: &Checkpoint,
        new: &Checkpoint,
    ) -> Result<(), ClientError> {
        let others =
            self.endpoints().map(AsRef::as_ref).filter(|other: &&Endpoint| other.address != endpoint.address);
        let mut verdict = None;
        for member in std::iter::once(endpoint).chain(others) {
            match self.extends(member, old, new).await {
                Ok(()) => return Ok(()),
                Err(error @ ClientError::Unproven { .. }) => verdict = Some(error),
                Err(ClientError::Refused { .. }) => {}
                Err(error) => verdict = verdict.or(Some(error)),
            }
        }
        let unshown =
            || ClientError::connection(&endpoint.address, "no member shows that one tree extends the other");
        Err(verdict.unwrap_or_else(unshown))
    }

    fn forked(&self, first: &Verified, second: &Verified, why: &str) -> ClientError {
        let fork =
            Fork { first: first.note().to_owned(), second: second.note().to_owned(), why: why.to_owned() };
        self.track().fork.get_or_insert_with(|| fork.clone());
        ClientError::Forked(Box::new(fork))
    }

    /// Refuses a checkpoint that is behind what was seen.
    pub(super) fn not_behind(&self, endpoint: &Endpoint, signed: &Verified) -> Result<(), ClientError> {
        let newest = self.track().newest.clone();
        let (got, epoch) = (signed.checkpoint().size, signed.checkpoint().epoch);
        match newest.map(|newest| (newest.checkpoint().epoch, newest.checkpoint().size)) {
            Some((known_epoch, known)) if (epoch, got) < (known_epoch, known) => {
                Err(ClientError::Stale { address: endpoint.address.clone(), got, epoch, known })
            }
            _ => Ok(()),
        }
    }
}
