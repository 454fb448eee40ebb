//! An engine, as the rest of a member sees it.

use hallmark_machine::Machine;

use super::running::{Boxed, Report, Running};
use crate::state::{Admitting, Proposal};
use crate::{Caller, Engine, Fault, Lacks, PeerRequest, PeerResponse, Role, SubmitError};

impl<M: Machine> Running for Engine<M> {
    fn handle(&self, spki_sha256: [u8; 32], request: PeerRequest) -> Boxed<'_, PeerResponse> {
        Box::pin(async move { Engine::handle(self, Caller { spki_sha256 }, request).await })
    }

    fn admit(&self, admitting: Admitting) -> Boxed<'_, PeerResponse> {
        Box::pin(async move {
            match Engine::admit(self, admitting).await {
                Ok(admission) => PeerResponse::Admitted { node: admission.node },
                Err(error) => PeerResponse::NotTaken(error),
            }
        })
    }

    fn change(&self, proposal: Proposal) -> Boxed<'_, Result<u64, (&'static str, String)>> {
        Box::pin(async move {
            match self.propose(proposal).await {
                Ok(receipt) => Ok(receipt.outcome.index()),
                Err(error) => {
                    let word = match error {
                        SubmitError::Refused { .. } => "refused",
                        SubmitError::Retired { .. } => "retired",
                        SubmitError::Unclear => "unclear",
                        _ => "not-ordered",
                    };
                    Err((word, error.to_string()))
                }
            }
        })
    }

    fn seated(&self, slot: u16) -> Option<u64> {
        self.roster().members.get(&slot).map(|member| member.node)
    }

    fn report(&self) -> Report {
        let status = self.status();
        let checkpoint = self.checkpoint().borrow().clone();
        Report {
            epoch: status.epoch,
            recoveries: status.recoveries,
            node: status.node,
            role: match status.role {
                Role::Learner => "learner",
                Role::Follower => "follower",
                Role::Candidate => "candidate",
                Role::Leader => "leader",
                _ => "stopped",
            },
            leader: self.leading(),
            applied: status.applied,
            signed: status.signed,
            cosigned: checkpoint.as_ref().map_or(0, |signed| signed.checkpoint().size),
            cosigned_root: checkpoint.as_ref().map(|signed| signed.checkpoint().root),
            lacks: status.lacks.map(|lacks| match lacks {
                Lacks::Vouching => "vouching",
                Lacks::Witnesses => "witnesses",
                Lacks::Vote => "vote",
            }),
            is_out: matches!(status.fault, Some(Fault::NotInRoster { .. })),
            fault: status.fault.map(|fault| fault.to_string()),
        }
    }

    fn stop(&self) -> Boxed<'_, ()> {
        Box::pin(self.shutdown())
    }
}
