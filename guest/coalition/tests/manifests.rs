//! Manifests: one canonical form, one hash before the build, one a platform after it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hallmark_coalition::{
    ComputeManifest, CrateRef, Document as _, Needs, NetworkPolicy, Pair, SortedMap, TdxRequirement,
    UniqueId, post_hash,
};

const FEATURES: &[Cow<'static, str>] = &[Cow::Borrowed("alloc"), Cow::Borrowed("fast")];
const CRATES: &[CrateRef<'static>] = &[
    CrateRef::new("guest", "0.1.0", UniqueId::new([1; 32]), &[]),
    CrateRef::new("rustix", "1.1.6", UniqueId::new([2; 32]), FEATURES),
];
const EXTENSIONS: &[Pair<'static>] = &[
    (Cow::Borrowed("org.example/audit"), Cow::Borrowed("2026 \"spring\"")),
    (Cow::Borrowed("org.example/sbom"), Cow::Borrowed("sbom.json")),
];
const NEEDS: Needs = Needs { tdx: TdxRequirement::Required, cpus: 2, memory_mib: 4096, disk_mib: 0 };
const MANIFEST: ComputeManifest<'static> = ComputeManifest::new(
    "hallmark",
    "0.1.0",
    CRATES,
    NEEDS,
    NetworkPolicy::MOSAIK,
    SortedMap::lent(EXTENSIONS),
);

const CANONICAL: &str = concat!(
    r#"{"format":"hallmark/compute-manifest/1","name":"hallmark","version":"0.1.0","crates":["#,
    r#"{"name":"guest","version":"0.1.0","sha256":"0101010101010101010101010101010101010101010101010101010101010101","features":[]},"#,
    r#"{"name":"rustix","version":"1.1.6","sha256":"0202020202020202020202020202020202020202020202020202020202020202","features":["alloc","fast"]}],"#,
    r#""tdx":"required","network":{"kind":"mosaik","allow":[]},"cpus":2,"memory_mib":4096,"disk_mib":0,"#,
    r#""extensions":{"org.example/audit":"2026 \"spring\"","org.example/sbom":"sbom.json"}}"#,
);

#[test]
fn the_canonical_form_and_the_prehash_stay() {
    assert_eq!(String::from_utf8(MANIFEST.to_json().expect("JSON")).expect("text"), CANONICAL);
    let by_hand = blake3::hash(&[b"hallmark/pre-hash/1", CANONICAL.as_bytes()].concat());
    assert_eq!(MANIFEST.prehash().expect("valid").as_bytes(), by_hand.as_bytes());
    assert_eq!(MANIFEST.prehash().expect("valid").to_string(), include_str!("golden/prehash.txt").trim_end());
}

#[test]
fn however_it_is_written_the_prehash_is_one() {
    let toml = r#"
        name = "hallmark"
        version = "0.1.0"
        memory_mib = 4096
        cpus = 2
        tdx = "required"
        network = { kind = "mosaik" }
        format = "hallmark/compute-manifest/1"
        crates = [
          { version = "0.1.0", name = "guest", sha256 = "0101010101010101010101010101010101010101010101010101010101010101" },
          { name = "rustix", version = "1.1.6", features = ["alloc", "fast"], sha256 = "0202020202020202020202020202020202020202020202020202020202020202" },
        ]
        [extensions]
        "org.example/sbom" = "sbom.json"
        "org.example/audit" = "2026 \"spring\""
    "#;
    let read = ComputeManifest::from_toml(toml).expect("a manifest");
    assert_eq!(read, MANIFEST);
    assert_eq!(read.prehash(), MANIFEST.prehash());
    let spaced = CANONICAL.replace(',', " ,\n");
    assert_eq!(
        ComputeManifest::from_json(spaced.as_bytes()).expect("a manifest").prehash(),
        MANIFEST.prehash()
    );
    assert_eq!(ComputeManifest::from_hex(&MANIFEST.to_hex().expect("hex")).expect("hex"), MANIFEST);
}

