//! The operator's side: talks to a committee's machines without being one of them.
//!
//! Each machine proves what it runs before it is believed; the visitor proves nothing but a key made for the occasion, since everything
//! that it brings is signed by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hallmark_attest::{Endpoint, Hello, SeedHolder, SystemClock};
use hallmark_coalition::Committee;
use hallmark_ledger::checkpoint;
use hallmark_ledger::hash::EMPTY;
use hallmark_ledger::system::{Genesis, Recovery, SlotSignature, slot_message};
use thiserror::Error;
use zeroize::Zeroizing;

use super::SlotKey;
use super::ask::Ask;
use super::automatic::candidate;
use super::ceremony::{Application, Disk, GenesisOrder, RecoveryOrder, Request, Standing};
use super::check::{CheckError, Trust};
use super::choice::{Choice, ChoiceError, Found};
use super::file::CommitteeFile;
use super::rules::{Rules, RulesError};
use crate::transport::{AttestedDialer, CallError, Limits, Pool, SlotGate, Target, system_random};

/// An operator, as the committee's machines see one.
pub struct Visitor {
    committee: Committee,
    genesis: (hallmark_coalition::UniqueId, Vec<hallmark_coalition::UniqueId>, hallmark_coalition::UniqueId),
    rules: Rules,
    targets: BTreeMap<u16, Target>,
    ask: Ask,
}

/// Why an operator cannot begin.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The committee file's policy, releases or collateral.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// No key could be made.
    #[error("{0}")]
    Keys(String),
}

/// Why a ceremony does not go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VisitError {
    /// A machine did not answer, or refused.
    #[error("slot {slot}: {error}")]
    Call {
        /// The slot.
        slot: u16,
        /// Why.
        error: CallError,
    },
    /// A document does not hold.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// No disk to go on from.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// A key that is no slot's.
    #[error("the key {0} is no slot's operator key in this committee")]
    Stranger(String),
    /// A slot that there is not.
    #[error("there is no slot {0} in this committee")]
    NoSlot(u16),
    /// Some machine is a member still, so nothing is lost.
    #[error("slot {slot} is a member in epoch {epoch} and knows a leader: the committee lives")]
    Lives {
        /// The slot.
        slot: u16,
        /// Its epoch.
        epoch: u64,
    },
    /// Members know a leader, and are too few to acknowledge anything: as many must cosign as are not there any more.
    #[error(
        "slots {} are members in epoch {epoch} and know a leader, but {want} must cosign: nothing is acknowledged any more",
        list(slots)
    )]
    Short {
        /// The slots.
        slots: Vec<u16>,
        /// Their epoch.
        epoch: u64,
        /// The quorum.
        want: usize,
    },
    /// Too few others count to witness an admission: the machine that is admitted does not sign it.
    #[error(
        "{got} other members count, and {want} must sign the admission: the machine that is admitted is no witness of it"
    )]
    Witnesses {
        /// How many other members count.
        got: usize,
        /// The quorum.
        want: usize,
    },
    /// Fewer machines than a quorum can take part.
    #[error(
        "{got} machines can take part; {want} are needed: start the others, restart those that are members without a leader"
    )]
    TooFew {
        /// How many there are.
        got: usize,
        /// How many are needed.
        want: usize,
    },
    /// Some machine has a disk of this group, so this is no beginning.
    #[error("slot {0} has the disk of a former epoch of this group: recover it, do not begin anew")]
    NotFresh(u16),
    /// No machine answers that is a member and knows a leader.
    #[error("no member that knows a leader answers: only a committee that lives can be changed")]
    NotLive,
    /// No slot is known.
    #[error("the committee file names no slot's address")]
    NoAddress,
}

impl VisitError {
    /// One word for programs.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Call { .. } => "no-answer",
            Self::Check(_) => "refused",
            Self::Choice(_) => "no-disk",
            Self::Stranger(_) => "stranger",
            Self::NoSlot(_) => "no-slot",
            Self::Lives { .. } => "lives",
            Self::Short { .. } | Self::Witnesses { .. } => "short",
            Self::TooFew { .. } => "too-few",
            Self::NotFresh(_) => "not-fresh",
            Self::NotLive => "not-live",
            Self::NoAddress => "no-address",
        }
    }
}

