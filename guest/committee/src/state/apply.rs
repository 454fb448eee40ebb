//! One Raft entry in, leaves and answers out.

use hallmark_ledger::entry::{COMMITTEE, EntryError, Submission as Answered};
use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::{Rejection, SystemEntry};
use hallmark_machine::{ClientId, Context, Draft, Endorsed, Machine, RejectionCode};

use super::proposal::{Proposal, ProposalId};
use super::publish::{self, Leaves};
use super::receipts::{Known, Lookup};
use super::{Admitting, Core, SnapshotBytes, State};
use crate::engine::{Outcome, Submission, SubmitError};
use crate::raft::Batch;

/// What one proposal came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Whose.
    pub id: ProposalId,
    /// What.
    pub result: Result<Outcome, SubmitError>,
}

/// What one Raft entry came to.
#[derive(Debug, Default)]
pub struct Applied {
    /// Index of the first leaf.
    pub first: u64,
    /// Root of the tree below it.
    pub below: Option<Hash>,
    /// The leaves, as they are served.
    pub leaves: Vec<Vec<u8>>,
    /// One answer a proposal.
    pub replies: Vec<Reply>,
    /// Whether the roster is another than before.
    pub roster_changed: bool,
    /// The state at this point, where the entry asked for it.
    pub snapshot: Option<SnapshotBytes>,
    /// Why the entry as a whole was passed over: bytes that are no batch, or a batch of another term.
    pub passed_over: Option<String>,
}

pub(crate) fn command_hash(submission: &Submission) -> Hash {
    crate::command_hash(&submission.surface, &submission.body)
}

impl<M: Machine> State<M> {
    /// Applies the batch of the Raft entry of `term`.
    ///
    /// A batch that was queued in another term is passed over: a leader queues under its own term, and openraft refuses the entry if the term
    /// is over by then; between the two there must be no gap, since a client is told that what was queued under an old term is lost.
    pub fn apply(&mut self, term: u64, batch: &Batch) -> Applied {
        let mut applied = Applied { first: self.size(), below: Some(self.root()), ..Applied::default() };
        if batch.term() != term {
            applied.passed_over = Some(format!("queued in term {}, ordered in {term}", batch.term()));
            return applied;
        }
        let proposals = match batch.proposals() {
            Ok(proposals) => proposals,
            Err(error) => {
                applied.passed_over = Some(error.to_string());
                return applied;
            }
        };
        let roster = self.core.as_ref().map(|core| core.roster.clone());
        let mut leaves = Leaves::default();
        let last = proposals.len().saturating_sub(1);
        for (at, proposal) in proposals.into_iter().enumerate() {
            let id = proposal.id();
            let result = match proposal {
                Proposal::Snapshot if at == last => self.mark(&mut leaves).map(|(outcome, bytes)| {
                    applied.snapshot = Some(bytes);
                    outcome
                }),
                Proposal::Found(founding) => match self.found(&founding, &mut leaves) {
                    Ok((outcome, below)) => {
                        applied.below = Some(below);
                        Ok(outcome)
                    }
                    Err(error) => {
                        let surface = "committee.genesis".to_owned();
                        Err(SubmitError::Refused { surface, why: error.to_string() })
                    }
                },
                // Whoever counts as a member changes at a boundary of its own: see `cosigning`.
                Proposal::Admit(_) | Proposal::Expel(_) if at != last => {
                    let surface = "committee.admission".to_owned();
                    let why = "a change of the roster must be the last of its batch".to_owned();
                    Err(SubmitError::Refused { surface, why })
                }
                other => self.one(other, &mut leaves),
            };
            applied.replies.push(Reply { id, result });
        }
        // A recovery's founding brings the leaves behind its snapshot along, so they do not begin where this state ended.
        applied.first = self.size().saturating_sub(u64::try_from(leaves.0.len()).unwrap_or_default());
        applied.leaves = leaves.0;
        applied.roster_changed = self.core.as_ref().map(|core| &core.roster) != roster.as_ref();
        applied
    }

