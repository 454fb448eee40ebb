//! Configurations and tickets: who a coalition and its clients are.

use std::sync::LazyLock;

use ed25519_dalek::SigningKey;
use hallmark_coalition::{
    Claims, CoalitionConfig, ComputeManifest, ConfluenceConfig, Document, Issuer, LatticeConfig, MemberCard,
    NoFacts, OrganismRef, Proof, Ticket, TicketIssuerConfig, TicketRequest, TicketValidator, UniqueId,
    proof_message,
};

/// A document in all its forms. What is read is written in one way, and read again is the same.
fn document<D: Document + PartialEq>(data: &[u8]) -> Option<D> {
    let text = std::str::from_utf8(data).ok();
    let read = D::from_json(data).ok();
    let read = read.or_else(|| D::from_toml(text?).ok()).or_else(|| D::from_hex(text?).ok())?;
    let json = read.to_json().expect("what was read can be written");
    assert!(D::from_json(&json).is_ok_and(|again| again == read), "{}", String::from_utf8_lossy(&json));
    let hex = read.to_hex().expect("what was read can be written");
    assert!(D::from_hex(&hex).is_ok_and(|again| again == read));
    Some(read)
}

/// Every configuration, as TOML, JSON or hex.
pub(crate) fn coalition(data: &[u8]) {
    if let Some(config) = document::<CoalitionConfig<'static>>(data) {
        let (prints, handshake) = (config.root(), config.handshake());
        assert!(handshake.is_ok(), "a configuration that was checked has a handshake: {handshake:?}");
        assert_eq!(prints, config.root());
        assert_eq!(config.issuer().is_ok_and(|issuer| issuer.is_some()), config.ticket_issuer.is_some());
    }
    let _ = document::<LatticeConfig<'static>>(data);
    let _ = document::<OrganismRef<'static>>(data);
    let _ = document::<ConfluenceConfig<'static>>(data);
    let _ = document::<TicketIssuerConfig<'static>>(data);
    let _ = document::<MemberCard<'static>>(data);
}

/// Compute manifests.
pub(crate) fn manifest(data: &[u8]) {
    if let Some(manifest) = document::<ComputeManifest<'static>>(data) {
        assert!(manifest.prehash().is_ok(), "a manifest that was checked has a pre-hash");
    }
}

/// When every ticket is judged.
pub(crate) const NOW: u64 = 1_790_000_000;
pub(crate) const CHANNEL: &[u8] = b"a channel";

/// An issuer with two tickets of its own, one of which is over.
pub(crate) struct Desk {
    validator: TicketValidator,
    issuer: Issuer,
    pub(crate) tickets: Vec<String>,
    pub(crate) proof: [u8; 64],
    subject: SigningKey,
}

pub(crate) static DESK: LazyLock<Desk> = LazyLock::new(|| {
    let (key, subject) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
    let keys = [UniqueId::new(key.verifying_key().to_bytes())];
    let scopes = ["submit/pairs".into(), "read".into()];
    let config = TicketIssuerConfig::new("issuer", &keys, &scopes, 86_400);
    let root = UniqueId::of_name("tickets");
    let issuer = Issuer::new(root, &config).expect("forged");
    let sub = subject.verifying_key().to_bytes();
    let claims = |scopes: &[&str], from| Claims::new(root, sub, scopes, from, from + 3600);
    let claims = [claims(&["submit/pairs", "read"], NOW - 60), claims(&["read"], NOW - 7200)];
    let tickets = claims.iter().map(|claims| Ticket::issue(&key, claims).expect("forged")).collect();
    let validator = TicketValidator::new().recognise_issuer(issuer.clone()).require_ticket();
    let proof = ed25519_dalek::Signer::sign(&subject, &proof_message(CHANNEL, "submit/pairs")).to_bytes();
    Desk { validator, issuer, tickets, proof, subject }
});

/// Tickets, judged with a proof of possession that is right. One that is taken is one that was issued.
pub(crate) fn ticket(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let desk = &*DESK;
    let issued = |text: &str| desk.tickets.iter().position(|ticket| ticket == text);
    if Ticket::verify(text, [&desk.issuer], NOW).is_ok() {
        assert_eq!(issued(text), Some(0), "not issued, or over");
    }
    let (key, signature) = (desk.subject.verifying_key().to_bytes(), desk.proof);
    for scope in ["submit/pairs", "read", "submit/other"] {
        let request = TicketRequest {
            jwt: Some(text),
            proof: Some(Proof { key, signature }),
            channel: CHANNEL,
            scope,
            now: NOW,
            facts: &NoFacts,
        };
        if let Ok(admitted) = desk.validator.judge(&request) {
            assert!(issued(text) == Some(0) && scope == "submit/pairs" && admitted.subject() == Some(&key));
        }
    }
}
