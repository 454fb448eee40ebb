//! What a history is made of.

/// One leaf of the ledger, as far as the model looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Entry {
    /// A client's submission. Applied where it stands first, and not after it was settled.
    Write(u32),
    /// The tombstone of a submission: what was not applied before never will be.
    Settle(u32),
    /// A machine with a fresh key takes a slot.
    Admit { slot: usize, key: u32 },
    /// First entry of an epoch that slot operators began.
    Recovery { epoch: u32 },
    /// Anything else: told apart, not interpreted.
    Other(u32),
}

pub(crate) type History = Vec<Entry>;

/// A final answer on a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    Committed(usize),
    Invalid,
}

/// What a history says of a submission: the first word counts.
pub(crate) fn fate(history: &[Entry], write: u32) -> Option<Fate> {
    history.iter().enumerate().find_map(|(at, entry)| match entry {
        Entry::Write(id) if *id == write => Some(Fate::Committed(at)),
        Entry::Settle(id) if *id == write => Some(Fate::Invalid),
        _ => None,
    })
}

/// Whether one of two histories continues the other.
pub(crate) fn comparable(a: &[Entry], b: &[Entry]) -> bool {
    a.starts_with(b) || b.starts_with(a)
}