fn list(slots: &[u16]) -> String {
    slots.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Refuses a recovery of a committee that lives, and one whose members still hold on to their epoch.
fn over(live: &BTreeMap<u16, u64>, want: usize) -> Result<(), VisitError> {
    let Some((slot, epoch)) = live.iter().max_by_key(|(_, epoch)| **epoch) else { return Ok(()) };
    let (slot, epoch) = (*slot, *epoch);
    if live.len() >= want {
        return Err(VisitError::Lives { slot, epoch });
    }
    Err(VisitError::Short { slots: live.keys().copied().collect(), epoch, want })
}

/// How each slot's machine stands, or why it does not say.
pub type Standings = BTreeMap<u16, Result<Standing, CallError>>;

/// What a recovery comes to, for a person to read before signing.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The disk it goes on from.
    pub choice: Choice,
    /// The order, which slots' operators have still to sign.
    pub order: RecoveryOrder,
}

impl Visitor {
    /// An operator of the committee in this file, with a key made for the occasion. Must be called inside a runtime.
    ///
    /// # Errors
    /// Where the file's policy, releases or collateral cannot be used.
    pub fn open(file: &CommitteeFile) -> Result<Self, OpenError> {
        let clock = Arc::new(SystemClock::new());
        let rules = Rules::read(file, Arc::clone(&clock) as _)?;
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(|error| OpenError::Keys(error.to_string()))?;
        let slots = file.committee.acl().slots().len();
        let endpoint = Endpoint::visitor(
            Arc::new(SeedHolder::new(&seed)),
            Arc::clone(&rules.judge),
            SlotGate::shared(slots),
            Hello::of_group(*file.committee.id().as_bytes()),
        )
        .map_err(|error| OpenError::Keys(error.to_string()))?
        .with_clock(clock);
        let dialer = Arc::new(AttestedDialer::operator(endpoint));
        let pool = Arc::new(Pool::new(dialer, Limits::default(), system_random()).patient());
        Ok(Self::new(file, rules, Ask { pool, within: Duration::from_secs(30) }))
    }

    fn new(file: &CommitteeFile, rules: Rules, ask: Ask) -> Self {
        let target = |(slot, address): (&u16, &super::Address)| {
            (*slot, Target { address: address.to_string(), spki_sha256: None, slot: Some(*slot) })
        };
        Self {
            committee: file.committee.clone(),
            genesis: file.identity.clone(),
            rules,
            targets: file.peers.iter().map(target).collect(),
            ask,
        }
    }

    /// The committee.
    #[must_use]
    pub const fn committee(&self) -> &Committee {
        &self.committee
    }

    /// Whether the policy names a simulated root.
    #[must_use]
    pub const fn is_simulated(&self) -> bool {
        self.rules.simulated
    }

