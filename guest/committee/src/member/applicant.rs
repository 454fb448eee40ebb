//! A machine that wants a slot: its keys, which live in memory for this start alone, and its applications.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ed25519_dalek::SigningKey;
use hallmark_attest::{Clock, Identity, Prover, ProverError};
use hallmark_coalition::UniqueId;
use hallmark_ledger::checkpoint;
use hallmark_ledger::hash::Hash;
use hallmark_ledger::note::{NoteError, Signer};
use hallmark_ledger::system::{Admission, slot_message};
use thiserror::Error;
use zeroize::Zeroizing;

use super::SlotKey;
use super::address::Address;
use super::ceremony::Application;

/// Statements that are kept: whoever asks for another is given a fresh one, at the price of a quote.
const KEPT: usize = 8;

/// What an application is stated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Purpose {
    pub(crate) epoch: u64,
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

/// The keys of one start, and what was stated with them.
pub(crate) struct Applicant {
    pub(crate) group: UniqueId,
    pub(crate) slot: u16,
    pub(crate) identity: Arc<Identity>,
    pub(crate) address: Address,
    pub(crate) collateral: Option<Vec<u8>>,
    cosign: Zeroizing<[u8; 32]>,
    log_keys: Mutex<BTreeMap<u64, Zeroizing<[u8; 32]>>>,
    prover: Arc<dyn Prover>,
    clock: Arc<dyn Clock>,
    slot_key: Option<Arc<SlotKey>>,
    /// One quote at a time, whoever asks: the platform has one source, and asking is free for a caller.
    made: tokio::sync::Mutex<Vec<(Purpose, Application)>>,
}

/// Why there is no application.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// This machine gives no evidence.
    #[error(transparent)]
    Prover(#[from] ProverError),
    /// The system has no randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(getrandom::Error),
    /// A log key could not be named.
    #[error(transparent)]
    LogKey(#[from] NoteError),
    /// The machine is stopping.
    #[error("the machine is stopping")]
    Stopping,
}

impl Applicant {
    pub(crate) fn new(
        (group, slot): (UniqueId, u16),
        identity: Arc<Identity>,
        address: Address,
        (prover, clock): (Arc<dyn Prover>, Arc<dyn Clock>),
        collateral: Option<Vec<u8>>,
        slot_key: Option<Arc<SlotKey>>,
    ) -> Result<Self, ApplyError> {
        Ok(Self {
            group,
            slot,
            identity,
            address,
            collateral,
            cosign: seed()?,
            log_keys: Mutex::default(),
            prover,
            clock,
            slot_key,
            made: tokio::sync::Mutex::default(),
        })
    }

    /// Seed of the cosigning key.
    pub(crate) const fn cosign_seed(&self) -> &Zeroizing<[u8; 32]> {
        &self.cosign
    }

    /// The public cosigning key.
    pub(crate) fn cosign_key(&self) -> [u8; 32] {
        SigningKey::from_bytes(&self.cosign).verifying_key().to_bytes()
    }

    /// Seed of the log key that this machine would begin `epoch` with; the same each time it is asked.
    pub(crate) fn log_seed(&self, epoch: u64) -> Result<Zeroizing<[u8; 32]>, ApplyError> {
        let mut keys = self.log_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seed) = keys.get(&epoch) {
            return Ok(seed.clone());
        }
        // Only the latest epochs can begin.
        while keys.len() >= KEPT {
            keys.pop_first();
        }
        Ok(keys.entry(epoch).or_insert(seed()?).clone())
    }

    /// The public log key of [`Self::log_seed`].
    pub(crate) fn log_key(&self, epoch: u64) -> Result<String, ApplyError> {
        let origin = checkpoint::origin(self.group.as_bytes(), epoch);
        Ok(Signer::from_seed(&origin, &*self.log_seed(epoch)?)?.verifier().to_string())
    }

    /// The application for this purpose; signed where this machine holds its slot's key.
    pub(crate) async fn application(&self, purpose: Purpose) -> Result<Application, ApplyError> {
        let mut made = self.made.lock().await;
        if let Some((_, application)) = made.iter().find(|(for_what, _)| *for_what == purpose) {
            return Ok(application.clone());
        }
        let application = self.make(purpose).await?;
        if made.len() >= KEPT {
            made.remove(0);
        }
        made.push((purpose, application.clone()));
        Ok(application)
    }

    async fn make(&self, purpose: Purpose) -> Result<Application, ApplyError> {
        let mut admission = Admission {
            slot: self.slot,
            cosign_key: self.cosign_key(),
            spki: self.identity.spki_der().to_vec(),
            hpke_key: None,
            checkpoint_size: purpose.size,
            checkpoint_root: purpose.root,
            evidence: Hash::of([]),
            collateral: self.collateral.as_ref().map(Hash::of),
            time: self.clock.now().0,
            slot_signature: [0; 64],
            replaces: None,
        };
        // The binding has a domain of its own, so this can never be a quote that a channel asks for, whoever chose epoch and root.
        let binding = admission.statement(self.group, purpose.epoch).binding();
        let prover = Arc::clone(&self.prover);
        let evidence = tokio::task::spawn_blocking(move || prover.evidence(&binding))
            .await
            .map_err(|_| ApplyError::Stopping)??;
        admission.evidence = Hash::of(&evidence);
        if let Some(key) = &self.slot_key {
            let message = slot_message(
                &self.group,
                purpose.epoch,
                self.slot,
                &admission.cosign_key,
                &admission.spki_sha256(),
                &admission.evidence,
            );
            admission.slot_signature = key.sign(&message);
        }
        Ok(Application {
            epoch: purpose.epoch,
            admission,
            evidence,
            collateral: self.collateral.clone(),
            address: self.address.clone(),
            log_key: self.log_key(purpose.epoch)?,
        })
    }
}

fn seed() -> Result<Zeroizing<[u8; 32]>, ApplyError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(ApplyError::Randomness)?;
    Ok(seed)
}
