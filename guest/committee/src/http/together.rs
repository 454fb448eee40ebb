//! `POST /submit`: submissions of one request. Each is a line of JSON and its body, and is answered by a line of its own, as it is decided.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, Stream};
use hallmark_ledger::cosignature::SignedCheckpoint;
use hallmark_ledger::hash::Hash;
use hallmark_machine::ClientId;
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::problem::{Document, Problem};
use super::receipt::{OutcomeWord, Settled};
use super::stream::checkpoint_line;
use crate::service::Service;
use crate::{Receipt, Submission};

/// What stands before the bytes of a submission, in a line of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    surface: String,
    client: ClientId,
    nonce: u64,
    /// Of the body.
    bytes: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
}

/// One submission of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The submission.
    pub submission: Submission,
    /// Its proof of possession, as the header of a single one has it.
    pub proof: Option<String>,
}

impl Record {
    /// As a request has it: `{"surface","client","nonce","bytes","proof"?}`, a newline, the body, a newline.
    ///
    /// # Errors
    /// None: strings and numbers have a JSON.
    pub fn write(&self, to: &mut Vec<u8>) -> serde_json::Result<()> {
        let Submission { client, nonce, surface, body } = &self.submission;
        let (surface, proof) = (surface.clone(), self.proof.clone());
        let head = Head { surface, client: *client, nonce: *nonce, bytes: body.len(), proof };
        serde_json::to_writer(&mut *to, &head)?;
        to.push(b'\n');
        to.extend(body);
        to.push(b'\n');
        Ok(())
    }

    /// Reads a request's submissions: at most so many.
    ///
    /// # Errors
    /// Which one is malformed, and how.
    pub fn read_all(mut text: &[u8], most: usize) -> Result<Vec<Self>, Problem> {
        let mut records = Vec::new();
        while !text.is_empty() {
            let wrong = |why: &dyn std::fmt::Display| {
                Problem::malformed("body", format_args!("submission {}: {why}", records.len()))
            };
            if records.len() == most {
                return Err(wrong(&format_args!("at most {most} go together")));
            }
            let end =
                text.iter().position(|byte| *byte == b'\n').ok_or_else(|| wrong(&"no end of its line"))?;
            let (line, rest) = text.split_at_checked(end).unwrap_or_default();
            let head: Head = serde_json::from_slice(line).map_err(|error| wrong(&error))?;
            let (body, rest) = rest
                .get(1..)
                .and_then(|rest| rest.split_at_checked(head.bytes))
                .ok_or_else(|| wrong(&"bytes: more than there are"))?;
            text = rest.strip_prefix(b"\n").ok_or_else(|| wrong(&"no newline behind its bytes"))?;
            let Head { surface, client, nonce, proof, .. } = head;
            let submission = Submission { client, nonce, surface, body: body.to_vec() };
            records.push(Self { submission, proof });
        }
        if records.is_empty() {
            return Err(Problem::malformed("body", "no submission"));
        }
        Ok(records)
    }
}

/// A line of the answer, as clients read it: a checkpoint, a receipt under the last checkpoint before it, or a refusal.
#[derive(Debug, Deserialize)]
pub(crate) struct AnswerLine {
    pub(crate) checkpoint: Option<String>,
    /// Which of the request's submissions, from 0.
    pub(crate) nth: Option<usize>,
    pub(crate) outcome: Option<OutcomeWord>,
    pub(crate) index: Option<u64>,
    pub(crate) entries: Option<u64>,
    pub(crate) leaf: Option<Box<RawValue>>,
    pub(crate) proof: Option<Vec<Hash>>,
    /// What a single submission's answer would have.
    pub(crate) status: Option<u16>,
    pub(crate) refused: Option<Document>,
}

type Decided = (usize, Result<Receipt, Problem>);

/// The lines of an answer, as submissions are decided.
pub(crate) struct Lines {
    service: Arc<dyn Service>,
    undecided: FuturesUnordered<BoxFuture<'static, Decided>>,
    /// The checkpoint that was written last.
    under: Option<Arc<SignedCheckpoint>>,
}

/// Bytes after which lines are sent, whatever else is decided already.
const CHUNK: usize = 64 * 1024;

impl Lines {
    pub(crate) fn new(
        service: Arc<dyn Service>,
        submissions: impl Iterator<Item = BoxFuture<'static, Decided>>,
    ) -> Self {
        Self { service, undecided: submissions.collect(), under: None }
    }

    /// What has been decided since; None at the end.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let mut text = Vec::new();
        while text.len() < CHUNK {
            match Pin::new(&mut self.undecided).poll_next(context) {
                Poll::Ready(Some((nth, decided))) => {
                    if let Err(error) = self.write(&mut text, nth, decided) {
                        return Poll::Ready(Some(Err(error.into())));
                    }
                }
                Poll::Ready(None) if text.is_empty() => return Poll::Ready(None),
                Poll::Pending if text.is_empty() => return Poll::Pending,
                _ => break,
            }
        }
        Poll::Ready(Some(Ok(text.into())))
    }

    fn write(
        &mut self,
        text: &mut Vec<u8>,
        nth: usize,
        decided: Result<Receipt, Problem>,
    ) -> serde_json::Result<()> {
        let settled = decided.and_then(|receipt| {
            let settled = Settled::read(&*self.service, &receipt).map_err(Problem::from)?;
            Ok((settled, receipt.checkpoint))
        });
        match settled {
            Ok((settled, checkpoint)) => {
                if self.under.as_ref().is_none_or(|under| under.note() != checkpoint.note()) {
                    checkpoint_line(text, &checkpoint)?;
                    self.under = Some(checkpoint);
                }
                text.extend(format!("{{\"nth\":{nth},").bytes());
                settled.fields(text)?;
            }
            Err(problem) => {
                let status = problem.status().as_u16();
                text.extend(format!("{{\"nth\":{nth},\"status\":{status},\"refused\":").bytes());
                serde_json::to_writer(&mut *text, problem.document())?;
            }
        }
        text.extend(b"}\n");
        Ok(())
    }
}
