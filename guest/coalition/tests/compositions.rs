//! Coalitions of nothing, of some things and of all, from constants.

use std::borrow::Cow;
use std::sync::LazyLock;

use hallmark_coalition::{
    Acl, AclConfig, AclError, AlmanacConfig, Anchor, AtlasConfig, ChronicleConfig, CoalitionConfig,
    Committee, ComputeConfig, ConfluenceConfig, Content, Document as _, EndpointHint, Fingerprints, Instance,
    LatticeConfig, LatticeRef, Modules, Operator, OrganismRef, Pin, Published, RandomnessConfig, Recovery,
    Scheme, Stall, TicketIssuerConfig, UniqueId,
};

use crate::example;

const NORTH: UniqueId = UniqueId::new([
    0x23, 0x7d, 0x1e, 0x8c, 0x73, 0x74, 0x42, 0x6b, 0x06, 0x64, 0x0c, 0x7e, 0x6d, 0x19, 0x1c, 0x95, 0x99,
    0x3d, 0xd1, 0xe8, 0x78, 0x57, 0x0b, 0x19, 0xde, 0xb7, 0x6a, 0xc8, 0x63, 0x53, 0xf4, 0x8a,
]);
const OPERATORS: &[Operator<'static>] = &[Operator::new("North Operations", NORTH)];
const RULES: AclConfig<'static> = AclConfig::new(OPERATORS, 1, Recovery::Operators, None);
const LATTICES: &[LatticeConfig<'static>] =
    &[LatticeConfig::new("north", 1, Some(Content::new(UniqueId::ZERO, PINS, UniqueId::ZERO)))];
const PINS: &[Pin<'static>] = &[Pin::new("builder 1.0.0", UniqueId::ZERO)];
const ORGANISMS: &[OrganismRef<'static>] = &[OrganismRef::new("reputation", "standing", None, None)];
const SPANNED: &[LatticeRef<'static>] = &[LatticeRef::new("north", 1)];
const READ: &[Instance<'static>] = &[Instance::new("standing", None)];
const CONFLUENCES: &[ConfluenceConfig<'static>] =
    &[ConfluenceConfig::new("router", SPANNED, READ, Stall::Stall, Some(NORTH), RULES)];
const SCOPES: &[Cow<'static, str>] = &[Cow::Borrowed("submit")];
const KEYS: &[UniqueId] = &[NORTH];
const SHAPES: &[Cow<'static, str>] = &[Cow::Borrowed("invoice")];
const PEERS: &[EndpointHint<'static>] = &[EndpointHint::new("north", "192.0.2.1:8443")];

const NOTHING: CoalitionConfig<'static> =
    CoalitionConfig::new("all", &[], &[], &[], None, Modules::NONE, Published::NONE);
const ALL: CoalitionConfig<'static> = CoalitionConfig::new(
    "all",
    LATTICES,
    ORGANISMS,
    CONFLUENCES,
    Some(TicketIssuerConfig::new("desk", KEYS, SCOPES, 60)),
    Modules::new(
        Some(AtlasConfig::new(RULES)),
        Some(AlmanacConfig::new(1000, RULES)),
        Some(ChronicleConfig::new(Some(Anchor::new("file:/anchor", 100)), RULES)),
        Some(ComputeConfig::new(SHAPES, 60, 1 << 30, 100, RULES)),
        Some(RandomnessConfig::new(Scheme::Vrf, None, 3000, RULES)),
    ),
    Published::new("https://example.org/changes", PINS, Some(NORTH), PEERS),
);

#[test]
fn nothing_ships_nothing() {
    assert!(NOTHING.modules().iter().all(|(_, module)| module.is_none()));
    assert!(NOTHING.atlas().is_none() && NOTHING.almanac().is_none() && NOTHING.chronicle().is_none());
    assert!(NOTHING.compute().is_none() && NOTHING.randomness().is_none());
    let ids = Fingerprints::of(&NOTHING).expect("identities");
    assert!(ids.tickets_root.is_none() && ids.lattices.is_empty() && ids.confluences.is_empty());
    assert_eq!(NOTHING.coalition_id(), ALL.coalition_id(), "the name alone");
    assert_ne!(NOTHING.root(), ALL.root());
}

#[test]
fn all_ship_five_different_committees() {
    let mut ids = std::collections::BTreeSet::new();
    for (name, module) in ALL.modules() {
        let module = module.expect(name);
        assert_eq!((module.name(), module.root()), (name, ALL.root().derive("module").derive(name)));
        assert_eq!(module.committee().expect("rules").id(), module.committee_id());
        assert!(
            ids.insert(module.committee_id()) && ids.insert(module.root()) && ids.insert(module.content())
        );
    }
    assert_eq!(ids.len(), 15);
}

#[test]
fn a_constant_and_its_documents_are_equal() {
    let json = ALL.to_json().expect("JSON");
    let read = CoalitionConfig::from_json(&json).expect("what it wrote");
    assert_eq!((&read, read.handshake()), (&ALL, ALL.handshake()));
    assert_eq!(read.to_json().expect("JSON"), json, "one way to write it");
    assert_eq!(CoalitionConfig::from_hex(&ALL.to_hex().expect("hex")).expect("hex"), ALL);
    let toml = toml::to_string(&ALL).expect("TOML");
    assert_eq!(CoalitionConfig::from_toml(&toml).expect("what it wrote"), ALL);
}

#[test]
fn roots_stay_while_members_and_modules_change_and_the_handshake_does_not() {
    static CHANGED: LazyLock<Vec<(&str, CoalitionConfig<'static>)>> = LazyLock::new(|| {
        let change = |what, make: fn(&mut CoalitionConfig<'static>)| {
            let mut config = ALL.clone();
            make(&mut config);
            (what, config)
        };
        vec![
            change("a module less", |c| c.modules.compute = None),
            change("another cadence", |c| c.modules.almanac = Some(AlmanacConfig::new(999, RULES))),
            change("another operator's name", |c| {
                let operators = vec![Operator::new("Somebody Else", NORTH)];
                let mut acl = RULES;
                acl.operators = operators.into();
                c.modules.atlas = Some(AtlasConfig::new(acl));
            }),
            change("what a lattice runs", |c| c.lattices = vec![LatticeConfig::new("north", 1, None)].into()),
            change("an organism's role", |c| {
                c.organisms = vec![OrganismRef::new("standing", "standing", None, None)].into();
            }),
            change("a pin", |c| c.published.pins = Vec::new().into()),
            change("a peer", |c| c.published.peers = Vec::new().into()),
            change("the change channel", |c| c.published.change_channel = None),
            change("the policy", |c| c.published.policy = None),
        ]
    });
    let mut handshakes = vec![ALL.handshake().expect("valid")];
    for (what, config) in CHANGED.iter() {
        assert_eq!((config.coalition_id(), config.root()), (ALL.coalition_id(), ALL.root()), "{what}");
        let same =
            config.atlas().expect("an atlas").committee_id() == ALL.atlas().expect("an atlas").committee_id();
        assert!(same, "{what}: names of operators are no part of a committee");
        handshakes.push(config.handshake().expect("valid"));
    }
    let different = handshakes.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!(different, handshakes.len(), "each of them is published");
}

#[test]
fn whoever_is_in_it_and_in_which_order_is_in_the_root() {
    let mut config = example();
    let before = config.root();
    let mut turned = config.lattices.to_vec();
    turned.reverse();
    config.lattices = turned.into();
    assert_ne!(config.root(), before);
    let mut config = example();
    config.ticket_issuer = None;
    assert_ne!(config.root(), before);
    assert_ne!(example().almanac().expect("one").root(), config.almanac().expect("one").root());
}

#[test]
fn access_rules_are_majorities_of_different_keys() {
    let key = |n: u8| *ed25519_dalek::SigningKey::from_bytes(&[n; 32]).verifying_key().as_bytes();
    let keys = |n: u8| (0..n).map(key).collect::<Vec<_>>();
    let new = |slots, quorum| Acl::new(slots, quorum, Recovery::Operators, UniqueId::ZERO);
    for (n, least) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (31, 16)] {
        assert!(new(keys(n), least).is_ok() && new(keys(n), n.into()).is_ok());
        assert!(matches!(new(keys(n), least - 1), Err(AclError::Quorum { .. })), "{n}");
        assert!(matches!(new(keys(n), u16::from(n) + 1), Err(AclError::Quorum { .. })), "{n}");
    }
    assert_eq!(new(keys(0), 0), Err(AclError::Slots(0)));
    assert_eq!(new(keys(32), 17), Err(AclError::Slots(32)));
    assert!(matches!(new(vec![key(1), key(2), key(1)], 2), Err(AclError::Duplicate { slot: 2, .. })));
    // The neutral element, for which anyone can sign; and bytes that are no point.
    let neutral = {
        let mut k = [0; 32];
        k[0] = 1;
        k
    };
    assert!(matches!(new(vec![neutral], 1), Err(AclError::Key { slot: 0, .. })));
    assert!(matches!(new(vec![[2; 32]], 1), Err(AclError::Key { slot: 0, .. })));

    let acl = new(keys(3), 2).expect("rules");
    let others = [
        new(keys(3), 3).expect("rules"),
        new(keys(4), 3).expect("rules"),
        new(vec![key(1), key(0), key(2)], 2).expect("rules"),
        Acl::new(keys(3), 2, Recovery::Automatic, UniqueId::ZERO).expect("rules"),
        Acl::new(keys(3), 2, Recovery::Operators, UniqueId::universe()).expect("rules"),
    ];
    for other in &others {
        assert_ne!(acl.fingerprint(), other.fingerprint(), "{other:?}");
        let committee =
            |acl: &Acl| Committee::new(UniqueId::ZERO, Vec::new(), UniqueId::ZERO, acl.clone()).id();
        assert_ne!(committee(&acl), committee(other));
    }
    let json = serde_json::to_string(&acl).expect("JSON");
    assert_eq!(serde_json::from_str::<Acl>(&json).expect("what it wrote"), acl);
    assert!(serde_json::from_str::<Acl>(&json.replace("\"quorum\":2", "\"quorum\":1")).is_err());
}
