//! Names of measurement registers.

use std::fmt;
use std::str::FromStr;

/// A register that something is measured into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Register {
    /// TDX: the initial contents of the TD.
    Mrtd,
    /// TDX: firmware configuration.
    Rtmr0,
    /// TDX: what the firmware loads and runs.
    Rtmr1,
    /// TDX: kernel parts, command line, initrd.
    Rtmr2,
    /// TDX: the guest's own.
    Rtmr3,
    /// TPM: a platform configuration register.
    Pcr(PcrIndex),
}

/// The number of a PCR, 0 to 23 (TCG PC Client Platform TPM Profile, 4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PcrIndex(u8);

/// A register name or number that does not exist.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Not a PCR.
    #[error("there is no PCR {0}: a TPM has 0 to 23")]
    Pcr(u8),
    /// Not a name.
    #[error("`{0}` is no register: mrtd, rtmr0 to rtmr3, pcr0 to pcr23")]
    Name(String),
}

impl PcrIndex {
    /// A PCR by number.
    ///
    /// # Errors
    /// When it is above 23.
    pub fn new(index: u8) -> Result<Self, RegisterError> {
        if index < 24 { Ok(Self(index)) } else { Err(RegisterError::Pcr(index)) }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }

    /// A PCR that this crate names itself; callers pass constants below 24.
    pub(crate) const fn known(index: u8) -> Self {
        Self(index % 24)
    }

    /// The TDX register that stands in for this PCR (UEFI 2.10, table 38.4).
    #[must_use]
    pub fn tdx(self) -> Option<Register> {
        match self.0 {
            0 => Some(Register::Mrtd),
            1 | 7 => Some(Register::Rtmr0),
            2..=6 => Some(Register::Rtmr1),
            8..=15 => Some(Register::Rtmr2),
            _ => None,
        }
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mrtd => f.write_str("mrtd"),
            Self::Rtmr0 => f.write_str("rtmr0"),
            Self::Rtmr1 => f.write_str("rtmr1"),
            Self::Rtmr2 => f.write_str("rtmr2"),
            Self::Rtmr3 => f.write_str("rtmr3"),
            Self::Pcr(index) => write!(f, "pcr{}", index.get()),
        }
    }
}

impl FromStr for Register {
    type Err = RegisterError;

    fn from_str(name: &str) -> Result<Self, RegisterError> {
        let unknown = || RegisterError::Name(name.to_owned());
        Ok(match name {
            "mrtd" => Self::Mrtd,
            "rtmr0" => Self::Rtmr0,
            "rtmr1" => Self::Rtmr1,
            "rtmr2" => Self::Rtmr2,
            "rtmr3" => Self::Rtmr3,
            _ => {
                let digits = name.strip_prefix("pcr").ok_or_else(unknown)?;
                let index: u8 = digits.parse().map_err(|_| unknown())?;
                // One spelling a register: no `pcr04`, no `pcr+4`.
                if index.to_string() != digits {
                    return Err(unknown());
                }
                Self::Pcr(PcrIndex::new(index)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_have_one_spelling() {
        let pcrs = (0..24).map(|n| Register::Pcr(PcrIndex::new(n).unwrap()));
        let tdx = [Register::Mrtd, Register::Rtmr0, Register::Rtmr1, Register::Rtmr2, Register::Rtmr3];
        for register in tdx.into_iter().chain(pcrs) {
            assert_eq!(register.to_string().parse::<Register>().unwrap(), register);
        }
        for bad in ["", "pcr", "pcr04", "pcr+4", "pcr24", "pcr300", "RTMR1", "rtmr4", "pcr-1"] {
            assert!(bad.parse::<Register>().is_err(), "{bad}");
        }
    }

    #[test]
    fn pcrs_map_to_tdx_registers() {
        let of = |n| PcrIndex::new(n).unwrap().tdx();
        assert_eq!(of(0), Some(Register::Mrtd));
        assert_eq!((of(1), of(7)), (Some(Register::Rtmr0), Some(Register::Rtmr0)));
        assert_eq!((of(2), of(6)), (Some(Register::Rtmr1), Some(Register::Rtmr1)));
        assert_eq!((of(8), of(15)), (Some(Register::Rtmr2), Some(Register::Rtmr2)));
        assert_eq!(of(16), None);
    }
}
