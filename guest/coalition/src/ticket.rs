//! Tickets: who may do what for how long, as its issuer signed it.
//!
//! A ticket is a JWS in compact form (RFC 7515) with the claims of RFC 7519 that are listed here, signed with Ed25519
//! (RFC 8037). One algorithm, one type, no key that the ticket itself brings, no extension: whatever else a header or a claim
//! may say elsewhere is refused here (RFC 8725).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::acl::public_key;
use crate::config_error::ConfigError;
use crate::object::{Unchecked, object};
use crate::ticket_issuer::TicketIssuerConfig;
use crate::{UniqueId, text};

/// Longest ticket, in bytes.
pub const MAX_TICKET: usize = 2048;

/// Most scopes of one ticket.
const MAX_SCOPES: usize = 32;

const TYPE: &str = "hallmark-ticket+jwt";

object! {
    /// The header: exactly this and, as JOSE has it, nothing that is not understood.
    struct Header {
        alg: String,
        typ: String,
    }
}

impl Header {
    fn check(&self) -> Result<(), TicketError> {
        if self.alg != "EdDSA" {
            return Err(TicketError::Algorithm(cut(&self.alg)));
        }
        if self.typ != TYPE {
            return Err(TicketError::Type(cut(&self.typ)));
        }
        Ok(())
    }
}

object! {
    /// What a ticket says.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct Claims {
        /// The issuer's root: a coalition's `TICKETS_ROOT`.
        pub iss: UniqueId,
        /// The subject: an Ed25519 public key.
        pub sub: UniqueId,
        /// What for: names, one space between each two (RFC 8693, 4.2).
        pub scope: String,
        /// From when: seconds since 1970, this one included.
        pub nbf: u64,
        /// Until when: seconds since 1970, this one excluded.
        pub exp: u64,
    }
}

impl Claims {
    /// What a ticket is to say.
    #[must_use]
    pub fn new(iss: UniqueId, sub: [u8; 32], scopes: &[&str], nbf: u64, exp: u64) -> Self {
        Self { iss, sub: UniqueId::new(sub), scope: scopes.join(" "), nbf, exp }
    }

    /// What for, one by one.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.split(' ')
    }

    fn check(&self) -> Result<(), TicketError> {
        if public_key(self.sub.as_bytes()).is_none() {
            return Err(TicketError::Subject(self.sub));
        }
        let wrong = || TicketError::Scopes(cut(&self.scope));
        let mut seen = std::collections::BTreeSet::new();
        for scope in self.scopes() {
            text::name("scope", scope).map_err(|_| wrong())?;
            if !seen.insert(scope) || seen.len() > MAX_SCOPES {
                return Err(wrong());
            }
        }
        if self.exp <= self.nbf {
            return Err(TicketError::Life { nbf: self.nbf, exp: self.exp });
        }
        Ok(())
    }
}

