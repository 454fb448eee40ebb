//! Askers who hold on: slow heads, slow bodies, slow readers, too many of them, too fast.

use std::time::{Duration, Instant};

use hallmark_committee::http::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::fake::{Fake, start_with};
use super::raw::{exchange, get, parse, request};

const CLIENT: &str = "0707070707070707070707070707070707070707070707070707070707070707";

fn tight() -> Limits {
    let mut limits = Limits::default();
    limits.head_time = Duration::from_millis(300);
    limits.body_time = Duration::from_millis(300);
    limits.stall = Duration::from_millis(400);
    limits.connections = 4;
    limits
}

#[tokio::test]
async fn slow_heads_and_bodies_are_cut_off() {
    let fake = Fake::new();
    let address = start_with(&fake, tight()).await;
    let start = Instant::now();
    let mut drip = TcpStream::connect(address).await.unwrap();
    drip.write_all(b"GET /status HTTP/1.1\r\nhost:").await.unwrap();
    let mut rest = Vec::new();
    drip.read_to_end(&mut rest).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    let slow = format!(
        "POST /submit/pairs HTTP/1.1\r\nhost: m\r\nhallmark-client: {CLIENT}\r\nhallmark-nonce: 1\r\ncontent-length: 40\r\n\r\n{{"
    );
    let answer = parse(&exchange(address, slow.as_bytes()).await);
    assert_eq!((answer.status, answer.json()["code"].as_str().unwrap()), (408, "slow-body"));
}

