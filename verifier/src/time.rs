//! Instants, and the one rule by which they are compared.
//!
//! The verifier has no clock: `now` is given to it. Whatever has dates (certificates, CRLs, TCB info,
//! QE identity) is valid from its first instant to its last, both included, as RFC 5280, 4.1.2.5 has it
//! for certificates. Every date in the crate goes through [`Validity::check`].

use std::fmt;

use der::DateTime;
use serde::{Deserialize, Deserializer, de};

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(pub u64);

/// Text that is not a date of the form `2026-01-02T03:04:05Z`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date like 2026-01-02T03:04:05Z (RFC 3339, UTC, whole seconds)")]
pub struct NotADate(pub String);

impl UnixSeconds {
    /// Reads `YYYY-MM-DDThh:mm:ssZ`: RFC 3339, section 5.6, with `Z` and without a fraction. Nothing
    /// else, lower case letters and leap seconds included.
    ///
    /// # Errors
    /// [`NotADate`] for any other text, or for a day that does not exist.
    pub fn parse(text: &str) -> Result<Self, NotADate> {
        Self::read(text.as_bytes()).ok_or_else(|| NotADate(text.chars().take(64).collect()))
    }

    fn read(text: &[u8]) -> Option<Self> {
        let text: &[u8; 20] = text.try_into().ok()?;
        let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1, b'Z'] =
            *text
        else {
            return None;
        };
        let two =
            |a: u8, b: u8| (a.is_ascii_digit() && b.is_ascii_digit()).then(|| (a - b'0') * 10 + (b - b'0'));
        let year = u16::from(two(y0, y1)?) * 100 + u16::from(two(y2, y3)?);
        DateTime::new(year, two(m0, m1)?, two(d0, d1)?, two(h0, h1)?, two(i0, i1)?, two(s0, s1)?)
            .ok()
            .map(Self::from)
    }

    /// Seconds from `earlier` to this instant; `None` if it lies after this one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Option<u64> {
        self.0.checked_sub(earlier.0)
    }
}

impl From<DateTime> for UnixSeconds {
    fn from(date: DateTime) -> Self {
        Self(date.unix_duration().as_secs())
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_unix_duration(std::time::Duration::from_secs(self.0)) {
            Ok(date) => write!(f, "{date}"),
            Err(_) => write!(f, "{} s after 1970", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for UnixSeconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// From when to when something holds, both instants included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// `notBefore`, `thisUpdate`, `issueDate`.
    pub from: UnixSeconds,
    /// `notAfter`, `nextUpdate`.
    pub to: UnixSeconds,
}

/// An instant outside a validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Outside {
    /// It begins later.
    #[error("valid only from {from}, and it is {now}")]
    NotYet {
        /// Its first instant.
        from: UnixSeconds,
        /// The instant asked about.
        now: UnixSeconds,
    },
    /// It has ended.
    #[error("valid only to {to}, and it is {now}")]
    Expired {
        /// Its last instant.
        to: UnixSeconds,
        /// The instant asked about.
        now: UnixSeconds,
    },
}

impl Validity {
    /// Whether `now` lies within.
    ///
    /// # Errors
    /// [`Outside`], on either side.
    pub const fn check(self, now: UnixSeconds) -> Result<(), Outside> {
        if now.0 < self.from.0 {
            return Err(Outside::NotYet { from: self.from, now });
        }
        if now.0 > self.to.0 {
            return Err(Outside::Expired { to: self.to, now });
        }
        Ok(())
    }

    /// When both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::{Outside, UnixSeconds, Validity};

    #[test]
    fn dates_are_strict() {
        assert_eq!(UnixSeconds::parse("1970-01-01T00:00:01Z"), Ok(UnixSeconds(1)));
        assert_eq!(UnixSeconds::parse("2026-06-01T12:00:00Z"), Ok(UnixSeconds(1_780_315_200)));
        assert_eq!(UnixSeconds(1_780_315_200).to_string(), "2026-06-01T12:00:00Z");
        for bad in [
            "",
            "2026-06-01",
            "2026-06-01T12:00:00",
            "2026-06-01t12:00:00z",
            "2026-06-01T12:00:00+00:00",
            "2026-06-01T12:00:00.0Z",
            "2026-06-01 12:00:00Z",
            "2026-02-30T12:00:00Z",
            "2026-06-01T24:00:00Z",
            "2026-06-01T12:00:60Z",
            "+026-06-01T12:00:00Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert!(UnixSeconds::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn both_ends_belong_to_a_validity() {
        let validity = Validity { from: UnixSeconds(10), to: UnixSeconds(20) };
        for (now, expected) in [(9, false), (10, true), (20, true), (21, false)] {
            assert_eq!(validity.check(UnixSeconds(now)).is_ok(), expected, "{now}");
        }
        assert!(matches!(validity.check(UnixSeconds(21)), Err(Outside::Expired { .. })));
        let both = validity.and(Validity { from: UnixSeconds(15), to: UnixSeconds(30) });
        assert_eq!((both.from.0, both.to.0), (15, 20));
    }
}
