//! QE identity (Intel PCS API v4, "Get TD Quoting Enclave Identity", version 2).

use serde::Serialize;

use crate::instant::{DAY, rfc3339};
use crate::quote::QeReport;
use crate::tcb_info::SvnLevel;

/// The identity of the quoting enclave. Fields are in Intel's order; hex is upper case.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QeIdentity {
    /// `TD_QE`.
    pub id: String,
    /// 2.
    pub version: u32,
    /// RFC 3339.
    pub issue_date: String,
    /// RFC 3339.
    pub next_update: String,
    /// Grows with every TCB recovery.
    pub tcb_evaluation_data_number: u32,
    /// MISCSELECT, 4 bytes in hex.
    pub miscselect: String,
    /// Which bits of it count.
    pub miscselect_mask: String,
    /// ATTRIBUTES, 16 bytes in hex.
    pub attributes: String,
    /// Which bits of it count.
    pub attributes_mask: String,
    /// MRSIGNER, 32 bytes in hex.
    pub mrsigner: String,
    /// ISVPRODID.
    pub isvprodid: u16,
    /// Highest first.
    pub tcb_levels: Vec<SvnLevel>,
}

impl QeIdentity {
    /// One issued three days before `now`, which the default QE report meets.
    #[must_use]
    pub fn at(now: u64) -> Self {
        let issued = now.saturating_sub(3 * DAY);
        Self {
            id: "TD_QE".into(),
            version: 2,
            issue_date: rfc3339(issued),
            next_update: rfc3339(issued.saturating_add(30 * DAY)),
            tcb_evaluation_data_number: 17,
            miscselect: "00000000".into(),
            miscselect_mask: "FFFFFFFF".into(),
            attributes: "11000000000000000000000000000000".into(),
            attributes_mask: "FBFFFFFFFFFFFFFF0000000000000000".into(),
            mrsigner: hex::encode_upper(QeReport::default().mr_signer),
            isvprodid: 2,
            tcb_levels: vec![SvnLevel::new(4, "UpToDate"), SvnLevel::new(2, "OutOfDate")],
        }
    }

    /// The text that is signed.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
