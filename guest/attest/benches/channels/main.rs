//! What attestation costs, beside plain TLS in the same run.
//!
//! `cargo bench -p hallmark-attest --bench channels`: a minute or so. Handshakes over loopback TCP, one after the other, both
//! sides in this process:
//!
//! - TLS 1.3 with Ed25519 certificates and a byte each way after it, with a client's certificate (mutual) and without (server-only);
//! - channels with hellos, 20 kB for a proof, acceptance, and a judge that only says yes: what the protocol itself costs;
//! - channels with evidence that is made for each session and judged by the verifier, as members and laptops have them.
//!
//! **The evidence is SIMULATED and there is no quote latency in it**, which on hardware is what takes longest. In its place stands
//! the forge, whose time is printed on its own. The ways take turns, round by round; printed are medians of rounds, ratios of
//! them, and the bytes that one handshake puts into each direction of the connection. Then throughput one way: TLS, and a channel.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]
#![allow(clippy::cast_possible_truncation, clippy::cast_lossless, clippy::cast_sign_loss, unreachable_pub)]

mod attested;
mod counted;
mod plain;
#[allow(dead_code, reason = "the tests' world: not all of it serves here")]
#[path = "../../tests/world.rs"]
mod world;

use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use attested::Attested;
use counted::Wire;
use plain::Plain;

const ROUNDS: usize = 31;
const HANDSHAKES: usize = 12;
const BYTES: usize = 32 << 20;
const CHUNKS: [usize; 3] = [256, 16 << 10, 256 << 10];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    println!("evidence is SIMULATED: no quote latency. Median of {ROUNDS} rounds that take turns.");
    handshakes().await;
    parts();
    for chunk in CHUNKS {
        throughput(chunk).await;
    }
}

/// A way to get from a TCP connection to one that bytes go through.
enum Way {
    Plain(Plain),
    Attested(Box<Attested>),
}

impl Way {
    async fn handshake(&self, wire: &Wire) {
        match self {
            Self::Plain(way) => drop(way.pair(wire).await),
            Self::Attested(way) => drop(way.pair(wire).await),
        }
    }
}

async fn handshakes() {
    let ways = [
        ("server-only: TLS 1.3, the server's certificate", Way::Plain(Plain::new(false))),
        ("  channel; a hollow proof, a judge that says yes", Way::Attested(Attested::hollow(false).into())),
        ("  channel; the server's evidence made and judged", Way::Attested(Attested::judged(false).into())),
        ("mutual: TLS 1.3, certificates on both sides", Way::Plain(Plain::new(true))),
        ("  channel; hollow proofs, judges that say yes", Way::Attested(Attested::hollow(true).into())),
        ("  channel; both sides' evidence made and judged", Way::Attested(Attested::judged(true).into())),
    ];
    let mut times = [const { Vec::new() }; 6];
    // The first round warms up.
    for round in 0..=ROUNDS {
        for ((_, way), times) in ways.iter().zip(&mut times) {
            let start = Instant::now();
            for _ in 0..HANDSHAKES {
                way.handshake(&Wire::default()).await;
            }
            if round > 0 {
                times.push(start.elapsed().as_secs_f64() / HANDSHAKES as f64);
            }
        }
    }
    println!(
        "\nhandshakes, one after the other                        time      rate   ratio    bytes up/down"
    );
    let mut plain = 0.0;
    for ((name, way), times) in ways.iter().zip(times) {
        let time = median(times);
        if matches!(way, Way::Plain(_)) {
            plain = time;
        }
        let wire = Wire::default();
        way.handshake(&wire).await;
        println!(
            "{name:<50} {:6.0} us {:6.0} /s  x{:5.2} {:>8}/{}",
            time * 1e6,
            1.0 / time,
            time / plain,
            wire.up(),
            wire.down()
        );
    }
}

/// What the simulation itself takes, so that it can be told from what a real machine would.
fn parts() {
    let world = world::World::new();
    let prover = world::honest_td();
    let (mut make, mut judge) = (Vec::new(), Vec::new());
    let mut size = 0;
    for _ in 0..=ROUNDS {
        let (start, binding) = (Instant::now(), [7; 64]);
        let evidence = prover.evidence(&binding).unwrap();
        make.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        hallmark_attest::Judge::judge(&*world.judge, &evidence, &binding).unwrap();
        judge.push(start.elapsed().as_secs_f64());
        size = evidence.len();
    }
    println!(
        "\nof which, for one side: making the forged evidence {:.0} us, judging it (known platform) {:.0} us; {size} bytes\n",
        median(make) * 1e6,
        median(judge) * 1e6
    );
}

async fn throughput(chunk: usize) {
    let wire = Wire::default();
    let (mut client, mut server) = Plain::new(true).pair(&wire).await;
    let (mut near, mut far) = Attested::hollow(true).pair(&wire).await;
    let bytes = if chunk < 1024 { BYTES / 16 } else { BYTES };
    let mut rounds = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let times = [
            carry(&mut client, &mut server, chunk, bytes).await,
            carry(&mut near, &mut far, chunk, bytes).await,
        ];
        for (all, time) in rounds.iter_mut().zip(times).filter(|_| round > 0) {
            all.push(time);
        }
    }
    let [plain, channel] = rounds.map(median);
    let rate = |time: f64| bytes as f64 / time / 1e6;
    println!(
        "throughput, writes of {chunk:>6} bytes: TLS {:6.0} MB/s, channel {:6.0} MB/s, ratio {:.3}",
        rate(plain),
        rate(channel),
        plain / channel
    );
}

async fn carry(
    from: &mut (impl AsyncWrite + Unpin),
    to: &mut (impl AsyncRead + Unpin),
    chunk: usize,
    bytes: usize,
) -> f64 {
    let (block, mut buffer) = (vec![7; chunk], vec![0; 256 << 10]);
    let start = Instant::now();
    let write = async {
        for _ in 0..bytes / chunk {
            from.write_all(&block).await.unwrap();
        }
        from.flush().await.unwrap();
    };
    let read = async {
        let mut left = bytes / chunk * chunk;
        while left > 0 {
            left -= to.read(&mut buffer).await.unwrap();
        }
    };
    tokio::join!(write, read);
    start.elapsed().as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
