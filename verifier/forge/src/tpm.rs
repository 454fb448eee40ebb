//! TPM 2.0 structures (TPM 2.0 Library, Part 2): an attestation key's public area and a quote.

use sha2::{Digest, Sha256};

use crate::event_log::{Digests, Registers};
use crate::key::{Key, Signature};

const ALG_SHA256: u16 = 0x000b;
const ALG_SHA384: u16 = 0x000c;
const ALG_NULL: u16 = 0x0010;
const ALG_ECDSA: u16 = 0x0018;
const ALG_ECC: u16 = 0x0023;
const CURVE_P256: u16 = 0x0003;

/// TPMA_OBJECT fixedTPM.
pub const FIXED_TPM: u32 = 1 << 1;
/// TPMA_OBJECT fixedParent.
pub const FIXED_PARENT: u32 = 1 << 4;
/// TPMA_OBJECT sensitiveDataOrigin.
pub const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
/// TPMA_OBJECT userWithAuth.
pub const USER_WITH_AUTH: u32 = 1 << 6;
/// TPMA_OBJECT noDA.
pub const NO_DA: u32 = 1 << 10;
/// TPMA_OBJECT restricted.
pub const RESTRICTED: u32 = 1 << 16;
/// TPMA_OBJECT decrypt.
pub const DECRYPT: u32 = 1 << 17;
/// TPMA_OBJECT sign.
pub const SIGN: u32 = 1 << 18;

/// An attestation key: TPMT_PUBLIC (12.2.4) of an ECC key.
#[derive(Debug, Clone)]
pub struct AttestationKey {
    /// The key.
    pub key: Key,
    /// type: TPM_ALG_ECC.
    pub kind: u16,
    /// nameAlg: SHA-256.
    pub name_algorithm: u16,
    /// objectAttributes.
    pub attributes: u32,
    /// authPolicy.
    pub auth_policy: Vec<u8>,
    /// Signing scheme: ECDSA.
    pub scheme: u16,
    /// Its hash: SHA-256.
    pub scheme_hash: u16,
    /// curveID: P-256.
    pub curve: u16,
    /// Bytes after the structure.
    pub trailing: Vec<u8>,
}

impl Default for AttestationKey {
    fn default() -> Self {
        Self {
            key: Key::simulated("attestation-key-tpm"),
            kind: ALG_ECC,
            name_algorithm: ALG_SHA256,
            attributes: FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | USER_WITH_AUTH | RESTRICTED | SIGN,
            auth_policy: Vec::new(),
            scheme: ALG_ECDSA,
            scheme_hash: ALG_SHA256,
            curve: CURVE_P256,
            trailing: Vec::new(),
        }
    }
}

impl AttestationKey {
    /// TPMT_PUBLIC.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        let point = self.key.point();
        let (x, y) = point.split_at(32);
        let mut out = [self.kind.to_be_bytes(), self.name_algorithm.to_be_bytes()].concat();
        out.extend(self.attributes.to_be_bytes());
        out.extend(sized(&self.auth_policy));
        // TPMS_ECC_PARMS: no symmetric cipher, the scheme, the curve, no key derivation.
        for word in [ALG_NULL, self.scheme, self.scheme_hash, self.curve, ALG_NULL] {
            out.extend(word.to_be_bytes());
        }
        out.extend(sized(x));
        out.extend(sized(y));
        out.extend(&self.trailing);
        out
    }

    /// The Name (Part 1, 16): nameAlg || SHA-256(TPMT_PUBLIC).
    #[must_use]
    pub fn name(&self) -> Vec<u8> {
        [&ALG_SHA256.to_be_bytes()[..], &Sha256::digest(self.public())].concat()
    }
}

/// TPMS_PCR_SELECTION (10.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The bank.
    pub bank: u16,
    /// PCRs, ascending.
    pub pcrs: Vec<u32>,
    /// Bytes in the bitmap.
    pub size: u8,
}

/// PCRs 0 to 15 of both banks.
#[must_use]
pub fn all_pcrs() -> Vec<Selection> {
    let bank = |bank| Selection { bank, pcrs: (0..16).collect(), size: 3 };
    vec![bank(ALG_SHA256), bank(ALG_SHA384)]
}

