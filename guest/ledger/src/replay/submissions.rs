//! Which submissions have had their answer.

use std::collections::BTreeMap;

/// Numbers that each client has used, as ranges: clients count up, so a client costs one range and not one number each.
#[derive(Debug, Clone, Default)]
pub(super) struct Submissions(BTreeMap<[u8; 32], BTreeMap<u64, u64>>);

impl Submissions {
    /// Marks a submission as answered. False where it was already.
    pub(super) fn insert(&mut self, client: [u8; 32], nonce: u64) -> bool {
        let ranges = self.0.entry(client).or_default();
        let before = ranges.range(..=nonce).next_back().map(|(start, end)| (*start, *end));
        if before.is_some_and(|(_, end)| nonce <= end) {
            return false;
        }
        let start = match before {
            Some((start, end)) if end.checked_add(1) == Some(nonce) => start,
            _ => nonce,
        };
        let after = nonce.checked_add(1).and_then(|next| ranges.remove(&next));
        ranges.insert(start, after.unwrap_or(nonce));
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    proptest::proptest! {
        #[test]
        fn ranges_are_a_set(nonces in proptest::collection::vec(0..40_u64, 0..80)) {
            let (mut ranges, mut set) = (Submissions::default(), BTreeSet::new());
            for nonce in nonces {
                proptest::prop_assert_eq!(ranges.insert([1; 32], nonce), set.insert(nonce));
            }
        }
    }

    #[test]
    fn the_ends_and_other_clients() {
        let mut ranges = Submissions::default();
        for nonce in [u64::MAX, 0, u64::MAX - 1, 1] {
            assert!(ranges.insert([1; 32], nonce));
            assert!(!ranges.insert([1; 32], nonce));
            assert!(ranges.insert([2; 32], nonce));
        }
        assert_eq!(ranges.0.get(&[1; 32]).unwrap().len(), 2);
    }
}
