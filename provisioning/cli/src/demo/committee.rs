//! Three members on this machine: found, written to, audited; one killed and let in again; one with another image kept out.
//!
//! The members are processes of this program, as an operator would start them; their evidence is forged.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hallmark_committee::client::{Client, Decided, Options};
use hallmark_committee::member::ceremony::Standing;
use hallmark_committee::member::{CommitteeFile, MemberFile, Visitor};
use hallmark_machine::ClientId;

use crate::complaint::Complaint;
use crate::progress::say;

/// The longest that any one step may take; each takes a second or so on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);
/// Who writes.
const REQUESTER: ClientId = ClientId::new([0x5e; 32]);

/// Shows it. An error if anything came out other than it must.
pub(super) fn run() -> Result<(), Complaint> {
    say("a committee of three members, processes on this machine with forged evidence");
    let folder = Folder::new()?;
    let place = folder.0.join("committee");
    mint(&["committee", "simulate"], &[&place])?;
    let committee = Committee::open(place)?;

    let mut members: Vec<Member> =
        (0..3).map(|slot| committee.start(slot, "release.json")).collect::<Result<_, _>>()?;
    let keys: Vec<PathBuf> = (0..3).map(|slot| committee.key(slot)).collect();
    let mut init: Vec<&Path> = vec![&committee.file];
    for key in &keys {
        init.extend([Path::new("--key"), key.as_path()]);
    }
    until("the members found the committee", || mint(&["committee", "init"], &init))?;
    until("all three are in", || committee.seated(3))?;

    committee.write(1, "colour", "blue")?;
    committee.audit(true)?;

    say("killed     the member of slot 1, with SIGKILL; two of three go on");
    take(&mut members, 1)?.kill();
    committee.write(2, "colour", "green")?;

    say("started    slot 1 again: new keys, so its operator has to sign again");
    members.insert(1, committee.start(1, "release.json")?);
    until("slot 1 is let in", || committee.admit(1))?;
    until("all three are in", || committee.seated(3))?;

    say("started    a machine with another image in the place of slot 2's");
    take(&mut members, 2)?.kill();
    members.push(committee.start(2, "other-release.json")?);
    committee.must_refuse(2)?;
    committee.write(3, "colour", "red")?;
    committee.audit(false)
}

/// A folder that goes when the demonstration ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Complaint> {
        let path = std::env::temp_dir().join(format!("hallmark-demo-{}", std::process::id()));
        fs::create_dir(&path).map_err(|e| Complaint::file("create", &path, &e))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A member's process; killed when dropped.
struct Member(Child);

