//! Nothing can move between the fields of an identity and leave it as it was.

use proptest::prelude::*;

use super::*;
use crate::{Acl, Committee, Instance, LatticeRef, Recovery};

type Lists = (Vec<u8>, Vec<u8>, Vec<u8>, Option<u8>);

/// Identifiers from a small alphabet, so that lists that differ by a move are common.
fn lists() -> impl Strategy<Value = Lists> {
    let list = || prop::collection::vec(0_u8..3, 0..4);
    (list(), list(), list(), prop::option::of(0_u8..3))
}

fn ids(list: &[u8]) -> Vec<UniqueId> {
    list.iter().map(|byte| UniqueId::new([*byte; 32])).collect()
}

fn folded((lattices, organisms, confluences, issuer): &Lists) -> UniqueId {
    let issuer = issuer.map(|byte| UniqueId::new([byte; 32]));
    let coalition = UniqueId::of_name("test");
    fold(&coalition, &ids(lattices), &ids(organisms), &ids(confluences), issuer.as_ref())
}

/// The same fields without counts.
fn concatenated((lattices, organisms, confluences, issuer): &Lists) -> Vec<u8> {
    [&lattices[..], organisms, confluences, issuer.as_slice()].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn roots_are_equal_only_for_equal_lists(a in lists(), b in lists()) {
        prop_assert_eq!(a == b, folded(&a) == folded(&b));
    }

    #[test]
    fn moving_an_identifier_to_the_next_list_changes_the_root(a in lists()) {
        let mut b = a.clone();
        if let Some(last) = b.0.pop() {
            b.1.insert(0, last);
            prop_assert_eq!(concatenated(&a), concatenated(&b), "plain concatenation cannot tell them apart");
            prop_assert_ne!(folded(&a), folded(&b));
        }
        let mut c = a.clone();
        if c.3.is_none() && let Some(last) = c.2.pop() {
            c.3 = Some(last);
            prop_assert_eq!(concatenated(&a), concatenated(&c));
            prop_assert_ne!(folded(&a), folded(&c));
        }
    }

    #[test]
    fn names_do_not_run_into_what_follows(a in "[a-c|=]{0,4}", b in "[a-c|=]{0,4}", m in 0_u64..3, n in 0_u64..3) {
        let equal = (&a, m) == (&b, n);
        prop_assert_eq!(equal, LatticeRef::new(&a, m).id() == LatticeRef::new(&b, n).id());
        let network = |n: u64| (n > 0).then(|| UniqueId::new([b'a' + u8::from(n > 1); 32]));
        let (x, y) = (Instance::new(&a, network(m)), Instance::new(&b, network(n)));
        prop_assert_eq!(equal, x.stable_id() == y.stable_id());
    }

    #[test]
    fn committees_keep_refs_and_content_apart(a in lists(), b in lists()) {
        let key = *ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key().as_bytes();
        let acl = Acl::new(vec![key], 1, Recovery::Operators, UniqueId::ZERO).expect("one slot");
        let id = |(refs, content, ..): &Lists| {
            let content = content.first().map_or(UniqueId::ZERO, |byte| UniqueId::new([*byte; 32]));
            (refs.clone(), content, Committee::new(UniqueId::ZERO, ids(refs), content, acl.clone()).id())
        };
        let (x, y) = (id(&a), id(&b));
        prop_assert_eq!((x.0, x.1) == (y.0, y.1), x.2 == y.2);
    }
}

#[test]
fn an_issuer_is_told_from_its_parts() {
    let key =
        |n: u8| UniqueId::new(*ed25519_dalek::SigningKey::from_bytes(&[n; 32]).verifying_key().as_bytes());
    let keys = [key(1), key(2)];
    let issuers = [
        TicketIssuerConfig::new("a", &keys[..1], &[Cow::Borrowed("bc")], 9),
        TicketIssuerConfig::new("a", &keys[..1], &[Cow::Borrowed("b"), Cow::Borrowed("c")], 9),
        TicketIssuerConfig::new("ab", &keys[..1], &[Cow::Borrowed("c")], 9),
        TicketIssuerConfig::new("a", &keys, &[Cow::Borrowed("bc")], 9),
        TicketIssuerConfig::new("a", &keys[..1], &[Cow::Borrowed("bc")], 10),
    ];
    let prints =
        issuers.iter().map(TicketIssuerConfig::fingerprint).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(prints.len(), issuers.len());
}
