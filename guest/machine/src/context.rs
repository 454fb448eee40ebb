//! What a machine may know besides its state and the command.

use std::collections::BTreeMap;

use hallmark_ledger::hash::Hash;

use crate::ClientId;

/// The place of a command in the order, and the facts that a quorum has judged.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Index in the ledger that the first entry of this command will have.
    pub index: u64,
    /// Who commands.
    pub client: ClientId,
    /// The client's number for this command.
    pub nonce: u64,
    /// Facts from outside that a quorum of the roster has endorsed, by hash. An endorsement is an entry of the ledger.
    pub endorsed: &'a BTreeMap<Hash, Endorsed>,
}

/// One endorsed fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsed {
    /// The policy it was judged under.
    pub policy: Hash,
    /// Median of the instants at which members judged it, Unix seconds.
    pub time: u64,
    /// Index of the entry that says so.
    pub index: u64,
}
