//! How often each process asks its disk to be sure, counted by strace from outside, so that both sides are counted by the same rule.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Outcome;
use crate::load::{Load, System};

/// One pass under strace: fsyncs a commit, in each process.
pub(crate) async fn print(system: &dyn System, clients: usize, slice: Duration) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let mut tracers = Vec::new();
    for process in system.processes() {
        let count = folder.path().join(process.to_string());
        let tracer = Command::new("strace")
            .args(["-f", "-qq", "-c", "-e", "trace=fsync,fdatasync,msync,sync_file_range", "-o"])
            .arg(&count)
            .args(["-p", &process.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match tracer {
            Ok(tracer) => tracers.push((tracer, count)),
            Err(error) => {
                println!("skipped: fsyncs are not counted: strace: {error}");
                return Ok(());
            }
        }
    }
    // strace has attached when it has: there is no word from it.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let load = Load::run(system, clients, slice).await?;
    let mut counts = Vec::new();
    for (mut tracer, count) in tracers {
        Command::new("kill").args(["-INT", &tracer.id().to_string()]).status()?;
        tracer.wait()?;
        counts.push(calls(&std::fs::read_to_string(count)?));
    }
    let counts: Vec<String> =
        counts.iter().map(|calls| format!("{:.3}", *calls as f64 / load.writes as f64)).collect();
    println!(
        "fsyncs a commit, {clients} clients, {}: leader {}, followers {} ({} writes under strace)",
        system.name(),
        counts.first().map_or("?", String::as_str),
        counts.get(1..).unwrap_or_default().join(" and "),
        load.writes
    );
    Ok(())
}

/// The calls in strace's summary: `% time  seconds  usecs/call  calls  [errors]  syscall`.
fn calls(summary: &str) -> u64 {
    let row = |line: &str| -> Option<u64> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let name = fields.last()?;
        ["fsync", "fdatasync", "msync", "sync_file_range"]
            .contains(name)
            .then(|| fields.get(3)?.parse().ok())?
    };
    summary.lines().filter_map(row).sum()
}
