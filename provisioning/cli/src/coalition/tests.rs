//! The example that is documented goes through both commands.

use super::*;

const EXAMPLE: &str = include_str!("../../../../docs/operators/examples/coalition.toml");

fn example() -> (CoalitionConfig<'static>, Fingerprints) {
    let config = parse(EXAMPLE.as_bytes()).expect("the example");
    let ids = Fingerprints::of(&config).expect("identities");
    (config, ids)
}

#[test]
fn toml_json_and_hex_have_the_same_identities() {
    let (config, ids) = example();
    let json = config.to_json().expect("JSON");
    let hex = config.to_hex().expect("hex");
    for bytes in [json, hex.into_bytes()] {
        let again = parse(&bytes).expect("what it wrote");
        assert_eq!(Fingerprints::of(&again).expect("identities"), ids);
    }
}

#[test]
fn the_list_names_every_identity_and_every_module() {
    let (_, ids) = example();
    let text = listed(&ids);
    for id in [ids.coalition, ids.root, ids.handshake, ids.tickets_root.expect("an issuer")] {
        assert!(text.contains(&id.to_string()), "{id}");
    }
    for module in &ids.modules {
        assert!(text.contains(module.name));
        if let Some(root) = module.root {
            assert!(text.contains(&root.to_string()));
        }
    }
    assert_eq!(text.matches("not shipped").count(), ids.modules.iter().filter(|m| m.root.is_none()).count());
    assert!(ids.modules.iter().any(|m| m.root.is_none()) && ids.modules.iter().any(|m| m.root.is_some()));
}

#[test]
fn the_page_has_all_that_an_integrator_needs() {
    let (config, ids) = example();
    let page = page::page(&config, &ids).expect("a page");
    let sections = [
        "Identities",
        "Modules",
        "Operator roll call",
        "Citizens",
        "Pins",
        "Tickets",
        "Peers",
        "Change channel",
        "Configuration",
    ];
    for section in sections {
        assert!(page.contains(&format!("\n## {section}\n")), "{section}");
    }
    let mut said = vec![ids.handshake, ids.coalition, ids.root];
    said.extend(config.published.pins.iter().map(|pin| pin.sha256));
    said.extend(config.published.policy);
    let acls = config.modules();
    let acls = acls.iter().filter_map(|(_, m)| m.as_ref().map(hallmark_coalition::Module::acl));
    said.extend(acls.flat_map(|acl| acl.operators.iter().map(|o| o.key)));
    said.extend(ids.lattices.iter().chain(&ids.organisms).chain(&ids.confluences).map(|c| c.id));
    assert!(said.len() > 10);
    for id in said {
        assert!(page.contains(&id.to_string()), "{id}");
    }
    for peer in &config.published.peers {
        assert!(page.contains(&*peer.address), "{}", peer.address);
    }
    assert!(page.contains("| compute | **not shipped** | none | none |"));
}

#[test]
fn names_are_no_markup() {
    let text = EXAMPLE.replace("North Operations", "<b>|`*evil*");
    let config = parse(text.as_bytes()).expect("printable ASCII");
    let page = page::page(&config, &Fingerprints::of(&config).expect("identities")).expect("a page");
    let before_json = page.split("\n## Configuration\n").next().expect("a part");
    assert!(before_json.contains(r"\<b\>\|\`\*evil\*") && !before_json.contains("<b>"));
}

#[test]
fn what_is_no_coalition_is_refused_with_its_place() {
    let cases = [
        (EXAMPLE.replace("quorum = 2", "quorum = 1"), "quorum: 1 of 3"),
        (EXAMPLE.replace("chain_id = 1\n", "chain_id = 1\ncolour = 3\n"), "unknown field `colour`"),
        ("[]".to_owned(), "TOML parse error at line 1"),
        (String::new(), "missing field `format`"),
        ("{\"format\":".to_owned(), "EOF"),
        ("abcd".to_owned(), "expected value"),
    ];
    for (text, why) in cases {
        let error = parse(text.as_bytes()).expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(parse(&[0xff, 0xfe]).is_err());
    let missing = read(Path::new("/nowhere/coalition.toml")).expect_err("nothing there");
    assert_eq!((missing.slug, missing.code), ("file", 2));
}
