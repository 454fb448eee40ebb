//! Who may write: tickets, with proof of possession bound to what is submitted.

use std::time::{SystemTime, UNIX_EPOCH};

use hallmark_coalition::{
    Acl, Facts, NoFacts, Proof, Requirement, TicketError, TicketRequest, TicketValidator, UniqueId,
};
use hallmark_machine::ClientId;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};

use super::problem::Problem;

/// Header of the proof of possession: the key and its signature, 64 + 128 hex digits, with a dot between.
pub const PROOF: &str = "hallmark-proof";

/// What a ticket's scope must have in it for a surface.
#[must_use]
pub fn scope(surface: &str) -> String {
    format!("submit-{surface}")
}

/// What a ticket's scope must have in it to settle a submission.
pub const SETTLE: &str = "settle";

/// The bytes that a proof of possession is bound to: this submission and no other, so that whoever sees a request on its way can repeat it and nothing else.
///
/// To settle one, the body is of no bytes and the scope is [`SETTLE`].
#[must_use]
pub fn channel(group: &UniqueId, client: &ClientId, nonce: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"hallmark/submit/1".to_vec();
    bytes.extend(group.as_bytes());
    bytes.extend(client.as_bytes());
    bytes.extend(nonce.to_le_bytes());
    bytes.extend(Sha256::digest(body));
    bytes
}

/// What a request shows for itself, unread.
#[derive(Debug)]
pub(crate) struct Shown {
    authorization: Option<HeaderValue>,
    proof: Option<Vec<u8>>,
}

impl Shown {
    /// By the headers of a single submission.
    pub(crate) fn by(headers: &HeaderMap) -> Self {
        let proof = headers.get(PROOF).map(|value| value.as_bytes().to_vec());
        Self { authorization: headers.get(AUTHORIZATION).cloned(), proof }
    }

    /// By the headers of several, and the proof of one of them.
    pub(crate) fn of(headers: &HeaderMap, proof: Option<String>) -> Self {
        Self { authorization: headers.get(AUTHORIZATION).cloned(), proof: proof.map(String::into_bytes) }
    }
}

/// The gate of one committee.
pub struct Gate {
    validator: TicketValidator,
    facts: Box<dyn Facts + Send + Sync>,
    now: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// A validator that this committee's gate cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// It is not the one in the committee's access rules.
    #[error(
        "tickets: the validator's signature is {got}, the ACL has {want}; give the validator that the committee was made with"
    )]
    Signature {
        /// Signature of the one given.
        got: UniqueId,
        /// What the ACL says.
        want: UniqueId,
    },
    /// It asks for what this member knows of nobody, so that nobody could ever write.
    #[error("tickets.require: {0} of whoever submits is asked for, and this member knows it of nobody")]
    Unknown(&'static str),
}

impl Gate {
    /// The gate of a committee whose ACL folds this validator.
    ///
    /// # Errors
    /// Where it does not: a member does not choose whom it lets write.
    pub fn new(
        validator: TicketValidator,
        acl: &Acl,
        facts: impl Facts + Send + Sync + 'static,
        now: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Self, GateError> {
        let (got, want) = (validator.signature(), acl.tickets());
        if got != want {
            return Err(GateError::Signature { got, want });
        }
        Ok(Self { validator, facts: Box::new(facts), now: Box::new(now) })
    }

    /// The gate of a committee by its own ticket rule and this machine's clock. Nothing is known of a subject but what its ticket says.
    ///
    /// # Errors
    /// Where the ACL has another rule, or the rule asks what only someone who knows more could answer.
    pub fn of(validator: TicketValidator, acl: &Acl) -> Result<Self, GateError> {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let unknown = validator.requirements().next().map(|requirement| match requirement {
            Requirement::Attested { .. } => "an attested release",
            Requirement::ReputationFloor { .. } => "a reputation",
            Requirement::MarketSettlement { .. } => "a settlement",
            _ => "something more",
        });
        let gate = Self::new(validator, acl, NoFacts, now)?;
        unknown.map_or(Ok(gate), |what| Err(GateError::Unknown(what)))
    }

    /// The gate of a committee whose ACL asks for no ticket.
    ///
    /// # Errors
    /// Where the ACL does ask.
    pub fn open(acl: &Acl) -> Result<Self, GateError> {
        Self::of(TicketValidator::new(), acl)
    }

    /// Whether whoever shows this may write as this client. The client of a proven subject is the subject: nobody uses up another's numbers.
    pub(crate) fn judge(
        &self,
        shown: &Shown,
        group: &UniqueId,
        (client, nonce): (&ClientId, u64),
        (scope, body): (&str, &[u8]),
    ) -> Result<(), Problem> {
        if self.validator.is_empty() {
            return Ok(());
        }
        let jwt = shown.authorization.as_ref().map(|value| {
            let text = value.to_str().unwrap_or_default();
            text.strip_prefix("Bearer ")
                .ok_or_else(|| Problem::malformed("authorization", "not `Bearer TICKET`"))
        });
        let proof = shown.proof.as_deref().map(read_proof);
        let request = TicketRequest {
            jwt: jwt.transpose()?,
            proof: proof.transpose()?,
            channel: &channel(group, client, nonce, body),
            scope,
            now: (self.now)(),
            facts: &*self.facts,
        };
        let admitted = self.validator.judge(&request).map_err(|error| refused(&error))?;
        match admitted.subject() {
            Some(subject) if subject != client.as_bytes() => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "not-the-client",
                format!(
                    "hallmark-client: {client} is not the key that was proven, {}",
                    UniqueId::new(*subject)
                ),
                "submit as the ticket's subject: the client id is its public key",
            )),
            _ => Ok(()),
        }
    }
}

fn read_proof(text: &[u8]) -> Result<Proof, Problem> {
    let wrong = || Problem::malformed(PROOF, "64 hex digits of the key, a dot, 128 of its signature");
    let (mut key, mut signature) = ([0; 32], [0; 64]);
    let (before, after) = text.split_at_checked(64).ok_or_else(wrong)?;
    let after = after.strip_prefix(b".").ok_or_else(wrong)?;
    hex::decode_to_slice(before, &mut key).map_err(|_| wrong())?;
    hex::decode_to_slice(after, &mut signature).map_err(|_| wrong())?;
    Ok(Proof { key, signature })
}

/// 401 where another ticket would do, 403 where this subject may not.
fn refused(error: &TicketError) -> Problem {
    let slug = error.slug();
    let status = match slug {
        "ticket-scope" | "ticket-attested" | "ticket-reputation" | "ticket-settlement" => {
            StatusCode::FORBIDDEN
        }
        _ => StatusCode::UNAUTHORIZED,
    };
    let hint =
        "send `authorization: Bearer TICKET` and `hallmark-proof: KEY.SIGNATURE` over this very submission";
    Problem::new(status, slug, error.to_string(), hint)
}
