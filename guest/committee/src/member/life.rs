//! From a fresh start to a seat, and until it is lost.
//!
//! A start has fresh keys and no vote. It looks for a group that lives and asks to be admitted; without one it waits for a genesis or,
//! with a former epoch's disk, for a recovery. Orders come from the desk, which has checked them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::address::Address;
use super::applicant::Purpose;
use super::ask::Ask;
use super::beginning::{Beginning, Starter};
use super::ceremony::{Application, Disk, Phase, Standing};
use super::desk::{Desk, Order};
use super::former;
use super::running::{Report, Running};
use crate::transport::{Random, Target};
use crate::{PeerRequest, PeerResponse, SubmitError, Welcome};

/// How often a machine looks around, and how long it waits.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two looks at the other slots; spread over half to all of it.
    pub look: Duration,
    /// How long one request of a ceremony may take.
    pub request: Duration,
    /// How long a slot may take to say how it stands. A handshake that takes longer goes on, and the next look finds it done.
    pub standing: Duration,
    /// How long enough disks must have been seen before an automatic recovery begins: a machine that boots later may have a better one.
    pub patience: Duration,
    /// How long a member of an `automatic` committee goes without a leader before it starts over, so that the group can recover.
    pub leaderless: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            look: Duration::from_millis(1000),
            request: Duration::from_secs(10),
            standing: Duration::from_secs(2),
            patience: Duration::from_secs(10),
            leaderless: Duration::from_secs(30),
        }
    }
}

/// Why a life ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// Another machine has the slot, or operators put this one out.
    Replaced,
    /// No leader for too long, in an `automatic` committee: start over.
    Leaderless,
    /// Its keys may stand in the log of a group that does not live any more: start over with others.
    Spent,
    /// The engine did not start. Its node id is used up, so the next attempt has keys of its own.
    Unstarted(String),
}

/// What a machine is on the way to.
struct Following {
    target: Target,
    epoch: u64,
    until: Instant,
}

pub(crate) struct Life {
    pub(crate) desk: Arc<Desk>,
    /// Where the machines of the other slots are.
    pub(crate) others: BTreeMap<u16, Address>,
    pub(crate) ask: Ask,
    pub(crate) starter: Arc<dyn Starter>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) pace: Pace,
    pub(crate) random: Random,
    /// Where the disks of former starts are.
    pub(crate) folder: PathBuf,
    /// Since when enough disks have been in sight for an automatic recovery.
    pub(crate) enough_since: Option<Instant>,
}

impl Life {
    /// Becomes a member and stays one as long as it can.
    pub(crate) async fn live(mut self) -> End {
        let running = match self.become_member().await {
            Ok(running) => running,
            Err(end) => {
                if let End::Unstarted(why) = &end {
                    tracing::warn!(why, "the engine does not start");
                    // Whoever asks reads why, before it is tried again.
                    self.desk.trouble(Some(why.clone()));
                    sleep(self.pause()).await;
                }
                return end;
            }
        };
        self.desk.run(Arc::clone(&running));
        tracing::info!(slot = self.desk.applicant.slot, node = running.report().node, "a member");
        self.watch(&*running).await
    }

    async fn become_member(&mut self) -> Result<Arc<dyn Running>, End> {
        let mut following: Option<Following> = None;
        loop {
            let step = match following.take() {
                Some(on_the_way) if Instant::now() < on_the_way.until => self.follow(on_the_way).await,
                _ => self.look().await,
            };
            if let Some(started) = self.take(step, &mut following).await {
                return started;
            }
            let pause = if following.is_some() { self.pace.look / 8 } else { self.pause() };
            if let Ok(Some(order)) = timeout(pause, self.orders.recv()).await {
                let step = self.obey(order);
                if let Some(started) = self.take(step, &mut following).await {
                    return started;
                }
            }
        }
    }

    /// Starts an engine, or notes where this machine is on its way to.
    async fn take(
        &self,
        step: Step,
        following: &mut Option<Following>,
    ) -> Option<Result<Arc<dyn Running>, End>> {
        match step {
            Step::Begin(beginning) => Some(self.starter.start(beginning).await.map_err(End::Unstarted)),
            Step::Over(end) => Some(Err(end)),
            Step::Wait(on_the_way) => {
                *following = on_the_way.or(following.take());
                None
            }
        }
    }