#[tokio::test]
async fn an_oversized_announcement_is_refused_unread_and_a_large_head_cut() {
    let fake = Fake::new();
    let address = start_with(&fake, tight()).await;
    let announced = format!(
        "POST /submit/pairs HTTP/1.1\r\nhost: m\r\nhallmark-client: {CLIENT}\r\nhallmark-nonce: 1\r\ncontent-length: 99999999999\r\n\r\n"
    );
    let start = Instant::now();
    assert_eq!(parse(&exchange(address, announced.as_bytes()).await).status, 413);
    assert!(start.elapsed() < Duration::from_secs(2));
    // Without an announcement: cut at the limit.
    let mut chunked = format!(
        "POST /submit/pairs HTTP/1.1\r\nhost: m\r\nhallmark-client: {CLIENT}\r\nhallmark-nonce: 1\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for _ in 0..40 {
        chunked.extend(b"1000\r\n");
        chunked.extend([b'x'; 0x1000]);
        chunked.extend(b"\r\n");
    }
    let answer = exchange(address, &chunked).await;
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
    let large = format!("GET /status HTTP/1.1\r\nhost: m\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    assert!(!String::from_utf8_lossy(&exchange(address, large.as_bytes()).await).contains("200 OK"));
    assert_eq!(fake.size(), 4);
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_places_come_back() {
    let fake = Fake::new();
    let address = start_with(&fake, tight()).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /status HTTP/1.1\r\n").await.unwrap();
        held.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let refused = parse(&exchange(address, b"").await);
    assert_eq!((refused.status, refused.json()["code"].as_str().unwrap()), (503, "too-many-connections"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(get(address, "/status").await.status, 200);
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_dropped() {
    let fake = Fake::new();
    let value = "v".repeat(4000);
    for nonce in 0..2000 {
        fake.put(nonce, "a", &value);
    }
    let mut limits = tight();
    limits.followers = 1;
    let address = start_with(&fake, limits).await;
    // 8 MB to come, and nobody takes it: more than the sockets' buffers hold.
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..100 {
        if get(address, "/entries?limit=1").await.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stream.write_all(b"GET /streams/pairs?follow=1 HTTP/1.1\r\nhost: m\r\n\r\n").await.unwrap();
    let mut freed = false;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let text = String::from_utf8(get(address, "/metrics").await.body).unwrap();
        // Its own connection only.
        freed = text.contains("hallmark_http_connections 1\n");
        if freed {
            break;
        }
    }
    assert!(freed, "the slow reader still holds its place");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "a cut stream must not look complete");
}

#[tokio::test]
async fn rates_hold_for_addresses_and_clients() {
    let fake = Fake::new();
    let mut limits = Limits::default();
    (limits.rate_of_address, limits.burst_of_address) = (1, 5);
    (limits.rate_of_client, limits.burst_of_client) = (1, 2);
    let address = start_with(&fake, limits).await;
    let submit = async |client: &str, nonce: u64| {
        let nonce = nonce.to_string();
        let headers = [("hallmark-client", client), ("hallmark-nonce", nonce.as_str())];
        let body = b"{\"op\":\"put\",\"key\":\"a\",\"value\":\"b\"}";
        let answer = request(address, "POST", "/submit/pairs", &headers, body).await;
        (answer.status, String::from_utf8(answer.body).unwrap())
    };
    let other = "08".repeat(32);
    assert_eq!(submit(CLIENT, 1).await.0, 200);
    assert_eq!(submit(CLIENT, 2).await.0, 200);
    let (status, body) = submit(CLIENT, 3).await;
    assert!(status == 429 && body.contains("client"), "{status} {body}");
    assert_eq!(submit(&other, 1).await.0, 200, "another client is not held up");
    let mut last = (0, String::new());
    for nonce in 2..6 {
        last = submit(&"09".repeat(32), nonce).await;
    }
    assert!(last.0 == 429 && last.1.contains("address"), "{last:?}");
    assert_eq!(get(address, "/status").await.status, 200, "reads are not writes");
}

#[tokio::test]
async fn header_bombs_are_cut_off_and_the_next_asker_is_served() {
    let fake = Fake::new();
    let address = start_with(&fake, tight()).await;
    let head = |fields: String| format!("GET /status HTTP/1.1\r\nhost: m\r\n{fields}\r\n");
    let many: String = (0..60).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long_name = format!("{}: 1\r\n", "n".repeat(60_000));
    let long_target = format!("GET /{} HTTP/1.1\r\nhost: m\r\n\r\n", "a".repeat(60_000));
    for (bomb, read) in [(head(many), true), (head(long_name), false), (long_target, false)] {
        let answer = exchange(address, bomb.as_bytes()).await;
        let text = String::from_utf8_lossy(&answer);
        // What was not read of a bomb may have the connection reset before its answer is seen.
        let lost = !read && text.is_empty();
        assert!(lost || text.starts_with("HTTP/1.1 431 "), "{text}");
        assert_eq!(get(address, "/status").await.status, 200);
    }
    // As many as are taken.
    let fields: String = (0..40).map(|n| format!("x-{n}: 1\r\n")).collect();
    let fields = format!("connection: close\r\n{fields}");
    assert_eq!(parse(&exchange(address, head(fields).as_bytes()).await).status, 200);
}

/// The bytes of a body that was refused unread are never taken for a request.
#[tokio::test]
async fn what_follows_a_refusal_is_a_request_only_where_the_body_before_it_ended() {
    let fake = Fake::new();
    let address = start_with(&fake, tight()).await;
    let hidden = format!(
        "POST /submit/pairs HTTP/1.1\r\nhost: m\r\nhallmark-client: {CLIENT}\r\nhallmark-nonce: 1\r\ncontent-length: 36\r\n\r\n\
         {{\"op\":\"put\",\"key\":\"a\",\"value\":\"x\"}}"
    );
    let last = "GET /roster HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n";
    let of = |target: &str, headers: &str| {
        format!(
            "POST {target} HTTP/1.1\r\nhost: m\r\n{headers}content-length: {}\r\n\r\n{hidden}{last}",
            hidden.len()
        )
    };
    let large = format!("hallmark-client: {CLIENT}\r\nhallmark-nonce: 1\r\n");
    for (piped, code) in [
        (of("/submit/nothing", &large), "unknown-surface"),
        (of("/submit/pairs", ""), "malformed"),
        (of("/status", ""), "bad-method"),
        (of("/nowhere", ""), "not-found"),
    ] {
        let answer = exchange(address, piped.as_bytes()).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(text.contains(&format!("\"code\":\"{code}\"")), "{text}");
        assert_eq!(
            text.matches("HTTP/1.1 ").count(),
            1 + text.matches("\"members\"").count(),
            "{code}: {text}"
        );
        assert!(!text.contains("committed"), "{code}: {text}");
    }
    // Cut for its size: the connection ends there.
    let announced = format!(
        "POST /submit/pairs HTTP/1.1\r\nhost: m\r\n{large}content-length: 99999999\r\n\r\n{hidden}{last}"
    );
    let answer = exchange(address, announced.as_bytes()).await;
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 413") && text.matches("HTTP/1.1 ").count() == 1, "{text}");
    // Two lengths, or a length and chunks: none of them is believed.
    for framing in
        ["content-length: 5\r\ncontent-length: 6\r\n", "content-length: 5\r\ntransfer-encoding: chunked\r\n"]
    {
        let two = format!("POST /submit/pairs HTTP/1.1\r\nhost: m\r\n{large}{framing}\r\n0\r\n\r\n{hidden}");
        let answer = exchange(address, two.as_bytes()).await;
        assert!(!String::from_utf8_lossy(&answer).contains("committed"), "{framing}");
    }
    assert_eq!(fake.size(), 4, "nothing was ordered");
}
