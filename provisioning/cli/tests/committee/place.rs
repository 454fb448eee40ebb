//! A folder that `mint committee simulate` wrote, and the members that run in it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// What a run of `mint` came to.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// The folder; its members are killed when it goes.
pub(super) struct Place {
    folder: tempfile::TempDir,
    members: BTreeMap<usize, Child>,
}

impl Place {
    pub(super) fn simulated(options: &[&str]) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), members: BTreeMap::new() };
        let made =
            place.run(place.folder.path().into(), &[&["committee", "simulate", "c"], options].concat());
        assert_eq!(made.code, 0, "{made:?}");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("c").join(name)
    }

    fn run(&self, folder: PathBuf, words: &[&str]) -> Said {
        let mut mint = Command::new(env!("CARGO_BIN_EXE_mint"));
        let output = mint.args(words).current_dir(folder).stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs `mint` among the committee's files.
    pub(super) fn mint(&self, words: &[&str]) -> Said {
        self.run(self.path(""), words)
    }

    pub(super) fn start(&mut self, slot: usize, file: &str) {
        let log = File::options().create(true).append(true).open(self.path(&format!("log{slot}"))).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_mint"))
            .args(["committee", "run", file, "--simulated", "release.json"])
            .current_dir(self.path(""))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.members.insert(slot, child);
    }

    /// Begins with all slots' keys, and waits until all are in.
    pub(super) fn begin(&self) {
        let words = [
            "committee",
            "init",
            "committee.toml",
            "--key",
            "slot0.key",
            "--key",
            "slot1.key",
            "--key",
            "slot2.key",
        ];
        self.until("the committee begins", |place| place.mint(&words).code == 0);
        self.until("all are in", |place| {
            let status = place.mint(&["committee", "status", "committee.toml"]);
            status.code == 0 && status.out.matches(" epoch 0 node ").count() == 3
        });
    }

    /// Signs for the machine that waits in a slot.
    pub(super) fn admit(&self, key: &str) -> Said {
        self.mint(&["committee", "admit", "committee.toml", "--key", key])
    }

    /// Makes `client.key`.
    pub(super) fn client_key(&self) {
        let key = self.mint(&["committee", "key", "--tickets", "client.key"]);
        assert_eq!(key.code, 0, "{key:?}");
    }

    /// Submits one command of `client.key` by slot 0's member.
    pub(super) fn submit(&self, nonce: &str, body: &str) -> Said {
        let at = self.http(0);
        let mut words = vec!["committee", "submit", "committee.toml", "--at", &at];
        words.extend(["--key", "client.key", "--nonce", nonce, "pairs", body]);
        self.mint(&words)
    }

    pub(super) fn kill(&mut self, slot: usize) {
        let mut child = self.members.remove(&slot).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(super) fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + LONG;
        while !is(self) {
            let logs = || (0..3).map(|slot| self.log(slot)).collect::<String>();
            assert!(Instant::now() < deadline, "waited in vain: {what}\n{}", logs());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Where a slot's member serves clients.
    pub(super) fn http(&self, slot: usize) -> String {
        let file = self.read(&format!("member{slot}.toml"));
        let line = file.lines().find_map(|line| line.strip_prefix("http = \"")).unwrap();
        line.trim_end_matches('"').to_owned()
    }

    pub(super) fn log(&self, slot: usize) -> String {
        fs::read_to_string(self.path(&format!("log{slot}"))).unwrap_or_default()
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for child in self.members.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
