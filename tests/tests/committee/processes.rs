//! Three `mint committee run` on loopback, from `mint committee simulate`.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hallmark_committee::member::MemberFile;
use hallmark_tests::{Said, program, run_in};
use serde_json::Value;

/// How long anything may take, most of all while other tests run beside it.
const LONG: Duration = Duration::from_secs(60);

/// The processes; killed when dropped.
pub(super) struct Processes {
    folder: tempfile::TempDir,
    running: [Option<Child>; 3],
}

impl Processes {
    /// A committee that has begun, all of it live. `options` are those of `mint committee simulate`.
    pub(super) fn begun(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = run_in(folder.path(), "mint", &[&["committee", "simulate", "c"], options].concat());
        assert_eq!(made.code, 0, "{made:?}");
        let mut committee = Self { folder, running: [None, None, None] };
        for slot in 0..3 {
            committee.start(slot, "release.json");
        }
        let keys = committee.keys();
        let init: Vec<&str> = ["committee", "init", "committee.toml"]
            .into_iter()
            .chain(keys.iter().map(String::as_str))
            .collect();
        let deadline = Instant::now() + LONG;
        loop {
            let said = committee.mint(&init);
            match said.code {
                0 => break,
                // Not all of them listen yet: "could not tell".
                2 if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(200)),
                _ => panic!("{said:?}\n{}", committee.logs()),
            }
        }
        committee.all_live(0);
        committee
    }

    /// A file of the committee's.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("c").join(name)
    }

    /// Copies one of its files, with this in the place of that.
    pub(super) fn write_with(&self, from: &str, to: &str, that: &str, this: &str) {
        let text = std::fs::read_to_string(self.path(from)).unwrap();
        assert!(text.contains(that), "{text}");
        std::fs::write(self.path(to), text.replace(that, this)).unwrap();
    }

    /// What one slot's file says.
    pub(super) fn file(&self, slot: usize) -> MemberFile {
        MemberFile::read(&self.path(&format!("member{slot}.toml"))).unwrap()
    }

    /// The operators' keys, as options.
    pub(super) fn keys(&self) -> Vec<String> {
        (0..3).flat_map(|slot| ["--key".to_owned(), format!("slot{slot}.key")]).collect()
    }

    /// Runs `mint` among the committee's files.
    pub(super) fn mint(&self, arguments: &[&str]) -> Said {
        run_in(&self.path(""), "mint", arguments)
    }

    pub(super) fn start(&mut self, slot: usize, release: &str) {
        let log = || -> File {
            OpenOptions::new().create(true).append(true).open(self.path(&format!("log{slot}"))).unwrap()
        };
        let child = Command::new(program("mint"))
            .args(["committee", "run", &format!("member{slot}.toml"), "--simulated", release])
            .current_dir(self.path(""))
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .spawn()
            .unwrap();
        assert!(self.running[slot].replace(child).is_none(), "slot {slot} runs already");
    }

    /// SIGKILL: nothing is flushed, nobody is told.
    pub(super) fn kill(&mut self, slot: usize) {
        let mut child = self.running[slot].take().unwrap();
        assert!(child.try_wait().unwrap().is_none(), "slot {slot} ended by itself\n{}", self.logs());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// How the slots stand, by slot.
    fn standings(&self) -> Vec<Value> {
        let said = self.mint(&["committee", "status", "committee.toml", "--json"]);
        said.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn until(&self, what: &str, holds: impl Fn(&[Value]) -> bool) {
        let deadline = Instant::now() + LONG;
        loop {
            let standings = self.standings();
            if holds(&standings) {
                return;
            }
            assert!(Instant::now() < deadline, "not in time: {what}: {standings:#?}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until all are members that know a leader, and count, in this epoch or a later one.
    pub(super) fn all_live(&self, epoch: u64) {
        self.until("all live", |standings| {
            let live = |s: &&Value| {
                s["phase"] == "running"
                    && s["leader"].is_u64()
                    && s["lacks"].is_null()
                    && s["fault"].is_null()
                    && s["epoch"].as_u64() >= Some(epoch)
                    && s["cosigned"].as_u64() > Some(0)
            };
            standings.iter().filter(live).count() == 3
        });
    }

    /// Waits until all wait with the disks of a former epoch.
    pub(super) fn all_wait(&self) {
        self.until("all wait with their disks", |standings| {
            let waits = |s: &&Value| s["phase"] == "waiting" && s["disk"].is_object();
            standings.iter().filter(waits).count() == 3
        });
    }

    /// Asserts that a slot's machine does not become a member in this time, while the others live.
    pub(super) fn refused_for(&self, slot: usize, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let standings = self.standings();
            let live = standings.iter().filter(|s| s["phase"] == "running" && s["leader"].is_u64()).count();
            assert_eq!(live, 2, "{standings:#?}");
            let it = standings.iter().find(|s| s["slot"] == slot).unwrap();
            assert!(it.get("silent").is_some(), "an operator sees that its evidence does not hold: {it:#?}");
        }
    }

    /// Asserts that slots 0 and 1 live, and that nobody is in slot 2.
    pub(super) fn two_of_three(&self) {
        let standings = self.standings();
        let live = |s: &&Value| s["phase"] == "running" && s["leader"].is_u64();
        let slots: Vec<_> = standings.iter().filter(live).map(|s| s["slot"].as_u64().unwrap()).collect();
        assert_eq!(slots, [0, 1], "{standings:#?}");
    }

    fn logs(&self) -> String {
        let log = |slot| std::fs::read_to_string(self.path(&format!("log{slot}"))).unwrap_or_default();
        (0..3).map(|slot| format!("--- slot {slot}\n{}", log(slot))).collect()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in self.running.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
