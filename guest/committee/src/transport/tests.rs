#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::plain::{PlainAcceptor, PlainDialer};
use super::*;

/// Answers with the body reversed; "stall" waits for ever, "no" is refused, "who" says the slot, "long" is too long.
#[derive(Default)]
struct Echo {
    running: AtomicUsize,
    most: AtomicUsize,
    go: Notify,
}

impl Handler for Echo {
    fn handle<'a>(&'a self, caller: &'a Caller, topic: Topic, mut body: Vec<u8>) -> Answering<'a> {
        Box::pin(async move {
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(running, Ordering::SeqCst);
            let answer = match body.as_slice() {
                b"stall" => std::future::pending().await,
                b"wait" => {
                    self.go.notified().await;
                    Ok(vec![])
                }
                b"no" => Err(Refused::new("not-you", "for a test")),
                b"who" => Ok(format!("{:?} {topic:?}", caller.slot()).into_bytes()),
                b"long" => Ok(vec![0; 9 << 20]),
                _ => {
                    body.reverse();
                    Ok(body)
                }
            };
            self.running.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }
}

fn machine(slot: u16) -> Caller {
    Caller { spki_sha256: [u8::try_from(slot).unwrap(); 32], claim: Claim::Machine { slot } }
}

fn limits() -> Limits {
    Limits {
        body: 8 << 20,
        backoff: Duration::from_millis(20),
        dial: Duration::from_secs(2),
        ..Limits::default()
    }
}

struct Side {
    address: String,
    handler: Arc<Echo>,
    task: tokio::task::AbortHandle,
}

impl Drop for Side {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn side(address: &str, limits: Limits) -> Side {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let handler = Arc::new(Echo::default());
    let acceptor = Arc::new(PlainAcceptor::new(machine(2)));
    let task =
        tokio::spawn(listen(Arc::new(listener), acceptor, Arc::clone(&handler) as _, limits)).abort_handle();
    Side { address, handler, task }
}

fn pool(limits: Limits) -> Arc<Pool> {
    let dialer = PlainDialer::new(machine(1), |address| Box::pin(TcpStream::connect(address)) as _);
    Arc::new(Pool::new(Arc::new(dialer), limits, system_random()))
}

fn target(address: &str) -> Target {
    Target { address: address.into(), spki_sha256: Some([2; 32]), slot: Some(2) }
}

const LONG: Duration = Duration::from_secs(5);

async fn ask(pool: &Pool, at: &str, body: &[u8]) -> Result<Vec<u8>, CallError> {
    pool.call(&target(at), Topic::Core, body.to_vec(), LONG).await
}

#[tokio::test]
async fn many_requests_share_a_connection_and_answers_find_their_question() {
    let side = side("127.0.0.1:0", limits()).await;
    let pool = pool(limits());
    let calls = (0..200u32).map(|n| {
        let (pool, at) = (Arc::clone(&pool), side.address.clone());
        tokio::spawn(async move {
            let body = format!("question {n}").into_bytes();
            let mut due = body.clone();
            due.reverse();
            assert_eq!(ask(&pool, &at, &body).await.unwrap(), due);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert_eq!(ask(&pool, &side.address, b"who").await.unwrap(), b"Some(1) Core");
    let big = vec![5; limits().body];
    assert_eq!(ask(&pool, &side.address, &big).await.unwrap().len(), big.len());
}

#[tokio::test]
async fn a_refusal_and_what_is_too_long_come_back_as_such() {
    let side = side("127.0.0.1:0", limits()).await;
    let pool = pool(limits());
    let refused = ask(&pool, &side.address, b"no").await.unwrap_err();
    assert!(matches!(&refused, CallError::Refused(r) if r.code == "not-you" && r.why == "for a test"));
    assert!(!refused.is_unclear());
    let long = ask(&pool, &side.address, b"long").await.unwrap_err();
    assert!(matches!(&long, CallError::Refused(r) if r.code == "answer-too-long"), "{long}");
    let long = ask(&pool, &side.address, &vec![0; (8 << 20) + 1]).await.unwrap_err();
    assert!(matches!(long, CallError::Frame(FrameError::TooLong { .. })));
    assert_eq!(ask(&pool, &side.address, b"ab").await.unwrap(), b"ba", "the connection lives on");
}

#[tokio::test]
async fn another_machine_at_the_address_is_not_spoken_to() {
    let side = side("127.0.0.1:0", limits()).await;
    let pool = pool(limits());
    for wrong in [
        Target { spki_sha256: Some([3; 32]), ..target(&side.address) },
        Target { slot: Some(3), ..target(&side.address) },
    ] {
        let error = pool.call(&wrong, Topic::Core, b"x".to_vec(), LONG).await.unwrap_err();
        assert!(matches!(&error, CallError::Unreachable { why, .. } if why.contains("another")), "{error}");
    }
    assert_eq!(side.handler.most.load(Ordering::SeqCst), 0, "no request reached the handler");
}

#[tokio::test]
async fn a_peer_that_comes_back_is_reached_again_and_fails_fast_meanwhile() {
    let first = side("127.0.0.1:0", limits()).await;
    let pool = pool(limits());
    let address = first.address.clone();
    assert_eq!(ask(&pool, &address, b"ab").await.unwrap(), b"ba");
    let cut = tokio::spawn({
        let (pool, address) = (Arc::clone(&pool), address.clone());
        async move { ask(&pool, &address, b"stall").await }
    });
    while first.handler.running.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(first);
    let lost = cut.await.unwrap().unwrap_err();
    assert!(matches!(lost, CallError::Lost) && lost.is_unclear());
    let begun = Instant::now();
    let error = ask(&pool, &address, b"x").await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. } | CallError::Lost), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(1), "it did not wait for its time to be up");
    let _second = side(&address, limits()).await;
    let deadline = Instant::now() + LONG;
    while ask(&pool, &address, b"ab").await.is_err() {
        assert!(Instant::now() < deadline, "the peer is not reached again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn silence_after_a_question_condemns_the_connection() {
    // It accepts, shakes hands and then says nothing: a machine whose plug was pulled.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let mute = tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let acceptor = PlainAcceptor::new(machine(2));
            kept.push(acceptor.accept(stream).await.unwrap());
        }
    });
    let pool = pool(limits());
    for _ in 0..2 {
        let within = Duration::from_millis(50);
        let error = pool.call(&target(&address), Topic::Core, b"x".to_vec(), within).await.unwrap_err();
        assert!(matches!(error, CallError::TimedOut(_)), "{error}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 2, "the second question went over a new connection");
    mute.abort();
}

#[tokio::test]
async fn no_more_than_the_bound_is_under_way() {
    let tight = Limits { in_flight: 3, ..limits() };
    let side = side("127.0.0.1:0", tight).await;
    let pool = pool(limits());
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (pool, at) = (Arc::clone(&pool), side.address.clone());
            tokio::spawn(async move { ask(&pool, &at, b"wait").await })
        })
        .collect();
    for _ in 0..200 {
        side.handler.go.notify_waiters();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(side.handler.most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn garbage_ends_a_connection_and_nothing_else() {
    let side = side("127.0.0.1:0", limits()).await;
    for garbage in
        [&b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"[..], b"\0\0\0\x0a\x02\x01\0\0\0\0\0\0\0\x01"]
    {
        let mut stream = TcpStream::connect(&side.address).await.unwrap();
        let mut hello = vec![1; 32];
        hello.extend([1, 0, 1]);
        stream.write_all(&hello).await.unwrap();
        let mut answer = [0; 35];
        stream.read_exact(&mut answer).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        let ended = tokio::time::timeout(LONG, stream.read(&mut [0; 1])).await.unwrap();
        assert!(!matches!(ended, Ok(1..)), "nothing is answered");
    }
    assert_eq!(ask(&pool(limits()), &side.address, b"ab").await.unwrap(), b"ba");
    assert_eq!(side.handler.most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_silent_or_slow_caller_is_let_go() {
    let hasty = Limits { idle: Duration::from_millis(60), frame: Duration::from_millis(60), ..limits() };
    let side = side("127.0.0.1:0", hasty).await;
    for begun in [&b""[..], b"\0\0\0\x10\x01"] {
        let mut stream = TcpStream::connect(&side.address).await.unwrap();
        let mut hello = vec![1; 32];
        hello.extend([1, 0, 1]);
        stream.write_all(&hello).await.unwrap();
        stream.read_exact(&mut [0; 35]).await.unwrap();
        stream.write_all(begun).await.unwrap();
        let ended = tokio::time::timeout(LONG, stream.read(&mut [0; 1])).await.unwrap();
        assert!(!matches!(ended, Ok(1..)));
    }
}