    fn pause(&self) -> Duration {
        let half = self.pace.look / 2;
        let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_micros((self.random)().checked_rem(micros).unwrap_or(0))
    }

    /// What an order that the desk has checked comes to for this machine.
    fn obey(&self, order: Order) -> Step {
        let (applications, begins, epoch) = match &order {
            Order::Signed => return Step::Wait(None),
            Order::Genesis(order) => (&order.applications, order.begins, 0),
            Order::Recover(order) => (&order.applications, order.begins, order.recovery.new_epoch),
        };
        let of = |slot| applications.iter().find(|a: &&Application| a.admission.slot == slot);
        let slot = self.desk.applicant.slot;
        // Not in the new roster: it looks for the group once that lives, and asks to be admitted.
        let (Some(_), Some(first)) = (of(slot), of(begins)) else { return Step::Wait(None) };
        self.desk.enter(Phase::Joining);
        if begins != slot {
            let target = Target {
                address: first.address.to_string(),
                spki_sha256: Some(first.admission.spki_sha256()),
                slot: Some(begins),
            };
            return Step::Wait(Some(Following {
                target,
                epoch,
                until: Instant::now() + Duration::from_secs(60),
            }));
        }
        match (order, self.desk.applicant.log_seed(epoch)) {
            (Order::Genesis(order), Ok(seed)) => Step::Begin(Beginning::Genesis(order, seed)),
            (Order::Recover(order), Ok(seed)) => Step::Begin(Beginning::Recovery(order, seed)),
            _ => Step::Wait(None),
        }
    }

    /// Asks the machine that begins for what this one needs.
    async fn follow(&self, on_the_way: Following) -> Step {
        match self.join(&on_the_way.target, on_the_way.epoch).await {
            Ok(welcome) => Step::Begin(Beginning::Founder(welcome)),
            Err(why) => {
                self.desk.trouble(Some(format!("the machine that begins does not let it in yet: {why}")));
                Step::Wait(Some(on_the_way))
            }
        }
    }

    async fn join(&self, target: &Target, epoch: u64) -> Result<Box<Welcome>, String> {
        match self.ask.core(target, &PeerRequest::Join).await.map_err(|error| error.to_string())? {
            PeerResponse::Join(welcome) if welcome.epoch == epoch && epoch >= self.desk.floor() => {
                Ok(welcome)
            }
            PeerResponse::Join(welcome) => Err(format!("it is in epoch {}, not {epoch}", welcome.epoch)),
            other => Err(said(&other)),
        }
    }

    /// Looks at the other slots, and does what follows from what is seen.
    async fn look(&mut self) -> Step {
        let standings = self.standings().await;
        let floor = self.desk.floor();
        let live = |standing: &&(Target, Standing)| standing.1.is_live() && standing.1.epoch >= Some(floor);
        let epoch = |standing: &&(Target, Standing)| standing.1.epoch;
        if let Some((target, standing)) = standings.iter().filter(live).max_by_key(epoch) {
            self.enough_since = None;
            return self.apply(target, standing).await;
        }
        // While one of them still runs, a leader may yet come, and with it the answer. A signature of the operator would be lost with the keys.
        let is_over = !standings.is_empty() && standings.iter().all(|(_, s)| s.phase != Phase::Running);
        if is_over && self.desk.spent().is_some() {
            return Step::Over(End::Spent);
        }
        self.desk.enter(if self.desk.disk.is_some() { Phase::Waiting } else { Phase::Founding });
        self.recover_by_itself(&standings).await;
        Step::Wait(None)
    }

