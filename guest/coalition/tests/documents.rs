//! What documents are taken and which are not.

use std::fmt::Debug;

use hallmark_coalition::{
    AlmanacRange, AlmanacTick, CitizenId, CoalitionConfig, ConfluenceConfig, Document, DocumentError,
    LatticeConfig, MemberCard, MemberId, OrganismRef, Pin, RetirementMarker, Status, TickError,
    TicketIssuerConfig, UniqueId,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{example, example_toml};

fn refused(toml: &str, why: &str) {
    let error = CoalitionConfig::from_toml(toml).expect_err(why).to_string();
    assert!(error.contains(why), "{why}: {error}");
}

#[test]
fn each_broken_rule_is_named_with_its_value() {
    let cases = [
        ("name = \"example\"", "name = \"\"", "name: `` is no name"),
        ("name = \"example\"", "name = \"ex ample\"", "`ex ample` is no name"),
        ("name = \"example\"", "name = \"\u{435}xample\"", "is no name"),
        ("coalition/1", "coalition/2", "`hallmark/coalition/2` is not `hallmark/coalition/1`"),
        ("quorum = 3", "quorum = 5", "5 of 4"),
        ("quorum = 3", "quorum = 2", "2 of 4; it must be more than half"),
        ("cadence_ms = 1000", "cadence_ms = 10", "cadence_ms: 10 is not between 50 and 86400000"),
        ("cadence_ms = 1000", "cadence_ms = -1", "-1"),
        ("max_lifetime = 86400", "max_lifetime = 0", "max_lifetime: 0 is not between 1"),
        ("[\"submit\", \"read\"]", "[\"submit\", \"submit\"]", "`submit` stands there twice"),
        ("[\"submit\", \"read\"]", "[]", "scopes: it is empty"),
        ("South Operations", "North Operations", "`North Operations` stands there twice"),
        ("South Operations", "South\\nOperations", r"`South\nOperations` is no line"),
        ("stall = \"partial\"", "stall = \"sometimes\"", "sometimes"),
        (
            "instance = \"south-builder\"\nchain_id = 10",
            "instance = \"north-builder\"\nchain_id = 1",
            "twice",
        ),
        ("change_channel =", "change_chanel =", "unknown field `change_chanel`"),
        ("5555555555555555", "555555555555555", "64 lower-case hex digits"),
        ("5555555555555555", "555555555555555A", "64 lower-case hex digits"),
        ("bfa4e7c9", "00000000", "is no Ed25519 public key"),
        ("format = \"hallmark/coalition/1\"\n", "", "missing field `format`"),
    ];
    for (from, to, why) in cases {
        let text = example_toml();
        assert!(text.contains(from), "{from}");
        refused(&text.replacen(from, to, 1), why);
    }
    let alone = example_toml()
        .replace("organisms = [{ instance = \"standing\" }]\n", "")
        .replace(", { instance = \"south-builder\", chain_id = 10 }]", "]");
    refused(&alone, "1 citizens are spanned");
}

#[test]
fn a_constant_that_breaks_a_rule_has_a_path_and_is_not_written() {
    let mut config = example();
    let mut lattices = config.lattices.to_vec();
    lattices[1].instance = "two words".into();
    config.lattices = lattices.into();
    let error = Document::check(&config).expect_err("a space");
    assert_eq!(error.field, "lattices[1].instance");
    assert_eq!(config.to_json(), Err(DocumentError::Invalid(error.clone())));
    assert_eq!(config.handshake(), Err(DocumentError::Invalid(error)));
}

#[test]
fn sizes_are_bounded_before_anything_is_read() {
    let long = " ".repeat(CoalitionConfig::MAX_BYTES + 1);
    let too_long = |e| matches!(e, DocumentError::TooLong { .. });
    assert!(too_long(CoalitionConfig::from_json(long.as_bytes()).expect_err("too long")));
    assert!(too_long(CoalitionConfig::from_toml(&long).expect_err("too long")));
    assert!(too_long(CoalitionConfig::from_hex(&"20".repeat(long.len())).expect_err("too long")));
    for text in [format!("{{\"{}\":1}}", "a".repeat(100_000)), format!("{} = 1", "a".repeat(100_000))] {
        let (json, toml) = (CoalitionConfig::from_json(text.as_bytes()), CoalitionConfig::from_toml(&text));
        assert!(
            json.expect_err("no").to_string().len() < 700 && toml.expect_err("no").to_string().len() < 700
        );
    }
    let mut issuer = example().ticket_issuer.expect("an issuer");
    let key =
        |n: u8| UniqueId::new(*ed25519_dalek::SigningKey::from_bytes(&[n; 32]).verifying_key().as_bytes());
    issuer.keys = (0..17).map(key).collect::<Vec<_>>().into();
    assert_eq!(Document::check(&issuer).expect_err("too many").to_string(), "keys: 17 items, of at most 16");
    let many = vec![LatticeConfig::new("a", 1, None); 257];
    let mut config = example();
    config.lattices = many.into();
    assert_eq!(
        Document::check(&config).expect_err("too many").to_string(),
        "lattices: 257 items, of at most 256"
    );
}

/// Turns one object, somewhere in a document, into the array of its values.
fn as_array(value: &mut Value, which: &mut usize) -> bool {
    if let Value::Object(members) = value {
        if *which == 0 {
            *value = Value::Array(members.values().cloned().collect());
            return true;
        }
        *which -= 1;
    }
    match value {
        Value::Object(members) => members.values_mut().any(|v| as_array(v, which)),
        Value::Array(items) => items.iter_mut().any(|v| as_array(v, which)),
        _ => false,
    }
}

fn objects(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(objects).sum::<usize>(),
        Value::Array(items) => items.iter().map(objects).sum(),
        _ => 0,
    }
}

