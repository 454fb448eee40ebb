//! The client library against honest, stale, forked, wrong and absent members.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hallmark_coalition::{Acl, Committee, Recovery, TicketValidator, UniqueId};
use hallmark_committee::client::{Client, ClientError, Decided, Options, collection, stream};
use hallmark_committee::http::{Gate, Limits};
use hallmark_machine::ClientId;
use hallmark_machine::kv::Pair;

use super::fake::{Fake, Other, committee, operator, serve, start};
use super::raw::get;

const ME: ClientId = ClientId::new([7; 32]);
const PUT: &str = "{\"op\":\"put\",\"key\":\"a\",\"value\":\"b\"}";

fn options() -> Options {
    let mut options = Options::default();
    options.connect = Duration::from_secs(2);
    options.submit = Duration::from_secs(2);
    options.pause = Duration::from_millis(20);
    options.prove_every = Duration::ZERO;
    options
}

fn of(fake: &Fake, addresses: &[SocketAddr]) -> Client {
    Client::new(fake.committee.clone(), addresses.iter().map(ToString::to_string), options())
}

/// Three members of one committee.
async fn three(fake: &Arc<Fake>) -> Vec<SocketAddr> {
    let mut addresses = vec![start(fake).await];
    for slot in 1..3 {
        let gate = Gate::open(fake.committee.acl()).unwrap();
        addresses.push(serve(Arc::new(Other(Arc::clone(fake), slot)), gate, Limits::default()).await);
    }
    addresses
}

#[tokio::test]
async fn submits_settles_and_reads_what_it_wrote() {
    let fake = Fake::new();
    let client = of(&fake, &three(&fake).await);
    let receipt = client.submit(ME, 1, "pairs", PUT).await.unwrap();
    assert_eq!((receipt.decided, receipt.index), (Decided::Committed, 4));
    let no = client.submit(ME, 2, "pairs", "{\"op\":\"delete\",\"key\":\"x\"}").await.unwrap();
    assert!(matches!(no.decided, Decided::Rejected { code, .. } if code == "no-such-key"));
    assert!(client.fate(ME, 3).await.unwrap().is_none());
    assert_eq!(client.settle(ME, 3).await.unwrap().decided, Decided::Invalid);
    assert_eq!(client.submit(ME, 3, "pairs", PUT).await.unwrap().decided, Decided::Invalid);
    let pairs = collection::<Pair>(&client, "pairs");
    let found = pairs.get_fresh("a").await.unwrap().unwrap();
    assert_eq!((found.body.value.as_deref(), found.index), (Some("b"), 4));
    assert!(pairs.get("none").await.unwrap().is_none());
    assert_eq!(client.fresh().await.unwrap().checkpoint().size, fake.size());
}

#[tokio::test]
async fn an_unclear_outcome_is_found_on_another_member() {
    let fake = Fake::new();
    let addresses = three(&fake).await;
    fake.lose_answers.store(true, Relaxed);
    let receipt = of(&fake, &addresses).submit(ME, 1, "pairs", PUT).await.unwrap();
    assert_eq!((receipt.decided, fake.size()), (Decided::Committed, 5), "applied once");
    let alone = of(&fake, &addresses[..1]);
    let unclear = alone.submit(ME, 2, "pairs", PUT).await;
    assert!(matches!(unclear, Err(ClientError::Unclear { nonce: 2, .. })), "{unclear:?}");
    assert_eq!(alone.settle(ME, 2).await.unwrap().decided, Decided::Committed, "it was applied after all");
}

