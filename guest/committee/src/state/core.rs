//! What the committee keeps beside the machine.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_coalition::{Acl, UniqueId};
use hallmark_ledger::checkpoint::{self, Checkpoint};
use hallmark_ledger::hash::Hash;
use hallmark_ledger::system::{Genesis, Roster};
use hallmark_ledger::tree::Frontier;
use hallmark_machine::Endorsed;
use serde::{Deserialize, Serialize};

use super::receipts::Receipts;
use crate::engine::{Node, NodeId};

/// Endorsed facts remembered. The oldest go first; a machine that needs a fact for longer keeps it itself.
pub(crate) const ENDORSED: usize = 1 << 14;

/// The committee's part of the replicated state. Ordered maps only: its bytes are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Core {
    pub(crate) genesis: Genesis,
    pub(crate) group: UniqueId,
    pub(crate) epoch: u64,
    pub(crate) recoveries: u64,
    /// The epoch's log key, as `NAME+ID+BASE64`.
    pub(crate) log_key: String,
    pub(crate) frontier: Frontier,
    /// Next number of each surface.
    pub(crate) seqs: BTreeMap<String, u64>,
    pub(crate) receipts: Receipts,
    pub(crate) roster: Roster,
    /// Where the members of the roster listen: not signed by anybody, so used to reach them and for nothing else.
    pub(crate) addresses: BTreeMap<NodeId, String>,
    /// Every cosign key and every SHA-256 of a channel key that was ever admitted: none may come twice.
    pub(crate) keys: BTreeSet<[u8; 32]>,
    pub(crate) releases: BTreeSet<Hash>,
    #[serde(with = "facts")]
    pub(crate) endorsed: BTreeMap<Hash, Endorsed>,
    /// Index of the retirement.
    pub(crate) retired: Option<u64>,
    /// Who was taken out of the roster, and by which entry.
    pub(crate) removed: BTreeMap<NodeId, u64>,
    /// Who was shown to have signed two histories.
    pub(crate) convicted: BTreeSet<NodeId>,
}

/// Endorsed facts in a snapshot.
mod facts {
    use std::collections::BTreeMap;

    use hallmark_ledger::hash::Hash;
    use hallmark_machine::Endorsed;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        facts: &BTreeMap<Hash, Endorsed>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_map(facts.iter().map(|(hash, fact)| (hash, (fact.policy, fact.time, fact.index))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Hash, Endorsed>, D::Error> {
        let facts = BTreeMap::<Hash, (Hash, u64, u64)>::deserialize(from)?;
        let fact = |(hash, (policy, time, index))| (hash, Endorsed { policy, time, index });
        Ok(facts.into_iter().map(fact).collect())
    }
}

/// A member that Raft should count as a voter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Voter {
    pub(crate) node: NodeId,
    pub(crate) reach: Node,
}

impl Core {
    /// Before the first entry.
    pub(crate) fn before(genesis: Genesis) -> Self {
        let group = genesis.group();
        Self {
            group,
            epoch: genesis.epoch,
            recoveries: 0,
            log_key: genesis.log_key.clone(),
            frontier: Frontier::new(),
            seqs: BTreeMap::new(),
            receipts: Receipts::default(),
            roster: Roster { epoch: genesis.epoch, members: BTreeMap::new() },
            addresses: BTreeMap::new(),
            keys: BTreeSet::new(),
            releases: genesis.releases.iter().copied().collect(),
            endorsed: BTreeMap::new(),
            retired: None,
            removed: BTreeMap::new(),
            convicted: BTreeSet::new(),
            genesis,
        }
    }

    /// Who has a say.
    pub(crate) const fn acl(&self) -> &Acl {
        &self.genesis.acl
    }

    /// The checkpoint of the state as it is now.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            origin: checkpoint::origin(self.group.as_bytes(), self.epoch),
            size: self.frontier.size(),
            root: self.frontier.root(),
            epoch: self.epoch,
            recoveries: self.recoveries,
            roster: self.roster.hash(),
        }
    }

    /// The roster, as Raft should count it.
    pub(crate) fn voters(&self) -> Vec<Voter> {
        let voter = |member: &hallmark_ledger::system::Member| Voter {
            node: member.node,
            reach: Node {
                slot: member.slot,
                address: self.addresses.get(&member.node).cloned().unwrap_or_default(),
                spki_sha256: member.spki_sha256,
                cosign_key: member.cosign_key,
            },
        };
        self.roster.members.values().map(voter).collect()
    }

    /// Remembers an endorsed fact, and forgets the oldest beyond [`ENDORSED`].
    pub(crate) fn endorse(&mut self, fact: Hash, endorsed: Endorsed) {
        self.endorsed.insert(fact, endorsed);
        if self.endorsed.len() > ENDORSED
            && let Some(oldest) =
                self.endorsed.iter().min_by_key(|(_, fact)| fact.index).map(|(hash, _)| *hash)
        {
            self.endorsed.remove(&oldest);
        }
    }
}
