//! What a surface asks of whoever speaks to it.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::Signature;

use crate::UniqueId;
use crate::acl::public_key;
use crate::preimage::Preimage;
use crate::ticket::{Issuer, Ticket, TicketError, proof_message};

/// The signature of a validator that asks nothing.
pub(crate) fn nothing_asked() -> UniqueId {
    TicketValidator::new().signature()
}

/// Something that is to be true of the subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Requirement {
    /// It runs one of these releases, and that was attested.
    Attested {
        /// SHA-256 of release.json, of each that will do.
        releases: BTreeSet<UniqueId>,
    },
    /// It has at least that reputation.
    ReputationFloor {
        /// Stable id of the organism that keeps it.
        source: UniqueId,
        /// The least that will do.
        floor: u64,
    },
    /// It has settled.
    MarketSettlement {
        /// Stable id of the market.
        market: UniqueId,
    },
}

/// What the caller knows of a subject, an Ed25519 public key that was proven. What it does not know is not so.
pub trait Facts {
    /// SHA-256 of the release.json that the subject was attested to run.
    fn attested_release(&self, subject: &[u8; 32]) -> Option<UniqueId>;

    /// Its reputation, as that organism keeps it.
    fn reputation(&self, source: &UniqueId, subject: &[u8; 32]) -> Option<u64>;

    /// Whether it has a settlement in that market.
    fn settled(&self, market: &UniqueId, subject: &[u8; 32]) -> bool;
}

/// Nothing is known of anybody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFacts;

impl Facts for NoFacts {
    fn attested_release(&self, _: &[u8; 32]) -> Option<UniqueId> {
        None
    }

    fn reputation(&self, _: &UniqueId, _: &[u8; 32]) -> Option<u64> {
        None
    }

    fn settled(&self, _: &UniqueId, _: &[u8; 32]) -> bool {
        false
    }
}

/// That somebody holds a key: its signature over [`proof_message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The Ed25519 public key.
    pub key: [u8; 32],
    /// Its signature, 64 bytes.
    pub signature: [u8; 64],
}

/// What somebody shows, and what the caller knows.
#[derive(Clone, Copy)]
pub struct TicketRequest<'r> {
    /// The ticket, if one was shown.
    pub jwt: Option<&'r str>,
    /// Proof of possession, if one was shown.
    pub proof: Option<Proof>,
    /// What the proof has to be bound to: bytes that this channel, or this request, has alone.
    pub channel: &'r [u8],
    /// What is asked for.
    pub scope: &'r str,
    /// Seconds since 1970.
    pub now: u64,
    /// What the caller knows.
    pub facts: &'r dyn Facts,
}

/// Somebody who may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    subject: Option<[u8; 32]>,
    ticket: Option<Ticket>,
}

impl Admitted {
    /// Who: the Ed25519 public key that was proven. None where nothing was asked.
    #[must_use]
    pub fn subject(&self) -> Option<&[u8; 32]> {
        self.subject.as_ref()
    }

    /// The ticket, if one was shown and read.
    #[must_use]
    pub fn ticket(&self) -> Option<&Ticket> {
        self.ticket.as_ref()
    }
}

/// What a surface asks. An empty one asks nothing; nothing is compelled that was not composed into it.
///
/// The order of composition does not matter, nor does saying a thing twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TicketValidator {
    issuers: BTreeMap<(UniqueId, UniqueId), Issuer>,
    ticket: bool,
    requirements: BTreeSet<Requirement>,
}

