//! What the surface counts, as Prometheus text (exposition format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::{Counters, Role, Status};

/// Upper bounds of latency, in microseconds.
const LATENCY: [u64; 12] =
    [500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 20_000_000];
/// Upper bounds of a submission's bytes.
const BYTES: [u64; 6] = [64, 256, 1024, 4096, 16_384, 65_536];
/// Different codes that are counted apart; our own are fewer, so an asker cannot grow this table.
const MAX_LABELS: usize = 96;

/// Counters of one surface.
#[derive(Default)]
pub struct Metrics {
    pub(crate) connections: AtomicUsize,
    pub(crate) followers: AtomicUsize,
    waiting: AtomicUsize,
    accepted: AtomicU64,
    requests: Labels,
    outcomes: Labels,
    refusals: Labels,
    latency: Histogram<12>,
    bytes: Histogram<6>,
}

/// A submission that waits for its quorum.
pub(crate) struct Waits<'m>(&'m AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// A family of counters with one label.
#[derive(Default)]
struct Labels(Mutex<BTreeMap<String, u64>>);

impl Labels {
    fn count(&self, label: &str) {
        let mut of = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match of.get_mut(label) {
            Some(count) => *count += 1,
            None => {
                let label = if of.len() < MAX_LABELS { label } else { "other" };
                *of.entry(label.to_owned()).or_default() += 1;
            }
        }
    }

    fn write(&self, text: &mut String, name: &str, help: &str, label: &str) {
        head(text, name, "counter", help);
        let of = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (value, count) in of.iter() {
            line(text, format_args!("{name}{{{label}=\"{}\"}} {count}", escape(value)));
        }
    }
}

/// Counts of observations up to each bound, and above all of them.
struct Histogram<const N: usize> {
    counts: [AtomicU64; N],
    above: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        let counts = std::array::from_fn(|_| AtomicU64::new(0));
        Self { counts, above: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }
}

impl<const N: usize> Histogram<N> {
    fn observe(&self, bounds: &[u64; N], value: u64) {
        let place = bounds.iter().zip(&self.counts).find(|(bound, _)| value <= **bound);
        place.map_or(&self.above, |(_, count)| count).fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// `show` turns a bound or a sum into the metric's unit.
    fn write(&self, text: &mut String, name: &str, help: &str, bounds: &[u64; N], show: fn(u64) -> String) {
        head(text, name, "histogram", help);
        let mut total = 0;
        for (bound, count) in bounds.iter().zip(&self.counts) {
            total += count.load(Relaxed);
            line(text, format_args!("{name}_bucket{{le=\"{}\"}} {total}", show(*bound)));
        }
        total += self.above.load(Relaxed);
        line(text, format_args!("{name}_bucket{{le=\"+Inf\"}} {total}"));
        line(text, format_args!("{name}_sum {}", show(self.sum.load(Relaxed))));
        line(text, format_args!("{name}_count {total}"));
    }
}

impl Metrics {
    /// Counts one until it is dropped.
    pub(crate) fn wait(&self) -> Waits<'_> {
        self.waiting.fetch_add(1, Relaxed);
        Waits(&self.waiting)
    }

    pub(crate) fn connection(&self) {
        self.accepted.fetch_add(1, Relaxed);
    }

    pub(crate) fn request(&self, route: &'static str) {
        self.requests.count(route);
    }

    pub(crate) fn refusal(&self, code: &str) {
        self.refusals.count(code);
    }

