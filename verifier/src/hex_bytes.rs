//! A fixed number of bytes, written as lower-case hex in a document.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// `N` bytes that a document of ours gives as exactly `2 * N` lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HexBytes<const N: usize>(pub [u8; N]);

/// Text that is not that many lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {digits} lower-case hex digits")]
pub struct NotHex {
    /// The text, cut to 128 characters.
    pub text: String,
    /// How many digits were due.
    pub digits: usize,
}

impl<const N: usize> HexBytes<N> {
    /// Reads the digits.
    ///
    /// # Errors
    /// [`NotHex`] for another length, another character or an upper-case digit.
    pub fn parse(text: &str) -> Result<Self, NotHex> {
        let error = || NotHex { text: text.chars().take(128).collect(), digits: 2 * N };
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(error());
        }
        let mut bytes = [0; N];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| error())?;
        Ok(Self(bytes))
    }
}

impl<const N: usize> fmt::Display for HexBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for HexBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de, const N: usize> Deserialize<'de> for HexBytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Cow::<str>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The value of each hex digit of either case; 0xff for what is none.
#[allow(clippy::indexing_slicing, reason = "of a constant: the compiler looks")]
const DIGITS: [u8; 256] = {
    let mut digits = [0xff; 256];
    let mut value = 0_u8;
    while value < 16 {
        let (lower, upper) = (b"0123456789abcdef", b"0123456789ABCDEF");
        digits[lower[value as usize] as usize] = value;
        digits[upper[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

/// The bytes of hex of either case. (CRLs come so: long enough that a table pays.)
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut wrong = !rest.is_empty();
    let bytes = pairs
        .iter()
        .map(|[high, low]| {
            let digit = |byte: u8| DIGITS.get(usize::from(byte)).copied().unwrap_or(0xff);
            let (high, low) = (digit(*high), digit(*low));
            wrong |= (high | low) > 0xf;
            (high << 4) | (low & 0xf)
        })
        .collect();
    (!wrong).then_some(bytes)
}

/// Shows bytes as lower-case hex, written out only when it is shown.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// `N` bytes in a document of Intel's, which writes both cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnyCaseHex<const N: usize>(pub(crate) [u8; N]);

impl<'de, const N: usize> Deserialize<'de> for AnyCaseHex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let mut bytes = [0; N];
        let error = |_| NotHex { text: text.chars().take(128).collect(), digits: 2 * N };
        hex::decode_to_slice(&*text, &mut bytes).map_err(error).map_err(de::Error::custom)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::{AnyCaseHex, HexBytes, decode};

    #[test]
    fn hex_of_any_length_is_decoded() {
        assert_eq!(decode("00ffAb7f").unwrap(), [0, 0xff, 0xab, 0x7f]);
        assert!(decode("").unwrap().is_empty());
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&hex::encode(&all)).unwrap(), all);
        for bad in ["0", "0g", "g0", " 0", "0x", "\u{e9}"] {
            assert!(decode(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn intel_writes_both_cases() {
        let bytes: AnyCaseHex<2> = serde_json::from_str("\"0aFF\"").unwrap();
        assert_eq!(bytes.0, [10, 255]);
        assert!(serde_json::from_str::<AnyCaseHex<2>>("\"0aF\"").is_err());
    }

    #[test]
    fn hex_is_lower_case_and_exact() {
        assert_eq!(HexBytes::<2>::parse("0aff").unwrap().0, [10, 255]);
        assert_eq!(HexBytes::<2>::parse("0aff").unwrap().to_string(), "0aff");
        for bad in ["", "0af", "0aff0", "0aff00", "0AFF", "0x0a", "0ag0"] {
            assert!(HexBytes::<2>::parse(bad).is_err(), "{bad}");
        }
    }
}
