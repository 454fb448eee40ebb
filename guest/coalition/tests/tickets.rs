//! Tickets: ours and another library's, good and bad, and what a validator makes of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use hallmark_coalition::{
    Claims, Facts, Issuer, MAX_TICKET, NoFacts, Proof, Requirement, Ticket, TicketError, TicketIssuerConfig,
    TicketRequest, TicketValidator, UniqueId, proof_message,
};
use serde_json::{Value, json};

const NBF: u64 = 1_800_000_000;
const EXP: u64 = NBF + 3600;
const NOW: u64 = NBF + 60;
const SCOPES: &[Cow<'static, str>] = &[Cow::Borrowed("submit"), Cow::Borrowed("read")];

fn desk() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn alice() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

fn public(key: &SigningKey) -> [u8; 32] {
    key.verifying_key().to_bytes()
}

fn root() -> UniqueId {
    UniqueId::of_name("tickets root")
}

fn issuer() -> Issuer {
    let keys = [UniqueId::new(public(&SigningKey::from_bytes(&[9; 32]))), UniqueId::new(public(&desk()))];
    Issuer::new(root(), &TicketIssuerConfig::new("desk", &keys, SCOPES, 7200)).expect("an issuer")
}

fn claims() -> Claims {
    Claims::new(root(), public(&alice()), &["submit", "read"], NBF, EXP)
}

fn ticket() -> String {
    Ticket::issue(&desk(), &claims()).expect("a ticket")
}

fn verify(text: &str) -> Result<Ticket, TicketError> {
    Ticket::verify(text, [&issuer()], NOW)
}

/// Signed by the desk, whatever it says.
fn signed(header: &str, claims: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(desk().sign(text.as_bytes()).to_bytes());
    format!("{text}.{signature}")
}

const HEADER: &str = r#"{"alg":"EdDSA","typ":"hallmark-ticket+jwt"}"#;

fn body(change: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::to_value(claims()).expect("JSON");
    change(&mut value);
    value.to_string()
}

#[test]
fn a_good_ticket_is_taken_within_its_time() {
    let ticket = verify(&ticket()).expect("good");
    assert_eq!((ticket.claims(), ticket.subject()), (&claims(), &public(&alice())));
    assert!(
        ticket.is_for("submit")
            && ticket.is_for("read")
            && !ticket.is_for("subm")
            && !ticket.is_for("submit read")
    );
    let at = |now| Ticket::verify(&self::ticket(), [&issuer()], now);
    assert!(at(NBF).is_ok() && at(EXP - 1).is_ok());
    assert_eq!(at(NBF - 1), Err(TicketError::NotYet { nbf: NBF, now: NBF - 1 }));
    assert_eq!(at(EXP), Err(TicketError::Expired { exp: EXP, now: EXP }));
}

#[test]
fn headers_say_one_thing_only() {
    let cases = [
        (r#"{"alg":"none","typ":"hallmark-ticket+jwt"}"#, "`none`"),
        (r#"{"alg":"HS256","typ":"hallmark-ticket+jwt"}"#, "`HS256`"),
        (r#"{"alg":"eddsa","typ":"hallmark-ticket+jwt"}"#, "`eddsa`"),
        (r#"{"alg":"EdDSA","typ":"JWT"}"#, "`JWT`"),
        (r#"{"alg":"EdDSA"}"#, "missing field `typ`"),
        (r#"{"typ":"hallmark-ticket+jwt"}"#, "missing field `alg`"),
        (r#"{"alg":"EdDSA","typ":"hallmark-ticket+jwt","crit":["exp"]}"#, "`crit`"),
        (r#"{"alg":"EdDSA","typ":"hallmark-ticket+jwt","jwk":{}}"#, "`jwk`"),
        (r#"{"alg":"EdDSA","typ":"hallmark-ticket+jwt","kid":"1"}"#, "`kid`"),
        (r#"{"alg":"none","alg":"EdDSA","typ":"hallmark-ticket+jwt"}"#, "duplicate"),
        (r#"["EdDSA","hallmark-ticket+jwt"]"#, "sequence"),
    ];
    for (header, why) in cases {
        let error = verify(&signed(header, &body(|_| ()))).expect_err(header);
        assert_eq!(error.slug(), "ticket-header", "{error}");
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    // The classic: no algorithm, no signature.
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let unsigned = format!("{none}.{}.", URL_SAFE_NO_PAD.encode(body(|_| ())));
    assert_eq!(verify(&unsigned).expect_err("unsigned").slug(), "ticket-form");
}

#[test]
fn claims_are_these_and_no_others() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 14] = [
        ("unknown field `admin`", |c| c["admin"] = json!(true)),
        ("missing field `exp`", |c| _ = c.as_object_mut().unwrap().remove("exp")),
        ("missing field `nbf`", |c| _ = c.as_object_mut().unwrap().remove("nbf")),
        ("missing field `sub`", |c| _ = c.as_object_mut().unwrap().remove("sub")),
        ("missing field `scope`", |c| _ = c.as_object_mut().unwrap().remove("scope")),
        ("floating point", |c| c["exp"] = json!(1.8e9)),
        ("-1", |c| c["nbf"] = json!(-1)),
        ("is not after nbf", |c| c["exp"] = json!(NBF)),
        ("claims.scope", |c| c["scope"] = json!("")),
        ("claims.scope", |c| c["scope"] = json!("submit  read")),
        ("claims.scope", |c| c["scope"] = json!("submit submit")),
        ("claims.sub", |c| c["sub"] = json!(UniqueId::ZERO)),
        ("lower-case hex", |c| c["sub"] = json!("alice")),
        ("null", |c| c["exp"] = Value::Null),
    ];
    for (why, change) in cases {
        let error = verify(&signed(HEADER, &body(change))).expect_err(why);
        assert_eq!(error.slug(), "ticket-claims", "{error}");
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    for list in ["[]".to_owned(), json!([root(), claims().sub, "submit", NBF, EXP]).to_string()] {
        assert_eq!(verify(&signed(HEADER, &list)).expect_err("an array").slug(), "ticket-claims");
    }
}

#[test]
fn issuers_keep_to_what_they_may_give() {
    let other = Claims::new(UniqueId::of_name("other"), public(&alice()), &["submit"], NBF, EXP);
    let text = Ticket::issue(&desk(), &other).expect("a ticket");
    assert_eq!(verify(&text), Err(TicketError::Issuer(other.iss)));
    assert_eq!(Ticket::verify(&ticket(), [], NOW), Err(TicketError::Issuer(root())));

    let stranger = Ticket::issue(&alice(), &claims()).expect("a ticket");
    assert_eq!(verify(&stranger), Err(TicketError::Signature(root())));

    let long = Claims::new(root(), public(&alice()), &["submit"], NBF, NBF + 7201);
    let text = Ticket::issue(&desk(), &long).expect("a ticket");
    assert_eq!(verify(&text), Err(TicketError::TooLongLived { seconds: 7201, most: 7200 }));

    let wide = Claims::new(root(), public(&alice()), &["submit", "admin"], NBF, EXP);
    let text = Ticket::issue(&desk(), &wide).expect("a ticket");
    assert_eq!(verify(&text), Err(TicketError::NotTheIssuers("admin".to_owned())));
}

#[test]
fn a_ticket_has_one_spelling() {
    let good = ticket();
    assert!(verify(&good).is_ok());
    for wrong in [
        String::new(),
        "..".to_owned(),
        good.replace('.', ""),
        format!("{good}."),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        good.replacen('.', "..", 1),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
    ] {
        assert!(verify(&wrong).is_err(), "{wrong}");
    }
    // 64 bytes leave four unused bits in the last digit: only zeros will do.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (head, last) = good.split_at(good.len() - 1);
    let spellings = alphabet.chars().filter(|c| verify(&format!("{head}{c}")).is_ok()).collect::<String>();
    assert_eq!(spellings, last);
    let long = format!("{}{}", "A".repeat(MAX_TICKET), good);
    assert_eq!(verify(&long), Err(TicketError::TooLong(long.len())));
    for at in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(verify(&String::from_utf8(changed).expect("ASCII")).is_err(), "byte {at}");
    }
}

/// PKCS #8 (RFC 8410) of a seed.
fn pkcs8(key: &SigningKey) -> Vec<u8> {
    let head =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    [&head[..], &key.to_bytes()].concat()
}

#[test]
fn another_library_reads_ours_and_we_read_what_it_writes() {
    use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};

    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some("hallmark-ticket+jwt".to_owned());
    let theirs =
        jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_ed_der(&pkcs8(&desk()))).expect("theirs");
    assert_eq!(verify(&theirs).expect("RFC 8037").claims(), &claims());

    let key = DecodingKey::from_ed_components(&URL_SAFE_NO_PAD.encode(public(&desk()))).expect("a key");
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.validate_exp = false;
    rules.set_issuer(&[root().to_string()]);
    let read = jsonwebtoken::decode::<Value>(&ticket(), &key, &rules).expect("ours");
    assert_eq!(read.claims, serde_json::to_value(claims()).expect("JSON"));
    let wrong = DecodingKey::from_ed_components(&URL_SAFE_NO_PAD.encode(public(&alice()))).expect("a key");
    assert!(jsonwebtoken::decode::<Value>(&ticket(), &wrong, &rules).is_err());
}

#[derive(Default)]
struct Known {
    releases: BTreeMap<[u8; 32], UniqueId>,
    reputation: BTreeMap<(UniqueId, [u8; 32]), u64>,
    settled: BTreeSet<(UniqueId, [u8; 32])>,
}

impl Facts for Known {
    fn attested_release(&self, subject: &[u8; 32]) -> Option<UniqueId> {
        self.releases.get(subject).copied()
    }

    fn reputation(&self, source: &UniqueId, subject: &[u8; 32]) -> Option<u64> {
        self.reputation.get(&(*source, *subject)).copied()
    }

    fn settled(&self, market: &UniqueId, subject: &[u8; 32]) -> bool {
        self.settled.contains(&(*market, *subject))
    }
}

fn proof(key: &SigningKey, channel: &[u8], scope: &str) -> Proof {
    Proof { key: public(key), signature: key.sign(&proof_message(channel, scope)).to_bytes() }
}

const CHANNEL: &[u8] = b"exporter of this session";

fn request<'r>(jwt: Option<&'r str>, proof: Option<Proof>, facts: &'r dyn Facts) -> TicketRequest<'r> {
    TicketRequest { jwt, proof, channel: CHANNEL, scope: "submit", now: NOW, facts }
}

#[test]
fn an_empty_validator_compels_nothing() {
    let nothing = TicketValidator::new();
    assert!(nothing.is_empty());
    for jwt in [None, Some("no ticket at all"), Some(ticket().as_str())] {
        let admitted = nothing.judge(&request(jwt, None, &NoFacts)).expect("anybody");
        assert!(admitted.subject().is_none() && admitted.ticket().is_none());
    }
}

#[test]
fn a_ticket_is_its_subjects_on_this_channel_for_this_scope() {
    let gate = TicketValidator::new().recognise_issuer(issuer()).require_ticket();
    let text = ticket();
    let mine = proof(&alice(), CHANNEL, "submit");
    let judge = |jwt, proof| gate.judge(&request(jwt, proof, &NoFacts));
    let admitted = judge(Some(&text), Some(mine)).expect("hers");
    assert_eq!(admitted.subject(), Some(&public(&alice())));
    assert!(admitted.ticket().is_some_and(|ticket| ticket.is_for("submit")));

    let thief = SigningKey::from_bytes(&[5; 32]);
    let slug = |jwt, proof| judge(jwt, proof).expect_err("not taken").slug();
    assert_eq!(slug(None, Some(mine)), "ticket-missing");
    assert_eq!(judge(Some(&text), None), Err(TicketError::NoProof));
    assert_eq!(slug(Some(&text), Some(proof(&thief, CHANNEL, "submit"))), "ticket-possession");
    assert_eq!(slug(Some(&text), Some(proof(&alice(), b"another session", "submit"))), "ticket-possession");
    assert_eq!(slug(Some(&text), Some(proof(&alice(), CHANNEL, "read"))), "ticket-possession");
    let borrowed = Proof { key: public(&thief), ..mine };
    assert_eq!(slug(Some(&text), Some(borrowed)), "ticket-possession");
    let weak = Proof {
        key: {
            let mut k = [0; 32];
            k[0] = 1;
            k
        },
        signature: {
            let mut s = [0; 64];
            s[0] = 1;
            s
        },
    };
    assert_eq!(slug(Some(&text), Some(weak)), "ticket-possession");

    let reading =
        Ticket::issue(&desk(), &Claims::new(root(), public(&alice()), &["read"], NBF, EXP)).expect("one");
    assert_eq!(slug(Some(&reading), Some(mine)), "ticket-scope");
}

#[test]
fn recognising_is_not_requiring_but_what_is_shown_has_to_be_good() {
    let gate = TicketValidator::new().recognise_issuer(issuer());
    assert!(gate.judge(&request(None, None, &NoFacts)).is_ok());
    assert!(gate.judge(&request(Some("forged"), None, &NoFacts)).is_err());
    assert_eq!(gate.judge(&request(Some(&ticket()), None, &NoFacts)), Err(TicketError::NoProof));
    let nobody = TicketValidator::new().require_ticket();
    let mine = proof(&alice(), CHANNEL, "submit");
    assert_eq!(
        nobody.judge(&request(Some(&ticket()), Some(mine), &NoFacts)),
        Err(TicketError::Issuer(root()))
    );
}

#[test]
fn each_requirement_holds_by_itself_and_with_the_others() {
    let (release, organism, market) =
        (UniqueId::new([1; 32]), UniqueId::new([2; 32]), UniqueId::new([3; 32]));
    let subject = public(&alice());
    let all = Known {
        releases: [(subject, release)].into(),
        reputation: [((organism, subject), 10)].into(),
        settled: [(market, subject)].into(),
    };
    let requirements = [
        Requirement::Attested { releases: [release, UniqueId::ZERO].into() },
        Requirement::ReputationFloor { source: organism, floor: 10 },
        Requirement::MarketSettlement { market },
    ];
    let mine = Some(proof(&alice(), CHANNEL, "submit"));
    let other = Some(proof(&desk(), CHANNEL, "submit"));
    for requirement in &requirements {
        let gate = TicketValidator::new().require(requirement.clone());
        assert_eq!(gate.judge(&request(None, mine, &all)).expect("so").subject(), Some(&subject));
        assert!(gate.judge(&request(None, mine, &NoFacts)).is_err(), "nothing is known: {requirement:?}");
        assert!(gate.judge(&request(None, other, &all)).is_err(), "somebody else: {requirement:?}");
        assert_eq!(gate.judge(&request(None, None, &all)), Err(TicketError::NoProof));
    }
    let wrong = [
        Requirement::Attested { releases: [UniqueId::ZERO].into() },
        Requirement::Attested { releases: BTreeSet::new() },
        Requirement::ReputationFloor { source: organism, floor: 11 },
        Requirement::ReputationFloor { source: market, floor: 1 },
        Requirement::MarketSettlement { market: organism },
    ];
    let together = |extra: Option<&Requirement>| {
        requirements.iter().chain(extra).cloned().fold(TicketValidator::new(), TicketValidator::require)
    };
    assert!(together(None).judge(&request(None, mine, &all)).is_ok());
    for requirement in &wrong {
        assert!(together(Some(requirement)).judge(&request(None, mine, &all)).is_err(), "{requirement:?}");
    }
}

#[test]
fn a_signature_is_of_what_is_composed_in_any_order() {
    let parts = [
        Requirement::Attested { releases: [UniqueId::new([1; 32])].into() },
        Requirement::Attested { releases: [UniqueId::new([1; 32]), UniqueId::new([2; 32])].into() },
        Requirement::ReputationFloor { source: UniqueId::new([1; 32]), floor: 1 },
        Requirement::ReputationFloor { source: UniqueId::new([1; 32]), floor: 2 },
        Requirement::MarketSettlement { market: UniqueId::new([1; 32]) },
    ];
    // Every composition of these, an issuer and the need of a ticket: all differ.
    let mut seen = BTreeSet::new();
    for mask in 0_u32..128 {
        let has = |bit: usize| mask & (1 << bit) != 0;
        let (mut there, mut back) = (TicketValidator::new(), TicketValidator::new());
        for (bit, part) in parts.iter().enumerate().filter(|(bit, _)| has(*bit)) {
            there = there.require(part.clone());
            let other = parts.len() - 1 - bit;
            back = if has(other) { back.require(parts[other].clone()) } else { back }.require(part.clone());
        }
        if has(5) {
            (there, back) = (
                there.recognise_issuer(issuer()),
                back.recognise_issuer(issuer()).recognise_issuer(issuer()),
            );
        }
        if has(6) {
            (there, back) = (there.require_ticket(), back.require_ticket());
        }
        assert_eq!(there.signature(), back.signature(), "{mask:b}");
        assert!(seen.insert(there.signature()), "{mask:b}");
    }
    let other_root =
        Issuer::new(UniqueId::ZERO, &crate::example().ticket_issuer.expect("an issuer")).expect("an issuer");
    assert!(seen.insert(TicketValidator::new().recognise_issuer(other_root).signature()));
}
