//! TCB info (Intel PCS API v4, "Get TCB Info", version 3, TDX).

use serde::Serialize;

use crate::instant::{DAY, rfc3339};

/// TCB info. Fields are in the order in which Intel writes them; hex is upper case, as Intel's.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TcbInfo {
    /// `TDX`.
    pub id: String,
    /// 3.
    pub version: u32,
    /// RFC 3339.
    pub issue_date: String,
    /// RFC 3339.
    pub next_update: String,
    /// 6 bytes in hex.
    pub fmspc: String,
    /// 2 bytes in hex.
    pub pce_id: String,
    /// 0.
    pub tcb_type: u32,
    /// Grows with every TCB recovery.
    pub tcb_evaluation_data_number: u32,
    /// For a module of version 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tdx_module: Option<TdxModule>,
    /// One for every other module version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tdx_module_identities: Option<Vec<TdxModuleIdentity>>,
    /// Highest first.
    pub tcb_levels: Vec<TcbLevel>,
}

/// What the TDX module must be, for module version 0.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TdxModule {
    /// MRSIGNERSEAM, 48 bytes in hex.
    pub mrsigner: String,
    /// SEAMATTRIBUTES, 8 bytes in hex.
    pub attributes: String,
    /// Which bits of it count.
    pub attributes_mask: String,
}

/// What the TDX module must be, for one module version.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TdxModuleIdentity {
    /// `TDX_` and the version in two hex digits.
    pub id: String,
    /// MRSIGNERSEAM, 48 bytes in hex.
    pub mrsigner: String,
    /// SEAMATTRIBUTES, 8 bytes in hex.
    pub attributes: String,
    /// Which bits of it count.
    pub attributes_mask: String,
    /// Highest first.
    pub tcb_levels: Vec<SvnLevel>,
}

/// A level named by one security version number (of a module or of the QE).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SvnLevel {
    /// The least version at this level.
    pub tcb: Svn,
    /// RFC 3339.
    pub tcb_date: String,
    /// `UpToDate`, ...
    pub tcb_status: String,
    /// `INTEL-SA-...`; left out when empty.
    #[serde(rename = "advisoryIDs", skip_serializing_if = "Vec::is_empty")]
    pub advisory_ids: Vec<String>,
}

/// `{"isvsvn": n}`.
#[derive(Debug, Clone, Serialize)]
pub struct Svn {
    /// The security version number.
    pub isvsvn: u16,
}

/// A level of the platform.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TcbLevel {
    /// The least of every component at this level.
    pub tcb: Tcb,
    /// RFC 3339.
    pub tcb_date: String,
    /// `UpToDate`, ...
    pub tcb_status: String,
    /// `INTEL-SA-...`; left out when empty.
    #[serde(rename = "advisoryIDs", skip_serializing_if = "Vec::is_empty")]
    pub advisory_ids: Vec<String>,
}

/// The components of a platform level.
#[derive(Debug, Clone, Serialize)]
pub struct Tcb {
    /// 16 of them.
    pub sgxtcbcomponents: Vec<Component>,
    /// PCESVN.
    pub pcesvn: u16,
    /// 16 of them; left out when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tdxtcbcomponents: Vec<Component>,
}

/// One component.
#[derive(Debug, Clone, Serialize)]
pub struct Component {
    /// Its least security version number.
    pub svn: u8,
    /// Free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Free text.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// Components with these versions, the ones above zero marked as simulated.
#[must_use]
pub fn components(svns: &[u8]) -> Vec<Component> {
    let simulated = |svn| (svn > 0).then(|| "SIMULATED".to_owned());
    let component = |svn| Component { svn, category: simulated(svn), kind: simulated(svn) };
    svns.iter().copied().map(component).collect()
}

impl SvnLevel {
    /// A level without advisories.
    #[must_use]
    pub fn new(isvsvn: u16, tcb_status: &str) -> Self {
        Self {
            tcb: Svn { isvsvn },
            tcb_date: "2026-02-11T00:00:00Z".into(),
            tcb_status: tcb_status.into(),
            advisory_ids: Vec::new(),
        }
    }
}

impl TdxModuleIdentity {
    /// The identity of a module version, signer and attributes all zero as Intel's are.
    #[must_use]
    pub fn new(version: u8, tcb_levels: Vec<SvnLevel>) -> Self {
        Self {
            id: format!("TDX_{version:02X}"),
            mrsigner: "00".repeat(48),
            attributes: "00".repeat(8),
            attributes_mask: "FF".repeat(8),
            tcb_levels,
        }
    }
}

impl TcbInfo {
    /// One issued three days before `now`, by which the default platform is up to date.
    #[must_use]
    pub fn at(now: u64) -> Self {
        let issued = now.saturating_sub(3 * DAY);
        let level = |sgx: &[u8], pcesvn, tdx: &[u8], date: &str, status: &str| TcbLevel {
            tcb: Tcb { sgxtcbcomponents: components(sgx), pcesvn, tdxtcbcomponents: components(tdx) },
            tcb_date: date.into(),
            tcb_status: status.into(),
            advisory_ids: Vec::new(),
        };
        let mut old = level(
            &[2, 2, 2, 2, 3, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0],
            5,
            &[4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            "2024-03-13T00:00:00Z",
            "OutOfDate",
        );
        old.advisory_ids = vec!["INTEL-SA-00106".into(), "INTEL-SA-00115".into()];
        Self {
            id: "TDX".into(),
            version: 3,
            issue_date: rfc3339(issued),
            next_update: rfc3339(issued.saturating_add(30 * DAY)),
            fmspc: "514D00000000".into(),
            pce_id: "0000".into(),
            tcb_type: 0,
            tcb_evaluation_data_number: 17,
            tdx_module: Some(TdxModule {
                mrsigner: "00".repeat(48),
                attributes: "00".repeat(8),
                attributes_mask: "FF".repeat(8),
            }),
            tdx_module_identities: Some(vec![
                TdxModuleIdentity::new(3, vec![SvnLevel::new(3, "UpToDate")]),
                TdxModuleIdentity::new(1, vec![SvnLevel::new(5, "UpToDate"), SvnLevel::new(2, "OutOfDate")]),
            ]),
            tcb_levels: vec![
                level(
                    &[3, 3, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0],
                    11,
                    &[5, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                    "2026-02-11T00:00:00Z",
                    "UpToDate",
                ),
                old,
            ],
        }
    }

    /// The text that is signed.
    #[must_use]
    pub fn json(&self) -> String {
        // Strings, numbers and lists of them: there is nothing here that JSON cannot hold.
        serde_json::to_string(self).unwrap_or_default()
    }
}
