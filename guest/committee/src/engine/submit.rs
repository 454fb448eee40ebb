//! Orders a proposal and waits for a quorum to sign that it was applied.

use std::sync::Arc;

use hallmark_ledger::cosignature::SignedCheckpoint;
use hallmark_ledger::system::{Endorsement, Expulsion, Member, Release, Retirement};
use hallmark_machine::{ClientId, Machine};
use tokio::time::Instant;

use super::shared::{Shared, count};
use super::{
    Admission, Engine, Fate, Fault, Outcome, PeerRequest, PeerResponse, Receipt, Submission, SubmitError,
};
use crate::state::{Admitting, Proposal, ProposalId};

/// What a member may have applied, and not seen signed, before it takes no more.
const UNSIGNED: usize = 4096;

impl<M: Machine> Shared<M> {
    /// Whether this member takes more proposals.
    pub(crate) fn may_take(&self, more: usize) -> Result<(), SubmitError> {
        let inner = self.lock();
        if let Some(index) = inner.state.core().and_then(|core| core.retired) {
            return Err(SubmitError::Retired { index });
        }
        match &inner.fault {
            Some(Fault::Storage { why }) => return Err(SubmitError::Storage { why: why.clone() }),
            Some(fault) => return Err(SubmitError::Stopped { why: fault.to_string() }),
            None => {}
        }
        if inner.waiting.len().saturating_add(more) > self.limits.waiting {
            return Err(SubmitError::Overloaded { waiting: inner.waiting.len() });
        }
        if inner.cosigning.unsigned() > UNSIGNED {
            let why =
                format!("{} entries applied here wait for a quorum's signatures", inner.cosigning.unsigned());
            return Err(SubmitError::Stalled { why });
        }
        Ok(())
    }

    /// Whether this member's disk has room. What others hand over to a leader without it is ordered all the same: they may have it.
    fn has_room(&self) -> Result<(), SubmitError> {
        self.room.full().map_or(Ok(()), |why| Err(SubmitError::Storage { why }))
    }

    /// Hands a proposal to the leader, here or elsewhere; the term in which it was queued, where that is known now.
    async fn hand_over(&self, proposal: &Proposal) -> Result<Option<u64>, SubmitError> {
        if self.leads().is_some() {
            let _ = self.queue.send(proposal.clone());
            return Ok(None);
        }
        let leader = self.leader().filter(|leader| *leader != self.node).ok_or(SubmitError::NoLeader)?;
        let node = self.reach(leader).ok_or(SubmitError::NoLeader)?;
        let request = PeerRequest::Propose(vec![proposal.clone()]);
        match self.peers.call(leader, &node, request, self.timing.call).await {
            Ok(PeerResponse::Queued { term }) => Ok(Some(term)),
            Ok(PeerResponse::NotTaken(error)) => Err(error),
            Ok(PeerResponse::NotLeader { .. }) => Err(SubmitError::NoLeader),
            Ok(_) => Err(SubmitError::NoLeader),
            // It may have arrived. Those who wait learn it from the log, or not in time.
            Err(error) => {
                tracing::info!(%error, leader, "a proposal may not have reached the leader");
                Err(SubmitError::Unclear)
            }
        }
    }

