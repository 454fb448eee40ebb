//! Answers what comes in over the members' port, before this machine is a member and after.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hallmark_coalition::{Committee, Recovery as Way};
use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::SlotSignature;
use tokio::sync::mpsc;

use super::applicant::{Applicant, Purpose};
use super::ceremony::{Answer, Application, Disk, GenesisOrder, Phase, RecoveryOrder, Request, Standing};
use super::check::{CheckError, Trust};
use super::promise::Promise;
use super::rules::Rules;
use super::running::Running;
use super::{ChangeOrder, SlotKey};
use crate::state::Admitting;
use crate::store::StoreError;
use crate::transport::{Answering, Caller, Claim, Handler, Refused, Topic};
use crate::{PeerRequest, PeerResponse};

/// What operators and peers told this machine to do.
pub(crate) enum Order {
    /// The application was signed.
    Signed,
    /// Begin.
    Genesis(Box<GenesisOrder>),
    /// Go on in a new epoch.
    Recover(Box<RecoveryOrder>),
}

/// The desk of one start of a machine.
pub(crate) struct Desk {
    pub(crate) committee: Committee,
    pub(crate) rules: Rules,
    pub(crate) applicant: Arc<Applicant>,
    pub(crate) slot_key: Option<Arc<SlotKey>>,
    pub(crate) disk: Option<Disk>,
    /// Files of former epochs that are not what was written. With one of them this machine's disk may show less than the machine acknowledged.
    passed_over: Option<String>,
    promise: Mutex<Promise>,
    state: Mutex<State>,
    orders: mpsc::Sender<Order>,
}

#[derive(Default)]
struct State {
    phase: Option<Phase>,
    trouble: Option<String>,
    pending: Option<Application>,
    running: Option<Arc<dyn Running>>,
    /// The epoch whose leader this machine's keys were sent to.
    spent: Option<u64>,
}

impl Desk {
    pub(crate) fn new(
        (committee, rules): (Committee, Rules),
        applicant: Arc<Applicant>,
        slot_key: Option<Arc<SlotKey>>,
        (disk, damaged, promise): (Option<Disk>, &[StoreError], Promise),
        orders: mpsc::Sender<Order>,
    ) -> Self {
        let (promise, state) = (Mutex::new(promise), Mutex::default());
        let damaged: Vec<_> =
            damaged.iter().map(|error| format!("a former epoch is not read: {error}")).collect();
        let passed_over = (!damaged.is_empty()).then(|| damaged.join("; "));
        Self { committee, rules, applicant, slot_key, disk, passed_over, promise, state, orders }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn promise(&self) -> MutexGuard<'_, Promise> {
        self.promise.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.state().phase = Some(phase);
    }

    pub(crate) fn trouble(&self, trouble: Option<String>) {
        self.state().trouble = trouble;
    }

    pub(crate) fn running(&self) -> Option<Arc<dyn Running>> {
        self.state().running.clone()
    }

    pub(crate) fn run(&self, running: Arc<dyn Running>) {
        let mut state = self.state();
        state.running = Some(running);
        state.phase = Some(Phase::Running);
        state.trouble = None;
        state.pending = None;
    }

    pub(crate) fn pend(&self, application: Application) {
        self.state().pending = Some(application);
    }

    pub(crate) fn forget_pending(&self) {
        self.state().pending = None;
    }

    /// Notes that the leader of `epoch` is asked to admit this machine. Whatever it answers, the admission may stand in its log, where a recovery
    /// finds it; and no key is admitted twice.
    pub(crate) fn spend(&self, epoch: u64) {
        self.state().spent = Some(epoch);
    }

    /// The epoch that these keys may have been admitted in.
    pub(crate) fn spent(&self) -> Option<u64> {
        self.state().spent
    }

    pub(crate) fn pending(&self) -> Option<Application> {
        self.state().pending.clone()
    }

    /// The latest epoch that this machine has a part in or promised: it never joins an earlier one.
    pub(crate) fn floor(&self) -> u64 {
        let disk = self.disk.as_ref().map(|disk| disk.found.extent.epoch);
        self.promise().epoch().max(disk).unwrap_or(0)
    }

