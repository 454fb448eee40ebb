//! Closed loops: every client waits for its answer before it writes again.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::task::JoinSet;

use crate::Outcome;

/// Bytes of a value.
pub(crate) const VALUE: usize = 200;

/// Keys that a client writes, over and over: a store that grows by overwriting, on both sides.
const KEYS: u64 = 1000;

/// Something that takes writes.
pub(crate) trait System: Send + Sync {
    fn name(&self) -> &'static str;
    /// Its processes, the leader first.
    fn processes(&self) -> Vec<u32>;
    /// How often the leader has asked its disk to be sure, by its own count.
    fn flushes(&self) -> Outcome<f64>;
    /// As many writers, connected.
    fn writers(&self, clients: usize) -> BoxFuture<'_, Outcome<Vec<Box<dyn Writer>>>>;
}

/// One client.
pub(crate) trait Writer: Send {
    /// Writes, and returns when it is acknowledged.
    fn write<'a>(&'a mut self, key: &'a str, value: &'a str) -> BoxFuture<'a, Outcome<()>>;
}

/// What came of one slice.
pub(crate) struct Load {
    pub(crate) writes: u64,
    pub(crate) took: Duration,
    /// The leader's flushes meanwhile.
    flushes: f64,
    /// Sorted.
    latencies: Vec<Duration>,
}

impl Load {
    /// So many clients for so long.
    pub(crate) async fn run(system: &dyn System, clients: usize, slice: Duration) -> Outcome<Self> {
        let writers = system.writers(clients).await?;
        let mut loops = JoinSet::new();
        let before = system.flushes()?;
        let start = Instant::now();
        for (number, mut writer) in writers.into_iter().enumerate() {
            loops.spawn(async move {
                let mut latencies = Vec::with_capacity(4096);
                let mut count = 0_u64;
                while start.elapsed() < slice {
                    let (key, value) = (format!("client{number}/key{}", count % KEYS), value(number, count));
                    let asked = Instant::now();
                    writer.write(&key, &value).await?;
                    latencies.push(asked.elapsed());
                    count += 1;
                }
                Outcome::Ok(latencies)
            });
        }
        let mut latencies = Vec::new();
        while let Some(ended) = loops.join_next().await {
            latencies.extend(ended??);
        }
        let took = start.elapsed();
        latencies.sort_unstable();
        let flushes = system.flushes()? - before;
        Ok(Self { writes: latencies.len() as u64, took, flushes, latencies })
    }

    pub(crate) fn flushes_a_write(&self) -> f64 {
        self.flushes / self.writes as f64
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.writes as f64 / self.took.as_secs_f64()
    }

    /// The latency below which this part of the writes lies, in milliseconds.
    pub(crate) fn percentile(&self, part: f64) -> f64 {
        let index = (self.latencies.len() as f64 * part) as usize;
        self.latencies
            .get(index.min(self.latencies.len().saturating_sub(1)))
            .map_or(0.0, |l| l.as_secs_f64() * 1e3)
    }
}

/// 200 bytes that differ from write to write, printable so that they mean the same in JSON.
fn value(client: usize, count: u64) -> String {
    let mut state = ((client as u64) << 40) ^ count ^ 0x9e37_79b9_7f4a_7c15;
    (0..VALUE)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'a' + (state >> 59) as u8 % 26)
        })
        .collect()
}