/// Every object of a document in turn: as an array of its values, with a member more, with a member twice.
fn only_objects<T: Serialize + DeserializeOwned + PartialEq + Debug>(document: &T, maps: usize) {
    let text = serde_json::to_string(document).expect("JSON");
    assert_eq!(&serde_json::from_str::<T>(&text).expect("what it wrote"), document);
    let whole: Value = serde_json::from_str(&text).expect("JSON");
    for which in 0..objects(&whole) {
        let mut changed = whole.clone();
        assert!(as_array(&mut changed, &mut which.clone()));
        assert!(serde_json::from_value::<T>(changed.clone()).is_err(), "{changed}");
    }
    let braces = text.match_indices('{').map(|(at, _)| at).collect::<Vec<_>>();
    let mut free = 0;
    for at in braces {
        let (head, tail) = text.split_at(at + 1);
        let unknown =
            format!("{head}\"unheard-of\":\"x\"{}{tail}", if tail.starts_with('}') { "" } else { "," });
        free += usize::from(serde_json::from_str::<T>(&unknown).is_ok());
        if let Some((name, _)) = tail.split_once(':').filter(|_| tail.starts_with('"')) {
            let twice = format!("{head}{name}:0,{tail}");
            assert!(serde_json::from_str::<T>(&twice).is_err(), "{twice}");
        }
    }
    assert!(free <= maps, "{free} objects took a name that nobody knows");
}

#[test]
fn arrays_unknown_and_repeated_members_are_refused_everywhere() {
    only_objects(&example(), 0);
    only_objects(&example().lattices[0], 0);
    only_objects(&example().confluences[0], 0);
    only_objects(&example().confluences[0].acl.acl().expect("rules"), 0);
    only_objects(&example().ticket_issuer.expect("an issuer"), 0);
    only_objects(&card(), 1);
    only_objects(&AlmanacTick::new(7, vec![(MemberId::new([1; 32]), 5)]).expect("a tick"), 0);
    only_objects(&AlmanacRange::new(1, 2).expect("a range"), 0);
    only_objects(&RetirementMarker::new(9, Some(UniqueId::ZERO)), 0);
}