/// More at a time than there are requests: each is answered with its own proof, and few connections carry them.
#[tokio::test]
async fn submissions_that_are_many_share_requests() {
    let fake = Fake::new();
    let addresses = three(&fake).await;
    let of = |addresses: &[SocketAddr]| {
        let mut options = options();
        options.prove_every = Duration::from_millis(500);
        Client::new(fake.committee.clone(), addresses.iter().map(ToString::to_string), options)
    };
    let client = of(&addresses);
    let all = async |client: &Client, nonces: std::ops::Range<u64>| {
        let one = |nonce: u64| async move {
            let body = format!("{{\"op\":\"put\",\"key\":\"k{nonce}\",\"value\":\"v\"}}");
            let receipt = client.submit(ME, nonce, "pairs", body).await.unwrap();
            assert_eq!(receipt.decided, Decided::Committed);
            (receipt.entry.key().unwrap().to_owned(), nonce)
        };
        let told = futures_util::future::join_all(nonces.map(one)).await;
        assert!(told.iter().all(|(key, nonce)| *key == format!("k{nonce}")), "each its own");
    };
    // The first finds the members.
    all(&client, 0..1).await;
    all(&client, 1..301).await;
    assert_eq!(fake.size(), 305);
    let metric = async |address, name: &str| {
        let text = String::from_utf8(get(address, "/metrics").await.body).unwrap();
        let line =
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<u64>().ok());
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    let together = metric(addresses[0], "hallmark_http_requests_total{route=\"submit-together\"}").await;
    let alone = metric(addresses[0], "hallmark_http_requests_total{route=\"submit\"}").await;
    assert!((3..40).contains(&together) && (17..80).contains(&alone), "{together} and {alone} requests");
    assert!(metric(addresses[0], "hallmark_http_connections_total").await < 24);
    assert_eq!(metric(addresses[0], "hallmark_submissions_waiting").await, 0);
    // Whose is too large hears so alone.
    let large = client.submit(ME, 1000, "pairs", vec![b' '; 2 << 20]);
    let small = all(&client, 1100..1200);
    let (large, ()) = futures_util::future::join(large, small).await;
    assert!(matches!(&large, Err(ClientError::Refused { status: 413, .. })), "{large:?}");
    let large: Vec<_> = (1200..1240).map(|n| client.submit(ME, n, "pairs", vec![b' '; 50 << 10])).collect();
    let (large, ()) =
        futures_util::future::join(futures_util::future::join_all(large), all(&client, 1300..1400)).await;
    assert!(large.iter().all(|no| matches!(no, Err(ClientError::Refused { status: 413, .. }))), "{large:?}");
    assert_eq!(fake.size(), 505);
    // What one member does not answer, another does; nothing is applied twice.
    fake.lose_answers.store(true, Relaxed);
    all(&client, 301..401).await;
    assert_eq!(fake.size(), 605);
    // Nor does it matter that the first address is nobody's, or that some who asked have gone.
    fake.lose_answers.store(false, Relaxed);
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = of(&[gone, addresses[0]]);
    all(&client, 401..402).await;
    let mut waiting: Vec<_> =
        (402..502).map(|nonce| Box::pin(client.submit(ME, nonce, "pairs", PUT))).collect();
    let _ = futures_util::poll!(futures_util::future::join_all(waiting.iter_mut()));
    drop(waiting);
    all(&client, 502..602).await;
}

#[tokio::test]
async fn follows_across_appends_a_new_member_and_a_lost_one() {
    let fake = Fake::new();
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut addresses = vec![gone];
    addresses.extend(three(&fake).await);
    let client = of(&fake, &addresses);
    let mut pairs = stream::<Pair>(&client, "pairs", 0);
    for nonce in 0..5 {
        if nonce == 3 {
            fake.replace(1);
        }
        fake.put(nonce, "a", &format!("v{nonce}"));
        let item = tokio::time::timeout(Duration::from_secs(10), pairs.next()).await.unwrap().unwrap();
        assert_eq!(item.body.value, Some(format!("v{nonce}")));
        assert_eq!(item.entry.seq(), nonce);
    }
}

#[tokio::test]
async fn a_forked_member_is_caught_and_the_two_notes_are_kept() {
    let (one, two) = (Fake::new(), Fake::new());
    one.put(1, "a", "x");
    two.put(1, "a", "y");
    two.put(2, "a", "z");
    let addresses = [start(&one).await, start(&two).await];
    let client = of(&one, &addresses[..1]);
    client.checkpoint().await.unwrap();
    // The same client, now answered by the other history: by both addresses of one client.
    let both = of(&one, &addresses);
    both.checkpoint().await.unwrap();
    let forked = both.fresh().await;
    assert!(matches!(forked, Err(ClientError::Forked(_))), "{forked:?}");
    let fork = both.fork().unwrap();
    assert_ne!(fork.first, fork.second);
    assert!(fork.first.contains("\n5\n") && fork.second.contains("\n6\n"), "{fork:?}");
}

