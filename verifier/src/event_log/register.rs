//! The registers that boots are measured into.

use std::fmt;
use std::str::FromStr;

/// A measurement register. Its order is the order of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Register {
    /// The TD's build-time register: firmware.
    Mrtd,
    /// A TD's run-time register, 0 to 3.
    Rtmr(u8),
    /// A TPM's platform configuration register, 0 to 23.
    Pcr(u8),
}

impl Register {
    /// Whether it is one that a document of ours may name: `mrtd`, `rtmr0` to `rtmr3`, `pcr0` to
    /// `pcr15`. PCRs 16 and up can be reset while the machine runs, so no log can be held against them.
    #[must_use]
    pub const fn is_named(self) -> bool {
        match self {
            Self::Mrtd => true,
            Self::Rtmr(index) => index < 4,
            Self::Pcr(index) => index < 16,
        }
    }

    /// Whether it belongs to a TD.
    #[must_use]
    pub const fn is_td(self) -> bool {
        matches!(self, Self::Mrtd | Self::Rtmr(_))
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mrtd => f.write_str("mrtd"),
            Self::Rtmr(index) => write!(f, "rtmr{index}"),
            Self::Pcr(index) => write!(f, "pcr{index}"),
        }
    }
}

/// Not the name of a register.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no register; they are mrtd, rtmr0 to rtmr3 and pcr0 to pcr15 (SPECIFICATION 2)")]
pub struct RegisterError(pub(crate) String);

impl FromStr for Register {
    type Err = RegisterError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let index = |digits: &str| match digits.as_bytes() {
            [digit @ b'0'..=b'9'] => Some(digit - b'0'),
            [b'1', digit @ b'0'..=b'5'] => Some(10 + (digit - b'0')),
            _ => None,
        };
        let register = if name == "mrtd" {
            Some(Self::Mrtd)
        } else if let Some(digits) = name.strip_prefix("rtmr") {
            index(digits).map(Self::Rtmr)
        } else {
            name.strip_prefix("pcr").and_then(index).map(Self::Pcr)
        };
        register
            .filter(|register| register.is_named())
            .ok_or_else(|| RegisterError(name.chars().take(32).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::Register;

    #[test]
    fn names_read_back() {
        let all =
            [Register::Mrtd].into_iter().chain((0..4).map(Register::Rtmr)).chain((0..16).map(Register::Pcr));
        for register in all {
            assert_eq!(register.to_string().parse(), Ok(register));
        }
        for wrong in ["", "rtmr4", "pcr16", "pcr01", "pcr", "PCR1", "mrtd ", "pcr1 ", "pcr+1", "pcr\u{661}"] {
            assert!(wrong.parse::<Register>().is_err(), "{wrong:?}");
        }
    }
}