    fn trust(&self) -> Trust<'_> {
        let Rules { judge, policy, releases, .. } = &self.rules;
        Trust { committee: &self.committee, judge: &**judge, policy: *policy, releases }
    }

    fn target(&self, slot: u16) -> Result<&Target, VisitError> {
        self.targets.get(&slot).ok_or(VisitError::NoSlot(slot))
    }

    /// The slot of an operator's key.
    ///
    /// # Errors
    /// [`VisitError::Stranger`].
    pub fn slot_of(&self, key: &SlotKey) -> Result<u16, VisitError> {
        let public = key.public();
        let slot = self.committee.acl().slots().iter().position(|slot| *slot == public);
        slot.and_then(|slot| u16::try_from(slot).ok())
            .ok_or_else(|| VisitError::Stranger(hex::encode(public)))
    }

    /// Asks every slot's machine how it stands.
    pub async fn standings(&self) -> Standings {
        let asked =
            self.targets.iter().map(|(slot, target)| async { (*slot, self.ask.standing(target).await) });
        join_all(asked).await.into_iter().collect()
    }

    pub(super) async fn request(
        &self,
        slot: u16,
        request: &Request,
    ) -> Result<super::ceremony::Answer, VisitError> {
        let target = self.target(slot)?;
        self.ask.ceremony(target, request).await.map_err(|error| VisitError::Call { slot, error })
    }

    async fn application(&self, slot: u16, request: &Request) -> Result<Application, VisitError> {
        let target = self.target(slot)?;
        let asked = self.ask.application(target, request).await;
        let application = asked.map_err(|error| VisitError::Call { slot, error })?;
        if application.admission.slot != slot {
            return Err(CheckError::Slot { slot, why: "answers for another" }.into());
        }
        self.trust().application(&application)?;
        Ok(application)
    }

    /// Signs an application with its slot's key.
    ///
    /// # Errors
    /// Where the key is not that slot's.
    pub fn sign(&self, application: &mut Application, key: &SlotKey) -> Result<(), VisitError> {
        let slot = self.slot_of(key)?;
        let admission = &mut application.admission;
        if slot != admission.slot {
            return Err(CheckError::Unsigned(admission.slot).into());
        }
        let message = slot_message(
            &self.committee.id(),
            application.epoch,
            slot,
            &admission.cosign_key,
            &admission.spki_sha256(),
            &admission.evidence,
        );
        admission.slot_signature = key.sign(&message);
        Ok(())
    }

    /// Signs the application that the machine of this key's slot waits with, and hands the signature over.
    ///
    /// # Errors
    /// Where the machine waits for none, its evidence does not hold, or fewer than a quorum of other members are there to sign its admission: the group would
    /// count on it, and sign nothing any more.
    pub async fn admit(&self, key: &SlotKey) -> Result<Application, VisitError> {
        let slot = self.slot_of(key)?;
        let standings = self.standings().await;
        let others = standings
            .iter()
            .filter(|(of, standing)| **of != slot && standing.as_ref().is_ok_and(Standing::counts));
        let (got, want) = (others.count(), self.committee.acl().quorum());
        if got < want {
            return Err(VisitError::Witnesses { got, want });
        }
        let mut application = self.application(slot, &Request::Pending).await?;
        self.sign(&mut application, key)?;
        let signature = SlotSignature { slot, signature: application.admission.slot_signature };
        let request = Request::Sign { evidence: application.admission.evidence, signature };
        self.request(slot, &request).await?;
        Ok(application)
    }

    /// How the machine of this application stands, if it is still the one in its slot.
    ///
    /// # Errors
    /// Where the slot's machine does not answer.
    pub async fn standing_of(&self, application: &Application) -> Result<Option<Standing>, VisitError> {
        let slot = application.admission.slot;
        let asked = self.ask.standing(self.target(slot)?).await;
        let standing = asked.map_err(|error| VisitError::Call { slot, error })?;
        Ok(Some(standing).filter(|standing| standing.spki_sha256 == application.admission.spki_sha256()))
    }

    /// An order for a beginning, unsigned: the applications of all slots' machines, checked.
    ///
    /// # Errors
    /// Where a machine is missing, does not hold, or has a disk of this group.
    pub async fn genesis(&self) -> Result<GenesisOrder, VisitError> {
        let mut applications = Vec::new();
        for (slot, standing) in self.standings().await {
            let standing = standing.map_err(|error| VisitError::Call { slot, error })?;
            if standing.is_live() {
                return Err(VisitError::Lives { slot, epoch: standing.epoch.unwrap_or(0) });
            }
            if standing.disk.is_some() {
                return Err(VisitError::NotFresh(slot));
            }
            let request = Request::Apply { epoch: 0, checkpoint_size: 0, checkpoint_root: EMPTY };
            applications.push(self.application(slot, &request).await?);
        }
        let first = applications.first().ok_or(VisitError::NoAddress)?;
        let (root, refs, content) = self.genesis.clone();
        let genesis = Genesis {
            root,
            refs,
            content,
            acl: self.committee.acl().clone(),
            epoch: 0,
            origin: checkpoint::origin(self.committee.id().as_bytes(), 0),
            log_key: first.log_key.clone(),
            releases: self.rules.releases.clone(),
            policy: self.rules.policy,
        };
        Ok(GenesisOrder { genesis, begins: first.admission.slot, applications })
    }

    /// Puts an operator's signature on what an order for a beginning holds for its slot.
    ///
    /// # Errors
    /// Where the key is no slot's.
    pub fn sign_genesis(&self, order: &mut GenesisOrder, key: &SlotKey) -> Result<u16, VisitError> {
        let slot = self.slot_of(key)?;
        for application in order.applications.iter_mut().filter(|a| a.admission.slot == slot) {
            self.trust().application(application)?;
            self.sign(application, key)?;
        }
        Ok(slot)
    }

    /// Slots whose operators have still to sign an order for a beginning.
    #[must_use]
    pub fn unsigned(&self, applications: &[Application]) -> Vec<u16> {
        let unsigned = applications.iter().filter(|application| !application.is_signed(&self.committee));
        unsigned.map(|application| application.admission.slot).collect()
    }

    /// Hands a signed order for a beginning to every machine; the one that begins comes last, so that the others expect it.
    ///
    /// # Errors
    /// Where it does not hold, or a machine does not take it.
    pub async fn begin(&self, order: &GenesisOrder) -> Result<(), VisitError> {
        self.trust().genesis(order)?;
        let others = order.applications.iter().map(|application| application.admission.slot);
        for slot in others.filter(|slot| *slot != order.begins).chain([order.begins]) {
            self.request(slot, &Request::Genesis(Box::new(order.clone()))).await?;
        }
        Ok(())
    }

    /// An order for a recovery, unsigned: from the best disk in sight, or that of slot `from`, with the machines of the slots `only` (none: of
    /// all that answer). Every one of these slots' operators has to sign.
    ///
    /// # Errors
    /// Where the committee lives, no disk is there, or too few machines are.
    pub async fn recovery(&self, from: Option<u16>, only: &[u16]) -> Result<Plan, VisitError> {
        let standings = self.standings().await;
        let answered =
            || standings.iter().filter_map(|(slot, standing)| Some((*slot, standing.as_ref().ok()?)));
        let live = answered().filter(|(_, standing)| standing.is_live());
        let live = live.map(|(slot, standing)| (slot, standing.epoch.unwrap_or(0))).collect();
        over(&live, self.committee.acl().quorum())?;
        let disks: BTreeMap<u16, &Disk> =
            answered().filter_map(|(slot, standing)| Some((slot, standing.disk.as_ref()?))).collect();
        let acl = self.committee.acl();
        let found: Vec<Found> = disks.values().map(|disk| disk.found.clone()).collect();
        let choice = Choice::of(&found, acl.slots().len(), acl.quorum(), from)?;
        let disk = *disks.get(&choice.slot).ok_or(ChoiceError::NotThere(choice.slot))?;
        let epochs = answered().flat_map(|(_, standing)| [standing.epoch, standing.promised]).flatten();
        let epoch = epochs.max().unwrap_or(0).saturating_add(1);

        let purpose = Request::Apply { epoch, checkpoint_size: disk.found.size, checkpoint_root: disk.root };
        let mut applications = Vec::new();
        for (slot, standing) in answered() {
            // A member without a leader has keys that were admitted once: it has to be restarted to take part.
            if standing.node.is_none() && (only.is_empty() || only.contains(&slot)) {
                applications.push(self.application(slot, &purpose).await?);
            }
        }
        let (got, want) = (applications.len(), acl.quorum());
        let begins = applications.iter().find(|application| application.admission.slot == choice.slot);
        let (Some(begins), true) = (begins, got >= want) else {
            return Err(VisitError::TooFew { got, want });
        };
        let recovery = Recovery {
            old_epoch: disk.found.extent.epoch,
            old_log_key: disk.log_key.clone(),
            size: disk.found.size,
            root: disk.root,
            checkpoint: disk.checkpoint.clone(),
            new_epoch: epoch,
            new_log_key: begins.log_key.clone(),
            recoveries: disk.recoveries.saturating_add(1),
            members: applications.iter().map(candidate).collect(),
            signatures: Vec::new(),
        };
        let order = RecoveryOrder { recovery, begins: choice.slot, extent: disk.found.extent, applications };
        Ok(Plan { choice, order })
    }

    /// Puts an operator's signatures on an order for a recovery: on the recovery, and on its slot's machine.
    ///
    /// # Errors
    /// Where the key is no slot's, or that slot's machine does not hold.
    pub fn sign_recovery(&self, order: &mut RecoveryOrder, key: &SlotKey) -> Result<u16, VisitError> {
        let slot = self.slot_of(key)?;
        for application in order.applications.iter_mut().filter(|a| a.admission.slot == slot) {
            self.trust().application(application)?;
            self.sign(application, key)?;
        }
        let signature = key.sign(&order.recovery.message(&self.committee.id()));
        order.recovery.signatures.retain(|signature| signature.slot != slot);
        order.recovery.signatures.push(SlotSignature { slot, signature });
        order.recovery.signatures.sort_by_key(|signature| signature.slot);
        Ok(slot)
    }

    /// Hands a signed order for a recovery to its machines; the one that begins comes last.
    ///
    /// # Errors
    /// Where it does not hold, or the machine that begins does not take it. Others may miss it: they are admitted later.
    pub async fn recover(&self, order: &RecoveryOrder) -> Result<Vec<VisitError>, VisitError> {
        self.trust().recovery(order)?;
        let request = Request::Recover(Box::new(order.clone()));
        let mut missed = Vec::new();
        for slot in self.targets.keys().copied().filter(|slot| *slot != order.begins) {
            if let Err(error) = self.request(slot, &request).await {
                missed.push(error);
            }
        }
        self.request(order.begins, &request).await?;
        Ok(missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_cosign_live_and_fewer_must_stop_before_they_are_recovered() {
        let live = |slots: &[u16]| slots.iter().map(|slot| (*slot, 4)).collect::<BTreeMap<u16, u64>>();
        assert!(over(&live(&[]), 2).is_ok());
        assert!(matches!(over(&live(&[0, 2]), 2), Err(VisitError::Lives { slot: _, epoch: 4 })));
        // All must cosign, and one is lost: a leader is known, and nothing can be acknowledged.
        let short = over(&live(&[0, 2]), 3).unwrap_err();
        assert_eq!(short.slug(), "short");
        assert!(short.to_string().starts_with("slots 0, 2 are members in epoch 4"), "{short}");
    }
}
