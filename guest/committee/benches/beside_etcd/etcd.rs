//! Three etcd processes on loopback, in folders of their own, with etcd's own defaults.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tempfile::TempDir;

use crate::grpc::Connection;
use crate::load::{System, Writer};
use crate::{Outcome, metrics};

const PROGRAM: &str = "/usr/bin/etcd";

/// Clients a connection. Of 1, 4, 8, 32 and 256 this is what etcd does best with.
const SHARED: usize = 256;

struct Member {
    process: Child,
    client: SocketAddr,
}

/// Ended, and their folders removed, when dropped.
pub(crate) struct Cluster {
    members: Vec<Member>,
    folder: TempDir,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &mut self.members {
            let _ = member.process.kill();
            let _ = member.process.wait();
        }
    }
}

impl Cluster {
    /// Starts three and waits for a leader. None where etcd is not installed.
    pub(crate) async fn start(data: &Path) -> Outcome<Option<Self>> {
        if !Path::new(PROGRAM).is_file() {
            return Ok(None);
        }
        let folder = tempfile::Builder::new().prefix("etcd-").tempdir_in(data)?;
        let [peers, clients] = [free_ports()?, free_ports()?];
        let url = |address: &SocketAddr| format!("http://{address}");
        let all: Vec<String> =
            peers.iter().enumerate().map(|(number, peer)| format!("m{number}={}", url(peer))).collect();
        let mut cluster = Self { members: Vec::new(), folder };
        for (number, (peer, client)) in peers.iter().zip(&clients).enumerate() {
            let name = format!("m{number}");
            let process = Command::new(PROGRAM)
                .args([
                    "--name",
                    &name,
                    "--initial-cluster",
                    &all.join(","),
                    "--initial-cluster-state",
                    "new",
                ])
                .args(["--listen-peer-urls", &url(peer), "--initial-advertise-peer-urls", &url(peer)])
                .args(["--listen-client-urls", &url(client), "--advertise-client-urls", &url(client)])
                .args(["--log-level", "panic", "--data-dir"])
                .arg(cluster.folder.path().join(&name))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            cluster.members.push(Member { process, client: *client });
        }
        let start = Instant::now();
        while !cluster.leader_first() {
            if start.elapsed() > Duration::from_secs(30) {
                return Err("etcd has no leader after 30 s".into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(Some(cluster))
    }

    /// Puts the leader first. False while there is none.
    fn leader_first(&mut self) -> bool {
        let leader = self.members.iter().position(|member| is_leader(member.client));
        leader.is_some_and(|leader| {
            self.members.swap(0, leader);
            true
        })
    }
}

/// Three ports that were free a moment ago.
fn free_ports() -> Outcome<Vec<SocketAddr>> {
    let listeners: Vec<TcpListener> =
        (0..3).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    Ok(listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?)
}

fn is_leader(client: SocketAddr) -> bool {
    metrics::says(client, "etcd_server_is_leader 1").unwrap_or(false)
}

impl System for Cluster {
    fn name(&self) -> &'static str {
        "etcd"
    }

    fn processes(&self) -> Vec<u32> {
        self.members.iter().map(|member| member.process.id()).collect()
    }

    fn flushes(&self) -> Outcome<f64> {
        let leader = self.members.first().ok_or("no members")?.client;
        let log = "etcd_disk_wal_fsync_duration_seconds_count";
        metrics::sum(leader, &[log, "etcd_disk_backend_commit_duration_seconds_count"])
    }

    fn writers(&self, clients: usize) -> BoxFuture<'_, Outcome<Vec<Box<dyn Writer>>>> {
        Box::pin(async move {
            let leader = self.members.first().ok_or("no members")?.client;
            if !is_leader(leader) {
                return Err("etcd changed its leader: the machine is too busy for a bench".into());
            }
            let mut connections = Vec::new();
            for _ in 0..clients.div_ceil(SHARED) {
                connections.push(Connection::open(leader).await?);
            }
            let writer = |number: usize| {
                Box::new(Put(connections[number % connections.len()].clone())) as Box<dyn Writer>
            };
            Ok((0..clients).map(writer).collect())
        })
    }
}

struct Put(Connection);

impl Writer for Put {
    fn write<'a>(&'a mut self, key: &'a str, value: &'a str) -> BoxFuture<'a, Outcome<()>> {
        Box::pin(self.0.put(key, value))
    }
}