    pub(crate) fn trust(&self) -> Trust<'_> {
        let Rules { policy, .. } = self.rules;
        Trust {
            committee: &self.committee,
            judge: &*self.rules.judge,
            policy,
            releases: &self.rules.releases,
        }
    }

    /// How this machine stands.
    pub(crate) fn standing(&self) -> Standing {
        let promised = self.promise().epoch();
        let state = self.state();
        let mut standing = Standing {
            group: self.committee.id(),
            slot: self.applicant.slot,
            spki_sha256: *self.applicant.identity.spki_sha256(),
            phase: state.phase.unwrap_or(Phase::Founding),
            epoch: self.disk.as_ref().map(|disk| disk.found.extent.epoch),
            recoveries: self.disk.as_ref().map_or(0, |disk| disk.recoveries),
            node: None,
            role: None,
            leader: None,
            applied: 0,
            cosigned: 0,
            cosigned_root: None,
            lacks: None,
            fault: self
                .passed_over
                .iter()
                .chain(&state.trouble)
                .cloned()
                .reduce(|all, next| format!("{all}; {next}")),
            disk: self.disk.clone(),
            promised,
        };
        if let Some(running) = &state.running {
            let report = running.report();
            standing.epoch = Some(report.epoch);
            standing.recoveries = report.recoveries;
            standing.node = Some(report.node);
            standing.role = Some(report.role.to_owned());
            standing.leader = report.leader;
            standing.applied = report.applied;
            standing.cosigned = report.cosigned;
            standing.cosigned_root = report.cosigned_root;
            standing.lacks = report.lacks.map(str::to_owned);
            standing.fault = report.fault;
            standing.disk = None;
        }
        standing
    }

    /// Answers a request of the ceremonies, whoever carries it; `from_machine` where the channel proved one.
    pub(crate) async fn ceremony(
        self: &Arc<Self>,
        request: Request,
        from_machine: bool,
    ) -> Result<Answer, Refused> {
        match request {
            Request::Standing => Ok(Answer::Standing(Box::new(self.standing()))),
            Request::Apply { epoch, checkpoint_size: size, checkpoint_root: root } => {
                self.not_running()?;
                if self.spent().is_some_and(|spent| spent != epoch) {
                    let why = "its keys may have been admitted in another epoch; it starts over by itself: ask again";
                    return Err(Refused::new("spent", why));
                }
                let made = self.applicant.application(Purpose { epoch, size, root }).await;
                let application = made.map_err(|error| Refused::new("no-evidence", error.to_string()))?;
                Ok(Answer::Application(Box::new(application)))
            }
            Request::Pending => {
                let pending = self.pending().ok_or_else(|| {
                    Refused::new("nothing-pending", "this machine waits for no operator's signature")
                })?;
                Ok(Answer::Application(Box::new(pending)))
            }
            Request::Sign { evidence, signature } => self.sign(&evidence, &signature).await,
            Request::Genesis(order) => self.genesis(order).await,
            Request::Recover(order) => self.recover(order).await,
            Request::Change(order) => self.change(*order).await,
            Request::Promise(order) if from_machine => self.give(order).await,
            Request::Promise(_) => Err(Refused::new("machines-only", "only a member's machine may ask this")),
        }
    }

    fn not_running(&self) -> Result<(), Refused> {
        if self.running().is_some() {
            let why = "this machine is a member already; its keys are admitted once: restart it first";
            return Err(Refused::new("running", why));
        }
        Ok(())
    }

    async fn sign(&self, evidence: &Hash, signature: &SlotSignature) -> Result<Answer, Refused> {
        let pending = self.pending().filter(|pending| pending.admission.evidence == *evidence);
        let mut pending = pending.ok_or_else(|| {
            Refused::new("nothing-pending", "it waits for no signature on that evidence; ask again")
        })?;
        pending.admission.slot_signature = signature.signature;
        if signature.slot != self.applicant.slot || !pending.is_signed(&self.committee) {
            return Err(refuse(&CheckError::Unsigned(self.applicant.slot)));
        }
        self.pend(pending);
        self.order(Order::Signed).await
    }

    async fn genesis(self: &Arc<Self>, order: Box<GenesisOrder>) -> Result<Answer, Refused> {
        self.not_running()?;
        if self.disk.is_some() {
            let why = "its disk belongs to an epoch of this group; a second beginning would hide that: recover instead";
            return Err(Refused::new("not-fresh", why));
        }
        self.is_ours(&order.applications)?;
        let desk = Arc::clone(self);
        let order = blocking(move || desk.trust().genesis(&order).map(|()| order)).await?;
        self.order(Order::Genesis(order)).await
    }

    async fn recover(self: &Arc<Self>, order: Box<RecoveryOrder>) -> Result<Answer, Refused> {
        self.not_running()?;
        let desk = Arc::clone(self);
        let order = blocking(move || desk.trust().recovery(&order).map(|()| order)).await?;
        self.fits(&order)?;
        // From here on no earlier epoch, over restarts as well.
        let digest = digest(&order, &self.committee);
        let given = self.promise().give(order.recovery.new_epoch, &digest);
        given.map_err(|error| Refused::new("promised", error.to_string()))?;
        self.order(Order::Recover(order)).await
    }

    /// Orders what a quorum of operators signed. The signatures are asked for here already, so that a stranger's document costs the committee nothing.
    async fn change(&self, order: ChangeOrder) -> Result<Answer, Refused> {
        let running =
            self.running().ok_or_else(|| Refused::new("not-a-member", "this machine is no member yet"))?;
        let epoch = running.report().epoch;
        if order.epoch != epoch {
            let why = format!("the order is for epoch {}, the committee is in epoch {epoch}", order.epoch);
            return Err(Refused::new("other-epoch", why));
        }
        let signed = order.verify(self.committee.acl(), &self.committee.id());
        signed.map_err(|error| refuse(&CheckError::Operators(error)))?;
        let ordered = running.change(order.proposal()).await;
        ordered.map(Answer::Ordered).map_err(|(word, why)| Refused::new(word, why))
    }

    /// Whether an order agrees with this machine's keys and disk.
    fn fits(&self, order: &RecoveryOrder) -> Result<(), Refused> {
        let recovery = &order.recovery;
        if recovery.members.iter().any(|member| member.slot == self.applicant.slot) {
            self.is_ours(&order.applications)?;
        }
        if order.begins != self.applicant.slot {
            return Ok(());
        }
        let fits = self.disk.as_ref().is_some_and(|disk| {
            (disk.found.extent, disk.found.size, &disk.root, &disk.log_key, &disk.checkpoint)
                == (order.extent, recovery.size, &recovery.root, &recovery.old_log_key, &recovery.checkpoint)
                && disk.found.extent.epoch == recovery.old_epoch
                && disk.recoveries.checked_add(1) == Some(recovery.recoveries)
        });
        if fits {
            Ok(())
        } else {
            Err(Refused::new("other-disk", "the order goes on from another disk than this machine's"))
        }
    }

    /// Signs an automatic recovery, once an epoch.
    async fn give(self: &Arc<Self>, order: Box<RecoveryOrder>) -> Result<Answer, Refused> {
        self.not_running()?;
        let key = match (self.committee.acl().recovery(), &self.slot_key) {
            (Way::Automatic, Some(key)) => Arc::clone(key),
            (Way::Automatic, None) => {
                return Err(Refused::new("no-slot-key", "this machine holds no slot key"));
            }
            _ => {
                return Err(Refused::new(
                    "not-automatic",
                    "the access rules leave recovery to the operators",
                ));
            }
        };
        if self.disk.as_ref().is_some_and(|disk| disk.found.extent > order.extent) {
            return Err(Refused::new("better-disk", "this machine's disk goes further"));
        }
        let desk = Arc::clone(self);
        let order = blocking(move || desk.trust().unsigned_recovery(&order).map(|()| order)).await?;
        self.fits(&order)?;
        let given = self.promise().give(order.recovery.new_epoch, &digest(&order, &self.committee));
        given.map_err(|error| Refused::new("promised", error.to_string()))?;
        let signature = key.sign(&order.recovery.message(&self.committee.id()));
        Ok(Answer::Promised(SlotSignature { slot: self.applicant.slot, signature }))
    }

    /// Whether the application in this machine's slot is this machine's.
    fn is_ours(&self, applications: &[Application]) -> Result<(), Refused> {
        let ours = applications.iter().map(|application| &application.admission).any(|admission| {
            admission.slot == self.applicant.slot
                && admission.cosign_key == self.applicant.cosign_key()
                && admission.spki == self.applicant.identity.spki_der()
        });
        let why = "another machine is named in this slot; it may have restarted since: collect the applications anew";
        if ours { Ok(()) } else { Err(Refused::new("other-machine", why)) }
    }

    async fn order(&self, order: Order) -> Result<Answer, Refused> {
        self.orders.send(order).await.map_err(|_| Refused::new("stopping", "this machine is stopping"))?;
        Ok(Answer::Done)
    }

    async fn core(self: &Arc<Self>, caller: &Caller, request: PeerRequest) -> Result<PeerResponse, Refused> {
        let Claim::Machine { slot } = caller.claim else {
            return Err(Refused::new("machines-only", "only a member's machine may ask this"));
        };
        let running =
            self.running().ok_or_else(|| Refused::new("not-a-member", "this machine is no member yet"))?;
        match request {
            PeerRequest::Admit(admitting) => {
                let spki = admitting.admission.spki_sha256();
                if (spki, admitting.admission.slot) != (caller.spki_sha256, slot) {
                    return Err(Refused::new("application", "it asks for another machine than itself"));
                }
                let (desk, epoch) = (Arc::clone(self), running.report().epoch);
                let mut admitting =
                    blocking(move || desk.judge_candidate(&admitting, epoch).map(|()| admitting)).await?;
                // No signature covers it: whom it replaces is what the roster says now, and the engine holds it against that when it is applied.
                admitting.admission.replaces = running.seated(slot);
                Ok(running.admit(*admitting).await)
            }
            request => Ok(running.handle(caller.spki_sha256, request).await),
        }
    }

    /// Whether a machine that asks to be admitted runs what it must and is signed for. The member that is asked judges, once; what it
    /// judged stands in the ledger for whoever wants to judge again.
    fn judge_candidate(&self, admitting: &Admitting, epoch: u64) -> Result<(), CheckError> {
        let Admitting { admission, evidence, .. } = admitting;
        let slot = admission.slot;
        let key = self.committee.acl().slots().get(usize::from(slot));
        if !key.is_some_and(|key| admission.is_signed_by(key, &self.committee.id(), epoch)) {
            return Err(CheckError::Unsigned(slot));
        }
        if admission.evidence != Hash::of(evidence) {
            return Err(CheckError::Field { slot, field: "evidence", due: "the SHA-256 of the evidence" });
        }
        let binding = admission.statement(self.committee.id(), epoch).binding();
        let judged = self.rules.judge.judge(evidence, &binding);
        judged.map(|_| ()).map_err(|refusal| CheckError::Evidence { slot, refusal })
    }
}

