//! The gate: no ticket, a good one, an expired one, another's, a proof for another submission.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use hallmark_coalition::{
    Claims, Issuer, NoFacts, Requirement, Ticket, TicketIssuerConfig, TicketValidator, UniqueId,
    proof_message,
};
use hallmark_committee::client::{Client, ClientError, Credential, Options};
use hallmark_committee::http::{Gate, GateError, Limits, channel};
use hallmark_committee::member::CommitteeFile;
use hallmark_committee::service::Service;
use hallmark_machine::ClientId;

use super::fake::{Fake, committee, serve};
use super::raw::{Answer, request};

const NOW: u64 = 1_800_000_000;
const PUT: &str = "{\"op\":\"put\",\"key\":\"a\",\"value\":\"b\"}";

fn issuer_key() -> SigningKey {
    SigningKey::from_bytes(&[60; 32])
}

fn validator() -> TicketValidator {
    let keys = [UniqueId::new(issuer_key().verifying_key().to_bytes())];
    let scopes = [Cow::Borrowed("submit-pairs"), Cow::Borrowed("settle")];
    let config = TicketIssuerConfig::new("issuer", &keys, &scopes, 3600);
    let issuer = Issuer::new(UniqueId::new([50; 32]), &config).unwrap();
    TicketValidator::new().recognise_issuer(issuer).require_ticket()
}

fn ticket(subject: &SigningKey, scope: &str, nbf: u64) -> String {
    let scopes: Vec<_> = scope.split(' ').collect();
    let claims =
        Claims::new(UniqueId::new([50; 32]), subject.verifying_key().to_bytes(), &scopes, nbf, nbf + 600);
    Ticket::issue(&issuer_key(), &claims).unwrap()
}

#[tokio::test]
async fn only_a_ticket_s_subject_writes_and_only_as_itself() {
    let validator = validator();
    let committee = committee(&validator);
    let fake = Fake::with(committee.clone(), 0);
    assert!(Gate::open(committee.acl()).is_err(), "a member does not choose whom it lets write");
    let gate = Gate::new(validator, committee.acl(), NoFacts, || NOW).unwrap();
    let address = serve(Arc::clone(&fake) as Arc<dyn Service>, gate, Limits::default()).await;
    let key = SigningKey::from_bytes(&[61; 32]);
    let me = ClientId::new(key.verifying_key().to_bytes());
    let with = |ticket: Option<String>| {
        let mut options = Options::default();
        options.credential = ticket.map(|ticket| Credential { ticket, key: key.clone() });
        Client::new(committee.clone(), [address.to_string()], options)
    };
    let refused = async |client: Client, id: ClientId| match client.submit(id, 1, "pairs", PUT).await {
        Err(ClientError::Refused { status, document }) => (status, document.code),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(with(None), me).await, (401, "ticket-missing".into()));
    let expired = ticket(&key, "submit-pairs", NOW - 1000);
    assert_eq!(refused(with(Some(expired)), me).await, (401, "ticket-time".into()));
    let scope = ticket(&key, "settle", NOW - 10);
    assert_eq!(refused(with(Some(scope)), me).await, (403, "ticket-scope".into()));
    let others = ticket(&SigningKey::from_bytes(&[62; 32]), "submit-pairs", NOW - 10);
    assert_eq!(refused(with(Some(others)), me).await, (401, "ticket-possession".into()));
    let good = ticket(&key, "submit-pairs settle", NOW - 10);
    let client = with(Some(good));
    assert_eq!(refused(client.clone(), ClientId::new([1; 32])).await, (403, "not-the-client".into()));
    assert_eq!(fake.size(), 4, "nothing was ordered");
    client.submit(me, 1, "pairs", PUT).await.unwrap();
    client.settle(me, 2).await.unwrap();
    // More than there are requests at a time: they share one ticket, and each has its own proof.
    let many = (10..110).map(|nonce| client.submit(me, nonce, "pairs", PUT));
    let many = futures_util::future::join_all(many).await;
    assert!(many.iter().all(Result::is_ok), "{many:?}");
    let others = (0..40).map(|nonce| client.submit(ClientId::new([1; 32]), nonce, "pairs", PUT));
    for refused in futures_util::future::join_all(others).await {
        assert!(matches!(&refused, Err(ClientError::Refused { status: 403, .. })), "{refused:?}");
    }
    let size = fake.size();
    let head = format!("{{\"surface\":\"pairs\",\"client\":\"{me}\",\"nonce\":900,\"bytes\":{}", PUT.len());
    let bearer = format!("Bearer {}", ticket(&key, "submit-pairs", NOW - 10));
    let by_hand = async |proof: &str| {
        let body = format!("{head}{proof}}}\n{PUT}\n");
        let answer =
            request(address, "POST", "/submit", &[("authorization", &bearer)], body.as_bytes()).await;
        answer.lines()[0]["refused"]["code"].as_str().map(str::to_owned)
    };
    assert_eq!(by_hand("").await.as_deref(), Some("ticket-possession"));
    assert_eq!(by_hand(",\"proof\":\"00\"").await.as_deref(), Some("malformed"));
    assert_eq!(fake.size(), size);
    assert!(matches!(with(None).settle(me, 3).await, Err(ClientError::Refused { status: 401, .. })));
}