    /// Orders a proposal, again where an election lost it, until there is an answer or no more time.
    pub(crate) async fn order(
        &self,
        proposal: Proposal,
    ) -> Result<(Outcome, Arc<SignedCheckpoint>), SubmitError> {
        let id = proposal.id();
        let deadline = Instant::now() + self.timing.submit;
        // What stands if time runs out: once handed over it may be ordered yet.
        let mut unclear = SubmitError::NoLeader;
        loop {
            if self.is_stopped() {
                return Err(SubmitError::Stopped { why: "shut down".into() });
            }
            let (number, mut answer) = self.lock().waiting.enter(id);
            let left = Leaving { shared: self, id, number };
            match tokio::time::timeout_at(deadline, self.hand_over(&proposal)).await {
                Ok(Ok(term)) => {
                    unclear = SubmitError::Unclear;
                    if let Some(term) = term {
                        let mut inner = self.lock();
                        let seen = inner.applied.map_or(0, |id| id.leader_id.term);
                        inner.waiting.queued(id, number, term, seen);
                    }
                }
                // It may have arrived; a while for the answer, then again. Applied twice it is not.
                Ok(Err(SubmitError::Unclear)) => unclear = SubmitError::Unclear,
                Ok(Err(SubmitError::NoLeader)) => {
                    drop(left);
                    let pause = Instant::now() + self.timing.retry;
                    if pause >= deadline {
                        return Err(unclear);
                    }
                    tokio::time::sleep_until(pause).await;
                    continue;
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(unclear),
            }
            match tokio::time::timeout_at(deadline, &mut answer).await {
                Ok(Ok(Err(SubmitError::Lost | SubmitError::NoLeader))) => {
                    drop(left);
                    if matches!(unclear, SubmitError::Unclear)
                        && Instant::now() + self.timing.retry >= deadline
                    {
                        return Err(SubmitError::Lost);
                    }
                    tokio::time::sleep(self.timing.retry).await;
                }
                Ok(Ok(answer)) => return answer,
                Ok(Err(_)) => return Err(SubmitError::Stopped { why: "shut down".into() }),
                Err(_) => return Err(self.why_unclear(&id)),
            }
        }
    }

    /// What to say when time ran out.
    fn why_unclear(&self, id: &ProposalId) -> SubmitError {
        let ProposalId::Command(client, nonce) = id else { return SubmitError::Unclear };
        tracing::info!(%client, nonce, "no answer in time");
        SubmitError::Unclear
    }
}

/// Leaves the queue when a wait ends, however it ends.
struct Leaving<'a, M: Machine> {
    shared: &'a Shared<M>,
    id: ProposalId,
    number: u64,
}

impl<M: Machine> Drop for Leaving<'_, M> {
    fn drop(&mut self) {
        self.shared.lock().waiting.leave(self.id, self.number);
    }
}

impl<M: Machine> Engine<M> {
    /// Orders a command and waits for its receipt. May be called at any member, and again with the same bytes: it is applied once.
    ///
    /// # Errors
    /// See [`SubmitError`]. After [`SubmitError::Unclear`] the command may still be applied.
    pub async fn submit(&self, submission: Submission) -> Result<Receipt, SubmitError> {
        let shared = &self.0;
        let (client, nonce) = (submission.client, submission.nonce);
        let (size, max) = (submission.body.len(), shared.limits.body);
        if size > max {
            return Err(SubmitError::TooLarge { size, max });
        }
        {
            let inner = shared.lock();
            let surfaces = inner.state.machine().surfaces();
            let takes = |name: &str| surfaces.iter().any(|s| s.submit && s.name.as_str() == name);
            if !takes(&submission.surface) {
                let have = surfaces.iter().filter(|s| s.submit).map(|s| s.name.as_str().to_owned()).collect();
                return Err(SubmitError::UnknownSurface { surface: submission.surface, have });
            }
        }
        M::parse(&submission.surface, &submission.body)
            .map_err(|malformed| SubmitError::Malformed { surface: malformed.surface, why: malformed.why })?;
        if let Some(answer) = self.known(&submission) {
            return answer;
        }
        shared.has_room()?;
        shared.may_take(1)?;
        count(&shared.tally.submitted);
        let (outcome, checkpoint) = shared.order(Proposal::Submission(submission)).await?;
        Ok(Receipt { client, nonce, outcome, checkpoint })
    }

    /// The answer to a command that a quorum has signed already.
    fn known(&self, submission: &Submission) -> Option<Result<Receipt, SubmitError>> {
        let (client, nonce) = (submission.client, submission.nonce);
        let inner = self.0.lock();
        let (known, checkpoint) = inner.settled(&ProposalId::Command(client, nonce))?;
        let command = crate::state::command_hash(submission);
        Some(match known.command {
            Some(first) if first != command => {
                Err(SubmitError::NonceUsed { nonce, first: known.outcome.index() })
            }
            _ => Ok(Receipt { client, nonce, outcome: known.outcome, checkpoint }),
        })
    }

