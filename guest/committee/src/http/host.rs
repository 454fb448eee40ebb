//! A surface for as long as its member has an engine: a machine may wait, become a member, and begin again in another epoch.

use std::sync::Arc;
use std::time::Duration;

use hallmark_coalition::UniqueId;
use hallmark_machine::Machine;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::engine::EngineService;
use super::gate::Gate;
use super::limits::Limits;
use super::server::Surface;
use crate::Engine;

const STARTING: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-type: application/json\r\n\
    content-length: 90\r\n\r\n{\"code\":\"not-a-member\",\"why\":\"this machine waits\",\"hint\":\"ask another, or once more soon\"}";

/// How long a caller may take to receive that.
const MOMENT: Duration = Duration::from_secs(1);

/// Answers on `listener` with whatever engine there is; none: 503. Returns when the sender of `engine` is gone.
///
/// When the engine goes, so does every connection to it: they hold its ledger's folder, which the next engine needs.
pub async fn host<M: Machine>(
    listener: TcpListener,
    mut engine: watch::Receiver<Option<Engine<M>>>,
    group: UniqueId,
    gate: Gate,
    limits: Limits,
) {
    let gate = Arc::new(gate);
    loop {
        let now = engine.borrow_and_update().clone();
        let changed = match now {
            Some(now) => {
                let service = Arc::new(EngineService::new(now, group));
                let surface = Surface::new(service, Arc::clone(&gate), limits.clone());
                tokio::select! {
                    changed = engine.changed() => changed,
                    never = surface.serve(&listener) => match never {},
                }
            }
            None => tokio::select! {
                changed = engine.changed() => changed,
                never = turn_away(&listener) => match never {},
            },
        };
        if changed.is_err() {
            return;
        }
    }
}

async fn turn_away(listener: &TcpListener) -> std::convert::Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(timeout(MOMENT, refuse(stream)).await),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(STARTING).await?;
    stream.shutdown().await
}