    fn one(&mut self, proposal: Proposal, leaves: &mut Leaves) -> Result<Outcome, SubmitError> {
        let surface = proposal.surface();
        let refused = |why: String| SubmitError::Refused { surface: surface.to_owned(), why };
        let Some(core) = &mut self.core else {
            return Err(refused("the committee is not founded yet".into()));
        };
        if let Some(index) = core.retired {
            // An old answer stays an answer; nothing new is taken.
            return match proposal {
                Proposal::Submission(submission) => core
                    .known(&submission, command_hash(&submission))
                    .unwrap_or(Err(SubmitError::Retired { index })),
                _ => Err(SubmitError::Retired { index }),
            };
        }
        let said = match proposal {
            Proposal::Submission(submission) => {
                return submit(core, &mut self.machine, submission, leaves);
            }
            Proposal::Settle { client, nonce } => return core.settle(client, nonce, leaves),
            Proposal::Admit(admitting) => core.admit(&admitting, leaves).map_err(refused)?,
            Proposal::Endorse { endorsement, blobs } => {
                let named = endorsement.evidence.iter().chain(&endorsement.collateral);
                Core::has_blobs(named, &blobs)
                    .and_then(|()| core.may_endorse(&endorsement))
                    .map_err(refused)?;
                core.carry_all(&blobs, leaves).map_err(refused)?;
                let (fact, policy, time) = (endorsement.fact, endorsement.policy, endorsement.time());
                let entry = SystemEntry::Endorsement(*endorsement);
                let index = core.say(&entry, leaves).map_err(|error| refused(error.to_string()))?;
                core.endorse(fact, Endorsed { policy, time, index });
                index
            }
            Proposal::Release(release) => {
                core.may_release(&release).map_err(refused)?;
                let (sha256, action) = (release.sha256, release.action);
                let index =
                    core.say(&SystemEntry::Release(release), leaves).map_err(|e| refused(e.to_string()))?;
                match action {
                    hallmark_ledger::system::ReleaseAction::Admit => core.releases.insert(sha256),
                    hallmark_ledger::system::ReleaseAction::Retire => core.releases.remove(&sha256),
                };
                index
            }
            Proposal::Equivocation(equivocation) => {
                core.may_convict(&equivocation).map_err(refused)?;
                let node = equivocation.node;
                let index = core
                    .say(&SystemEntry::Equivocation(equivocation), leaves)
                    .map_err(|e| refused(e.to_string()))?;
                core.convicted.insert(node);
                index
            }
            Proposal::Expel(expulsion) => {
                core.may_expel(&expulsion).map_err(refused)?;
                let node = expulsion.node;
                let index = core
                    .say(&SystemEntry::Expulsion(expulsion), leaves)
                    .map_err(|e| refused(e.to_string()))?;
                core.unseat(node, index);
                index
            }
            Proposal::Retire(retirement) => {
                core.may_retire(&retirement).map_err(refused)?;
                let index = core
                    .say(&SystemEntry::Retirement(retirement), leaves)
                    .map_err(|e| refused(e.to_string()))?;
                core.retired = Some(index);
                index
            }
            Proposal::Snapshot => return Err(refused("not the last of its batch".into())),
            Proposal::Found(_) => return Err(refused("founded already".into())),
        };
        Ok(Outcome::Committed { first: said, entries: 1 })
    }
}

/// Applies a client's command, once.
fn submit<M: Machine>(
    core: &mut Core,
    machine: &mut M,
    submission: Submission,
    leaves: &mut Leaves,
) -> Result<Outcome, SubmitError> {
    let command = command_hash(&submission);
    if let Some(answer) = core.known(&submission, command) {
        return answer;
    }
    let Submission { client, nonce, surface, body } = submission;
    let answered = Answered { client: *client.as_bytes(), nonce, command };
    // The leader parsed it before it was ordered; one that did not makes no entry of garbage.
    let parsed = M::parse(&surface, &body)
        .map_err(|malformed| SubmitError::Malformed { surface: malformed.surface, why: malformed.why })?;
    let context = Context { index: core.frontier.size(), client, nonce, endorsed: &core.endorsed };
    let outcome = match machine.apply(&context, parsed) {
        Ok(drafts) if drafts.is_empty() => {
            core.reject(answered, "no-entry", "the machine published nothing", leaves)
        }
        Ok(drafts) => {
            let count = u64::try_from(drafts.len()).unwrap_or(u64::MAX);
            let drafts: Vec<_> =
                drafts.into_iter().map(|draft: Draft| publish::draft(draft, answered)).collect();
            // A machine cannot name a surface of the committee's: a `SurfaceName` has no dot.
            debug_assert!(drafts.iter().all(|draft| !draft.surface.starts_with(COMMITTEE)));
            match core.publish_all(&drafts, leaves) {
                Ok(first) => Ok(Outcome::Committed { first, entries: count }),
                // The machine broke its own bounds after it changed its state. The same everywhere; the ledger says so.
                Err(error) => core.reject(answered, "entry-invalid", &error.to_string(), leaves),
            }
        }
        Err(rejection) => {
            let code: &RejectionCode = &rejection.code;
            core.reject(answered, code.as_str(), &rejection.why, leaves)
        }
    }
    .map_err(|error| SubmitError::Refused {
        surface: "committee.rejection".into(),
        why: error.to_string(),
    })?;
    core.receipts.insert(client, nonce, Known { command: Some(command), outcome: outcome.clone() });
    Ok(outcome)
}