fn cut(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

/// A ticket that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TicketError {
    /// None was shown where one is asked for.
    #[error("no ticket was shown; this surface asks for one of a recognised issuer")]
    Missing,
    /// Longer than any ticket.
    #[error("{0} bytes; a ticket has at most {MAX_TICKET}")]
    TooLong(usize),
    /// Not three parts of base64url without padding, each with one way to write it (RFC 7515, 3.1).
    #[error("{0}: not base64url without padding (RFC 7515, 3.1: header.claims.signature)")]
    Form(&'static str),
    /// The header is not what it has to be.
    #[error("header: {0}; it is {{\"alg\":\"EdDSA\",\"typ\":\"{TYPE}\"}} and nothing else")]
    Header(String),
    /// Another algorithm, or `none`.
    #[error("header.alg: `{0}`; only EdDSA is taken (RFC 8037)")]
    Algorithm(String),
    /// Another kind of JWT.
    #[error("header.typ: `{0}`; a ticket is `{TYPE}` (RFC 8725, 3.11)")]
    Type(String),
    /// The claims are not what they have to be.
    #[error("claims: {0}; they are iss, sub, scope, nbf and exp, and nothing else")]
    Claims(String),
    /// A subject that anyone could sign for.
    #[error("claims.sub: `{0}` is no Ed25519 public key of full order")]
    Subject(UniqueId),
    /// Scopes that are no names.
    #[error("claims.scope: `{0}` is not 1 to {MAX_SCOPES} different names with one space between each two")]
    Scopes(String),
    /// It ends before it begins.
    #[error("claims.exp: {exp} is not after nbf, {nbf}")]
    Life {
        /// From when.
        nbf: u64,
        /// Until when.
        exp: u64,
    },
    /// Nobody that is recognised here.
    #[error("claims.iss: {0} is no issuer that is recognised here")]
    Issuer(UniqueId),
    /// None of the issuer's keys signed it.
    #[error("signature: none of issuer {0}'s keys made it (RFC 8032, 5.1.7)")]
    Signature(UniqueId),
    /// It lives longer than its issuer may let it.
    #[error("claims.exp: the ticket lives for {seconds} s; its issuer may give {most} s")]
    TooLongLived {
        /// From nbf to exp.
        seconds: u64,
        /// What the issuer may give.
        most: u64,
    },
    /// A scope that its issuer may not give.
    #[error("claims.scope: `{0}` is none that its issuer may give")]
    NotTheIssuers(String),
    /// Not yet.
    #[error("claims.nbf: it begins at {nbf}, and it is {now}")]
    NotYet {
        /// From when.
        nbf: u64,
        /// What time it is.
        now: u64,
    },
    /// Not any more.
    #[error("claims.exp: it ended at {exp}, and it is {now}; ask its issuer for another")]
    Expired {
        /// Until when.
        exp: u64,
        /// What time it is.
        now: u64,
    },
    /// For something else.
    #[error("claims.scope: `{asked}` is not among `{scope}`")]
    Scope {
        /// What was asked.
        asked: String,
        /// What it is for.
        scope: String,
    },
    /// Nobody showed that the key is theirs.
    #[error("no proof of possession; sign the channel's message with the subject's key")]
    NoProof,
    /// Somebody else's ticket.
    #[error("proof: it is made with {proven}, and the ticket is {subject}'s")]
    NotTheSubject {
        /// Who proved something.
        proven: UniqueId,
        /// Whose ticket it is.
        subject: UniqueId,
    },
    /// A proof for another channel or scope, or none at all.
    #[error("proof: no signature of {0} over this channel and scope")]
    Proof(UniqueId),
    /// Not known to run one of these releases.
    #[error("attested: {subject} is not known to run one of the {releases} releases that are asked for")]
    NotAttested {
        /// Who.
        subject: UniqueId,
        /// How many releases would do.
        releases: usize,
    },
    /// Too little reputation, or none known.
    #[error("reputation: {subject} has {has:?} in {source_id}, and {floor} is asked")]
    Reputation {
        /// Who.
        subject: UniqueId,
        /// The organism that keeps it.
        source_id: UniqueId,
        /// What it says, if anything.
        has: Option<u64>,
        /// What is asked.
        floor: u64,
    },
    /// Not settled.
    #[error("settlement: {subject} has none in market {market}")]
    NotSettled {
        /// Who.
        subject: UniqueId,
        /// Where.
        market: UniqueId,
    },
}

impl TicketError {
    /// One word that programs can match.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Missing => "ticket-missing",
            Self::TooLong(_) | Self::Form(_) => "ticket-form",
            Self::Header(_) | Self::Algorithm(_) | Self::Type(_) => "ticket-header",
            Self::Claims(_) | Self::Subject(_) | Self::Scopes(_) | Self::Life { .. } => "ticket-claims",
            Self::Issuer(_) | Self::TooLongLived { .. } | Self::NotTheIssuers(_) => "ticket-issuer",
            Self::Signature(_) => "ticket-signature",
            Self::NotYet { .. } | Self::Expired { .. } => "ticket-time",
            Self::Scope { .. } => "ticket-scope",
            Self::NoProof | Self::NotTheSubject { .. } | Self::Proof(_) => "ticket-possession",
            Self::NotAttested { .. } => "ticket-attested",
            Self::Reputation { .. } => "ticket-reputation",
            Self::NotSettled { .. } => "ticket-settlement",
        }
    }
}

/// Whose tickets count: a root, and the keys that sign for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    root: UniqueId,
    keys: Vec<VerifyingKey>,
    scopes: Vec<String>,
    max_lifetime: u64,
    fingerprint: UniqueId,
}

impl Issuer {
    /// The issuer of this configuration, whose tickets name `root`.
    ///
    /// # Errors
    /// [`ConfigError`], where the configuration breaks a rule.
    pub fn new(root: UniqueId, config: &TicketIssuerConfig<'_>) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            root,
            // check() has refused what is no key.
            keys: config.keys.iter().filter_map(|key| public_key(key.as_bytes())).collect(),
            scopes: config.scopes.iter().map(ToString::to_string).collect(),
            max_lifetime: u64::from(config.max_lifetime),
            fingerprint: config.fingerprint(),
        })
    }

    /// What its tickets name as `iss`.
    #[must_use]
    pub fn root(&self) -> UniqueId {
        self.root
    }

    /// The fingerprint of its configuration.
    #[must_use]
    pub fn fingerprint(&self) -> UniqueId {
        self.fingerprint
    }
}

/// A ticket whose issuer is recognised, whose signature holds, and whose time it is. It exists only so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    claims: Claims,
}