    /// What became of `(client, nonce)`, as far as a quorum has signed it here.
    #[must_use]
    pub fn fate(&self, client: ClientId, nonce: u64) -> Fate {
        let inner = self.0.lock();
        if let Some((known, checkpoint)) = inner.settled(&ProposalId::Command(client, nonce)) {
            return Fate::Settled(Receipt { client, nonce, outcome: known.outcome, checkpoint });
        }
        inner.state.floor(&client, nonce).map_or(Fate::Pending, |floor| Fate::TooOld { floor })
    }

    /// Makes the fate of `(client, nonce)` final, and says it. Where nothing was ordered under it, an entry shuts it out for good; whichever of the
    /// command and this comes first in the log decides, so two who settle hear the same.
    ///
    /// # Errors
    /// Where it could not be ordered.
    pub async fn settle(&self, client: ClientId, nonce: u64) -> Result<Fate, SubmitError> {
        match self.fate(client, nonce) {
            Fate::Pending => {}
            known => return Ok(known),
        }
        self.0.has_room()?;
        self.0.may_take(1)?;
        match self.0.order(Proposal::Settle { client, nonce }).await {
            Ok((outcome, checkpoint)) => Ok(Fate::Settled(Receipt { client, nonce, outcome, checkpoint })),
            Err(SubmitError::NonceTooOld { floor, .. }) => Ok(Fate::TooOld { floor }),
            Err(error) => Err(error),
        }
    }

    /// Orders an admission, here or by the leader; returns once it is cosigned. The leader then makes the machine a voter by itself.
    ///
    /// The caller has judged the evidence. `replaces` is checked where it is applied.
    ///
    /// # Errors
    /// Where it was refused, or could not be ordered.
    pub async fn admit(&self, admitting: Admitting) -> Result<Admission, SubmitError> {
        // Ordered twice, the second is refused for its keys: the first one's answer is looked up.
        let key =
            (admitting.admission.slot, admitting.admission.cosign_key, admitting.admission.spki_sha256());
        let result = self.propose(Proposal::Admit(Box::new(admitting))).await;
        match result {
            Ok(Receipt { outcome, checkpoint, .. }) => Ok(Admission { node: outcome.index(), checkpoint }),
            Err(error) => {
                let inner = self.0.lock();
                let seated = inner.state.core().and_then(|core| {
                    let same = |m: &&Member| (m.slot, m.cosign_key, m.spki_sha256) == key;
                    core.roster.members.values().find(same).map(|member| member.node)
                });
                let signed = inner.cosigning.cosigned.clone();
                match (seated, signed) {
                    (Some(node), Some(checkpoint)) if node < checkpoint.checkpoint().size => {
                        Ok(Admission { node, checkpoint })
                    }
                    _ => Err(error),
                }
            }
        }
    }

    /// Orders another entry of the committee's own. The receipt's client is all zeros.
    ///
    /// # Errors
    /// Where it was refused, or could not be ordered.
    pub async fn propose(&self, proposal: Proposal) -> Result<Receipt, SubmitError> {
        self.0.has_room()?;
        self.0.may_take(1)?;
        let (outcome, checkpoint) = self.0.order(proposal).await?;
        Ok(Receipt { client: ClientId::new([0; 32]), nonce: 0, outcome, checkpoint })
    }

    /// Orders a fact that a quorum of members has judged. `blobs`: the bytes that it names by hash.
    ///
    /// # Errors
    /// As [`Self::propose`].
    pub async fn endorse(
        &self,
        endorsement: Endorsement,
        blobs: Vec<Vec<u8>>,
    ) -> Result<Receipt, SubmitError> {
        self.propose(Proposal::Endorse { endorsement: Box::new(endorsement), blobs }).await
    }

    /// Puts a member out.
    ///
    /// # Errors
    /// As [`Self::propose`].
    pub async fn expel(&self, expulsion: Expulsion) -> Result<Receipt, SubmitError> {
        self.propose(Proposal::Expel(expulsion)).await
    }

    /// Lets a release in or out.
    ///
    /// # Errors
    /// As [`Self::propose`].
    pub async fn release(&self, release: Release) -> Result<Receipt, SubmitError> {
        self.propose(Proposal::Release(release)).await
    }

    /// Ends the committee.
    ///
    /// # Errors
    /// As [`Self::propose`].
    pub async fn retire(&self, retirement: Retirement) -> Result<Receipt, SubmitError> {
        self.propose(Proposal::Retire(retirement)).await
    }
}