impl TicketValidator {
    /// Asks nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes this issuer's tickets. One that is shown has to be good, even where none is required.
    #[must_use]
    pub fn recognise_issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.insert((issuer.root(), issuer.fingerprint()), issuer);
        self
    }

    /// Asks for a ticket of a recognised issuer. Where none is recognised, nobody has one.
    #[must_use]
    pub fn require_ticket(mut self) -> Self {
        self.ticket = true;
        self
    }

    /// Asks for this too, of the subject whose key is proven.
    #[must_use]
    pub fn require(mut self, requirement: Requirement) -> Self {
        self.requirements.insert(requirement);
        self
    }

    /// What is to be true of the subject beside its ticket: what a caller must know of subjects for anybody to be admitted.
    pub fn requirements(&self) -> impl Iterator<Item = &Requirement> {
        self.requirements.iter()
    }

    /// Whether it asks for anything at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty() && !self.ticket && self.requirements.is_empty()
    }

    /// A fingerprint of all that it is composed of, which an ACL folds:
    /// `blake3("hallmark/tickets/1" || issuers || ticket u8 || requirements)`. Both lists ascend; an issuer is its root and the
    /// fingerprint of its configuration, a requirement its kind (u8) and its fields.
    #[must_use]
    pub fn signature(&self) -> UniqueId {
        let issuers = Preimage::new("hallmark/tickets/1")
            .list(self.issuers.keys(), |p, (root, fingerprint)| p.bare(root).bare(fingerprint));
        let requirements = issuers.bare([u8::from(self.ticket)]);
        let requirements = requirements.list(&self.requirements, |p, requirement| match requirement {
            Requirement::Attested { releases } => p.bare([0]).ids(releases),
            Requirement::ReputationFloor { source, floor } => p.bare([1]).bare(source).number(*floor),
            Requirement::MarketSettlement { market } => p.bare([2]).bare(market),
        });
        requirements.finish()
    }

    /// Judges a request. A validator that asks nothing reads nothing of it. A ticket that is shown has to be good, for this
    /// scope, and its subject's; a proof that is shown has to hold.
    ///
    /// # Errors
    /// [`TicketError`], for the first thing that is asked for and not there.
    pub fn judge(&self, request: &TicketRequest<'_>) -> Result<Admitted, TicketError> {
        if self.is_empty() {
            return Ok(Admitted { subject: None, ticket: None });
        }
        let ticket = self.ticket(request)?;
        let subject = request.proof.map(|proof| possession(&proof, request)).transpose()?;
        if let Some(ticket) = &ticket {
            let proven = subject.ok_or(TicketError::NoProof)?;
            if proven != *ticket.subject() {
                let (proven, subject) = (UniqueId::new(proven), UniqueId::new(*ticket.subject()));
                return Err(TicketError::NotTheSubject { proven, subject });
            }
        }
        if !self.requirements.is_empty() {
            let subject = subject.ok_or(TicketError::NoProof)?;
            self.requirements
                .iter()
                .try_for_each(|requirement| holds(requirement, &subject, request.facts))?;
        }
        Ok(Admitted { subject, ticket })
    }

    fn ticket(&self, request: &TicketRequest<'_>) -> Result<Option<Ticket>, TicketError> {
        let Some(jwt) = request.jwt else {
            return if self.ticket { Err(TicketError::Missing) } else { Ok(None) };
        };
        let ticket = Ticket::verify(jwt, self.issuers.values(), request.now)?;
        if !ticket.is_for(request.scope) {
            let (asked, scope) = (request.scope.to_owned(), ticket.claims().scope.clone());
            return Err(TicketError::Scope { asked, scope });
        }
        Ok(Some(ticket))
    }
}

fn possession(proof: &Proof, request: &TicketRequest<'_>) -> Result<[u8; 32], TicketError> {
    let wrong = || TicketError::Proof(UniqueId::new(proof.key));
    let key = public_key(&proof.key).ok_or_else(wrong)?;
    let message = proof_message(request.channel, request.scope);
    key.verify_strict(&message, &Signature::from_bytes(&proof.signature)).map_err(|_| wrong())?;
    Ok(proof.key)
}

fn holds(requirement: &Requirement, subject: &[u8; 32], facts: &dyn Facts) -> Result<(), TicketError> {
    let who = UniqueId::new(*subject);
    match requirement {
        Requirement::Attested { releases } => match facts.attested_release(subject) {
            Some(release) if releases.contains(&release) => Ok(()),
            _ => Err(TicketError::NotAttested { subject: who, releases: releases.len() }),
        },
        Requirement::ReputationFloor { source, floor } => match facts.reputation(source, subject) {
            Some(has) if has >= *floor => Ok(()),
            has => Err(TicketError::Reputation { subject: who, source_id: *source, has, floor: *floor }),
        },
        Requirement::MarketSettlement { market } if facts.settled(market, subject) => Ok(()),
        Requirement::MarketSettlement { market } => {
            Err(TicketError::NotSettled { subject: who, market: *market })
        }
    }
}
