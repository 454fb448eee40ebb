//! PCR 10, which Linux extends and firmware's log does not tell.
//!
//! A kernel with IMA measures one thing without being asked, once it has found the TPM: the
//! `boot_aggregate`, a hash over PCRs 0 to 9 (Linux, Documentation/security/IMA-templates.rst and
//! `ima_add_boot_aggregate`). It follows from the log, so no entry of its own is needed; any other use of IMA
//! would show as a digest that does not follow. (Linux 6.1 may have no SHA-384 at that point and extends another digest in that
//! bank; such a machine is not explained.)

use super::{Bank, Register, Replay};

/// What the entry has beside the digest and the name; which one a kernel has is chosen when it is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Template {
    /// `ima-ng`: digest and name.
    Ng,
    /// `ima-sig`: and a signature, here empty. Debian's kernels.
    Sig,
}

impl Template {
    pub(super) const ALL: [Self; 2] = [Self::Sig, Self::Ng];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ng => "ima-ng",
            Self::Sig => "ima-sig",
        }
    }

    /// The entry's fields, each after its length in 32 bits, little endian.
    fn entry(self, sha256: &Replay) -> Vec<u8> {
        let pcrs: Vec<&[u8]> =
            (0..10).filter_map(|index| Some(sha256.get(Register::Pcr(index))?.as_bytes())).collect();
        let aggregate = Bank::Sha256.hash(&pcrs);
        let digest = [b"sha256:\0", aggregate.as_bytes()].concat();
        let fields: &[&[u8]] = match self {
            Self::Ng => &[&digest, b"boot_aggregate\0"],
            Self::Sig => &[&digest, b"boot_aggregate\0", b""],
        };
        let mut entry = Vec::new();
        for field in fields {
            // 46 bytes at the most.
            let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
            entry.extend(length.to_le_bytes());
            entry.extend(*field);
        }
        entry
    }

    /// The banks after the kernel has measured its boot aggregate; `sha256` is the bank that it is made from.
    pub(super) fn measured<const N: usize>(self, sha256: &Replay, mut banks: [Replay; N]) -> [Replay; N] {
        let entry = self.entry(sha256);
        for replay in &mut banks {
            let digest = replay.bank().hash(&[&entry]);
            replay.extend(Register::Pcr(10), digest.as_bytes());
        }
        banks
    }
}