#[test]
fn parts_are_documents_too() {
    let config = example();
    let lattice = LatticeConfig::from_toml("instance = \"south-builder\"\nchain_id = 10").expect("a lattice");
    assert_eq!(lattice.id(), config.lattices[1].id());
    let json = br#"{"role":"reputation","instance":"standing"}"#;
    assert_eq!(
        OrganismRef::from_json(json).expect("an organism").stable_id(),
        config.organisms[0].stable_id()
    );
    let confluence =
        ConfluenceConfig::from_hex(&config.confluences[0].to_hex().expect("hex")).expect("a confluence");
    assert_eq!(confluence.fingerprint(), config.confluences[0].fingerprint());
    let issuer = config.ticket_issuer.as_ref().expect("an issuer");
    let again = TicketIssuerConfig::from_json(&issuer.to_json().expect("JSON")).expect("an issuer");
    assert_eq!(again.fingerprint(), issuer.fingerprint());
}

#[test]
fn ticks_ascend_by_member() {
    let (a, b) = (MemberId::new([1; 32]), MemberId::new([2; 32]));
    let tick = AlmanacTick::new(3, vec![(a, 10), (b, 9)]).expect("a tick");
    assert_eq!((tick.seq(), tick.observed_at()), (3, &[(a, 10), (b, 9)][..]));
    assert_eq!(AlmanacTick::new(3, vec![(b, 1), (a, 1)]), Err(TickError::Order(a)));
    assert_eq!(AlmanacTick::new(3, vec![(a, 1), (a, 2)]), Err(TickError::Order(a)));
    let many = (0..32).map(|n| (MemberId::new([n; 32]), 0)).collect();
    assert_eq!(AlmanacTick::new(3, many), Err(TickError::Members(32)));
    let turned = json!({"seq": 3, "observed_at": [[b, 1], [a, 1]]});
    assert!(serde_json::from_value::<AlmanacTick>(turned).is_err());
    let range = AlmanacRange::new(2, 4).expect("a range");
    assert_eq!([1, 2, 4, 5].map(|seq| range.contains(seq)), [false, true, true, false]);
    assert!(
        AlmanacRange::new(4, 2).is_err()
            && serde_json::from_str::<AlmanacRange>(r#"{"first":4,"last":2}"#).is_err()
    );
}

#[test]
fn binary_formats_carry_what_json_carries() {
    let tick = AlmanacTick::new(3, vec![(MemberId::new([1; 32]), 10)]).expect("a tick");
    let bytes = postcard::to_stdvec(&tick).expect("bytes");
    assert_eq!(postcard::from_bytes::<AlmanacTick>(&bytes).expect("a tick"), tick);
    let acl = example().confluences[0].acl.acl().expect("rules");
    let bytes = postcard::to_stdvec(&acl).expect("bytes");
    assert_eq!(postcard::from_bytes::<hallmark_coalition::Acl>(&bytes).expect("rules"), acl);
    let mut broken = bytes;
    broken[0] = 0; // no slots
    assert!(postcard::from_bytes::<hallmark_coalition::Acl>(&broken).is_err());
}

fn card() -> MemberCard<'static> {
    let mut card = MemberCard::new("builder", UniqueId::of_name("north"), Status::Active);
    card.endpoints = vec![hallmark_coalition::EndpointHint::new("north", "192.0.2.1:8443")].into();
    card.pins = vec![Pin::new("builder 1.0.0", UniqueId::ZERO)].into();
    card.metadata =
        serde_json::from_value(json!({"region": "eu", "jurisdiction": "none"})).expect("metadata");
    card
}

