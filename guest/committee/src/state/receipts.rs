//! What became of commands, remembered so that none is applied twice.

use std::collections::{BTreeMap, VecDeque};

use hallmark_ledger::hash::Hash;
use hallmark_machine::ClientId;
use serde::{Deserialize, Serialize};

use crate::engine::Outcome;

/// Nonces remembered of one client.
pub(crate) const WINDOW: usize = 1024;
/// Outcomes remembered of all clients together.
pub(crate) const OUTCOMES: usize = 1 << 18;

/// A command that was ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// SHA-256 of its bytes (surface and body). None where it was settled before it came.
    pub command: Option<Hash>,
    /// What became of it.
    pub outcome: Outcome,
}

/// The outcomes by client and nonce, in windows that move: what falls out below stays below the client's floor, and a nonce below the
/// floor is refused whether it was used or not. Floors stay for ever, 40 bytes a client; who is a client is for the ticket gate to say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipts {
    clients: BTreeMap<ClientId, Window>,
    /// All that are remembered, oldest first.
    order: VecDeque<(ClientId, u64)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    floor: u64,
    known: BTreeMap<u64, Known>,
}

/// What is known of `(client, nonce)`.
#[derive(Debug)]
pub(crate) enum Lookup<'a> {
    /// Ordered.
    Known(&'a Known),
    /// Not ordered so far.
    Unknown,
    /// Below the client's floor.
    TooOld(u64),
}

impl Receipts {
    /// What is known of a command.
    pub(crate) fn get(&self, client: &ClientId, nonce: u64) -> Lookup<'_> {
        let Some(window) = self.clients.get(client) else { return Lookup::Unknown };
        match window.known.get(&nonce) {
            Some(known) => Lookup::Known(known),
            None if nonce < window.floor => Lookup::TooOld(window.floor),
            None => Lookup::Unknown,
        }
    }

    /// Remembers an outcome; forgets what falls out of the windows.
    pub(crate) fn insert(&mut self, client: ClientId, nonce: u64, known: Known) {
        let window = self.clients.entry(client).or_default();
        window.known.insert(nonce, known);
        self.order.push_back((client, nonce));
        if window.known.len() > WINDOW {
            window.forget_lowest();
        }
        // What the client's own window forgot is still named in `order`, and costs nothing when its turn comes.
        while self.order.len() > OUTCOMES {
            let Some((client, nonce)) = self.order.pop_front() else { break };
            if let Some(window) = self.clients.get_mut(&client)
                && window.known.contains_key(&nonce)
            {
                // Everything up to it goes: the floor has no holes.
                while window.floor <= nonce && !window.known.is_empty() {
                    window.forget_lowest();
                }
            }
        }
    }
}

impl Window {
    fn forget_lowest(&mut self) {
        if let Some((nonce, _)) = self.known.pop_first() {
            self.floor = self.floor.max(nonce.saturating_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(index: u64) -> Known {
        Known { command: Some(Hash([1; 32])), outcome: Outcome::Committed { first: index, entries: 1 } }
    }

    #[test]
    fn a_window_moves_up_and_never_forgets_that_it_did() {
        let (client, other) = (ClientId::new([1; 32]), ClientId::new([2; 32]));
        let mut receipts = Receipts::default();
        for nonce in 10..10 + WINDOW as u64 {
            receipts.insert(client, nonce, known(nonce));
        }
        assert!(matches!(receipts.get(&client, 10), Lookup::Known(_)));
        assert!(matches!(receipts.get(&client, 9), Lookup::Unknown));
        receipts.insert(client, 5000, known(1));
        assert!(matches!(receipts.get(&client, 10), Lookup::TooOld(11)));
        assert!(matches!(receipts.get(&client, 3), Lookup::TooOld(11)));
        assert!(matches!(receipts.get(&client, 4999), Lookup::Unknown));
        assert!(matches!(receipts.get(&other, 0), Lookup::Unknown));
    }

    #[test]
    fn all_clients_together_are_bounded() {
        let mut receipts = Receipts::default();
        for at in 0..(OUTCOMES as u64 + 3) {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&at.to_le_bytes());
            receipts.insert(ClientId::new(id), 7, known(at));
        }
        let mut first = [0; 32];
        first[..8].copy_from_slice(&2u64.to_le_bytes());
        assert!(matches!(receipts.get(&ClientId::new(first), 7), Lookup::TooOld(8)));
        first[..8].copy_from_slice(&3u64.to_le_bytes());
        assert!(matches!(receipts.get(&ClientId::new(first), 7), Lookup::Known(_)));
        assert_eq!(receipts.order.len(), OUTCOMES);
    }
}
