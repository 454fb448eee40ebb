//! Named combinations of firmware, VMM, stub and kernel: what they measure differs, and no file says how.

use std::fmt;
use std::str::FromStr;

/// Under which software a prediction holds. Written `edk2-2025.02/qemu/stub-257/linux-7.2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// Firmware.
    pub edk2: Edk2,
    /// VMM.
    pub vmm: Vmm,
    /// Boot stub of a UKI.
    pub stub: Stub,
    /// Linux.
    pub kernel: Kernel,
}

/// Generations of edk2 that measure alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Edk2 {
    /// Before stable202411, with Secure Boot built in: Debian's 2022.11. Checked by a TPM boot, and by a real TDX log for its
    /// separators.
    V2022_11,
    /// From stable202411 on: Debian's 2025.02. Checked by TPM boots.
    V2025_02,
    /// Debian's 2026.08: measures SMBIOS, has other boot options and puts `initrd=` first. Checked by a TPM boot.
    V2026_08,
}

/// VMMs, by what they do to a kernel they are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Vmm {
    /// QEMU 7.2: writes into the setup header of a `-kernel`. Checked.
    Qemu7,
    /// QEMU 8: as 7 does. Not checked.
    Qemu8,
    /// QEMU 10 and later: with edk2 from 2025.02 on, the kernel is measured as it is. Checked.
    Qemu,
}

/// systemd-stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stub {
    /// 252: measures into a TPM only, without `.sbat`. Checked.
    V252,
    /// 257: measures into TDX as well. Checked with a TPM.
    V257,
}

/// Linux, by what its EFI stub measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kernel {
    /// 6.1 to 6.8: command line and initrd into a TPM only. Checked.
    V6_1,
    /// 6.9 and later: into TDX as well.
    V6_12,
    /// 7.2. Checked with a TPM.
    V7_2,
}

/// A name that is no profile.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Not four parts.
    #[error("`{0}` is no profile: four parts as in `edk2-2025.02/qemu/stub-257/linux-7.2`")]
    Shape(String),
    /// A part that is not known.
    #[error("profile part `{part}` is not known: one of {known}")]
    Part {
        /// What was given.
        part: String,
        /// What could be given.
        known: String,
    },
}

impl Profile {
    /// What Hallmark's image is built for and tested with.
    pub const HALLMARK: Self =
        Self { edk2: Edk2::V2025_02, vmm: Vmm::Qemu, stub: Stub::V257, kernel: Kernel::V7_2 };

    /// Whether a `-kernel` is measured with the setup header that the VMM filled in.
    pub(crate) fn patches_kernel(&self) -> bool {
        matches!(self.vmm, Vmm::Qemu7 | Vmm::Qemu8) || self.edk2 < Edk2::V2025_02
    }
}

impl Edk2 {
    /// Whether the separator at ready-to-boot goes to RTMR1 as well as to RTMR0, and not twice to RTMR0.
    pub(crate) fn separates_rtmr1(self) -> bool {
        self >= Self::V2025_02
    }
}

impl Kernel {
    /// Whether its EFI stub measures through the confidential-computing protocol.
    pub(crate) fn measures_tdx(self) -> bool {
        self != Self::V6_1
    }
}

const EDK2: [(&str, Edk2); 3] =
    [("edk2-2022.11", Edk2::V2022_11), ("edk2-2025.02", Edk2::V2025_02), ("edk2-2026.08", Edk2::V2026_08)];
const VMM: [(&str, Vmm); 3] = [("qemu-7", Vmm::Qemu7), ("qemu-8", Vmm::Qemu8), ("qemu", Vmm::Qemu)];
const STUB: [(&str, Stub); 2] = [("stub-252", Stub::V252), ("stub-257", Stub::V257)];
const KERNEL: [(&str, Kernel); 3] =
    [("linux-6.1", Kernel::V6_1), ("linux-6.12", Kernel::V6_12), ("linux-7.2", Kernel::V7_2)];

fn name<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name)
}

fn value<T: Copy>(table: &[(&'static str, T)], part: &str) -> Result<T, ProfileError> {
    table.iter().find(|(name, _)| *name == part).map(|(_, value)| *value).ok_or_else(|| ProfileError::Part {
        part: part.to_owned(),
        known: table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
    })
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { edk2, vmm, stub, kernel } = self;
        write!(f, "{}/{}/{}/{}", name(&EDK2, edk2), name(&VMM, vmm), name(&STUB, stub), name(&KERNEL, kernel))
    }
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        let parts: Vec<&str> = text.split('/').collect();
        let [edk2, vmm, stub, kernel] = parts.as_slice() else {
            return Err(ProfileError::Shape(text.to_owned()));
        };
        Ok(Self {
            edk2: value(&EDK2, edk2)?,
            vmm: value(&VMM, vmm)?,
            stub: value(&STUB, stub)?,
            kernel: value(&KERNEL, kernel)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        assert_eq!(Profile::HALLMARK.to_string(), "edk2-2025.02/qemu/stub-257/linux-7.2");
        for (_, edk2) in EDK2 {
            for (_, vmm) in VMM {
                for (_, stub) in STUB {
                    for (_, kernel) in KERNEL {
                        let profile = Profile { edk2, vmm, stub, kernel };
                        assert_eq!(profile.to_string().parse(), Ok(profile));
                    }
                }
            }
        }
    }

    #[test]
    fn other_names_are_refused() {
        assert!(matches!("edk2-2025.02/qemu".parse::<Profile>(), Err(ProfileError::Shape(_))));
        let error = "edk2-1999/qemu/stub-257/linux-7.2".parse::<Profile>().unwrap_err();
        assert!(error.to_string().contains("edk2-2025.02"), "{error}");
    }
}
