//! QE identity: which quoting enclaves Intel vouches for, and at which levels.
//!
//! Intel PCS API v4, "Enclave Identity V2". Signed over its bytes as they came. For a trust domain it must be the
//! TD quoting enclave's (`TD_QE`): SGX's own (`QE`) and the verification enclave's (`QVE`) are other enclaves of the
//! same signer.

use serde::Deserialize;

use crate::hex_bytes::AnyCaseHex;
use crate::quote::EnclaveReport;
use crate::tcb_info::{IsvLevel, IsvLevelDocument, isv_levels};
use crate::time::{UnixSeconds, Validity};

/// The DEBUG flag of an enclave's attributes (Intel SDM, volume 3, 36.7.1).
const DEBUG: u8 = 0x02;

/// QE identity as parsed. Whether Intel signed it is [`crate::collateral`]'s to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QeIdentity {
    /// `TD_QE` for what we need.
    pub id: String,
    /// 2.
    pub version: u32,
    /// issueDate and nextUpdate.
    pub validity: Validity,
    /// Rises with every TCB recovery.
    pub evaluation_data_number: u32,
    /// MISCSELECT under the mask.
    pub misc_select: [u8; 4],
    /// The bits of MISCSELECT that are compared.
    pub misc_select_mask: [u8; 4],
    /// ATTRIBUTES under the mask.
    pub attributes: [u8; 16],
    /// The bits of ATTRIBUTES that are compared.
    pub attributes_mask: [u8; 16],
    /// SHA-256 of the signer's key.
    pub mr_signer: [u8; 32],
    /// The product.
    pub isv_prod_id: u16,
    /// Levels by ISVSVN, the highest first, whatever order the document has.
    pub levels: Vec<IsvLevel>,
}

/// A quoting enclave that is not the one Intel describes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MismatchError {
    /// MRSIGNER.
    #[error("QE MRSIGNER is {got}, and Intel's is {due}")]
    MrSigner {
        /// The report's, hex.
        got: String,
        /// The identity's, hex.
        due: String,
    },
    /// ISVPRODID.
    #[error("QE ISVPRODID is {got}, and the TD quoting enclave's is {due}")]
    IsvProdId {
        /// The report's.
        got: u16,
        /// The identity's.
        due: u16,
    },
    /// MISCSELECT.
    #[error("QE MISCSELECT is not the identity's under its mask")]
    MiscSelect,
    /// ATTRIBUTES.
    #[error("QE ATTRIBUTES are not the identity's under its mask")]
    Attributes,
    /// A debug enclave.
    #[error("the quoting enclave runs in debug mode: its keys are the host's")]
    Debug,
}

impl QeIdentity {
    /// Reads the JSON. Levels are sorted here.
    ///
    /// # Errors
    /// What is not an enclave identity of version 2's form.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_str(json)?;
        Ok(Self {
            id: document.id,
            version: document.version,
            validity: Validity { from: document.issue_date, to: document.next_update },
            evaluation_data_number: document.tcb_evaluation_data_number,
            misc_select: document.miscselect.0,
            misc_select_mask: document.miscselect_mask.0,
            attributes: document.attributes.0,
            attributes_mask: document.attributes_mask.0,
            mr_signer: document.mrsigner.0,
            isv_prod_id: document.isvprodid,
            levels: isv_levels(document.tcb_levels),
        })
    }

    /// Whether the report is of the enclave described.
    ///
    /// # Errors
    /// [`MismatchError`] for the first field that differs.
    pub fn check(&self, report: &EnclaveReport<'_>) -> Result<(), MismatchError> {
        if *report.mr_signer != self.mr_signer {
            let (got, due) = (hex::encode(report.mr_signer), hex::encode(self.mr_signer));
            return Err(MismatchError::MrSigner { got, due });
        }
        if report.isv_prod_id != self.isv_prod_id {
            return Err(MismatchError::IsvProdId { got: report.isv_prod_id, due: self.isv_prod_id });
        }
        if !equal_under_mask(report.misc_select, &self.misc_select, &self.misc_select_mask) {
            return Err(MismatchError::MiscSelect);
        }
        if !equal_under_mask(report.attributes, &self.attributes, &self.attributes_mask) {
            return Err(MismatchError::Attributes);
        }
        // Whatever the mask says.
        if report.attributes.first().is_none_or(|flags| flags & DEBUG != 0) {
            return Err(MismatchError::Debug);
        }
        Ok(())
    }

    /// The highest level that the enclave reaches.
    #[must_use]
    pub fn level(&self, isv_svn: u16) -> Option<&IsvLevel> {
        self.levels.iter().find(|level| level.isv_svn <= isv_svn)
    }
}

/// Whether the bits of the mask are the same in both.
pub(crate) fn equal_under_mask(a: &[u8], b: &[u8], mask: &[u8]) -> bool {
    a.len() == b.len()
        && a.len() == mask.len()
        && a.iter().zip(b).zip(mask).all(|((a, b), mask)| a & mask == b & mask)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    id: String,
    version: u32,
    issue_date: UnixSeconds,
    next_update: UnixSeconds,
    tcb_evaluation_data_number: u32,
    miscselect: AnyCaseHex<4>,
    miscselect_mask: AnyCaseHex<4>,
    attributes: AnyCaseHex<16>,
    attributes_mask: AnyCaseHex<16>,
    mrsigner: AnyCaseHex<32>,
    isvprodid: u16,
    tcb_levels: Vec<IsvLevelDocument>,
}
