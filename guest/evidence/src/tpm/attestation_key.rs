//! The attestation key: a primary of the endorsement hierarchy under one fixed template.
//!
//! A primary is derived from the hierarchy's seed and the template alone (Part 1, 27.6.3), so host and guest get
//! the same key from the same TPM, and nothing is stored. The hierarchy's authorization is the empty one.

use std::fmt;
use std::io::{Read, Write};

use sha2::{Digest, Sha256};

use super::algorithm::{Command, ECC_NIST_P256, alg, handle};
use super::wire::{Reader, Writer};
use super::{Tpm, TpmError};

/// TPMA_OBJECT (Part 2, 8.3): fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign. A
/// restricted key signs only what the TPM itself made, which is what makes its quotes believable.
const ATTRIBUTES: u32 =
    0x0000_0002 | 0x0000_0010 | 0x0000_0020 | 0x0000_0040 | 0x0000_0400 | 0x0001_0000 | 0x0004_0000;

/// Hashed into `unique.x`, so that this key is nobody else's.
const LABEL: &[u8] = b"hallmark/ak/1";

/// Length of a P-256 coordinate.
const COORDINATE: usize = 32;

/// The TPM Name of an object: `nameAlg || H(TPMT_PUBLIC)` (Part 1, 16), SHA-256 here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name([u8; 34]);

impl Name {
    /// The Name of a `TPMT_PUBLIC` whose nameAlg is SHA-256.
    #[must_use]
    pub fn of(public: &[u8]) -> Self {
        let mut name = [0; 34];
        let (algorithm, digest) = name.split_at_mut(2);
        algorithm.copy_from_slice(&alg::SHA256.to_be_bytes());
        digest.copy_from_slice(&Sha256::digest(public));
        Self(name)
    }

    /// Its 34 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 34] {
        &self.0
    }
}

/// Lower-case hex, as a policy's `[vtpm] ak` has it.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// An attestation key that is loaded in the TPM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationKey {
    handle: u32,
    public: Vec<u8>,
    name: Name,
}

impl AttestationKey {
    /// `TPMT_PUBLIC`, as evidence carries it.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// Its Name, as a policy names it.
    #[must_use]
    pub const fn name(&self) -> Name {
        self.name
    }

    /// Its transient handle.
    #[must_use]
    pub const fn handle(&self) -> u32 {
        self.handle
    }
}

/// What a key made from the template looks like, apart from its point: TPMT_PUBLIC (Part 2, 12.2.4) up to `unique`.
fn template_head() -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(alg::ECC.to_be_bytes());
    bytes.extend(alg::SHA256.to_be_bytes());
    bytes.extend(ATTRIBUTES.to_be_bytes());
    bytes.extend(0_u16.to_be_bytes()); // authPolicy: none
    // TPMS_ECC_PARMS (Part 2, 12.2.3.6)
    bytes.extend(alg::NULL.to_be_bytes()); // symmetric: it is no storage key
    bytes.extend(alg::ECDSA.to_be_bytes());
    bytes.extend(alg::SHA256.to_be_bytes());
    bytes.extend(ECC_NIST_P256.to_be_bytes());
    bytes.extend(alg::NULL.to_be_bytes()); // kdf
    bytes
}

/// The whole template: the label's hash in x, y empty.
fn template() -> Vec<u8> {
    let mut bytes = template_head();
    bytes.extend([0, 32]);
    bytes.extend(Sha256::digest(LABEL));
    bytes.extend([0, 0]);
    bytes
}

impl<T: Read + Write> Tpm<T> {
    /// TPM2_CreatePrimary (Part 3, 24.1): derives and loads the attestation key. Flush it after use.
    ///
    /// # Errors
    /// The TPM's, or the transport's; a key other than the template asks for.
    pub fn create_attestation_key(&mut self) -> Result<AttestationKey, TpmError> {
        let command = Command::CreatePrimary;
        let mut writer = Writer::new(command, &[handle::ENDORSEMENT], true);
        // TPM2B_SENSITIVE_CREATE: empty password, no data.
        writer.sized(&[0, 0, 0, 0])?;
        writer.sized(&template())?;
        writer.sized(&[])?; // outsideInfo
        writer.u32(0); // creationPCR: none
        let body = self.execute(command, writer)?;
        let mut reader = Reader::new(command, &body);
        let handle = reader.u32("objectHandle")?;
        let mut reader = reader.parameters()?;
        let public = reader.sized("outPublic")?;
        reader.sized("creationData")?;
        reader.sized("creationHash")?;
        // TPMT_TK_CREATION: tag, hierarchy, digest.
        reader.u16("creationTicket.tag")?;
        reader.u32("creationTicket.hierarchy")?;
        reader.sized("creationTicket.digest")?;
        let name = reader.sized("name")?;
        if !is_attestation_key(public) {
            return Err(reader.error("outPublic", len(public)));
        }
        let expected = Name::of(public);
        if name != expected.as_bytes() {
            return Err(reader.error("name", len(name)));
        }
        reader.end()?;
        Ok(AttestationKey { handle, public: public.to_vec(), name: expected })
    }

    /// TPM2_ReadPublic (Part 3, 12.4): `TPMT_PUBLIC` and Name of a loaded object whose nameAlg is SHA-256.
    ///
    /// # Errors
    /// The TPM's, or the transport's; a Name that is not that of the public area.
    pub fn read_public(&mut self, handle: u32) -> Result<(Vec<u8>, Name), TpmError> {
        let command = Command::ReadPublic;
        let body = self.execute(command, Writer::new(command, &[handle], false))?;
        let mut reader = Reader::new(command, &body);
        let public = reader.sized("outPublic")?;
        let name = reader.sized("name")?;
        reader.sized("qualifiedName")?;
        let expected = Name::of(public);
        if name != expected.as_bytes() {
            return Err(reader.error("name", len(name)));
        }
        reader.end()?;
        Ok((public.to_vec(), expected))
    }

    /// TPM2_FlushContext (Part 3, 28.4): unloads a transient object.
    ///
    /// # Errors
    /// The TPM's, or the transport's.
    pub fn flush_context(&mut self, handle: u32) -> Result<(), TpmError> {
        let command = Command::FlushContext;
        let mut writer = Writer::new(command, &[], false);
        writer.u32(handle); // a parameter, not a handle: Part 3 says so
        let body = self.execute(command, writer)?;
        Reader::new(command, &body).end()
    }
}

/// Reads a TPM's attestation key and leaves nothing loaded: for a host that writes a policy before it starts a
/// machine. The TPM must be started ([`Tpm::startup`]).
///
/// # Errors
/// The TPM's, or the transport's.
pub fn attestation_key<T: Read + Write>(tpm: &mut Tpm<T>) -> Result<AttestationKey, TpmError> {
    let key = tpm.create_attestation_key()?;
    tpm.flush_context(key.handle)?;
    Ok(key)
}

/// Whether the bytes are the template with a point of two whole coordinates. A coordinate may come with its
/// leading zeros or without (Part 2, 11.2.5.1).
fn is_attestation_key(public: &[u8]) -> bool {
    let Some(unique) = public.strip_prefix(template_head().as_slice()) else { return false };
    let mut reader = Reader::new(Command::CreatePrimary, unique);
    let mut coordinate = || reader.sized("unique").is_ok_and(|c| (1..=COORDINATE).contains(&c.len()));
    coordinate() && coordinate() && reader.end().is_ok()
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