#[tokio::test]
async fn a_member_that_is_behind_is_not_read() {
    let (new, old) = (Fake::new(), Fake::new());
    for fake in [&new, &old] {
        fake.put(1, "a", "x");
    }
    let (ahead, behind) = (start(&new).await, start(&old).await);
    let client = of(&new, &[behind, ahead]);
    client.checkpoint().await.unwrap();
    new.put(2, "a", "y");
    // Asked for q members' word, slot 0 twice is one member.
    assert!(matches!(client.fresh().await, Err(ClientError::NoQuorum { got: 1, want: 2, .. })));
    let found = collection::<Pair>(&client, "pairs");
    for _ in 0..50 {
        if found.get("a").await.unwrap().unwrap().body.value.as_deref() == Some("y") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The first address is still at size 5, this client has seen 6: it goes to the second, every time.
    for _ in 0..5 {
        assert_eq!(client.checkpoint().await.unwrap().checkpoint().size, 6);
    }
}

#[tokio::test]
async fn an_address_of_another_committee_or_of_nobody_is_a_connect_timeout() {
    let fake = Fake::new();
    let address = start(&fake).await;
    let slots = (0..3).map(|slot| operator(slot + 3).verifier().public()).collect();
    let acl = Acl::new(slots, 2, Recovery::Operators, TicketValidator::new().signature()).unwrap();
    let other = Committee::new(UniqueId::new([1; 32]), Vec::new(), UniqueId::new([2; 32]), acl);
    let mut short = options();
    short.connect = Duration::from_millis(300);
    let wrong = Client::new(other, [address.to_string()], short.clone());
    match wrong.submit(ME, 1, "pairs", PUT).await {
        Err(ClientError::ConnectTimeout { last, .. }) => {
            assert!(last.contains("genesis of committee"), "{last}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fake.size(), 4, "nothing was submitted to strangers");
    let nobody = Client::new(committee(&TicketValidator::new()), ["127.0.0.1:1".to_owned()], short.clone());
    assert!(matches!(nobody.checkpoint().await, Err(ClientError::ConnectTimeout { .. })));
    let found = collection::<Pair>(&nobody, "pairs").get("a").await;
    assert!(matches!(found, Err(ClientError::ConnectTimeout { .. })), "never `not found`");
    let empty = Client::new(committee(&TicketValidator::new()), [], short);
    assert!(matches!(empty.checkpoint().await, Err(ClientError::ConnectTimeout { .. })));
}

#[tokio::test]
async fn retirement_names_where_to_go() {
    let fake = Fake::new();
    fake.put(1, "a", "x");
    fake.retire(UniqueId::new([8; 32]));
    let client = of(&fake, &three(&fake).await);
    match client.submit(ME, 2, "pairs", PUT).await {
        Err(ClientError::Retired { replacement }) => assert_eq!(replacement, Some(UniqueId::new([8; 32]))),
        other => panic!("{other:?}"),
    }
    assert_eq!(client.fate(ME, 1).await.unwrap().unwrap().decided, Decided::Committed);
}

#[tokio::test]
async fn one_member_at_many_addresses_counts_once() {
    let fake = Fake::new();
    fake.put(1, "a", "x");
    let one = start(&fake).await;
    let again = start(&fake).await;
    // Two addresses of one member, one of them twice: one slot.
    let client = of(&fake, &[one, again, one]);
    let pairs = collection::<Pair>(&client, "pairs");
    for _ in 0..2 {
        assert!(matches!(client.fresh().await, Err(ClientError::NoQuorum { got: 1, want: 2, .. })));
        let found = pairs.get_fresh("a").await;
        assert!(matches!(found, Err(ClientError::NoQuorum { got: 1, want: 2, .. })), "{found:?}");
    }
    let gate = Gate::open(fake.committee.acl()).unwrap();
    let other = serve(Arc::new(Other(Arc::clone(&fake), 2)), gate, Limits::default()).await;
    let client = of(&fake, &[one, again, other]);
    let pairs = collection::<Pair>(&client, "pairs");
    assert_eq!(pairs.get_fresh("a").await.unwrap().unwrap().body.value.as_deref(), Some("x"));
    assert!(pairs.get_fresh("none").await.unwrap().is_none(), "two members signed that there is none");
}

#[tokio::test]
async fn a_client_goes_along_with_an_expulsion() {
    let fake = Fake::new();
    let addresses = three(&fake).await;
    let client = of(&fake, &addresses);
    client.submit(ME, 1, "pairs", PUT).await.unwrap();
    fake.expel(2);
    fake.put(2, "a", "after");
    let pairs = collection::<Pair>(&client, "pairs");
    assert_eq!(pairs.get_fresh("a").await.unwrap().unwrap().body.value.as_deref(), Some("after"));
    // Whoever was put out may answer: its word on how far the log is counts for nothing.
    let with_it = of(&fake, &[addresses[2], addresses[0]]);
    let fresh = with_it.fresh().await;
    assert!(matches!(fresh, Err(ClientError::NoQuorum { got: 1, want: 2, .. })), "{fresh:?}");
    assert_eq!(of(&fake, &addresses).fresh().await.unwrap().checkpoint().size, fake.size());
}

#[tokio::test]
async fn a_client_goes_along_with_a_recovery_that_lost_nothing() {
    let fake = Fake::new();
    let client = of(&fake, &three(&fake).await);
    let receipt = client.submit(ME, 1, "pairs", PUT).await.unwrap();
    let mut pairs = stream::<Pair>(&client, "pairs", 0);
    assert_eq!(pairs.next().await.unwrap().index, receipt.index);
    fake.recover();
    let after = client.submit(ME, 2, "pairs", PUT.replace("b", "c")).await.unwrap();
    assert_eq!((after.checkpoint.checkpoint().epoch, after.checkpoint.checkpoint().recoveries), (1, 1));
    assert_eq!(client.confirm(&receipt).await.unwrap().checkpoint().epoch, 1, "the old receipt holds");
    assert!(client.truncation().is_none() && client.fork().is_none());
    let next = tokio::time::timeout(Duration::from_secs(10), pairs.next()).await.unwrap().unwrap();
    assert_eq!((next.index, next.checkpoint.checkpoint().epoch), (after.index, 1));
    // And a second one.
    fake.recover();
    assert_eq!(client.fresh().await.unwrap().checkpoint().epoch, 2);
    assert_eq!(client.confirm(&receipt).await.unwrap().checkpoint().epoch, 2);
    assert!(client.truncation().is_none());
    let newcomer = of(&fake, &three(&fake).await);
    assert_eq!(newcomer.confirm(&receipt).await.unwrap().checkpoint().epoch, 2);
}

#[tokio::test]
async fn a_receipt_that_a_recovery_dropped_is_proof_of_it() {
    let (old, new) = (Fake::new(), Fake::new());
    for fake in [&old, &new] {
        fake.put(1, "a", "kept");
    }
    let (before, after) = (start(&old).await, start(&new).await);
    let client = of(&old, &[before, after]);
    let kept = client.fate(ME, 1).await.unwrap().unwrap();
    let lost = client.submit(ME, 2, "pairs", PUT).await.unwrap();
    assert_eq!((kept.index, lost.index), (4, 5));
    // The disks that were shown had no more than this.
    new.recover();
    let verified = of(&new, &[after]).confirm(&kept).await.unwrap();
    assert_eq!(verified.checkpoint().epoch, 1);

    let one = of(&old, &[after]);
    match one.confirm(&lost).await {
        Err(ClientError::Truncated { index: 5, proof }) => {
            assert_eq!(proof.survives, 5);
            assert_eq!(proof.before, lost.checkpoint.note());
            assert!(proof.after.contains("epoch 1"), "{}", proof.after);
        }
        other => panic!("{other:?}"),
    }
    // A client that asks both keeps the proof once it sees the new epoch, and believes the old one, whose tree is larger, no more.
    assert!(client.truncation().is_none());
    let fresh = client.fresh().await;
    assert!(matches!(fresh, Err(ClientError::NoQuorum { got: 1, .. })), "slot 0 of two epochs: {fresh:?}");
    let seen = client.truncation().expect("the recovery is noticed");
    assert!(
        seen.survives == 5 && seen.before.contains("epoch 0") && seen.after.contains("epoch 1"),
        "{seen:?}"
    );
    assert!(client.fork().is_none(), "operators signed it: it is no fork");
    assert_eq!(client.checkpoint().await.unwrap().checkpoint().epoch, 1);
    assert!(matches!(client.confirm(&lost).await, Err(ClientError::Truncated { index: 5, .. })));
    assert_eq!(client.confirm(&kept).await.unwrap().checkpoint().epoch, 1);
}