    /// How the machines of the other slots stand, as far as they are reached.
    async fn standings(&self) -> Vec<(Target, Standing)> {
        let asked = self.others.iter().map(|(slot, address)| async move {
            let target = Target { address: address.to_string(), spki_sha256: None, slot: Some(*slot) };
            // One slot that neither answers nor refuses must not hold up the others, nor an order that waits.
            let ask = Ask { within: self.ask.within.min(self.pace.standing), ..self.ask.clone() };
            match ask.standing(&target).await {
                Ok(standing) if standing.group == self.desk.committee.id() && standing.slot == *slot => {
                    Some((target, standing))
                }
                Ok(_) => None,
                Err(error) => {
                    tracing::debug!(slot, %error, "a slot does not answer");
                    None
                }
            }
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// A group lives: asks it for the slot, once the application is signed.
    async fn apply(&self, target: &Target, standing: &Standing) -> Step {
        if self.desk.spent().is_some_and(|spent| standing.epoch != Some(spent)) {
            return Step::Over(End::Spent);
        }
        match self.try_apply(target, standing).await {
            Ok(beginning) => beginning.map_or(Step::Wait(None), Step::Begin),
            Err(why) => {
                self.desk.trouble(Some(why));
                Step::Wait(None)
            }
        }
    }

    async fn try_apply(&self, target: &Target, standing: &Standing) -> Result<Option<Beginning>, String> {
        let epoch = standing.epoch.unwrap_or(0);
        let application = match self.desk.pending() {
            // An operator may be signing it: it stays the same as long as the epoch does.
            Some(pending) if pending.epoch == epoch => pending,
            _ => {
                let root = standing.cosigned_root.ok_or("the group has no checkpoint yet")?;
                let purpose = Purpose { epoch, size: standing.cosigned, root };
                self.desk.applicant.application(purpose).await.map_err(|error| error.to_string())?
            }
        };
        self.desk.pend(application.clone());
        if !application.is_signed(&self.desk.committee) {
            self.desk.enter(Phase::Unsigned);
            return Ok(None);
        }
        self.desk.enter(Phase::Joining);
        // It may have been admitted already, and the answer was lost: its keys would not be admitted a second time.
        if let Ok(welcome) = self.join(target, epoch).await {
            return Ok(Some(Beginning::Joining(welcome)));
        }
        self.desk.spend(epoch);
        let target = self.admit(target.clone(), application).await?;
        self.join(&target, epoch).await.map(|welcome| Some(Beginning::Joining(welcome)))
    }

    /// Asks to be admitted, following the way to the leader. Returns where that was granted.
    async fn admit(&self, mut target: Target, application: Application) -> Result<Target, String> {
        let request = PeerRequest::Admit(Box::new(super::core_request::admitting(&application)));
        for _ in 0..4 {
            match self.ask.core(&target, &request).await.map_err(|error| error.to_string())? {
                PeerResponse::Admitted { .. } => return Ok(target),
                PeerResponse::NotLeader { leader: Some((_, node)) } => {
                    target = Target {
                        address: node.address,
                        spki_sha256: Some(node.spki_sha256),
                        slot: Some(node.slot),
                    };
                }
                PeerResponse::NotTaken(error @ SubmitError::Refused { .. }) => {
                    // By a rule that this application will not come to satisfy: the next one is made anew.
                    self.desk.forget_pending();
                    return Err(error.to_string());
                }
                other => return Err(said(&other)),
            }
        }
        Err("the leader changes faster than it can be asked".into())
    }

    /// Until the seat is lost.
    async fn watch(&self, running: &dyn Running) -> End {
        let automatic = self.desk.committee.acl().recovery() == hallmark_coalition::Recovery::Automatic;
        let mut led = Instant::now();
        let mut old_disks = true;
        loop {
            sleep(self.pace.look).await;
            let report = running.report();
            if old_disks && self.is_past(&report) {
                old_disks = false;
                former::clear(&self.folder, report.epoch, report.node);
            }
            if report.is_out {
                running.stop().await;
                return End::Replaced;
            }
            if report.leader.is_some() {
                led = Instant::now();
            } else if automatic && self.desk.slot_key.is_some() && led.elapsed() >= self.pace.leaderless {
                running.stop().await;
                return End::Leaderless;
            }
        }
    }
}

impl Life {
    /// Whether this member's own disk holds all that the one it found did, as far as a quorum cosigned it.
    fn is_past(&self, report: &Report) -> bool {
        let safe = report.cosigned.min(report.signed);
        let further = |disk: &Disk| report.epoch > disk.found.extent.epoch || safe >= disk.found.size;
        safe > 0 && report.fault.is_none() && self.desk.disk.as_ref().is_none_or(further)
    }
}

enum Step {
    Begin(Beginning),
    Over(End),
    Wait(Option<Following>),
}

/// An answer that is none to the question, for a person.
fn said(response: &PeerResponse) -> String {
    match response {
        PeerResponse::Refused { why } => why.clone(),
        PeerResponse::NotLeader { .. } => "there is no leader".into(),
        PeerResponse::NotTaken(error) => error.to_string(),
        _ => "the answer is to another question".into(),
    }
}