    /// One submission that was answered: `outcome` is committed, rejected, invalid, refused or unclear.
    pub(crate) fn submission(&self, outcome: &'static str, bytes: usize, took: Duration) {
        self.outcomes.count(outcome);
        self.latency.observe(&LATENCY, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.bytes.observe(&BYTES, bytes as u64);
    }

    /// The text, with what the member says of itself.
    #[must_use]
    pub fn text(&self, status: &Status, counters: &Counters) -> String {
        let mut text = String::with_capacity(4096);
        self.requests.write(&mut text, "hallmark_http_requests_total", "Requests by route.", "route");
        self.refusals.write(&mut text, "hallmark_http_refused_total", "Requests refused, by code.", "code");
        self.outcomes.write(&mut text, "hallmark_submissions_total", "Submissions by outcome.", "outcome");
        self.latency.write(
            &mut text,
            "hallmark_submission_seconds",
            "Time from a submission's last byte to its answer under a quorum's cosignatures.",
            &LATENCY,
            seconds,
        );
        self.bytes.write(&mut text, "hallmark_submission_bytes", "Size of submissions.", &BYTES, |bytes| {
            bytes.to_string()
        });
        counter(
            &mut text,
            "hallmark_http_connections_total",
            "Connections taken.",
            self.accepted.load(Relaxed),
        );
        let gauges = [
            ("hallmark_http_connections", "Connections now.", self.connections.load(Relaxed) as u64),
            (
                "hallmark_http_followers",
                "Readers that follow a stream now.",
                self.followers.load(Relaxed) as u64,
            ),
            (
                "hallmark_submissions_waiting",
                "Submissions that wait for their quorum now.",
                self.waiting.load(Relaxed) as u64,
            ),
            ("hallmark_ledger_size", "Entries that this member has applied.", status.applied),
            (
                "hallmark_cosigned_size",
                "Entries under the newest checkpoint that a quorum cosigned.",
                status.cosigned,
            ),
            (
                "hallmark_cosign_lag_entries",
                "Entries applied here and not yet under a quorum's cosignatures.",
                status.applied.saturating_sub(status.cosigned),
            ),
            ("hallmark_raft_term", "Term of the order.", status.term),
            ("hallmark_epoch", "Epoch of the committee.", status.epoch),
            ("hallmark_recoveries", "Recoveries so far.", status.recoveries),
            ("hallmark_slot", "This member's slot.", u64::from(status.slot)),
            ("hallmark_node", "This member's node id.", status.node),
            (
                "hallmark_fault",
                "1 where this member has stopped cosigning.",
                u64::from(status.fault.is_some()),
            ),
            (
                "hallmark_counts",
                "1 where this member votes and may cosign; 0 while it joins, and after a fault.",
                u64::from(status.lacks.is_none() && status.fault.is_none()),
            ),
            (
                "hallmark_disk_full",
                "1 while the disk has no room for the order's log: writes are refused, reads go on.",
                u64::from(status.full.is_some()),
            ),
            ("hallmark_retired", "1 where the committee has retired.", u64::from(status.retired.is_some())),
        ];
        for (name, help, value) in gauges {
            head(&mut text, name, "gauge", help);
            line(&mut text, format_args!("{name} {value}"));
        }
        head(&mut text, "hallmark_role", "gauge", "1 for the role that this member has.");
        for (role, word) in [
            (Role::Learner, "learner"),
            (Role::Follower, "follower"),
            (Role::Candidate, "candidate"),
            (Role::Leader, "leader"),
            (Role::Stopped, "stopped"),
        ] {
            line(
                &mut text,
                format_args!("hallmark_role{{role=\"{word}\"}} {}", u8::from(status.role == role)),
            );
        }
        let counted = [
            ("hallmark_proposals_total", "Proposals that this member ordered as leader.", counters.proposed),
            ("hallmark_proposals_lost_total", "Proposals lost in elections.", counters.lost),
            ("hallmark_batches_total", "Raft entries that they were coalesced into.", counters.batches),
            ("hallmark_batches_applied_total", "Raft entries applied.", counters.applied_batches),
            ("hallmark_syncs_total", "Times that the store called the disk's sync.", counters.syncs),
            ("hallmark_cosignatures_total", "Cosignatures made.", counters.signatures),
            ("hallmark_cosignatures_verified_total", "Cosignatures of others verified.", counters.verified),
            ("hallmark_checkpoints_total", "Checkpoints under a quorum.", counters.checkpoints),
        ];
        for (name, help, value) in counted {
            counter(&mut text, name, help, value);
        }
        text
    }
}

fn counter(text: &mut String, name: &str, help: &str, value: u64) {
    head(text, name, "counter", help);
    line(text, format_args!("{name} {value}"));
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{arguments}");
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status {
            epoch: 1,
            recoveries: 0,
            node: 3,
            slot: 2,
            role: Role::Leader,
            term: 4,
            leader: Some(3),
            applied: 12,
            signed: 12,
            cosigned: 9,
            stored: 12,
            ledger: None,
            full: None,
            roster: BTreeMap::new(),
            voters: vec![3],
            retired: None,
            unvouched: None,
            lacks: None,
            fault: None,
            equivocations: Vec::new(),
        }
    }

    #[test]
    fn histograms_are_cumulative_and_labels_bounded() {
        let metrics = Metrics::default();
        metrics.submission("committed", 200, Duration::from_micros(800));
        metrics.submission("committed", 70_000, Duration::from_secs(30));
        for code in 0..1000 {
            metrics.refusal(&format!("code-{code}"));
        }
        let text = metrics.text(&status(), &Counters::default());
        for expected in [
            "hallmark_submission_seconds_bucket{le=\"0.000500\"} 0\n",
            "hallmark_submission_seconds_bucket{le=\"0.001000\"} 1\n",
            "hallmark_submission_seconds_bucket{le=\"20.000000\"} 1\n",
            "hallmark_submission_seconds_bucket{le=\"+Inf\"} 2\n",
            "hallmark_submission_seconds_sum 30.000800\n",
            "hallmark_submission_seconds_count 2\n",
            "hallmark_submission_bytes_sum 70200\n",
            "hallmark_submissions_total{outcome=\"committed\"} 2\n",
            "# TYPE hallmark_submission_seconds histogram\n",
            "# TYPE hallmark_cosign_lag_entries gauge\n",
            "hallmark_cosign_lag_entries 3\n",
            "hallmark_http_refused_total{code=\"other\"} 904\n",
            "hallmark_role{role=\"leader\"} 1\n",
        ] {
            assert!(text.contains(expected), "{expected:?} in {text}");
        }
        // Each family once, with its type before its samples.
        let mut types: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let all = types.len();
        types.sort_unstable();
        types.dedup();
        assert_eq!(types.len(), all);
    }
}