/// What a promise is given to: the recovery's message, in which every field counts but the signatures.
fn digest(order: &RecoveryOrder, committee: &Committee) -> [u8; 32] {
    Hash::of(order.recovery.message(&committee.id())).0
}

fn refuse(error: &CheckError) -> Refused {
    Refused::new(error.slug(), error.to_string())
}

async fn blocking<T: Send + 'static>(
    check: impl FnOnce() -> Result<T, CheckError> + Send + 'static,
) -> Result<T, Refused> {
    let checked = tokio::task::spawn_blocking(check).await;
    checked.map_err(|_| Refused::new("stopping", "this machine is stopping"))?.map_err(|error| refuse(&error))
}

/// The desk as what the transport hands requests to.
pub(crate) struct Front(pub(crate) Arc<Desk>);

impl Handler for Front {
    fn handle<'a>(&'a self, caller: &'a Caller, topic: Topic, body: Vec<u8>) -> Answering<'a> {
        Box::pin(async move {
            match topic {
                Topic::Core => {
                    let malformed = |error: postcard::Error| Refused::new("malformed", error.to_string());
                    let request = postcard::from_bytes(&body).map_err(malformed)?;
                    postcard::to_stdvec(&self.0.core(caller, request).await?).map_err(malformed)
                }
                Topic::Ceremony => {
                    let malformed = |error: serde_json::Error| Refused::new("malformed", error.to_string());
                    let request = serde_json::from_slice(&body).map_err(malformed)?;
                    let is_machine = matches!(caller.claim, Claim::Machine { .. });
                    serde_json::to_vec(&self.0.ceremony(request, is_machine).await?).map_err(malformed)
                }
            }
        })
    }
}