#[test]
fn cards_are_signed_for_one_atlas() {
    let operator = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let (atlas, other) = (UniqueId::of_name("atlas"), UniqueId::of_name("another"));
    let signature = card().sign(&atlas, &operator).expect("a signature");
    let key = operator.verifying_key().to_bytes();
    card().verify(&atlas, &key, &signature).expect("the operator's");
    assert!(card().verify(&other, &key, &signature).is_err());
    let mut changed = card();
    changed.status = Status::Retiring;
    assert!(changed.verify(&atlas, &key, &signature).is_err());
    let somebody = ed25519_dalek::SigningKey::from_bytes(&[4; 32]).verifying_key().to_bytes();
    assert!(card().verify(&atlas, &somebody, &signature).is_err());
    assert!(card().verify(&atlas, &[0; 32], &[0; 64]).is_err(), "a key for which anyone signs");
    assert_eq!(card().metadata.get("region"), Some("eu"));
}

#[test]
fn identifiers_have_one_spelling() {
    let text = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let id: UniqueId = text.parse().expect("hex");
    assert_eq!(id.to_string(), text);
    for wrong in ["", "0123", &text.to_uppercase(), &text[1..], &format!("{text}0"), &text.replace('0', "g")]
    {
        assert!(wrong.parse::<UniqueId>().is_err(), "{wrong}");
        assert!(serde_json::from_value::<UniqueId>(json!(wrong)).is_err(), "{wrong}");
    }
    assert_eq!(CitizenId::of(&id).to_string(), text[..40]);
    assert_eq!(text[..40].parse::<CitizenId>().expect("hex"), CitizenId::of(&id));
}

/// Names, numbers and lists of all kinds, in bounds.
fn configs() -> impl Strategy<Value = CoalitionConfig<'static>> {
    let lattice = ("[a-z./-]{1,8}", any::<u64>())
        .prop_map(|(name, chain)| json!({"instance": name, "chain_id": chain}));
    let organism = ("[a-z]{1,8}", "[a-z]{1,8}", prop::option::of(any::<[u8; 32]>())).prop_map(|(role, name, network)| {
        json!({"role": role, "instance": name, "network": network.map(UniqueId::new)})
    });
    let published = prop::option::of("[ -~]{1,40}").prop_map(|channel| json!({"change_channel": channel}));
    let lists = (prop::collection::vec(lattice, 0..4), prop::collection::vec(organism, 0..4));
    ("[A-Za-z0-9._/-]{1,64}", lists, published, prop::option::of(50_u32..86_400_000))
        .prop_map(|(name, (lattices, organisms), published, cadence)| {
            let acl = serde_json::to_value(&example().confluences[0].acl).expect("JSON");
            let almanac = cadence.map(|cadence_ms| json!({"cadence_ms": cadence_ms, "acl": acl}));
            json!({
                "format": "hallmark/coalition/1", "name": name, "lattices": lattices, "organisms": organisms,
                "modules": {"almanac": almanac}, "published": published,
            })
        })
        .prop_filter_map("the same citizen twice", |json| {
            CoalitionConfig::from_json(json.to_string().as_bytes()).ok()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_configuration_comes_back(config in configs()) {
        let json = config.to_json().expect("JSON");
        prop_assert_eq!(&CoalitionConfig::from_json(&json).expect("JSON"), &config);
        prop_assert_eq!(&CoalitionConfig::from_hex(&config.to_hex().expect("hex")).expect("hex"), &config);
        prop_assert_eq!(&CoalitionConfig::from_json(&json).expect("JSON").to_json().expect("JSON"), &json);
        // TOML's integers have 63 bits: a greater number is an error there, and nothing else.
        if let Ok(toml) = toml::to_string(&config) {
            prop_assert_eq!(&CoalitionConfig::from_toml(&toml).expect("TOML"), &config);
        }
    }

    #[test]
    fn different_configurations_have_different_handshakes(a in configs(), b in configs()) {
        prop_assert_eq!(a == b, a.handshake() == b.handshake());
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<usize>()) {
        let mut json = example().to_json().expect("JSON");
        let at = at % json.len();
        json.splice(at..at, bytes.clone());
        let _ = CoalitionConfig::from_json(&json);
        let _ = CoalitionConfig::from_json(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        prop_assert!(CoalitionConfig::from_toml(&text).is_err());
        prop_assert!(CoalitionConfig::from_hex(&text).is_err());
    }
}
