//! TPM_RC, the TPM's own word for what went wrong (TPM 2.0 Library, Part 2, 6.6).

use std::fmt;

/// A response code other than TPM_RC_SUCCESS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseCode(u32);

/// What a format-one code complains about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// A parameter, counted from 1.
    Parameter(u8),
    /// A handle, counted from 1.
    Handle(u8),
    /// A session, counted from 1.
    Session(u8),
}

/// Codes of format zero, version 1 (RC_VER1 = 0x100), and warnings (RC_WARN = 0x900).
const PLAIN: &[(u32, &str)] = &[
    (0x01e, "TPM_RC_BAD_TAG"),
    (0x100, "TPM_RC_INITIALIZE"),
    (0x101, "TPM_RC_FAILURE"),
    (0x103, "TPM_RC_SEQUENCE"),
    (0x10b, "TPM_RC_PRIVATE"),
    (0x119, "TPM_RC_HMAC"),
    (0x120, "TPM_RC_DISABLED"),
    (0x121, "TPM_RC_EXCLUSIVE"),
    (0x124, "TPM_RC_AUTH_TYPE"),
    (0x125, "TPM_RC_AUTH_MISSING"),
    (0x126, "TPM_RC_POLICY"),
    (0x127, "TPM_RC_PCR"),
    (0x128, "TPM_RC_PCR_CHANGED"),
    (0x12d, "TPM_RC_UPGRADE"),
    (0x12e, "TPM_RC_TOO_MANY_CONTEXTS"),
    (0x12f, "TPM_RC_AUTH_UNAVAILABLE"),
    (0x130, "TPM_RC_REBOOT"),
    (0x131, "TPM_RC_UNBALANCED"),
    (0x142, "TPM_RC_COMMAND_SIZE"),
    (0x143, "TPM_RC_COMMAND_CODE"),
    (0x144, "TPM_RC_AUTHSIZE"),
    (0x145, "TPM_RC_AUTH_CONTEXT"),
    (0x146, "TPM_RC_NV_RANGE"),
    (0x147, "TPM_RC_NV_SIZE"),
    (0x148, "TPM_RC_NV_LOCKED"),
    (0x149, "TPM_RC_NV_AUTHORIZATION"),
    (0x14a, "TPM_RC_NV_UNINITIALIZED"),
    (0x14b, "TPM_RC_NV_SPACE"),
    (0x14c, "TPM_RC_NV_DEFINED"),
    (0x150, "TPM_RC_BAD_CONTEXT"),
    (0x151, "TPM_RC_CPHASH"),
    (0x152, "TPM_RC_PARENT"),
    (0x153, "TPM_RC_NEEDS_TEST"),
    (0x154, "TPM_RC_NO_RESULT"),
    (0x155, "TPM_RC_SENSITIVE"),
    (0x901, "TPM_RC_CONTEXT_GAP"),
    (0x902, "TPM_RC_OBJECT_MEMORY"),
    (0x903, "TPM_RC_SESSION_MEMORY"),
    (0x904, "TPM_RC_MEMORY"),
    (0x905, "TPM_RC_SESSION_HANDLES"),
    (0x906, "TPM_RC_OBJECT_HANDLES"),
    (0x907, "TPM_RC_LOCALITY"),
    (0x908, "TPM_RC_YIELDED"),
    (0x909, "TPM_RC_CANCELED"),
    (0x90a, "TPM_RC_TESTING"),
    (0x920, "TPM_RC_NV_RATE"),
    (0x921, "TPM_RC_LOCKOUT"),
    (0x922, "TPM_RC_RETRY"),
    (0x923, "TPM_RC_NV_UNAVAILABLE"),
];

