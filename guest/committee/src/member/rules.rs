//! The rules of a committee file: policy, releases and collateral, read from disk.

use std::path::Path;
use std::sync::Arc;

use hallmark_attest::{Clock, Judge, PolicyJudge, PolicyJudgeError};
use hallmark_ledger::hash::Hash;
use hallmark_verifier::Policy;
use hallmark_verifier::time::UnixSeconds;
use thiserror::Error;

use super::file::{CommitteeFile, FileError, bounded};

/// The longest policy, release or collateral, in bytes. Collateral goes into the ledger as a blob.
const LONGEST: u64 = 1 << 20;

/// The rules by which evidence is judged.
#[derive(Clone)]
pub struct Rules {
    /// Judges evidence.
    pub judge: Arc<dyn Judge>,
    /// SHA-256 of the policy.
    pub policy: Hash,
    /// SHA-256 of the releases whose machines may be members, in the configuration's order.
    pub releases: Vec<Hash>,
    /// The collateral that applications name, where there is any.
    pub collateral: Option<Vec<u8>>,
    /// Whether the policy names a simulated root: then nothing here proves anything about a machine.
    pub simulated: bool,
}

/// Rules that cannot be judged by.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RulesError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The policy is none.
    #[error("{path}: {why}")]
    Policy {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A release or the collateral cannot be judged by.
    #[error(transparent)]
    Judge(#[from] PolicyJudgeError),
}

impl Rules {
    /// Reads the files that a committee file names. The instant at which collateral is judged is the clock's.
    ///
    /// # Errors
    /// [`RulesError`].
    pub fn read(file: &CommitteeFile, clock: Arc<dyn Clock>) -> Result<Self, RulesError> {
        let policy_bytes = bounded(&file.policy, LONGEST)?;
        let policy = parse(&file.policy, &policy_bytes)?;
        let simulated = !policy.roots.simulated.is_empty();
        let releases =
            file.releases.iter().map(|path| bounded(path, LONGEST)).collect::<Result<Vec<_>, _>>()?;
        let judge = PolicyJudge::new(policy, &releases, clock)?;
        let collateral = file.collateral.as_ref().map(|path| bounded(path, LONGEST)).transpose()?;
        if let Some(collateral) = &collateral {
            judge.add_collateral(collateral, UnixSeconds(u64::MAX))?;
        }
        Ok(Self {
            judge: Arc::new(judge),
            policy: Hash::of(&policy_bytes),
            releases: releases.iter().map(Hash::of).collect(),
            collateral,
            simulated,
        })
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Policy, RulesError> {
    let wrong = |why: String| RulesError::Policy { path: path.display().to_string(), why };
    let text = std::str::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
    Policy::parse(text).map_err(|error| wrong(error.to_string()))
}
