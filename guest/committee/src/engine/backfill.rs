//! Asks peers for leaves that the files lack.

use std::sync::Arc;

use hallmark_machine::Machine;

use super::book::Book;
use super::shared::Shared;
use super::{Fault, PeerRequest, PeerResponse};

/// Runs until the engine stops.
pub(crate) async fn run<M: Machine>(shared: Arc<Shared<M>>) {
    let mut turn = 0usize;
    loop {
        let wanted = {
            let book = shared.book();
            book.gap().map(|gap| (gap.from, gap.to)).or_else(|| book.behind())
        };
        let Some((from, to)) = wanted else {
            shared.lacking.notified().await;
            if shared.is_stopped() {
                return;
            }
            continue;
        };
        if shared.is_stopped() {
            return;
        }
        if shared.book().is_full() {
            tokio::time::sleep(shared.timing.retry).await;
        }
        if matches!(shared.lock().fault, Some(Fault::Snapshot { .. })) {
            // No peer's ledger comes to such a state.
            return;
        }
        let peers = shared.known_peers();
        turn = turn.wrapping_add(1);
        let peer = turn.checked_rem(peers.len()).and_then(|at| peers.get(at));
        let got = match peer {
            Some(peer) => {
                let limit =
                    u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX).min(shared.limits.entries);
                let request = PeerRequest::Entries { from, limit };
                match shared.peers.call(peer.node, &peer.reach, request, shared.timing.call).await {
                    Ok(PeerResponse::Entries(leaves)) => leaves,
                    _ => Vec::new(),
                }
            }
            None => Vec::new(),
        };
        if got.is_empty() {
            tokio::time::sleep(shared.timing.retry).await;
            continue;
        }
        // The one that answered is asked again, unless what it gave comes to nothing.
        turn = turn.wrapping_sub(1);
        if in_vain(&mut shared.book_mut(), from, &got) {
            // Whoever is asked next may give the same, and so on for ever: not as fast as it can be sent.
            turn = turn.wrapping_add(1);
            tokio::time::sleep(shared.timing.retry).await;
        }
    }
}

/// Takes leaves; true where they are not what the state says.
fn in_vain(book: &mut Book, from: u64, leaves: &[Vec<u8>]) -> bool {
    if book.gap().is_some() {
        return !book.fill(from, leaves) && book.dir().size() <= from;
    }
    book.refill(from, leaves);
    false
}
