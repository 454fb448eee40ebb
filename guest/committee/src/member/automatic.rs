//! Recovery without operators, where the access rules say `automatic` and machines hold their slots' keys.
//!
//! The machine with the best disk in sight collects the others' applications and asks each slot's machine to sign. A machine signs one order
//! an epoch, and none whose disk goes less far than its own; with q signatures the epoch begins. Two coordinators cannot both have q. A
//! coordinator that stops half way has used its epoch up: the next takes a later one.
//!
//! What this trusts: that hosts show the disks their machines wrote last. All of n - q + 1 or more rolled back lose what was acknowledged since, and
//! nothing notices. With `recovery = "operators"` a person compares first.

use hallmark_coalition::Recovery as Way;
use hallmark_ledger::system::{Candidate, Recovery, SlotSignature};
use tokio::time::Instant;

use super::applicant::Purpose;
use super::ceremony::{Answer, Application, Disk, Phase, RecoveryOrder, Request, Standing};
use super::choice::{Choice, Found};
use super::life::Life;
use crate::transport::Target;

impl Life {
    /// Begins an automatic recovery, if it is this machine's turn.
    pub(super) async fn recover_by_itself(&mut self, standings: &[(Target, Standing)]) {
        let Some(disk) = self.turn(standings) else {
            self.enough_since = None;
            return;
        };
        let since = *self.enough_since.get_or_insert_with(Instant::now);
        if since.elapsed() < self.pace.patience {
            return;
        }
        self.enough_since = None;
        if let Err(why) = self.coordinate(&disk, standings).await {
            tracing::info!(why, "no automatic recovery yet");
            self.desk.trouble(Some(format!("automatic recovery: {why}")));
        }
    }

    /// This machine's disk, where it is the best of enough disks and a quorum of machines waits.
    fn turn(&self, standings: &[(Target, Standing)]) -> Option<Disk> {
        let acl = self.desk.committee.acl();
        if acl.recovery() != Way::Automatic || self.desk.slot_key.is_none() {
            return None;
        }
        // A member that has lost its leader knows more than its disk. It starts over by itself when that lasts.
        if standings.iter().any(|(_, standing)| standing.phase == Phase::Running) {
            return None;
        }
        let disk = self.desk.disk.clone()?;
        let others = standings.iter().filter_map(|(_, standing)| standing.disk.as_ref());
        let found: Vec<Found> = others.map(|disk| disk.found.clone()).chain([disk.found.clone()]).collect();
        let choice = Choice::of(&found, acl.slots().len(), acl.quorum(), None).ok()?;
        let machines = standings.len().saturating_add(1);
        (choice.slot == self.desk.applicant.slot && choice.enough && machines >= acl.quorum()).then_some(disk)
    }

    async fn coordinate(&self, disk: &Disk, standings: &[(Target, Standing)]) -> Result<(), String> {
        let epochs = standings.iter().flat_map(|(_, standing)| [standing.epoch, standing.promised]).flatten();
        let epoch = epochs.chain([self.desk.floor()]).max().unwrap_or(0).saturating_add(1);
        let purpose = Purpose { epoch, size: disk.found.size, root: disk.root };
        let own = self.desk.applicant.application(purpose).await.map_err(|error| error.to_string())?;
        let new_log_key = own.log_key.clone();
        let mut applications = vec![own];
        for (target, _) in standings {
            let request =
                Request::Apply { epoch, checkpoint_size: purpose.size, checkpoint_root: purpose.root };
            match self.ask.application(target, &request).await {
                // One that holds no slot key cannot be signed for here.
                Ok(application) if application.is_signed(&self.desk.committee) => {
                    applications.push(application);
                }
                Ok(_) => {}
                Err(error) => tracing::info!(slot = target.slot, %error, "no application for a recovery"),
            }
        }
        applications.sort_by_key(|application| application.admission.slot);
        let recovery = Recovery {
            old_epoch: disk.found.extent.epoch,
            old_log_key: disk.log_key.clone(),
            size: disk.found.size,
            root: disk.root,
            checkpoint: disk.checkpoint.clone(),
            new_epoch: epoch,
            new_log_key,
            recoveries: disk.recoveries.saturating_add(1),
            members: applications.iter().map(candidate).collect(),
            signatures: Vec::new(),
        };
        let begins = self.desk.applicant.slot;
        let mut order = RecoveryOrder { recovery, applications, begins, extent: disk.found.extent };
        order.recovery.signatures = self.promises(&order, standings).await?;
        let orders = standings.iter().map(|(target, _)| {
            let request = Request::Recover(Box::new(order.clone()));
            async move {
                if let Err(error) = self.ask.ceremony(target, &request).await {
                    tracing::info!(slot = target.slot, %error, "an order of recovery was not taken");
                }
            }
        });
        futures_util::future::join_all(orders).await;
        let own = self.desk.ceremony(Request::Recover(Box::new(order.clone())), true).await;
        own.map(|_| ()).map_err(|refused| refused.to_string())
    }

    /// Signatures of the slots' machines, this one's first; at least a quorum.
    async fn promises(
        &self,
        order: &RecoveryOrder,
        standings: &[(Target, Standing)],
    ) -> Result<Vec<SlotSignature>, String> {
        let request = Request::Promise(Box::new(order.clone()));
        let own = self.desk.ceremony(request.clone(), true).await.map_err(|refused| refused.to_string())?;
        let mut answers = vec![Ok(own)];
        let asked = standings.iter().map(|(target, _)| self.ask.ceremony(target, &request));
        answers.extend(futures_util::future::join_all(asked).await);
        let mut signatures = Vec::new();
        for answer in answers {
            match answer {
                Ok(Answer::Promised(signature)) => signatures.push(signature),
                Ok(_) => {}
                Err(error) => tracing::info!(%error, "no signature on a recovery"),
            }
        }
        signatures.sort_by_key(|signature| signature.slot);
        let (got, want) = (signatures.len(), self.desk.committee.acl().quorum());
        if got < want {
            return Err(format!("{got} slots signed, {want} are needed"));
        }
        Ok(signatures)
    }
}

/// How a recovery names the machine of an application.
#[must_use]
pub(crate) fn candidate(application: &Application) -> Candidate {
    let admission = &application.admission;
    Candidate { slot: admission.slot, cosign_key: admission.cosign_key, spki_sha256: admission.spki_sha256() }
}
