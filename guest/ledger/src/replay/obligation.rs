//! What a replay cannot judge by itself.

use hallmark_coalition::UniqueId;

use crate::{hash::Hash, pointer::EvidencePointer, system::Statement};

/// What is left to check behind an entry, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "a few an entry, never in bulk")]
pub enum Obligation {
    /// A machine was admitted: the evidence must be good at `time`, be of one of `releases`, and be bound to the statement.
    Statement {
        /// The admission: the node's id.
        index: u64,
        /// What the machine says of itself; [`Statement::binding`] is the report data.
        statement: Statement,
        /// `evidence.json`.
        evidence: Vec<u8>,
        /// The collateral that it was judged with.
        collateral: Option<Vec<u8>>,
        /// When it was judged, Unix seconds, by a member's clock.
        time: u64,
        /// Releases whose machines could be members then.
        releases: Vec<Hash>,
        /// The committee's policy.
        policy: Hash,
    },
    /// The first `size` entries must come to this root: a statement says so, which is how its age is known.
    Root {
        /// The entry that says so.
        index: u64,
        /// Size of the tree.
        size: u64,
        /// Its root.
        root: Hash,
    },
    /// Members judged a fact; with evidence it can be judged again.
    Endorsement {
        /// The entry.
        index: u64,
        /// The fact.
        fact: Hash,
        /// The policy that it was judged under.
        policy: Hash,
        /// `evidence.json`, where the fact is about a machine.
        evidence: Option<Vec<u8>>,
        /// The collateral.
        collateral: Option<Vec<u8>>,
        /// The report data that the evidence must have.
        binding: Option<[u8; 64]>,
        /// What the members found.
        verdict: String,
        /// Median of their clocks, Unix seconds.
        time: u64,
    },
    /// Who replays the commands must come to this state.
    Snapshot {
        /// The entry.
        index: u64,
        /// Entries that the state comes from.
        size: u64,
        /// SHA-256 of the state.
        sha256: Hash,
    },
    /// An entry rests on one of another citizen.
    Pointer {
        /// The entry.
        index: u64,
        /// What it points to.
        pointer: EvidencePointer,
    },
    /// Members recovered without their operators, as the ACL allows: what survives is what the hosts' disks had.
    AutomaticRecovery {
        /// The entry.
        index: u64,
    },
    /// The committee ended.
    Retired {
        /// The entry.
        index: u64,
        /// From when, Unix seconds.
        effective_at: u64,
        /// Who takes over.
        replacement: Option<UniqueId>,
    },
}