impl Member {
    fn kill(self) {
        drop(self);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn take(members: &mut Vec<Member>, slot: usize) -> Result<Member, Complaint> {
    if slot < members.len() { Ok(members.remove(slot)) } else { Err(broken("no such member")) }
}

struct Committee {
    place: PathBuf,
    file: PathBuf,
    addresses: Vec<String>,
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Committee {
    fn open(place: PathBuf) -> Result<Self, Complaint> {
        let file = place.join("committee.toml");
        let identity = CommitteeFile::read(&file).map_err(broken)?.committee;
        let mut addresses = Vec::new();
        for slot in 0..3 {
            let member = MemberFile::read(&place.join(format!("member{slot}.toml"))).map_err(broken)?;
            addresses.push(member.http.to_string());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
        let client = Client::new(identity, addresses.iter().cloned(), Options::default());
        Ok(Self { place, file, addresses, client, runtime })
    }

    fn key(&self, slot: usize) -> PathBuf {
        self.place.join(format!("slot{slot}.key"))
    }

    /// Starts the machine of a slot; what it says goes to a file beside its own.
    fn start(&self, slot: usize, release: &str) -> Result<Member, Complaint> {
        let log = self.place.join(format!("member{slot}.log"));
        let file = File::create(&log).map_err(|e| Complaint::file("create", &log, &e))?;
        let errors = file.try_clone().map_err(|e| Complaint::file("create", &log, &e))?;
        Command::new(program()?)
            .args(["committee", "run"])
            .arg(self.place.join(format!("member{slot}.toml")))
            .arg("--simulated")
            .arg(self.place.join(release))
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .map(Member)
            .map_err(broken)
    }

    fn admit(&self, slot: usize) -> Result<(), Complaint> {
        mint(&["committee", "admit"], &[&self.file, Path::new("--key"), &self.key(slot)])
    }

    /// Whether that many slots have a member that counts: with one that does not, the next may not be killed.
    fn seated(&self, count: usize) -> Result<(), Complaint> {
        let _inside = self.runtime.enter();
        let file = CommitteeFile::read(&self.file).map_err(broken)?;
        let visitor = Visitor::open(&file).map_err(broken)?;
        let standings = self.runtime.block_on(visitor.standings());
        let live = standings.values().filter(|s| s.as_ref().is_ok_and(Standing::counts)).count();
        if live == count { Ok(()) } else { Err(broken(format!("{live} of {count} members are in"))) }
    }

    /// A write, and what proves it: the client library verified the entry's place under q cosignatures before it answered.
    fn write(&self, nonce: u64, key: &str, value: &str) -> Result<(), Complaint> {
        let body = format!(r#"{{"op":"put","key":"{key}","value":"{value}"}}"#);
        let receipt =
            self.runtime.block_on(self.client.submit(REQUESTER, nonce, "pairs", body)).map_err(broken)?;
        if receipt.decided != Decided::Committed {
            return Err(broken(format!("decided: {:?}", receipt.decided)));
        }
        let checkpoint = receipt.checkpoint.checkpoint();
        say(&format!(
            "committed  {key} = {value}: entry {} of a tree of {}, root {}, cosigned by a quorum",
            receipt.index, checkpoint.size, checkpoint.root,
        ));
        Ok(())
    }

    /// The whole log, by the auditor's program; in short, or every line that it says.
    fn audit(&self, all: bool) -> Result<(), Complaint> {
        let address = self.addresses.first().ok_or_else(|| broken("no member"))?;
        let assay = program()?.with_file_name("assay");
        let group = CommitteeFile::read(&self.file).map_err(broken)?.committee.id().to_string();
        let output = Command::new(&assay)
            .args(["audit", &format!("http://{address}"), "--group", &group, "--release"])
            .arg(self.place.join("release.json"))
            .arg("--policy")
            .arg(self.place.join("policy.toml"))
            .output()
            .map_err(|e| {
                let what = format!("cannot run {}", assay.display());
                Complaint::unable(
                    "assay",
                    what,
                    e,
                    "cargo build -p hallmark-assay, so that it stands beside mint",
                )
            })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let short = |line: &&str| all || ["verdict", "member"].iter().any(|word| line.starts_with(word));
        for line in text.lines().filter(short) {
            say(&format!("audit      {line}"));
        }
        if output.status.success() && text.contains("simulated") {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Complaint::no("demo", "the audit must find the log good", why, "report this"))
    }

    /// The operator's key signs for a machine that runs something else: it must not come in.
    fn must_refuse(&self, slot: usize) -> Result<(), Complaint> {
        let begun = Instant::now();
        loop {
            match self.admit(slot) {
                Ok(()) => return Err(broken("a machine with another image was admitted")),
                Err(error) if error.why.contains("image-mismatch") => {
                    let why = error.why.split_once("image-mismatch").map_or("", |(_, why)| why);
                    let first = why.split(';').nth(1).unwrap_or(why).trim();
                    say(&format!("refused    slot {slot}: image-mismatch: {first}"));
                    return Ok(());
                }
                Err(error) if begun.elapsed() > PATIENCE => return Err(error),
                // It has only just started.
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }
}

/// Tries until it is so.
fn until(what: &str, mut is: impl FnMut() -> Result<(), Complaint>) -> Result<(), Complaint> {
    let begun = Instant::now();
    loop {
        match is() {
            Ok(()) => {
                say(&format!("waited     {what}: {:.1} s", begun.elapsed().as_secs_f64()));
                return Ok(());
            }
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Runs this program as an operator would. What it says is shown only where it fails.
fn mint(words: &[&str], paths: &[&Path]) -> Result<(), Complaint> {
    let output = Command::new(program()?).args(words).args(paths).output().map_err(broken)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let what = format!("mint {} came out as {}", words.join(" "), output.status);
    Err(Complaint::no("demo", what, said, "report this"))
}

fn program() -> Result<PathBuf, Complaint> {
    std::env::current_exe().map_err(broken)
}

fn broken(why: impl std::fmt::Display) -> Complaint {
    Complaint::no("demo", "the committee did not come out as it must", why, "report this")
}
