//! Writes of 200 bytes from 1, 16 and 256 clients, each waiting for its answer before it asks again: a committee of three and an
//! etcd of three, on one machine and one disk, by turns.
//!
//! `scripts/bench-committee`, or `cargo bench -p hallmark-committee --bench beside_etcd -- --help`. Wants etcd 3.4 (Debian's `etcd-server`)
//! and, for the count of fsyncs, strace. Both sides fsync; both have three processes on loopback and one closed loop per client; both are
//! asked at their leader. etcd is asked by gRPC over HTTP/2, several clients a connection (what its own benchmark does, and its best);
//! its members speak plain TCP. The committee is asked through its own client library, which checks every receipt and
//! sends together what is more than 16 writes at a time; its members speak over attested channels
//! (the evidence is SIMULATED, so no quote's latency is in it; a quote is asked for at connection and re-attestation, not for a write).
//!
//! What is printed are medians over rounds in which the two took turns, and medians of the rounds' ratios: on a machine that does other work as well, the
//! ratios are what means something. Flushes a write are the leaders' own counts in these rounds; strace counts all processes' from outside in a pass of its own, in which both
//! are much slower, and so gather less.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]

mod committee;
mod etcd;
mod fsyncs;
mod grpc;
mod load;
mod metrics;
mod options;
mod table;

use std::error::Error;

use load::{Load, System};
use options::Options;
use table::Table;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let Some(options) = Options::from_arguments()? else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build()?;
    runtime.block_on(bench(&options))
}

async fn bench(options: &Options) -> Outcome<()> {
    let mut systems: Vec<Box<dyn System>> = Vec::new();
    if options.wants("etcd") {
        match etcd::Cluster::start(&options.data).await? {
            Some(cluster) => systems.push(Box::new(cluster)),
            None => println!("skipped: no etcd (apt-get install etcd-server)"),
        }
    }
    if options.wants("committee") {
        if options.mint.is_file() {
            systems.push(Box::new(committee::Cluster::start(&options.data, &options.mint).await?));
        } else {
            println!("skipped: no {} (cargo build --release -p hallmark-mint)", options.mint.display());
        }
    }
    let mut table = Table::new(systems.iter().map(|system| system.name()).collect());
    for round in 0..=options.rounds {
        for &clients in &options.clients {
            // Who goes first changes from round to round.
            for turn in 0..systems.len() {
                let which = (turn + round) % systems.len();
                let load = Load::run(systems[which].as_ref(), clients, options.slice).await?;
                // The first round warms up: connections, page cache, first segments of logs.
                if round > 0 {
                    table.add(which, clients, &load);
                }
            }
            eprint!(".");
        }
    }
    eprintln!();
    table.print();
    for system in &systems {
        for &clients in &options.clients {
            fsyncs::print(system.as_ref(), clients, options.slice).await?;
        }
    }
    Ok(())
}
