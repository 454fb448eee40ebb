//! TPM2_Quote (Part 3, 18.4): the TPM signs a digest of its PCRs and 32 bytes of ours.

use std::io::{Read, Write};

use super::algorithm::{Bank, Command, alg};
use super::wire::{Reader, Writer};
use super::{AttestationKey, PcrSet, Tpm, TpmError};

/// The banks that evidence quotes, in the order in which it selects them (SPECIFICATION §1).
pub const EVIDENCE_BANKS: [Bank; 2] = [Bank::Sha256, Bank::Sha384];

/// TPM_GENERATED_VALUE (Part 2, 6.2): "\xffTCG", never found in data that somebody else gave the TPM to sign.
const GENERATED: u32 = 0xff54_4347;
/// TPM_ST_ATTEST_QUOTE (Part 2, 6.9).
const ATTEST_QUOTE: u16 = 0x8018;

impl<T: Read + Write> Tpm<T> {
    /// Quotes PCRs 0 to 15 of both evidence banks with `extra_data` inside. Gives `TPM2B_ATTEST` then
    /// `TPMT_SIGNATURE`, as evidence carries them.
    ///
    /// # Errors
    /// A bank that is not active; the TPM's, or the transport's; a quote of something else than was asked.
    pub fn quote(&mut self, key: &AttestationKey, extra_data: &[u8; 32]) -> Result<Vec<u8>, TpmError> {
        let active = self.banks()?;
        if let Some(bank) = EVIDENCE_BANKS.into_iter().find(|bank| !active.contains(bank)) {
            return Err(TpmError::BankMissing { bank });
        }
        let command = Command::Quote;
        let mut writer = Writer::new(command, &[key.handle()], true);
        writer.sized(extra_data)?;
        writer.u16(alg::NULL); // inScheme: the key's own
        let [first, second] = EVIDENCE_BANKS;
        writer.u32(2);
        PcrSet::STATIC.write(first, &mut writer);
        PcrSet::STATIC.write(second, &mut writer);
        let body = self.execute(command, writer)?;
        let mut reader = Reader::new(command, &body);
        let parameters = reader.parameters()?;
        check(parameters.clone(), extra_data)?;
        Ok(parameters.remaining().to_vec())
    }
}

/// Whether the response has the shape of what was asked. The values are for the verifier to judge.
fn check(mut reader: Reader<'_>, extra_data: &[u8; 32]) -> Result<(), TpmError> {
    let attest = reader.sized("quoted")?;
    let mut inner = Reader::new(Command::Quote, attest);
    let magic = inner.u32("quoted.magic")?;
    if magic != GENERATED {
        return Err(inner.error("quoted.magic", magic));
    }
    let kind = inner.u16("quoted.type")?;
    if kind != ATTEST_QUOTE {
        return Err(inner.error("quoted.type", kind));
    }
    inner.sized("quoted.qualifiedSigner")?;
    let found = inner.sized("quoted.extraData")?;
    if found != extra_data {
        return Err(inner.error("quoted.extraData", u64::try_from(found.len()).unwrap_or(u64::MAX)));
    }
    let scheme = reader.u16("signature.sigAlg")?;
    if scheme != alg::ECDSA {
        return Err(reader.error("signature.sigAlg", scheme));
    }
    let hash = reader.u16("signature.hash")?;
    if hash != alg::SHA256 {
        return Err(reader.error("signature.hash", hash));
    }
    reader.sized("signature.signatureR")?;
    reader.sized("signature.signatureS")?;
    reader.end()
}
