//! Instants as seconds since 1970, written as certificates and Intel's documents want them.

/// The instant at which every default case is valid: 2026-06-01T12:00:00Z.
pub const NOW: u64 = 1_780_315_200;

/// A day, in seconds.
pub const DAY: u64 = 86_400;

/// A date and time of day, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
}

/// The proleptic Gregorian date, counted in years that begin on 1 March so that the leap day comes
/// last and months have a fixed pattern of lengths.
pub(crate) fn civil(unix: u64) -> Civil {
    let (days, time) = (unix / DAY, unix % DAY);
    // 719,468 days lie between 0000-03-01 and 1970-01-01; 146,097 make 400 years.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    Civil {
        year: era * 400 + year_of_era + u64::from(month <= 2),
        month,
        day: of_year - (153 * from_march + 2) / 5 + 1,
        hour: time / 3_600,
        minute: time / 60 % 60,
        second: time % 60,
    }
}

/// The instant as RFC 3339 in UTC, whole seconds: `2026-06-01T12:00:00Z`.
#[must_use]
pub fn rfc3339(unix: u64) -> String {
    let t = civil(unix);
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", t.year, t.month, t.day, t.hour, t.minute, t.second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_out_right() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(NOW), "2026-06-01T12:00:00Z");
        assert_eq!(rfc3339(2_524_607_999), "2049-12-31T23:59:59Z");
        assert_eq!(rfc3339(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
