//! Identities that must never change.

use hallmark_coalition::{CitizenId, CoalitionConfig, Fingerprints, LatticeRef, UniqueId};
use serde::Deserialize;

use crate::example;

#[derive(Deserialize)]
struct Mosaik {
    source: String,
    ids: Vec<Named>,
    derived: Vec<Derived>,
    r#macro: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    id: UniqueId,
}

#[derive(Deserialize)]
struct Derived {
    name: String,
    parts: Vec<String>,
    id: UniqueId,
}

#[test]
fn names_and_derivations_are_mosaiks() {
    let golden: Mosaik = serde_json::from_str(include_str!("golden/mosaik.json")).expect("golden");
    assert!(golden.source.starts_with("mosaik 0.4.2"));
    assert!(golden.ids.len() >= 10 && golden.derived.len() >= 6 && golden.r#macro.len() == 2);
    for named in golden.ids.iter().chain(&golden.r#macro) {
        assert_eq!(UniqueId::of_name(&named.name), named.id, "{}", named.name);
    }
    for derived in &golden.derived {
        let id = derived.parts.iter().fold(UniqueId::of_name(&derived.name), |id, part| id.derive(part));
        assert_eq!(id, derived.id, "{} {:?}", derived.name, derived.parts);
    }
    assert_eq!(UniqueId::universe(), UniqueId::of_name("mosaik.universe"));
}

#[test]
fn the_examples_identities_stay() {
    let ids = Fingerprints::of(&example()).expect("identities").to_json().expect("JSON");
    assert_eq!(ids, include_str!("golden/example.json").trim_end());
}

/// A field with its length before it.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).expect("short").to_le_bytes(), bytes].concat()
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    *blake3::hash(&parts.concat()).as_bytes()
}

/// SPECIFICATION.md once more, by hand, from nothing but bytes.
#[test]
fn the_examples_root_is_what_the_specification_says() {
    let config: CoalitionConfig<'_> = example();
    let coalition = hash(&[b"coalition|", &[1], b"|", b"example"]);
    assert_eq!(config.coalition_id().as_bytes(), &coalition);

    let lattice =
        |name: &[u8], chain: u64| hash(&[b"builder|", &sized(name), b"|chain=", &chain.to_le_bytes()]);
    let (north, south) = (lattice(b"north-builder", 1), lattice(b"south-builder", 10));
    assert_eq!(LatticeRef::new("north-builder", 1).id().as_bytes(), &north);
    let universe = hash(&[b"mosaik.universe"]);
    let standing = hash(&[&sized(b"standing"), &universe]);
    let one = 1_u32.to_le_bytes();
    let two = 2_u32.to_le_bytes();

    let acl = config.confluences[0].acl.fingerprint();
    let content = hash(&[b"hallmark/confluence-content/1", &[0], &0_u32.to_le_bytes()]);
    let confluence = hash(&[
        b"confluence|",
        &[1],
        b"|",
        &sized(b"shared-ledger"),
        &two,
        &north,
        &south,
        &one,
        &standing,
        &content,
        acl.as_bytes(),
    ]);
    let keys = &config.confluences[0].acl.operators;
    let nothing = hash(&[b"hallmark/tickets/1", &0_u32.to_le_bytes(), &[0], &0_u32.to_le_bytes()]);
    let rules = hash(&[
        b"hallmark/acl/1",
        &3_u32.to_le_bytes(),
        keys[0].key.as_bytes(),
        keys[1].key.as_bytes(),
        keys[2].key.as_bytes(),
        &2_u64.to_le_bytes(),
        &[0],
        &nothing,
    ]);
    assert_eq!(acl.as_bytes(), &rules);
    assert_eq!(config.confluences[0].fingerprint().as_bytes(), &confluence);

    let issuer = config.ticket_issuer.as_ref().expect("an issuer");
    let scopes = [&two[..], &sized(b"submit"), &sized(b"read")].concat();
    let name = sized(b"The example's desk");
    let lifetime = 86_400_u64.to_le_bytes();
    let desk =
        hash(&[b"hallmark/ticket-issuer/1", &name, &one, issuer.keys[0].as_bytes(), &scopes, &lifetime]);

    let root = hash(&[&coalition, &two, &north, &south, &one, &standing, &one, &confluence, &one, &desk]);
    assert_eq!(config.root().as_bytes(), &root);

    let almanac = hash(&[&hash(&[&root, b"module"]), b"almanac"]);
    let module = config.almanac().expect("an almanac");
    assert_eq!(module.root().as_bytes(), &almanac);
    let told = hash(&[b"hallmark/module/almanac/1", &1000_u64.to_le_bytes()]);
    let fields = hash(&[&almanac, &0_u32.to_le_bytes(), &told, module.acl().fingerprint().as_bytes()]);
    assert_eq!(module.committee_id().as_bytes(), &hash(&[&fields, b"committee"]));
    assert_eq!(module.committee().expect("rules").id(), module.committee_id());
    assert_eq!(config.tickets_root().as_bytes(), &hash(&[&root, b"tickets"]));
    assert_eq!(CitizenId::of(&UniqueId::new(north)).as_bytes(), &north[..20]);
}