/// What one sends by hand: each part can be wrong by itself.
struct Sent {
    jwt: Option<String>,
    key: SigningKey,
    client: ClientId,
    nonce: u64,
    /// What is signed, where it is not what is sent.
    proven: (u64, &'static str, &'static str),
    body: &'static str,
}

impl Sent {
    fn by(key: &SigningKey, jwt: String) -> Self {
        let client = ClientId::new(key.verifying_key().to_bytes());
        let proven = (1, "submit-pairs", PUT);
        Self { jwt: Some(jwt), key: key.clone(), client, nonce: 1, proven, body: PUT }
    }

    fn headers(&self, fake: &Fake) -> Vec<(&'static str, String)> {
        let (nonce, scope, body) = self.proven;
        let bound = channel(&fake.committee.id(), &self.client, nonce, body.as_bytes());
        let signature = self.key.sign(&proof_message(&bound, scope)).to_bytes();
        let key = self.key.verifying_key().to_bytes();
        let mut headers = vec![
            ("hallmark-client", self.client.to_string()),
            ("hallmark-nonce", self.nonce.to_string()),
            ("hallmark-proof", format!("{}.{}", hex::encode(key), hex::encode(signature))),
        ];
        headers.extend(self.jwt.as_ref().map(|jwt| ("authorization", format!("Bearer {jwt}"))));
        headers
    }

    async fn to(&self, fake: &Fake, address: SocketAddr) -> Answer {
        sent(address, &self.headers(fake), self.body).await
    }
}

