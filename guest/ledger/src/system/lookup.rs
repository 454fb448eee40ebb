//! A member's word on the last entry of a key. Nothing in the tree proves that an entry is the last of its key, or that there is none.

use crate::{encoding::Message, hash::Hash};

/// What a member signs when a reader asks, with a nonce of its own, for the last entry of a key: which it is, or that there is none, in this tree.
///
/// An entry that the tree has and this denies shows that the member lied.
#[must_use]
pub fn lookup_message(
    origin: &str,
    epoch: u64,
    nonce: &[u8; 32],
    (size, root): (u64, &Hash),
    (surface, key): (&str, &str),
    index: Option<u64>,
) -> Vec<u8> {
    let index = index.map(u64::to_le_bytes);
    Message::new("hallmark/lookup/1")
        .field(origin)
        .number(epoch)
        .field(nonce)
        .number(size)
        .field(root)
        .field(surface)
        .field(key)
        .field(index.as_ref().map_or(&[][..], |index| index))
        .bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_byte_for_byte_and_none_is_no_number() {
        let of = |key: &str, index| lookup_message("o", 1, &[2; 32], (3, &Hash([4; 32])), ("s", key), index);
        let due = format!(
            "{}01000000{}08000000{}20000000{}08000000{}20000000{}01000000{}01000000{}08000000{}",
            hex::encode("hallmark/lookup/1"),
            hex::encode("o"),
            "0100000000000000",
            "02".repeat(32),
            "0300000000000000",
            "04".repeat(32),
            hex::encode("s"),
            hex::encode("k"),
            "0500000000000000"
        );
        assert_eq!(hex::encode(of("k", Some(5))), due);
        assert_ne!(of("k", None), of("k", Some(0)));
        assert_ne!(of("k", None), of("", Some(0)));
    }
}
