//! One TLS session: who is at the other end of it, what this side proves to it, and what it must prove.
//!
//! The handshake and every later challenge use the same code; they differ in the exporter's context only.

use hallmark_verifier::evidence::Evidence;
use hallmark_verifier::quote::Quote;
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsStream;

use crate::binding::{self, Role};
use crate::endpoint::{Endpoint, Expect};
use crate::error::AttestError;
use crate::frame::FrameError;
use crate::gate::PeerClaim;
use crate::greeting::Greeting;
use crate::holder;
use crate::peer::{Peer, PeerKey};
use crate::refusal::Refusal;

/// The 32 bytes of the exporter that a proof is bound to.
pub(crate) type Exporter = [u8; 32];

/// What stays the same for as long as the session lives.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) endpoint: Endpoint,
    /// This side's.
    pub(crate) role: Role,
    context: Vec<u8>,
    pub(crate) claim: PeerClaim,
}

/// A peer that proved itself, and under which generation of the judge's rules.
pub(crate) struct Proven {
    pub(crate) peer: Peer,
    pub(crate) generation: u64,
}

impl Session {
    /// A session between two hellos, if the peer's is one that this side wants to hear more from.
    pub(crate) fn new(
        endpoint: &Endpoint,
        role: Role,
        tls_key: Option<PeerKey>,
        expect: &Expect,
        [own, theirs]: [&[u8]; 2],
    ) -> Result<Self, AttestError> {
        let greeting = Greeting::parse(theirs)?;
        let mode = endpoint.mode();
        if greeting.mode != mode {
            let why = format!("this side speaks {mode:?}, the peer {:?}", greeting.mode);
            return Err(Refusal::new("mode-mismatch", why).into());
        }
        let key = match (greeting.held, tls_key) {
            (None, Some(key)) => key,
            (Some(held), None) => PeerKey::Held(held),
            _ => {
                let field = "a key stands in the hello of a client without certificate, and in no other";
                return Err(FrameError::Malformed { kind: "hello", field }.into());
            }
        };
        let claim = PeerClaim { hello: greeting.hello, key };
        check_expected(endpoint, &claim, expect)?;
        endpoint.gate().admit(&claim)?;
        let context = match role {
            Role::Client => binding::context(own, theirs),
            Role::Server => binding::context(theirs, own),
        };
        Ok(Self { endpoint: endpoint.clone(), role, context, claim })
    }

    /// The proof of this side. Blocks.
    pub(crate) fn prove(&self, exporter: &Exporter) -> Result<Vec<u8>, AttestError> {
        if let Some(holder) = self.endpoint.holder() {
            let message = binding::possession(self.role, &self.context, &holder.public_key(), exporter);
            return Ok(holder.sign(&message)?.to_vec());
        }
        let report_data = self.own_binding(exporter);
        match self.endpoint.prover() {
            Some((prover, _)) => Ok(prover.evidence(&report_data)?),
            None => Err(AttestError::Task("an endpoint has neither evidence nor a key".into())),
        }
    }

    fn own_binding(&self, exporter: &Exporter) -> [u8; 64] {
        let spki_sha256 = self.endpoint.prover().map_or([0; 32], |(_, spki_sha256)| *spki_sha256);
        binding::binding(self.role, &self.context, &spki_sha256, exporter)
    }

    /// Judges the peer's proof. `own` is the exporter of this side's own proof in the same round, if there was one.
    /// Blocks.
    pub(crate) fn judge(
        &self,
        proof: &[u8],
        exporter: &Exporter,
        own: Option<&Exporter>,
    ) -> Result<Proven, AttestError> {
        let role = self.role.other();
        // Asked before judging: a change of rules meanwhile makes this judgement one of the old rules.
        let generation = self.endpoint.generation();
        let judgement = match &self.claim.key {
            PeerKey::Held(key) => {
                let message = binding::possession(role, &self.context, key, exporter);
                let signature = proof.try_into().ok();
                if !signature.is_some_and(|signature| holder::is_signed(key, &message, signature)) {
                    let why = "the client's proof is not its key's signature over this session";
                    return Err(Refusal::new("possession-mismatch", why).into());
                }
                None
            }
            PeerKey::Tls { spki_sha256, .. } => {
                let due = binding::binding(role, &self.context, spki_sha256, exporter);
                let Some(judge) = self.endpoint.judge() else {
                    return Err(AttestError::Task("an endpoint has nobody to judge evidence".into()));
                };
                let judgement =
                    judge.judge(proof, &due).map_err(|refusal| self.named(refusal, proof, own))?;
                self.endpoint.remember(&due);
                Some(judgement)
            }
        };
        let peer = Peer { hello: self.claim.hello.clone(), key: self.claim.key.clone(), judgement };
        self.endpoint.gate().confirm(&peer)?;
        Ok(Proven { peer, generation })
    }