async fn sent(address: SocketAddr, headers: &[(&'static str, String)], body: &str) -> Answer {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    request(address, "POST", "/submit/pairs", &headers, body.as_bytes()).await
}

fn claims(subject: &SigningKey, root: u8, life: u64) -> Claims {
    let subject = subject.verifying_key().to_bytes();
    Claims::new(UniqueId::new([root; 32]), subject, &["submit-pairs"], NOW - 10, NOW - 10 + life)
}

#[tokio::test]
async fn each_thing_that_can_be_wrong_with_a_ticket_has_its_word() {
    let (validator, committee) = (validator(), committee(&validator()));
    let fake = Fake::with(committee.clone(), 0);
    let gate = Gate::new(validator, committee.acl(), NoFacts, || NOW).unwrap();
    let address = serve(Arc::clone(&fake) as Arc<dyn Service>, gate, Limits::default()).await;
    let (key, stranger) = (SigningKey::from_bytes(&[61; 32]), SigningKey::from_bytes(&[99; 32]));
    let good = ticket(&key, "submit-pairs", NOW - 10);
    let by = |jwt: String| Sent::by(&key, jwt);
    let issued = |by: &SigningKey, claims: &Claims| Ticket::issue(by, claims).unwrap();
    let cases = [
        (Sent { jwt: None, ..by(good.clone()) }, 401, "ticket-missing"),
        (by("one.two".into()), 401, "ticket-form"),
        (by("x".repeat(3000)), 401, "ticket-form"),
        (by(ticket(&key, "submit-pairs", NOW - 600)), 401, "ticket-time"),
        (by(ticket(&key, "submit-pairs", NOW + 1)), 401, "ticket-time"),
        // Another issuer's, another issuer's in this one's name, and one that lives longer than this one may let it.
        (by(issued(&stranger, &claims(&key, 51, 600))), 401, "ticket-issuer"),
        (by(issued(&stranger, &claims(&key, 50, 600))), 401, "ticket-signature"),
        (by(issued(&issuer_key(), &claims(&key, 50, 3601))), 401, "ticket-issuer"),
        (by(ticket(&key, "settle", NOW - 10)), 403, "ticket-scope"),
        // A proof for another body, number or scope; with another's key; the ticket of another.
        (Sent { body: "{\"op\":\"delete\",\"key\":\"a\"}", ..by(good.clone()) }, 401, "ticket-possession"),
        (Sent { nonce: 2, ..by(good.clone()) }, 401, "ticket-possession"),
        (Sent { proven: (1, "settle", PUT), ..by(good.clone()) }, 401, "ticket-possession"),
        (Sent::by(&stranger, good.clone()), 401, "ticket-possession"),
        (Sent { client: ClientId::new([1; 32]), ..by(good.clone()) }, 403, "not-the-client"),
    ];
    for (sent, status, code) in cases {
        let answer = sent.to(&fake, address).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str().unwrap()),
            (status, code),
            "{}",
            answer.json()
        );
        assert!(!answer.json()["why"].as_str().unwrap().is_empty());
    }
    let mut headers = by(good.clone()).headers(&fake);
    headers[3].1 = headers[3].1.replace("Bearer", "Basic");
    let basic = sent(address, &headers, PUT).await;
    assert_eq!((basic.status, &basic.json()["code"]), (400, &"malformed".into()));
    headers.truncate(3);
    headers[2].1.push('0');
    let long = sent(address, &headers, PUT).await;
    assert_eq!((long.status, &long.json()["code"]), (400, &"malformed".into()));
    assert_eq!(fake.size(), 4, "nothing was ordered");

    // Whoever saw it on its way can send it again, and changes nothing.
    let headers = by(good).headers(&fake);
    let first = sent(address, &headers, PUT).await;
    assert_eq!(first.json()["outcome"], "committed");
    let again = sent(address, &headers, PUT).await;
    assert_eq!((&again.json()["index"], fake.size()), (&first.json()["index"], 5));
}

#[tokio::test]
async fn a_gate_is_the_committee_s_or_none() {
    let plain = validator();
    let of = |validator: &TicketValidator| committee(validator);
    let open = TicketValidator::new();
    // A member with another rule than its committee's has no gate: not a looser one, not a stricter one, not none.
    for (made, given) in [(&plain, &open), (&open, &plain)] {
        let acl = of(made);
        let error = Gate::of(given.clone(), acl.acl()).err().unwrap();
        assert!(matches!(error, GateError::Signature { .. }), "{error}");
    }
    let longer = {
        let keys = [UniqueId::new(issuer_key().verifying_key().to_bytes())];
        let scopes = [Cow::Borrowed("submit-pairs"), Cow::Borrowed("settle")];
        let config = TicketIssuerConfig::new("issuer", &keys, &scopes, 7200);
        let issuer = Issuer::new(UniqueId::new([50; 32]), &config).unwrap();
        TicketValidator::new().recognise_issuer(issuer).require_ticket()
    };
    assert!(Gate::of(longer, of(&plain).acl()).is_err());
    assert!(Gate::of(plain.clone(), of(&plain).acl()).is_ok());
    // What nobody here can answer would refuse everybody: said at the start.
    let market = Requirement::MarketSettlement { market: UniqueId::new([3; 32]) };
    let asking = plain.require(market);
    let error = Gate::of(asking.clone(), of(&asking).acl()).err().unwrap();
    assert!(error.to_string().contains("settlement"), "{error}");
}

#[test]
fn the_example_file_is_a_committee_with_its_rule() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operators/examples");
    let path = std::path::Path::new(examples).join("committee-tickets.toml");
    let file = CommitteeFile::read(&path).unwrap();
    assert!(!file.tickets.validator().is_empty());
    assert!(Gate::of(file.tickets.validator(), file.committee.acl()).is_ok());
    assert!(Gate::open(file.committee.acl()).is_err());
}