/// A quote to be signed: TPMS_ATTEST (10.12.12) and TPMT_SIGNATURE. `None` stands for the value that
/// is right.
#[derive(Debug, Clone)]
pub struct TpmQuote {
    /// magic: TPM_GENERATED_VALUE.
    pub magic: u32,
    /// type: TPM_ST_ATTEST_QUOTE.
    pub kind: u16,
    /// qualifiedSigner, a Name.
    pub qualified_signer: Vec<u8>,
    /// extraData; a case fills in SHA-256 of the binding.
    pub extra_data: Option<Vec<u8>>,
    /// clockInfo: clock, resetCount, restartCount, safe.
    pub clock: (u64, u32, u32, u8),
    /// firmwareVersion.
    pub firmware_version: u64,
    /// pcrSelect.
    pub selection: Vec<Selection>,
    /// pcrDigest; `None`: of the registers that the log replays to.
    pub pcr_digest: Option<Vec<u8>>,
    /// Bytes after TPMS_ATTEST, inside its TPM2B.
    pub attest_trailing: Vec<u8>,
    /// The TPM2B's length as it claims.
    pub attest_size: Option<u16>,
    /// How it is signed.
    pub signature: Signature,
    /// sigAlg: ECDSA.
    pub signature_algorithm: u16,
    /// Its hash: SHA-256.
    pub signature_hash: u16,
    /// Bytes after the signature.
    pub trailing: Vec<u8>,
    /// Cut to this many bytes.
    pub truncate: Option<usize>,
}

impl Default for TpmQuote {
    fn default() -> Self {
        Self {
            magic: 0xff54_4347,
            kind: 0x8018,
            qualified_signer: [&ALG_SHA256.to_be_bytes()[..], &Sha256::digest("SIMULATED signer")].concat(),
            extra_data: None,
            clock: (60_000, 1, 0, 1),
            firmware_version: 0x2019_1023_0016_3636,
            selection: all_pcrs(),
            pcr_digest: None,
            attest_trailing: Vec::new(),
            attest_size: None,
            signature: Signature::Valid,
            signature_algorithm: ALG_ECDSA,
            signature_hash: ALG_SHA256,
            trailing: Vec::new(),
            truncate: None,
        }
    }
}

impl TpmQuote {
    /// `TPM2B_ATTEST` then `TPMT_SIGNATURE`.
    #[must_use]
    pub fn bytes(&self, ak: &AttestationKey, registers: &Registers, extra_data: &[u8]) -> Vec<u8> {
        let attest = self.attest(registers, extra_data);
        let size = self.attest_size.unwrap_or_else(|| u16::try_from(attest.len()).unwrap_or(u16::MAX));
        let signature = self.signature.raw(&ak.key, &attest);
        let (r, s) = signature.split_at(signature.len() / 2);
        let mut out = [&size.to_be_bytes()[..], &attest].concat();
        out.extend(self.signature_algorithm.to_be_bytes());
        out.extend(self.signature_hash.to_be_bytes());
        out.extend(sized(r));
        out.extend(sized(s));
        out.extend(&self.trailing);
        out.truncate(self.truncate.unwrap_or(out.len()));
        out
    }

    fn attest(&self, registers: &Registers, extra_data: &[u8]) -> Vec<u8> {
        let (clock, resets, restarts, safe) = self.clock;
        let mut out = self.magic.to_be_bytes().to_vec();
        out.extend(self.kind.to_be_bytes());
        out.extend(sized(&self.qualified_signer));
        out.extend(sized(self.extra_data.as_deref().unwrap_or(extra_data)));
        out.extend(clock.to_be_bytes());
        out.extend(resets.to_be_bytes());
        out.extend(restarts.to_be_bytes());
        out.push(safe);
        out.extend(self.firmware_version.to_be_bytes());
        out.extend(u32::try_from(self.selection.len()).unwrap_or(u32::MAX).to_be_bytes());
        for selection in &self.selection {
            out.extend(selection.bytes());
        }
        let digest = self.pcr_digest.clone().unwrap_or_else(|| pcr_digest(&self.selection, registers));
        out.extend(sized(&digest));
        out.extend(&self.attest_trailing);
        out
    }
}

impl Selection {
    fn bytes(&self) -> Vec<u8> {
        let mut bitmap = vec![0; usize::from(self.size)];
        for pcr in &self.pcrs {
            let at = usize::try_from(pcr / 8).unwrap_or(usize::MAX);
            if let Some(byte) = bitmap.get_mut(at) {
                *byte |= 1 << (pcr % 8);
            }
        }
        [&self.bank.to_be_bytes()[..], &[self.size], &bitmap].concat()
    }
}

/// SHA-256 over the selected registers, bank by bank, PCRs ascending (Part 1, 17.7).
#[must_use]
pub fn pcr_digest(selection: &[Selection], registers: &Registers) -> Vec<u8> {
    let mut hash = Sha256::new();
    for Selection { bank, pcrs, .. } in selection {
        for pcr in pcrs {
            let value = registers.get(pcr).unwrap_or(&Digests::ZERO);
            match *bank {
                ALG_SHA256 => hash.update(value.sha256),
                _ => hash.update(value.sha384),
            }
        }
    }
    hash.finalize().to_vec()
}

/// A TPM2B: a big-endian length and the bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}