    /// A later judgement: whoever was expelled meanwhile is not let in again.
    pub(crate) fn judge_again(&self, proof: &[u8], exporter: &Exporter) -> Result<Proven, AttestError> {
        self.endpoint.gate().admit(&self.claim)?;
        self.judge(proof, exporter, None)
    }

    /// The same refusal under a better name, where evidence is bound to something that this side has seen: its own
    /// evidence, or that of an earlier session. Nothing hangs on it but the name.
    fn named(&self, refusal: Refusal, proof: &[u8], own: Option<&Exporter>) -> Refusal {
        if refusal.slug.as_str() != "binding-mismatch" {
            return refusal;
        }
        let Some(carried) = report_data(proof) else { return refusal };
        if own.is_some_and(|own| self.own_binding(own) == carried) {
            return Refusal::new("evidence-reflected", format!("it is this side's own: {}", refusal.why));
        }
        if self.endpoint.remembers(&carried) {
            return Refusal::new("evidence-replayed", format!("an earlier session's: {}", refusal.why));
        }
        refusal
    }
}

/// What a TD's evidence carries, believed or not.
fn report_data(proof: &[u8]) -> Option<[u8; 64]> {
    let Ok(Evidence::Tdx(evidence)) = Evidence::parse(proof) else { return None };
    Quote::parse(&evidence.quote).ok().map(|quote| *quote.report().report_data)
}

fn check_expected(endpoint: &Endpoint, claim: &PeerClaim, expect: &Expect) -> Result<(), Refusal> {
    let hello = &claim.hello;
    if hello.group != endpoint.hello().group {
        let why = format!("the peer speaks for group {}", hex::encode(hello.group));
        return Err(Refusal::new("wrong-group", why));
    }
    if expect.slot.is_some_and(|slot| hello.slot != Some(slot)) {
        return Err(Refusal::new(
            "wrong-slot",
            format!("due {:?}, the peer says {:?}", expect.slot, hello.slot),
        ));
    }
    if expect.node.is_some_and(|node| hello.node != Some(node)) {
        return Err(Refusal::new(
            "wrong-node",
            format!("due {:?}, the peer says {:?}", expect.node, hello.node),
        ));
    }
    let key = claim.key.spki_sha256();
    if expect.spki_sha256.is_some_and(|due| key != Some(&due)) {
        let why = format!("the peer's key has SHA-256 {}", key.map_or_else(|| "none".into(), hex::encode));
        return Err(Refusal::new("wrong-key", why));
    }
    Ok(())
}

/// The exporter of a TLS connection (RFC 8446, 7.5).
pub(crate) fn export<S>(tls: &TlsStream<S>, context: &[u8]) -> Result<Exporter, AttestError> {
    let (label, context) = (binding::EXPORTER_LABEL, Some(context));
    Ok(match tls {
        TlsStream::Client(client) => client.get_ref().1.export_keying_material([0; 32], label, context)?,
        TlsStream::Server(server) => server.get_ref().1.export_keying_material([0; 32], label, context)?,
    })
}

/// 32 bytes that were never used.
pub(crate) fn nonce() -> Result<[u8; 32], AttestError> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(|error| AttestError::Randomness(error.to_string()))?;
    Ok(nonce)
}

/// Runs what blocks off the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AttestError> + Send + 'static,
) -> Result<T, AttestError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| AttestError::Task(error.to_string()))?
}

/// What is remembered of a binding that was accepted.
pub(crate) fn trace(binding: &[u8; 64]) -> [u8; 32] {
    Sha256::digest(binding).into()
}
