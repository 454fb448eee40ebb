//! Three members as an operator runs them: processes of `mint committee run`, SIMULATED evidence, attested channels between them.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use hallmark_committee::client::{Client, Decided, Options};
use hallmark_committee::member::{CommitteeFile, MemberFile};
use hallmark_machine::ClientId;
use tempfile::TempDir;

use crate::load::{System, Writer};
use crate::{Outcome, metrics};

/// Clients that share one client library's connections and verified checkpoints: all of them, as on the other side.
const SHARED: usize = 256;

/// Ended, and their folders removed, when dropped.
pub(crate) struct Cluster {
    /// The leader first.
    members: Vec<(Child, SocketAddr)>,
    file: CommitteeFile,
    _folder: TempDir,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (process, _) in &mut self.members {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Cluster {
    /// Founds a committee of three and waits for a leader.
    pub(crate) async fn start(data: &Path, mint: &Path) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("committee-").tempdir_in(data)?;
        let place = folder.path().join("simulated");
        let (committee, release) = (place.join("committee.toml"), place.join("release.json"));
        done(Command::new(mint).args(["committee", "simulate"]).arg(&place))?;
        let file = CommitteeFile::read(&committee)?;
        let mut cluster = Self { members: Vec::new(), file, _folder: folder };
        for slot in 0..3 {
            let member = place.join(format!("member{slot}.toml"));
            let address = MemberFile::read(&member)?.http.to_string().parse()?;
            let process = Command::new(mint)
                .args(["committee", "run"])
                .arg(&member)
                .arg("--simulated")
                .arg(&release)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            cluster.members.push((process, address));
        }
        let mut init = Command::new(mint);
        init.args(["committee", "init"]).arg(&committee);
        for slot in 0..3 {
            init.arg("--key").arg(place.join(format!("slot{slot}.key")));
        }
        // The members need a moment to listen and to have their evidence.
        within(|| Ok(done(&mut init).is_ok()), "the committee was not founded").await?;
        within(|| Ok(cluster.leader_first()), "the committee has no leader").await?;
        Ok(cluster)
    }

    /// Puts the leader first. False while there is none.
    fn leader_first(&mut self) -> bool {
        let leader = self.members.iter().position(|(_, address)| is_leader(*address));
        leader.is_some_and(|leader| {
            self.members.swap(0, leader);
            true
        })
    }
}

fn is_leader(address: SocketAddr) -> bool {
    metrics::says(address, "hallmark_role{role=\"leader\"} 1").unwrap_or(false)
}

fn done(command: &mut Command) -> Outcome<()> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {}: {said}", output.status).into())
    }
}

async fn within(mut so: impl FnMut() -> Outcome<bool>, else_: &str) -> Outcome<()> {
    let start = Instant::now();
    while !so()? {
        if start.elapsed() > Duration::from_secs(60) {
            return Err(format!("{else_} after 60 s").into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

impl System for Cluster {
    fn name(&self) -> &'static str {
        "committee"
    }

    fn processes(&self) -> Vec<u32> {
        self.members.iter().map(|(process, _)| process.id()).collect()
    }

    fn flushes(&self) -> Outcome<f64> {
        let (_, leader) = self.members.first().ok_or("no members")?;
        metrics::sum(*leader, &["hallmark_syncs_total"])
    }

    fn writers(&self, clients: usize) -> BoxFuture<'_, Outcome<Vec<Box<dyn Writer>>>> {
        Box::pin(async move {
            if !self.members.first().is_some_and(|(_, leader)| is_leader(*leader)) {
                return Err("the committee changed its leader: the machine is too busy for a bench".into());
            }
            let addresses: Vec<String> =
                self.members.iter().map(|(_, address)| address.to_string()).collect();
            let mut writers: Vec<Box<dyn Writer>> = Vec::new();
            while writers.len() < clients {
                let client =
                    Client::new(self.file.committee.clone(), addresses.iter().cloned(), Options::default());
                for _ in 0..SHARED.min(clients - writers.len()) {
                    let mut submit = Submit { client: client.clone(), id: fresh_id()?, nonce: 0 };
                    // The first write finds the members and replays the roster: part of connecting, as on the other side.
                    submit.write("connect", "").await?;
                    writers.push(Box::new(submit));
                }
            }
            Ok(writers)
        })
    }
}

/// A client that no run before had.
fn fresh_id() -> Outcome<ClientId> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let mut id = [0; 32];
    id[..16].copy_from_slice(&now.to_be_bytes());
    id[16..24].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    Ok(ClientId::new(id))
}

struct Submit {
    client: Client,
    id: ClientId,
    nonce: u64,
}

impl Writer for Submit {
    fn write<'a>(&'a mut self, key: &'a str, value: &'a str) -> BoxFuture<'a, Outcome<()>> {
        Box::pin(async move {
            // Keys and values of this bench need no escapes.
            let body = format!(r#"{{"op":"put","key":"{key}","value":"{value}"}}"#);
            let receipt = self.client.submit(self.id, self.nonce, "pairs", body).await?;
            self.nonce += 1;
            match receipt.decided {
                Decided::Committed => Ok(()),
                other => Err(format!("not committed: {other:?}").into()),
            }
        })
    }
}
