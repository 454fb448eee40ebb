//! The quoting enclave's own report.

use super::QuoteError;
use super::cursor::Cursor;

/// An SGX report body: here, the quoting enclave's. Parsed, not believed.
///
/// Intel SGX ECDSA Quote Library API, A.4 "Enclave Report Body".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnclaveReport<'a> {
    /// The whole report, as the PCK signs it.
    pub bytes: &'a [u8; 384],
    /// Extended features, little endian.
    pub misc_select: &'a [u8; 4],
    /// FLAGS and XFRM.
    pub attributes: &'a [u8; 16],
    /// SHA-256 of the enclave's contents.
    pub mr_enclave: &'a [u8; 32],
    /// SHA-256 of its signer's key.
    pub mr_signer: &'a [u8; 32],
    /// The product.
    pub isv_prod_id: u16,
    /// Its security version.
    pub isv_svn: u16,
    /// What the enclave binds: the attestation key.
    pub report_data: &'a [u8; 64],
}

impl<'a> EnclaveReport<'a> {
    /// Size on the wire.
    pub const LEN: usize = 384;

    pub(super) fn read(bytes: &'a [u8; 384], at: usize) -> Result<Self, QuoteError> {
        let mut cursor = Cursor::new(bytes, at);
        cursor.array::<16>("QE CPUSVN")?;
        let misc_select = cursor.array("QE MISCSELECT")?;
        cursor.array::<28>("QE reserved")?;
        let attributes = cursor.array("QE ATTRIBUTES")?;
        let mr_enclave = cursor.array("QE MRENCLAVE")?;
        cursor.array::<32>("QE reserved")?;
        let mr_signer = cursor.array("QE MRSIGNER")?;
        cursor.array::<96>("QE reserved")?;
        let isv_prod_id = cursor.u16("QE ISVPRODID")?;
        let isv_svn = cursor.u16("QE ISVSVN")?;
        cursor.array::<60>("QE reserved")?;
        let report_data = cursor.array("QE REPORTDATA")?;
        Ok(Self { bytes, misc_select, attributes, mr_enclave, mr_signer, isv_prod_id, isv_svn, report_data })
    }
}