/// Most bytes of a reason in a rejection.
const MAX_WHY: usize = 512;

impl<M> State<M> {
    /// What is remembered of a command, whether a quorum has signed it or not.
    pub(crate) fn known(&self, client: &ClientId, nonce: u64) -> Option<Known> {
        match self.core.as_ref()?.receipts.get(client, nonce) {
            Lookup::Known(known) => Some(known.clone()),
            Lookup::Unknown | Lookup::TooOld(_) => None,
        }
    }

    /// The smallest nonce of a client that can still be asked for, where `nonce` is below it.
    pub(crate) fn floor(&self, client: &ClientId, nonce: u64) -> Option<u64> {
        match self.core.as_ref()?.receipts.get(client, nonce) {
            Lookup::TooOld(floor) => Some(floor),
            Lookup::Known(_) | Lookup::Unknown => None,
        }
    }
}

impl Core {
    /// The answer to a command that was ordered before, or that can no longer be.
    fn known(&self, submission: &Submission, command: Hash) -> Option<Result<Outcome, SubmitError>> {
        match self.receipts.get(&submission.client, submission.nonce) {
            Lookup::Unknown => None,
            Lookup::TooOld(floor) => Some(Err(SubmitError::NonceTooOld { nonce: submission.nonce, floor })),
            Lookup::Known(Known { command: Some(first), outcome }) if *first != command => {
                Some(Err(SubmitError::NonceUsed { nonce: submission.nonce, first: outcome.index() }))
            }
            Lookup::Known(known) => Some(Ok(known.outcome.clone())),
        }
    }

    fn reject(
        &mut self,
        answered: Answered,
        code: &str,
        why: &str,
        leaves: &mut Leaves,
    ) -> Result<Outcome, EntryError> {
        let why: String = why.chars().filter(|c| !c.is_control()).take(MAX_WHY).collect();
        let client = answered.client.into();
        let body = Rejection { client, nonce: answered.nonce, code: code.to_owned(), why: why.clone() };
        let mut draft = SystemEntry::Rejection(body).draft()?;
        draft.submission = Some(answered);
        let index = self.publish(&draft, leaves)?;
        Ok(Outcome::Rejected { index, code: code.to_owned(), why })
    }

    fn settle(&mut self, client: ClientId, nonce: u64, leaves: &mut Leaves) -> Result<Outcome, SubmitError> {
        match self.receipts.get(&client, nonce) {
            Lookup::Known(known) => return Ok(known.outcome.clone()),
            Lookup::TooOld(floor) => return Err(SubmitError::NonceTooOld { nonce, floor }),
            Lookup::Unknown => {}
        }
        let body = Rejection {
            client: (*client.as_bytes()).into(),
            nonce,
            code: "invalid".into(),
            why: "settled before anything was ordered under this nonce".into(),
        };
        let index = self.say(&SystemEntry::Rejection(body), leaves).map_err(|error| {
            SubmitError::Refused { surface: "committee.rejection".into(), why: error.to_string() }
        })?;
        let outcome = Outcome::Invalid { index };
        self.receipts.insert(client, nonce, Known { command: None, outcome: outcome.clone() });
        Ok(outcome)
    }

    /// Publishes an admission, documents first; the node id.
    pub(crate) fn admit(&mut self, admitting: &Admitting, leaves: &mut Leaves) -> Result<u64, String> {
        let Admitting { admission, evidence, collateral, address } = admitting;
        self.may_admit(admission)?;
        if address.len() > super::founding::MAX_ADDRESS || address.chars().any(char::is_control) {
            return Err(format!("address: at most {} bytes of text", super::founding::MAX_ADDRESS));
        }
        let blobs: Vec<_> = std::iter::once(evidence.clone()).chain(collateral.clone()).collect();
        Self::has_blobs(std::iter::once(&admission.evidence).chain(&admission.collateral), &blobs)?;
        self.carry_all(&blobs, leaves)?;
        let entry = SystemEntry::Admission(admission.clone());
        let node = self.say(&entry, leaves).map_err(|error| error.to_string())?;
        self.seat(admission, node, address);
        Ok(node)
    }

    fn carry_all(&mut self, blobs: &[Vec<u8>], leaves: &mut Leaves) -> Result<(), String> {
        let max = hallmark_ledger::system::MAX_BLOB;
        if let Some(long) = blobs.iter().find(|blob| blob.len() > max) {
            return Err(format!("a document of {} bytes; at most {max}", long.len()));
        }
        for blob in blobs {
            self.carry(blob, leaves).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}
