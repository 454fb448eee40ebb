//! Medians over rounds, and medians of the rounds' ratios.

use std::collections::BTreeMap;

use crate::load::Load;

/// What one system did in one round: writes/s, p50, p99, flushes a write.
type Row = [f64; 4];

pub(crate) struct Table {
    names: Vec<&'static str>,
    /// By clients, then system, then round.
    rows: BTreeMap<usize, Vec<Vec<Row>>>,
}

impl Table {
    pub(crate) fn new(names: Vec<&'static str>) -> Self {
        Self { names, rows: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, system: usize, clients: usize, load: &Load) {
        let rows = self.rows.entry(clients).or_insert_with(|| vec![Vec::new(); self.names.len()]);
        let (p50, p99) = (load.percentile(0.5), load.percentile(0.99));
        rows[system].push([load.per_second(), p50, p99, load.flushes_a_write()]);
    }

    pub(crate) fn print(&self) {
        println!(
            "clients  system        writes/s    p50 ms    p99 ms  flushes a write (leader)   least..most writes/s over the rounds"
        );
        for (clients, systems) in &self.rows {
            for (name, rounds) in self.names.iter().zip(systems) {
                let column = |which: usize| median(rounds.iter().map(|row| row[which]).collect());
                let (least, most) =
                    rounds.iter().fold((f64::MAX, 0.0_f64), |(l, m), r| (l.min(r[0]), m.max(r[0])));
                let [rate, p50, p99, flushes] = [0, 1, 2, 3].map(column);
                println!(
                    "{clients:>7}  {name:<10} {rate:>11.0} {p50:>9.2} {p99:>9.2} {flushes:>25.3}   {least:.0}..{most:.0}"
                );
            }
            if let ([first, second], [a, b]) = (self.names.as_slice(), systems.as_slice()) {
                let ratio =
                    |which: usize| median(a.iter().zip(b).map(|(a, b)| b[which] / a[which]).collect());
                let [rate, p50, p99] = [0, 1, 2].map(ratio);
                println!(
                    "{clients:>7}  {second} / {first}: writes/s {rate:.2}x, p50 {p50:.2}x, p99 {p99:.2}x"
                );
            }
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
