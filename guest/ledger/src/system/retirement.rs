//! `committee.retirement`: the last entry.

use hallmark_coalition::{Acl, UniqueId};
use serde::{Deserialize, Serialize};

use super::{OperatorError, SlotSignature, operators};
use crate::encoding::Message;

/// The committee has ended; the log takes no further entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retirement {
    /// From when readers follow the replacement: milliseconds since 1970, as in a coalition's
    /// [`RetirementMarker`](hallmark_coalition::RetirementMarker). The log ends at once, whatever it says.
    pub effective_at: u64,
    /// Group of the committee that takes over.
    pub replacement: Option<UniqueId>,
    /// A quorum of slot operators over [`Retirement::message`].
    pub signatures: Vec<SlotSignature>,
}

impl Retirement {
    /// What slot operators sign.
    #[must_use]
    pub fn message(&self, group: &UniqueId, epoch: u64) -> Vec<u8> {
        Message::new("hallmark/retirement/1")
            .field(group)
            .number(epoch)
            .number(self.effective_at)
            .field(self.replacement.map(|group| group.as_bytes().to_vec()).unwrap_or_default())
            .bytes()
    }

    /// Whether a quorum of slot operators signed it.
    ///
    /// # Errors
    /// Where it did not.
    pub fn verify(&self, acl: &Acl, group: &UniqueId, epoch: u64) -> Result<(), OperatorError> {
        operators::quorum(acl, &self.message(group, epoch), &self.signatures)
    }
}

#[cfg(test)]
mod tests {
    use hallmark_coalition::RetirementMarker;

    use super::*;

    /// 2030-01-01T00:00:00Z, in the one unit: what is signed, the entry's body and the coalition's marker agree byte for byte.
    #[test]
    fn effective_at_is_in_milliseconds_everywhere() {
        const AT: u64 = 1_893_456_000_000;
        let replacement = Some(UniqueId::new([7; 32]));
        let retirement = Retirement { effective_at: AT, replacement, signatures: Vec::new() };
        let marker = RetirementMarker::new(retirement.effective_at, retirement.replacement);
        let id = "07".repeat(32);
        let body = format!("{{\"effective_at\":1893456000000,\"replacement\":\"{id}\"}}");
        assert_eq!(serde_json::to_string(&marker).unwrap(), body);
        let with_signatures = format!("{},\"signatures\":[]}}", body.trim_end_matches('}'));
        assert_eq!(serde_json::to_string(&retirement).unwrap(), with_signatures);
        let message = format!(
            "{}20000000{}0800000003000000000000000800000000b4c5dab801000020000000{id}",
            hex::encode("hallmark/retirement/1"),
            "01".repeat(32),
        );
        assert_eq!(hex::encode(retirement.message(&UniqueId::new([1; 32]), 3)), message);
    }
}