#[test]
fn every_field_is_in_the_prehash() {
    let changes = [
        ("\"name\":\"hallmark\"", "\"name\":\"hallmarc\""),
        ("\"version\":\"0.1.0\",\"crates\"", "\"version\":\"0.1.1\",\"crates\""),
        ("1.1.6", "1.1.7"),
        ("0202", "0203"),
        ("[\"alloc\",\"fast\"]", "[\"alloc\"]"),
        ("\"required\"", "\"none\""),
        ("\"mosaik\"", "\"none\""),
        ("\"cpus\":2", "\"cpus\":3"),
        ("4096", "4097"),
        ("\"disk_mib\":0", "\"disk_mib\":1"),
        ("sbom.json", "sbom.xml"),
        ("org.example/sbom", "org.example/sbon"),
    ];
    let mut seen = std::collections::BTreeSet::from([MANIFEST.prehash().expect("valid")]);
    for (from, to) in changes {
        let changed = CANONICAL.replacen(from, to, 1);
        assert_ne!(changed, CANONICAL, "{from}");
        let manifest = ComputeManifest::from_json(changed.as_bytes()).expect(to);
        assert!(seen.insert(manifest.prehash().expect("valid")), "{from}");
    }
}

#[test]
fn what_has_two_spellings_is_refused() {
    let cases = [
        ("guest", "zebra", "`rustix 1.1.6` is not above"),
        ("[\"alloc\",\"fast\"]", "[\"fast\",\"alloc\"]", "`alloc` is not above"),
        ("\"allow\":[]", "\"allow\":[\"example.org:443\"]", "1 items, of at most 0"),
        ("\"kind\":\"mosaik\"", "\"kind\":\"allowlist\"", "allow: it is empty"),
        ("\"cpus\":2", "\"cpus\":0", "cpus: 0 is not between 1 and 4096"),
        ("\"cpus\":2", "\"cpus\":2.0", "floating point"),
        ("org.example/sbom", "org.example/audit", "stands there twice"),
        ("org.example/sbom", "two words", "is no name"),
        ("manifest/1", "manifest/9", "is not `hallmark/compute-manifest/1`"),
        ("\"disk_mib\"", "\"disc_mib\"", "unknown field"),
        ("\"required\"", "\"preferred\"", "unknown variant"),
    ];
    for (from, to, why) in cases {
        let error = ComputeManifest::from_json(CANONICAL.replacen(from, to, 1).as_bytes())
            .expect_err(why)
            .to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
    const TURNED: &[Pair<'static>] =
        &[(Cow::Borrowed("b"), Cow::Borrowed("x")), (Cow::Borrowed("a"), Cow::Borrowed("x"))];
    let mut turned = MANIFEST;
    turned.extensions = SortedMap::lent(TURNED);
    assert!(turned.prehash().is_err(), "a constant's extensions ascend too");
}

#[test]
fn the_post_hash_keeps_its_fields_apart() {
    let registers = |list: &[(&str, &[u8])]| {
        list.iter().map(|(tag, value)| ((*tag).to_owned(), value.to_vec())).collect::<BTreeMap<_, _>>()
    };
    let prehash = MANIFEST.prehash().expect("valid");
    let two = registers(&[("mrtd", &[1; 48]), ("rtmr1", &[2; 48])]);
    let hash = post_hash(&prehash, &[3; 32], "gcp-tdx", &two);
    let mut by_hand = b"hallmark/post-hash/1".to_vec();
    by_hand.extend(prehash.as_bytes());
    by_hand.extend([3; 32]);
    by_hand.extend([&[7, 0, 0, 0][..], b"gcp-tdx", &[2, 0, 0, 0]].concat());
    by_hand.extend([&[4, 0, 0, 0][..], b"mrtd", &[48, 0, 0, 0], &[1; 48]].concat());
    by_hand.extend([&[5, 0, 0, 0][..], b"rtmr1", &[48, 0, 0, 0], &[2; 48]].concat());
    assert_eq!(hash.as_bytes(), blake3::hash(&by_hand).as_bytes());

    let others = [
        post_hash(&UniqueId::ZERO, &[3; 32], "gcp-tdx", &two),
        post_hash(&prehash, &[4; 32], "gcp-tdx", &two),
        post_hash(&prehash, &[3; 32], "gcp-td", &two),
        post_hash(&prehash, &[3; 32], "gcp-tdx", &registers(&[("mrtd", &[1; 48])])),
        post_hash(&prehash, &[3; 32], "gcp-tdx", &registers(&[("mrtd", &[1; 48]), ("rtmr2", &[2; 48])])),
        post_hash(&prehash, &[3; 32], "gcp-tdx", &registers(&[("mrtd", &[1; 47]), ("rtmr1", &[2; 48])])),
        post_hash(&prehash, &[3; 32], "gcp-tdx", &BTreeMap::new()),
    ];
    assert!(others.iter().all(|other| *other != hash));
}
