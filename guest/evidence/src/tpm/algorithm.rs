//! Identifiers of the TPM 2.0 Library, Part 2.

/// TPM_ALG_ID (Part 2, 6.3) values in use here.
pub(crate) mod alg {
    pub(crate) const SHA1: u16 = 0x0004;
    pub(crate) const SHA256: u16 = 0x000b;
    pub(crate) const SHA384: u16 = 0x000c;
    pub(crate) const SHA512: u16 = 0x000d;
    pub(crate) const NULL: u16 = 0x0010;
    pub(crate) const SM3_256: u16 = 0x0012;
    pub(crate) const ECDSA: u16 = 0x0018;
    pub(crate) const ECC: u16 = 0x0023;
}

/// TPM_ECC_CURVE (Part 2, 6.4): NIST P-256.
pub(crate) const ECC_NIST_P256: u16 = 0x0003;

/// TPMI_ST_COMMAND_TAG (Part 2, 9.18): a command with or without an authorization area.
pub(crate) mod tag {
    pub(crate) const NO_SESSIONS: u16 = 0x8001;
    pub(crate) const SESSIONS: u16 = 0x8002;
}

/// TPM_HANDLE values (Part 2, 7.4).
pub(crate) mod handle {
    /// An empty password stands for an authorization that was never set.
    pub(crate) const PASSWORD: u32 = 0x4000_0009;
    pub(crate) const ENDORSEMENT: u32 = 0x4000_000b;
}

/// TPM_CC (Part 2, 6.5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Command {
    CreatePrimary = 0x131,
    Startup = 0x144,
    Shutdown = 0x145,
    Quote = 0x158,
    FlushContext = 0x165,
    ReadPublic = 0x173,
    GetCapability = 0x17a,
    PcrRead = 0x17e,
    PcrExtend = 0x182,
}

impl Command {
    /// The name in Part 3.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CreatePrimary => "TPM2_CreatePrimary",
            Self::Startup => "TPM2_Startup",
            Self::Shutdown => "TPM2_Shutdown",
            Self::Quote => "TPM2_Quote",
            Self::FlushContext => "TPM2_FlushContext",
            Self::ReadPublic => "TPM2_ReadPublic",
            Self::GetCapability => "TPM2_GetCapability",
            Self::PcrRead => "TPM2_PCR_Read",
            Self::PcrExtend => "TPM2_PCR_Extend",
        }
    }
}

/// A bank of PCRs, by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bank {
    /// SHA-1, 20 bytes. Read and reported, never quoted.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
    /// SM3-256, 32 bytes.
    Sm3,
}

impl Bank {
    /// TPM_ALG_ID of the hash.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::Sha1 => alg::SHA1,
            Self::Sha256 => alg::SHA256,
            Self::Sha384 => alg::SHA384,
            Self::Sha512 => alg::SHA512,
            Self::Sm3 => alg::SM3_256,
        }
    }

    /// The bank of a TPM_ALG_ID, or none.
    #[must_use]
    pub const fn from_id(id: u16) -> Option<Self> {
        match id {
            alg::SHA1 => Some(Self::Sha1),
            alg::SHA256 => Some(Self::Sha256),
            alg::SHA384 => Some(Self::Sha384),
            alg::SHA512 => Some(Self::Sha512),
            alg::SM3_256 => Some(Self::Sm3),
            _ => None,
        }
    }

    /// Length of a digest, in bytes.
    #[must_use]
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 | Self::Sm3 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}
