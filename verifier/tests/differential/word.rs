//! What a verifier says.

use std::collections::BTreeSet;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    Holds {
        /// Intel's word for the TCB.
        status: String,
        advisories: BTreeSet<String>,
    },
    /// For ours, the slugs that failed; for theirs, one error.
    Refused(Vec<String>),
}

impl Word {
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(vec![why.into()])
    }

    /// Refusing is agreement, whatever the reasons; holding is, with equal status and advisories.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Refused(_), Self::Refused(_)) => true,
            _ => self == other,
        }
    }

    pub(crate) const fn holds(&self) -> bool {
        matches!(self, Self::Holds { .. })
    }

    /// Of two that hold: whether this one names every need and every advisory that the other names.
    pub(crate) fn says_no_less_than(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Holds { status: ours, advisories: our_ids },
                Self::Holds { status: theirs, advisories: their_ids },
            ) => needs(theirs).iter().all(|need| needs(ours).contains(need)) && their_ids.is_subset(our_ids),
            _ => false,
        }
    }
}

/// What a status asks for. An old TCB is the worst of it, and covers hardening.
fn needs(status: &str) -> Vec<&'static str> {
    let mut needs = Vec::new();
    let old = status.starts_with("OutOfDate") || status.starts_with("TDRelaunchAdvised");
    if old {
        needs.push("update");
    }
    if old || status.contains("SWHardening") {
        needs.push("hardening");
    }
    if status.contains("Configuration") {
        needs.push("configuration");
    }
    needs
}
