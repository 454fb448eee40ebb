//! Whether applications and orders hold. Members and `mint` ask the same questions, each for itself.

use std::collections::BTreeSet;

use hallmark_attest::{Judge, Judgement, Refusal};
use hallmark_coalition::Committee;
use hallmark_ledger::checkpoint;
use hallmark_ledger::hash::{EMPTY, Hash};
use hallmark_ledger::note::Verifier;
use hallmark_ledger::system::{MAX_BLOB, OperatorError};
use thiserror::Error;

use super::ceremony::{Application, GenesisOrder, RecoveryOrder};

/// What a member's evidence is judged by, and the names of these rules in a genesis.
pub struct Trust<'a> {
    /// The committee.
    pub committee: &'a Committee,
    /// Judges evidence.
    pub judge: &'a dyn Judge,
    /// SHA-256 of the policy.
    pub policy: Hash,
    /// SHA-256 of the releases.
    pub releases: &'a [Hash],
}

/// An application or an order that does not hold.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckError {
    /// A slot that there is not, or twice the same.
    #[error("applications: slot {slot} {why}")]
    Slot {
        /// The slot.
        slot: u16,
        /// What is wrong.
        why: &'static str,
    },
    /// A field that must be another one.
    #[error("slot {slot}: {field}: it is not {due}")]
    Field {
        /// The slot.
        slot: u16,
        /// Which field.
        field: &'static str,
        /// What it should be.
        due: &'static str,
    },
    /// The evidence does not count.
    #[error("slot {slot}: the machine's evidence is refused: {refusal}")]
    Evidence {
        /// The slot.
        slot: u16,
        /// Why.
        refusal: Refusal,
    },
    /// The slot's operator did not sign.
    #[error("slot {0}: not signed by the slot's operator")]
    Unsigned(u16),
    /// The first entry is not this committee's.
    #[error("genesis: {0}: it is not what this member's configuration says")]
    Genesis(&'static str),
    /// The recovery does not hold.
    #[error("recovery: {0}")]
    Recovery(&'static str),
    /// Too few operators signed a recovery, or one of them wrongly.
    #[error("recovery: {0}")]
    Operators(#[from] OperatorError),
}

impl CheckError {
    /// One word for programs; of refused evidence the failed check's.
    #[must_use]
    pub fn slug(&self) -> &str {
        match self {
            Self::Slot { .. } | Self::Field { .. } => "application",
            Self::Evidence { refusal, .. } => refusal.slug.as_str(),
            Self::Unsigned(_) => "slot-signature",
            Self::Genesis(_) => "genesis",
            Self::Recovery(_) => "recovery",
            Self::Operators(_) => "operator-signatures",
        }
    }
}

impl Trust<'_> {
    /// Whether this machine runs what it must and is the one that applies. Says nothing about the operator's signature. Blocks.
    ///
    /// # Errors
    /// [`CheckError`].
    pub fn application(&self, application: &Application) -> Result<Judgement, CheckError> {
        let Application { epoch, admission, evidence, collateral, log_key, .. } = application;
        let slot = admission.slot;
        let wrong = |field, due| Err(CheckError::Field { slot, field, due });
        if usize::from(slot) >= self.committee.acl().slots().len() {
            return Err(CheckError::Slot { slot, why: "is none of the committee's" });
        }
        if evidence.len() > MAX_BLOB || admission.evidence != Hash::of(evidence) {
            return wrong("evidence", "the SHA-256 of the evidence");
        }
        if collateral.as_ref().is_some_and(|bytes| bytes.len() > MAX_BLOB)
            || admission.collateral != collateral.as_ref().map(Hash::of)
        {
            return wrong("collateral", "the SHA-256 of the collateral");
        }
        let origin = checkpoint::origin(self.committee.id().as_bytes(), *epoch);
        if !Verifier::parse(log_key).is_ok_and(|key| key.name() == origin) {
            return wrong("log_key", "a key of this group's and epoch's name");
        }
        let binding = admission.statement(self.committee.id(), *epoch).binding();
        self.judge.judge(evidence, &binding).map_err(|refusal| CheckError::Evidence { slot, refusal })
    }

    /// The same, and the operator's signature.
    ///
    /// # Errors
    /// [`CheckError`].
    pub fn signed(&self, application: &Application) -> Result<Judgement, CheckError> {
        if application.is_signed(self.committee) {
            self.application(application)
        } else {
            Err(CheckError::Unsigned(application.admission.slot))
        }
    }

    /// Whether a committee may begin by this order. Blocks.
    ///
    /// # Errors
    /// [`CheckError`].
    pub fn genesis(&self, order: &GenesisOrder) -> Result<(), CheckError> {
        let GenesisOrder { genesis, applications, begins } = order;
        let wrong = |field| Err(CheckError::Genesis(field));
        if genesis.group() != self.committee.id() {
            return wrong("group");
        }
        if genesis.epoch != 0 {
            return wrong("epoch");
        }
        if genesis.log_key().is_none() || !is_of(applications, *begins, &genesis.log_key) {
            return wrong("log_key");
        }
        if genesis.policy != self.policy {
            return wrong("policy");
        }
        if genesis.releases != self.releases {
            return wrong("releases");
        }
        let n = self.committee.acl().slots().len();
        if applications.len() != n {
            return wrong("applications (one a slot)");
        }
        self.applications(applications, 0, (0, &EMPTY))
    }

    /// Whether an epoch may begin by this order: what it says of itself, its operators' signatures included. What it goes on from is for
    /// the members to compare with their disks. Blocks.
    ///
    /// # Errors
    /// [`CheckError`].
    pub fn recovery(&self, order: &RecoveryOrder) -> Result<(), CheckError> {
        self.unsigned_recovery(order)?;
        // Never without signatures, whatever the access rules say: in automatic recovery the members' slot keys sign.
        if order.recovery.signatures.is_empty() {
            return Err(OperatorError::Quorum { got: 0, want: self.committee.acl().quorum() }.into());
        }
        Ok(order.recovery.verify(self.committee.acl(), &self.committee.id())?)
    }

    /// The same without the operators' signatures on the recovery itself. Each machine's must be there. Blocks.
    ///
    /// # Errors
    /// [`CheckError`].
    pub fn unsigned_recovery(&self, order: &RecoveryOrder) -> Result<(), CheckError> {
        let RecoveryOrder { recovery, applications, begins, .. } = order;
        let wrong = |what| Err(CheckError::Recovery(what));
        if recovery.new_epoch <= recovery.old_epoch {
            return wrong("new_epoch: not later than old_epoch");
        }
        let named = recovery.new_log_key(&self.committee.id()).is_some();
        if !named || !is_of(applications, *begins, &recovery.new_log_key) {
            return wrong("new_log_key: not that of the machine that begins");
        }
        if applications.len() < self.committee.acl().quorum() {
            return wrong("members: fewer than the quorum");
        }
        let same = recovery.members.len() == applications.len()
            && recovery.members.iter().zip(applications).all(|(member, application)| {
                let admission = &application.admission;
                (member.slot, member.cosign_key, member.spki_sha256)
                    == (admission.slot, admission.cosign_key, admission.spki_sha256())
            });
        if !same {
            return wrong("members: not those of the applications");
        }
        self.applications(applications, recovery.new_epoch, (recovery.size, &recovery.root))
    }

    /// Every application of an order: its slot once and in order, stated for this epoch over this tree, signed, and judged.
    fn applications(
        &self,
        applications: &[Application],
        epoch: u64,
        (size, root): (u64, &Hash),
    ) -> Result<(), CheckError> {
        let (mut keys, mut last) = (BTreeSet::new(), None);
        for application in applications {
            let admission = &application.admission;
            let slot = admission.slot;
            if last.is_some_and(|last| last >= slot) {
                return Err(CheckError::Slot { slot, why: "is there twice or out of order" });
            }
            last = Some(slot);
            if application.epoch != epoch {
                return Err(CheckError::Field { slot, field: "epoch", due: "the order's" });
            }
            if (admission.checkpoint_size, &admission.checkpoint_root) != (size, root) {
                return Err(CheckError::Field {
                    slot,
                    field: "checkpoint",
                    due: "the tree that is gone on from",
                });
            }
            if !keys.insert(admission.cosign_key.to_vec()) || !keys.insert(admission.spki.clone()) {
                return Err(CheckError::Slot { slot, why: "has a key that another has" });
            }
            self.signed(application)?;
        }
        Ok(())
    }
}

fn is_of(applications: &[Application], begins: u16, log_key: &str) -> bool {
    applications
        .iter()
        .any(|application| application.admission.slot == begins && application.log_key == log_key)
}
