//! A child process that is ours: started, listened to, waited for, ended.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::programs;

/// Why a child is not there or did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot start {program:?}")]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It said no.
    #[error("{name} ended with {status}: {output}")]
    Failed {
        /// The program's role.
        name: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// It ran for too long and was ended.
    #[error("{name} did not end within {} s: {output}", limit.as_secs())]
    TimedOut {
        /// The program's role.
        name: &'static str,
        /// How long it had.
        limit: Duration,
        /// The end of what it printed.
        output: String,
    },
}

/// A running child. Dropping it ends the child.
///
/// The child also ends when this whole process does, however that happens, if `setpriv` (util-linux) is
/// there to ask the kernel for it (`PR_SET_PDEATHSIG`, prctl(2)).
#[derive(Debug)]
pub struct Supervised {
    name: &'static str,
    pid: Pid,
    exit: Arc<Watched<Option<ExitStatus>>>,
    output: Arc<Watched<Output>>,
}

#[derive(Debug, Default)]
struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done` or for `limit`, whichever is first.
    fn wait(&self, limit: Duration, mut done: impl FnMut(&T) -> bool) -> MutexGuard<'_, T> {
        let guard = self.lock();
        match self.changed.wait_timeout_while(guard, limit, |value| !done(value)) {
            Ok((guard, _)) => guard,
            Err(poisoned) => poisoned.into_inner().0,
        }
    }
}

/// The end of what a child printed, and how many of its streams are still open.
#[derive(Debug, Default)]
struct Output {
    bytes: Vec<u8>,
    open: usize,
}

impl Output {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let excess = self.bytes.len().saturating_sub(Supervised::OUTPUT);
        self.bytes.drain(..excess);
    }
}

impl Supervised {
    /// How much of a child's output is kept, in bytes.
    pub const OUTPUT: usize = 16 << 10;

    /// Starts `program` (a path, not a name to look up) with nothing on its input.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &'static str, program: &Path, args: &[OsString]) -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::Start { program: program.into(), source };
        let mut command = tied_to_us(program, args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());

        let exit: Arc<Watched<Option<ExitStatus>>> = Arc::default();
        let output: Arc<Watched<Output>> = Arc::default();
        let (started, outcome) = mpsc::sync_channel(1);
        let (theirs, printed) = (Arc::clone(&exit), Arc::clone(&output));
        // The thread that starts the child is the one that waits for it: PR_SET_PDEATHSIG is about the
        // death of the thread that forked, and this one lives as long as the child does.
        let waiter = move || match begin(&mut command, &printed) {
            Ok((child, pid)) => {
                let _ = started.send(Ok(pid));
                reap(child, pid, &theirs);
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        };
        thread::Builder::new().name(format!("wait {name}")).spawn(waiter).map_err(failed)?;
        let pid = outcome.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())).map_err(failed)?;
        Ok(Self { name, pid, exit, output })
    }

    /// The program's role, as given.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its number, as long as it runs.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exited(&self) -> Option<ExitStatus> {
        *self.exit.lock()
    }

    /// Waits for its end, for at most `limit`.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        *self.exit.wait(limit, Option::is_some)
    }

    /// The end of what it has printed on output and error, made safe to show.
    #[must_use]
    pub fn output(&self) -> String {
        // Once it is gone its last words are a moment away, unless a grandchild holds the stream open.
        let patience = if self.exited().is_some() { Duration::from_millis(300) } else { Duration::ZERO };
        let bytes = self.output.wait(patience, |output| output.open == 0).bytes.clone();
        crate::console::printable(&bytes)
    }

    /// Asks it to end (SIGTERM), waits for `grace`, then ends it (SIGKILL).
    pub fn end(&self, grace: Duration) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        self.wait(grace).or_else(|| {
            self.signal(Signal::KILL);
            self.wait(Duration::from_secs(5))
        })
    }

    /// Sends a signal, unless the child has been reaped and its number may be someone else's.
    fn signal(&self, signal: Signal) {
        let exit = self.exit.lock();
        if exit.is_none() {
            // It can only fail because the child has just ended, which is what was wanted.
            let _ = kill_process(self.pid, signal);
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if self.exited().is_none() {
            self.end(Duration::from_millis(500));
        }
    }
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started, fails, or is not done within `limit`.
pub fn run(
    name: &'static str,
    program: &Path,
    args: &[OsString],
    limit: Duration,
) -> Result<String, ProcessError> {
    let child = Supervised::start(name, program, args)?;
    match child.wait(limit) {
        Some(status) if status.success() => Ok(child.output()),
        Some(status) => Err(ProcessError::Failed { name, status, output: child.output() }),
        None => {
            child.end(Duration::from_millis(200));
            Err(ProcessError::TimedOut { name, limit, output: child.output() })
        }
    }
}

fn tied_to_us(program: &Path, args: &[OsString]) -> Command {
    let mut command = match programs::find("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.args(args);
    command
}

fn begin(command: &mut Command, output: &Arc<Watched<Output>>) -> io::Result<(Child, Pid)> {
    let mut child = command.spawn()?;
    let attached = attach(&mut child, output);
    if attached.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    attached.map(|pid| (child, pid))
}

fn attach(child: &mut Child, output: &Arc<Watched<Output>>) -> io::Result<Pid> {
    if let Some(stream) = child.stdout.take() {
        listen(stream, output)?;
    }
    if let Some(stream) = child.stderr.take() {
        listen(stream, output)?;
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Drains a stream for as long as it is open, keeping the end.
fn listen(mut stream: impl Read + Send + 'static, output: &Arc<Watched<Output>>) -> io::Result<()> {
    let kept = Arc::clone(output);
    let drain = move || {
        let mut chunk = [0; 4096];
        loop {
            match stream.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
                Ok(count) => kept.lock().add(chunk.get(..count).unwrap_or_default()),
            }
        }
        let mut closing = kept.lock();
        closing.open = closing.open.saturating_sub(1);
        kept.changed.notify_all();
    };
    output.lock().open += 1;
    thread::Builder::new().name("child output".into()).spawn(drain)?;
    Ok(())
}

/// Waits for the end without reaping, then reaps and records under the lock that signals are sent under:
/// as long as the record says "running", the number is still the child's.
fn reap(mut child: Child, pid: Pid, exit: &Watched<Option<ExitStatus>>) {
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), ended) {}
    let mut exit_status = exit.lock();
    *exit_status = child.wait().ok();
    if exit_status.is_none() {
        // Not a child any more: somebody else in this process reaped it. All we know is that it is gone.
        *exit_status = Some(std::os::unix::process::ExitStatusExt::from_raw(0xff00));
    }
    exit.changed.notify_all();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn shell(script: &str) -> Supervised {
        Supervised::start("sh", Path::new("/bin/sh"), &["-c".into(), script.into()]).unwrap()
    }

    #[test]
    fn an_exit_is_seen_with_its_last_words() {
        let child = shell("echo out; echo err >&2; exit 3");
        assert_eq!(child.wait(Duration::from_secs(5)).unwrap().code(), Some(3));
        let output = child.output();
        assert!(output.contains("out") && output.contains("err"), "{output}");
    }

    #[test]
    fn output_is_bounded_and_its_end_is_kept() {
        let child = shell("i=0; while [ $i -lt 3000 ]; do echo line $i padding; i=$((i+1)); done; echo last");
        assert!(child.wait(Duration::from_secs(10)).unwrap().success());
        let output = child.output();
        assert!(output.len() <= Supervised::OUTPUT && output.trim_end().ends_with("last"));
    }

    #[test]
    fn a_child_that_ignores_sigterm_is_ended_all_the_same() {
        let child = shell("trap '' TERM; echo set; while :; do sleep 0.05; done");
        while !child.output().contains("set") {
            thread::sleep(Duration::from_millis(5));
        }
        let started = Instant::now();
        let status = child.end(Duration::from_millis(150)).unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
        assert!(started.elapsed() >= Duration::from_millis(150));
    }

    #[test]
    fn dropping_ends_it() {
        let child = shell("exec sleep 60");
        let exit = Arc::clone(&child.exit);
        assert!(child.exited().is_none());
        drop(child);
        assert!(exit.lock().is_some());
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let gone = Path::new("/nowhere/at/all");
        // Behind setpriv the failure is setpriv's; either way it is an error and says the path.
        let error = run("gone", gone, &[], Duration::from_secs(5)).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }

    #[test]
    fn run_tells_failure_from_slowness() {
        let sh = Path::new("/bin/sh");
        let error =
            run("no", sh, &["-c".into(), "echo why; exit 1".into()], Duration::from_secs(5)).unwrap_err();
        assert!(matches!(&error, ProcessError::Failed { output, .. } if output.contains("why")), "{error}");
        let error =
            run("slow", sh, &["-c".into(), "exec sleep 60".into()], Duration::from_millis(100)).unwrap_err();
        assert!(matches!(error, ProcessError::TimedOut { .. }));
    }
}
