//! The gate: no ticket, a good one, an expired one, another's, a proof for another submission.

use std::borrow::Cow;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use hallmark_coalition::{Claims, Issuer, NoFacts, Ticket, TicketIssuerConfig, TicketValidator, UniqueId};
use hallmark_committee::client::{Client, ClientError, Credential, Options};
use hallmark_committee::http::{Gate, Limits};
use hallmark_committee::service::Service;
use hallmark_machine::ClientId;

use super::fake::{Fake, committee, serve};

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
    assert!(matches!(with(None).settle(me, 3).await, Err(ClientError::Refused { status: 401, .. })));
}