impl Ticket {
    /// Signs claims: the text of a ticket. Whether `key` is one of the issuer's is seen when it is verified.
    ///
    /// # Errors
    /// [`TicketError`], where nobody could take such a ticket.
    pub fn issue(key: &SigningKey, claims: &Claims) -> Result<String, TicketError> {
        claims.check()?;
        let header = Header { alg: "EdDSA".to_owned(), typ: TYPE.to_owned() };
        let header = serde_json::to_vec(&header).map_err(|e| TicketError::Header(e.to_string()))?;
        let body = serde_json::to_vec(claims).map_err(|e| TicketError::Claims(e.to_string()))?;
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(body));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).to_bytes());
        let ticket = format!("{signed}.{signature}");
        if ticket.len() > MAX_TICKET { Err(TicketError::TooLong(ticket.len())) } else { Ok(ticket) }
    }

    /// Reads and verifies a ticket at an instant (seconds since 1970; there is no leeway). The order: form, header, claims,
    /// issuer, signature, the issuer's own bounds, time. Whoever shows it has not yet proved that it is theirs.
    ///
    /// # Errors
    /// [`TicketError`], for the first thing that does not hold.
    pub fn verify<'i>(
        text: &str,
        issuers: impl IntoIterator<Item = &'i Issuer>,
        now: u64,
    ) -> Result<Self, TicketError> {
        if text.len() > MAX_TICKET {
            return Err(TicketError::TooLong(text.len()));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TicketError::Form("signature"))?;
        let (header, claims) = signed.split_once('.').ok_or(TicketError::Form("claims"))?;
        let decode = |part: &str, name| URL_SAFE_NO_PAD.decode(part).map_err(|_| TicketError::Form(name));
        let (header, claims) = (decode(header, "header")?, decode(claims, "claims")?);
        let signature = decode(signature, "signature")?;
        let signature = Signature::from_slice(&signature).map_err(|_| TicketError::Form("signature"))?;
        read_header(&header)?;
        let claims = read_claims(&claims)?;

        let known = issuers.into_iter().filter(|issuer| issuer.root == claims.iss).collect::<Vec<_>>();
        if known.is_empty() {
            return Err(TicketError::Issuer(claims.iss));
        }
        let signs = |issuer: &&&Issuer| {
            issuer.keys.iter().any(|key| key.verify_strict(signed.as_bytes(), &signature).is_ok())
        };
        let issuer = known.iter().find(signs).ok_or(TicketError::Signature(claims.iss))?;
        let seconds = claims.exp.saturating_sub(claims.nbf);
        if seconds > issuer.max_lifetime {
            return Err(TicketError::TooLongLived { seconds, most: issuer.max_lifetime });
        }
        if let Some(scope) = claims.scopes().find(|scope| !issuer.scopes.iter().any(|s| s == scope)) {
            return Err(TicketError::NotTheIssuers(cut(scope)));
        }
        if now < claims.nbf {
            return Err(TicketError::NotYet { nbf: claims.nbf, now });
        }
        if now >= claims.exp {
            return Err(TicketError::Expired { exp: claims.exp, now });
        }
        Ok(Self { claims })
    }

    /// What it says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Whose it is: an Ed25519 public key.
    #[must_use]
    pub fn subject(&self) -> &[u8; 32] {
        self.claims.sub.as_bytes()
    }

    /// Whether it is for that.
    #[must_use]
    pub fn is_for(&self, scope: &str) -> bool {
        self.claims.scopes().any(|s| s == scope)
    }
}

/// The shape first, then the values: another algorithm is to be called that, whatever else the header has.
fn read_header(bytes: &[u8]) -> Result<(), TicketError> {
    let header: Unchecked<Header> =
        serde_json::from_slice(bytes).map_err(|e| TicketError::Header(e.to_string()))?;
    header.0.check()
}

fn read_claims(bytes: &[u8]) -> Result<Claims, TicketError> {
    let claims: Unchecked<Claims> =
        serde_json::from_slice(bytes).map_err(|e| TicketError::Claims(e.to_string()))?;
    claims.0.check()?;
    Ok(claims.0)
}

/// The message that the subject's key signs to show that the ticket is its own: a tag, the channel and the scope, the channel
/// with its length before it. What `channel` has to be for the proof to be fresh is the caller's to choose: a TLS exporter, or
/// a nonce of the server's and what is submitted.
#[must_use]
pub fn proof_message(channel: &[u8], scope: &str) -> Vec<u8> {
    let mut message = b"hallmark/ticket-proof/1".to_vec();
    message.extend(u64::try_from(channel.len()).unwrap_or(u64::MAX).to_le_bytes());
    message.extend(channel);
    message.extend(scope.as_bytes());
    message
}