/// Codes of format one (RC_FMT1 = 0x080), without the number of what they are about.
const ABOUT: &[(u32, &str)] = &[
    (0x081, "TPM_RC_ASYMMETRIC"),
    (0x082, "TPM_RC_ATTRIBUTES"),
    (0x083, "TPM_RC_HASH"),
    (0x084, "TPM_RC_VALUE"),
    (0x085, "TPM_RC_HIERARCHY"),
    (0x087, "TPM_RC_KEY_SIZE"),
    (0x088, "TPM_RC_MGF"),
    (0x089, "TPM_RC_MODE"),
    (0x08a, "TPM_RC_TYPE"),
    (0x08b, "TPM_RC_HANDLE"),
    (0x08c, "TPM_RC_KDF"),
    (0x08d, "TPM_RC_RANGE"),
    (0x08e, "TPM_RC_AUTH_FAIL"),
    (0x08f, "TPM_RC_NONCE"),
    (0x090, "TPM_RC_PP"),
    (0x092, "TPM_RC_SCHEME"),
    (0x095, "TPM_RC_SIZE"),
    (0x096, "TPM_RC_SYMMETRIC"),
    (0x097, "TPM_RC_TAG"),
    (0x098, "TPM_RC_SELECTOR"),
    (0x09a, "TPM_RC_INSUFFICIENT"),
    (0x09b, "TPM_RC_SIGNATURE"),
    (0x09c, "TPM_RC_KEY"),
    (0x09d, "TPM_RC_POLICY_FAIL"),
    (0x09f, "TPM_RC_INTEGRITY"),
    (0x0a0, "TPM_RC_TICKET"),
    (0x0a1, "TPM_RC_RESERVED_BITS"),
    (0x0a2, "TPM_RC_BAD_AUTH"),
    (0x0a3, "TPM_RC_EXPIRED"),
    (0x0a4, "TPM_RC_POLICY_CC"),
    (0x0a5, "TPM_RC_BINDING"),
    (0x0a6, "TPM_RC_CURVE"),
    (0x0a7, "TPM_RC_ECC_POINT"),
];

impl ResponseCode {
    /// The code of a response, or none for TPM_RC_SUCCESS.
    #[must_use]
    pub const fn new(code: u32) -> Option<Self> {
        if code == 0 { None } else { Some(Self(code)) }
    }

    /// As it stood in the response.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }

    /// Format one: bit 7 set. Bits 0 to 5 are the error; bit 6 says parameter; bits 8 to 11 which (handles and
    /// sessions share theirs, bit 11 being the difference).
    const fn is_about(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// Its name in Part 2, or `TPM_RC` for one that is not there.
    #[must_use]
    pub fn name(self) -> &'static str {
        let (table, key) = if self.is_about() { (ABOUT, self.0 & 0x0bf) } else { (PLAIN, self.0) };
        table.iter().find(|(code, _)| *code == key).map_or("TPM_RC", |(_, name)| name)
    }

    /// What it complains about, where it says.
    #[must_use]
    pub fn subject(self) -> Option<Subject> {
        let number = u8::try_from((self.0 >> 8) & 0xf).unwrap_or(0);
        match (self.is_about(), self.0 & 0x40 != 0, number) {
            (false, _, _) | (true, _, 0) => None,
            (true, true, n) => Some(Subject::Parameter(n)),
            (true, false, n) if n < 8 => Some(Subject::Handle(n)),
            (true, false, n) => Some(Subject::Session(n & 7)),
        }
    }

    /// Whether the TPM asks for the same command again.
    pub(crate) const fn is_retry(self) -> bool {
        matches!(self.0, 0x908 | 0x90a | 0x922)
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:03x})", self.name(), self.0)?;
        match self.subject() {
            None => Ok(()),
            Some(Subject::Parameter(n)) => write!(f, ", parameter {n}"),
            Some(Subject::Handle(n)) => write!(f, ", handle {n}"),
            Some(Subject::Session(n)) => write!(f, ", session {n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_as_part_2_writes_them() {
        let text = |code| ResponseCode::new(code).unwrap().to_string();
        assert_eq!(ResponseCode::new(0), None);
        assert_eq!(text(0x100), "TPM_RC_INITIALIZE (0x100)");
        assert_eq!(text(0x2c4), "TPM_RC_VALUE (0x2c4), parameter 2");
        assert_eq!(text(0x18b), "TPM_RC_HANDLE (0x18b), handle 1");
        assert_eq!(text(0x9a2), "TPM_RC_BAD_AUTH (0x9a2), session 1");
        assert_eq!(text(0x922), "TPM_RC_RETRY (0x922)");
        assert_eq!(text(0xffff_0000), "TPM_RC (0xffff0000)");
    }

    #[test]
    fn tables_have_no_code_twice() {
        for table in [PLAIN, ABOUT] {
            assert!(table.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }
}
