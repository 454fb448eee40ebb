//! TCB info: Intel's levels for one family of platforms, and for the TDX modules that run on them.
//!
//! Intel PCS API v4, "TCB info V3". Signed over its bytes as they came, which are never written again. Fields
//! that are not known are passed over: Intel adds some without a new version.

use serde::Deserialize;

use crate::hex_bytes::AnyCaseHex;
use crate::tcb::Status;
use crate::time::{UnixSeconds, Validity};

/// TCB info as parsed. Whether Intel signed it is [`crate::collateral`]'s to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcbInfo {
    /// `TDX` for what we need; `SGX` otherwise.
    pub id: String,
    /// 3.
    pub version: u32,
    /// issueDate and nextUpdate.
    pub validity: Validity,
    /// Which platforms it is about.
    pub fmspc: [u8; 6],
    /// Which provisioning certification enclave.
    pub pce_id: [u8; 2],
    /// How levels compare; 0 is the only way there is.
    pub tcb_type: u32,
    /// Rises with every TCB recovery.
    pub evaluation_data_number: u32,
    /// The TDX module, where its version is 0.
    pub module: Option<Module>,
    /// The TDX modules of other versions.
    pub modules: Vec<ModuleIdentity>,
    /// The platform's levels, the highest first, whatever order the document has.
    pub levels: Vec<Level>,
}

/// Whose TDX module it is, and with which attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Module {
    /// MRSIGNERSEAM.
    pub mr_signer: [u8; 48],
    /// SEAMATTRIBUTES under the mask.
    pub attributes: [u8; 8],
    /// The bits of SEAMATTRIBUTES that are compared. Those outside it must be zero.
    pub attributes_mask: [u8; 8],
}

/// The TDX modules of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleIdentity {
    /// `TDX_` and the version, two hex digits.
    pub id: String,
    /// Whose it is.
    pub module: Module,
    /// Its levels by ISVSVN, the highest first.
    pub levels: Vec<IsvLevel>,
}

/// A level of a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Level {
    /// The least SVNs of the SGX components.
    pub sgx: [u8; 16],
    /// The least PCESVN.
    pub pce_svn: u16,
    /// The least SVNs of the TDX components; absent in SGX TCB info.
    pub tdx: Option<[u8; 16]>,
    /// What Intel says of it.
    pub standing: Standing,
}

/// A level of something with one SVN: a TDX module or a quoting enclave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IsvLevel {
    /// The least ISVSVN.
    pub isv_svn: u16,
    /// What Intel says of it.
    pub standing: Standing,
}

/// What Intel says of a level.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// The status.
    pub status: Status,
    /// The day to whose knowledge the level is up to date.
    pub date: UnixSeconds,
    /// Advisories that the level is open to.
    pub advisories: Vec<String>,
}

impl TcbInfo {
    /// Reads the JSON. Levels are sorted here.
    ///
    /// # Errors
    /// What is not TCB info of version 3's form.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_str(json)?;
        let mut levels: Vec<Level> = document.tcb_levels.into_iter().map(Level::from).collect();
        levels.sort_by_key(|level| std::cmp::Reverse((level.sgx, level.pce_svn, level.tdx)));
        Ok(Self {
            id: document.id,
            version: document.version,
            validity: Validity { from: document.issue_date, to: document.next_update },
            fmspc: document.fmspc.0,
            pce_id: document.pce_id.0,
            tcb_type: document.tcb_type,
            evaluation_data_number: document.tcb_evaluation_data_number,
            module: document.tdx_module.map(Module::from),
            modules: document.tdx_module_identities.into_iter().map(ModuleIdentity::from).collect(),
            levels,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    id: String,
    version: u32,
    issue_date: UnixSeconds,
    next_update: UnixSeconds,
    fmspc: AnyCaseHex<6>,
    pce_id: AnyCaseHex<2>,
    tcb_type: u32,
    tcb_evaluation_data_number: u32,
    tdx_module: Option<ModuleDocument>,
    #[serde(default)]
    tdx_module_identities: Vec<ModuleIdentityDocument>,
    tcb_levels: Vec<LevelDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModuleDocument {
    mrsigner: AnyCaseHex<48>,
    attributes: AnyCaseHex<8>,
    attributes_mask: AnyCaseHex<8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModuleIdentityDocument {
    id: String,
    mrsigner: AnyCaseHex<48>,
    attributes: AnyCaseHex<8>,
    attributes_mask: AnyCaseHex<8>,
    tcb_levels: Vec<IsvLevelDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LevelDocument {
    tcb: TcbDocument,
    tcb_date: UnixSeconds,
    tcb_status: Status,
    #[serde(rename = "advisoryIDs", default)]
    advisory_ids: Vec<String>,
}

#[derive(Deserialize)]
struct TcbDocument {
    sgxtcbcomponents: [Component; 16],
    pcesvn: u16,
    tdxtcbcomponents: Option<[Component; 16]>,
}

#[derive(Deserialize)]
struct Component {
    svn: u8,
}

/// A level by ISVSVN, as TCB info and QE identity both write it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IsvLevelDocument {
    tcb: IsvTcbDocument,
    tcb_date: UnixSeconds,
    tcb_status: Status,
    #[serde(rename = "advisoryIDs", default)]
    advisory_ids: Vec<String>,
}

#[derive(Deserialize)]
struct IsvTcbDocument {
    isvsvn: u16,
}

/// Levels by ISVSVN, the highest first.
pub(crate) fn isv_levels(documents: Vec<IsvLevelDocument>) -> Vec<IsvLevel> {
    let mut levels: Vec<IsvLevel> = documents
        .into_iter()
        .map(|level| IsvLevel {
            isv_svn: level.tcb.isvsvn,
            standing: Standing {
                status: level.tcb_status,
                date: level.tcb_date,
                advisories: level.advisory_ids,
            },
        })
        .collect();
    levels.sort_by_key(|level| std::cmp::Reverse(level.isv_svn));
    levels
}

impl From<LevelDocument> for Level {
    fn from(document: LevelDocument) -> Self {
        Self {
            sgx: document.tcb.sgxtcbcomponents.map(|component| component.svn),
            pce_svn: document.tcb.pcesvn,
            tdx: document.tcb.tdxtcbcomponents.map(|components| components.map(|component| component.svn)),
            standing: Standing {
                status: document.tcb_status,
                date: document.tcb_date,
                advisories: document.advisory_ids,
            },
        }
    }
}

impl From<ModuleDocument> for Module {
    fn from(document: ModuleDocument) -> Self {
        Self {
            mr_signer: document.mrsigner.0,
            attributes: document.attributes.0,
            attributes_mask: document.attributes_mask.0,
        }
    }
}

impl From<ModuleIdentityDocument> for ModuleIdentity {
    fn from(document: ModuleIdentityDocument) -> Self {
        Self {
            module: Module {
                mr_signer: document.mrsigner.0,
                attributes: document.attributes.0,
                attributes_mask: document.attributes_mask.0,
            },
            id: document.id,
            levels: isv_levels(document.tcb_levels),
        }
    }
}
